//! Exporter `otlp_http`: OTLP over HTTP, protobuf or JSON.
//!
//! * [`settings`]: what the configuration says, checked without any I/O.
//! * `client`: the connection.
//! * `response`: what an answer means; pure.
//! * `destination`: one attempt to send; queue and retries are [`collector_sending`].

mod client;
mod destination;
pub(crate) mod response;
pub mod settings;

use std::sync::Arc;

use collector_config::ComponentId;
use collector_config::{Diagnostics, Settings};
use collector_data::Signal;
use collector_runtime::component::{Create, Factory, Running};
use collector_runtime::storage::Storage;
use collector_runtime::{ComponentError, Exporter, Inbox};
use futures_util::future::BoxFuture;
use opentelemetry::metrics::Meter;

use crate::authentication::Authentication;
use crate::exporter::{self, Parts};
use crate::{backends, route};
use client::Client;
use destination::Backend;
use settings::Config;

/// The factory of `otlp_http`, also known as `otlphttp`, the collector's older name.
pub fn factory() -> Factory<dyn Exporter> {
    Factory {
        type_name: "otlp_http",
        aliases: &["otlphttp"],
        signals: &Signal::ALL,
        makes: &[],
        description: "Sends OTLP over HTTP to Datadog, an OpenTelemetry Collector, or any other intake",
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Exporter>, Diagnostics> {
    let config = Config::read(create.settings)?;
    let storage = config.sending.queue.open("sending_queue", create);
    let authentication = Authentication::find(config.auth.as_ref(), create);
    let (storage, authentication) = match (storage, authentication) {
        (Ok(storage), Ok(authentication)) => (storage, authentication),
        (storage, authentication) => {
            return Err(storage.err().into_iter().chain(authentication.err()).collect());
        }
    };
    Ok(Box::new(OtlpHttp {
        id: create.id.clone(),
        config,
        settings: create.settings.clone(),
        storage,
        authentication,
        meter: create.meter.clone(),
        client: None,
    }))
}

struct OtlpHttp {
    id: ComponentId,
    config: Config,
    settings: Settings,
    /// Where the queue is kept.
    storage: Option<Arc<dyn Storage>>,
    authentication: Authentication,
    meter: Meter,
    /// There once it is started.
    client: Option<Client>,
}

impl Exporter for OtlpHttp {
    fn connected(&self, signals: &[Signal]) {
        if let Some(url) = self.config.endpoints.of(Signal::Metrics) {
            backends::warn_of_deltas(&self.settings, self.config.sending.temporality, signals, url);
        }
    }

    /// Reads certificates. No connection is made: a backend that is away at the start is waited for.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let client = client::build(&self.config).await?;
            tracing::info!(exporter = %self.id, endpoint = route::shown(self.config.endpoints.all()), "exporting");
            route::log(&self.id, &route::proxied(&client.proxies, self.config.endpoints.all())?);
            self.client = Some(client);
            Ok(())
        })
    }

    fn run(self: Box<Self>, input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let Client { http, reload, proxies } = self.client.ok_or("the exporter was run before it was started")?;
            let sending = self.config.sending.clone();
            let backend = Backend {
                client: http,
                proxies,
                authentication: self.authentication,
                config: self.config,
            };
            let parts = Parts {
                id: self.id,
                meter: self.meter,
                storage: self.storage,
                reload,
            };
            exporter::run(backend, sending, parts, input, running).await
        })
    }
}
