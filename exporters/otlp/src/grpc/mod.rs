//! Exporter `otlp_grpc`: OTLP over gRPC.
//!
//! * `settings`, `endpoint`: what the configuration says, checked without any I/O.
//! * `connect`: TCP, TLS, and what speaks there instead of gRPC.
//! * `call`: one unary call, as bytes.
//! * `answer`: what an answer means; pure.
//! * `destination`: one attempt to send; queue and retries are [`collector_sending`].

pub(crate) mod answer;
pub(crate) mod call;
mod connect;
mod destination;
mod endpoint;
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
use proxy::{Environment, Proxies, Proxy};

use crate::authentication::Authentication;
use crate::exporter::{self, Parts};
use crate::tls::{Alpn, Client};
use crate::{backends, route};
use destination::Backend;
use settings::Config;

/// The factory of `otlp_grpc`, also known as `otlp`, the collector's older name.
pub fn factory() -> Factory<dyn Exporter> {
    Factory {
        type_name: "otlp_grpc",
        aliases: &["otlp"],
        signals: &Signal::ALL,
        makes: &[],
        description: "Sends OTLP over gRPC to an OpenTelemetry Collector, or any other intake",
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
    Ok(Box::new(OtlpGrpc {
        id: create.id.clone(),
        config,
        settings: create.settings.clone(),
        storage,
        authentication,
        meter: create.meter.clone(),
        tls: None,
        proxy: None,
    }))
}

struct OtlpGrpc {
    id: ComponentId,
    config: Config,
    settings: Settings,
    /// Where the queue is kept.
    storage: Option<Arc<dyn Storage>>,
    authentication: Authentication,
    meter: Meter,
    /// There once it is started.
    tls: Option<Client>,
    /// The environment's proxy for the endpoint.
    proxy: Option<Proxy>,
}

impl Exporter for OtlpGrpc {
    fn connected(&self, signals: &[Signal]) {
        let (temporality, url) = (self.config.sending.temporality, &self.config.endpoint.url);
        backends::warn_of_deltas(&self.settings, temporality, signals, url);
    }

    /// Reads certificates. No connection is made: a backend that is away at the start is waited for.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let url = &self.config.endpoint.url;
            let shown = route::shown(std::iter::once(url));
            tracing::info!(exporter = %self.id, endpoint = shown, "exporting");
            let proxies = Proxies::from(Environment::of_process());
            self.proxy = proxies.choose_tunnel(url.into())?.cloned();
            if let Some(proxy) = &self.proxy {
                route::log(&self.id, &[(url, proxy)]);
            }
            let needed = self.config.endpoint.tls;
            self.tls = Some(self.config.tls.client(needed, Alpn::Http2).await?);
            Ok(())
        })
    }

    fn run(self: Box<Self>, input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let tls = self.tls.ok_or("the exporter was run before it was started")?;
            let sending = self.config.sending.clone();
            let backend = Backend::new(self.config, self.authentication, tls.config, self.proxy)?;
            let parts = Parts {
                id: self.id,
                meter: self.meter,
                storage: self.storage,
                reload: tls.reload,
            };
            exporter::run(backend, sending, parts, input, running).await
        })
    }
}
