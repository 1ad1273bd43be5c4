//! A running exporter, a client, and events of recordings.

mod client;
mod events;

use std::net::SocketAddr;

use collector_config::{Diagnostics, Settings};
use collector_data::{Delivery, Outcome, Payload};
use collector_runtime::component::{Create, Exporter};
use collector_testing::{Host, Running};
use web_exporter::exporter::WebExporter;

pub(crate) use client::{Answer, Stream, get, request};
pub(crate) use events::{missed, recorded, recordings, with_time};

/// Makes the exporter of a host.
pub(crate) fn create(host: &Host, yaml: &str) -> Result<WebExporter, Diagnostics> {
    WebExporter::new(&Create {
        id: &host.id,
        settings: &Settings::from_yaml(yaml)?,
        meter: &host.metrics.meter(),
        health: &host.health,
        provided: &host.provided,
    })
}

/// A running exporter.
pub(crate) struct Served {
    pub(crate) host: Host,
    pub(crate) address: SocketAddr,
    pub(crate) running: Running,
}

impl Served {
    /// Runs the exporter with more settings.
    pub(crate) async fn start(more: &str) -> Self {
        Served::on(Host::new("web"), more).await
    }

    /// The same on a host.
    pub(crate) async fn on(host: Host, more: &str) -> Self {
        let mut exporter = Box::new(create(&host, &format!("endpoint: 127.0.0.1:0\n{more}")).unwrap());
        exporter.start().await.unwrap();
        let address = exporter.address().unwrap();
        let running = Running::exporter(&host, Box::new(Started(exporter))).await.unwrap();
        Served { host, address, running }
    }

    /// Sends a payload and waits until it is acknowledged.
    pub(crate) async fn send(&self, payload: Payload) {
        assert_eq!(self.begin(payload).await.await, Outcome::Delivered);
    }

    /// Sends a payload.
    pub(crate) async fn begin(&self, payload: Payload) -> Delivery {
        self.running.send(payload).await
    }

    /// The answer to a path.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        get(self.address, path, "").await
    }

    /// The JSON at a path of the API, which is available.
    pub(crate) async fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.get(&format!("/api/v1{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// The path of the Job of the first event that `/events` lists with this query.
    pub(crate) async fn first_job(&self, query: &str) -> String {
        let listed = self.json(&format!("/events{query}")).await;
        let text = |key: &str| listed["events"][0][key].as_str().unwrap().to_owned();
        format!("/jobs/{}/{}", text("namespace"), text("name"))
    }

    /// The number of kept events.
    pub(crate) async fn kept(&self) -> u64 {
        self.json("/overview").await["totals"]["kept"].as_u64().unwrap()
    }
}

/// An exporter that listens already: the test knows its address.
struct Started(Box<WebExporter>);

impl Exporter for Started {
    fn run(
        self: Box<Self>,
        input: collector_runtime::Inbox,
        running: collector_runtime::component::Running,
    ) -> futures_util::future::BoxFuture<'static, Result<(), collector_runtime::ComponentError>> {
        self.0.run(input, running)
    }
}
