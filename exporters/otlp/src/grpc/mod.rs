//! Exporter `otlp_grpc`: OTLP over gRPC.
//!
//! * `settings`, `endpoint`: the configuration, checked without any I/O.
//! * `connect`: TCP, TLS, and the protocol of a peer that does not speak gRPC.
//! * `call`: one unary call, as bytes.
//! * `response`: the outcome of a response; pure.
//! * `backend`: one attempt to send; queue and retries are in [`collector_sending`].

mod backend;
pub(crate) mod call;
mod connect;
mod endpoint;
pub(crate) mod response;
pub mod settings;

use collector_config::{Diagnostics, Settings, schema_of};
use collector_data::Signal;
use collector_runtime::component::{Create, Factory, Running};
use collector_runtime::{ComponentError, Exporter, Inbox};
use futures_util::future::BoxFuture;
use proxy::{Environment, Proxies, Proxy};

use crate::authentication::Authentication;
use crate::exporter::{self, ExporterParts};
use crate::tls::{Alpn, Client};
use crate::{backends, route};
use backend::GrpcBackend;
use settings::GrpcConfig;

/// The factory of `otlp_grpc`, also known as `otlp`, the Collector's older name.
pub fn factory() -> Factory<dyn Exporter> {
    Factory {
        type_name: "otlp_grpc",
        aliases: &["otlp"],
        signals: &Signal::ALL,
        makes: &[],
        description: "Sends OTLP over gRPC to an OpenTelemetry Collector, or any other intake",
        schema: schema_of::<settings::OtlpGrpcSettings>,
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Exporter>, Diagnostics> {
    let config = GrpcConfig::read(create.settings)?;
    let (parts, authentication) = ExporterParts::new(create, &config.sending.queue, config.auth.as_ref())?;
    Ok(Box::new(OtlpGrpc {
        parts,
        config,
        settings: create.settings.clone(),
        authentication,
        tls: None,
        proxy: None,
    }))
}

struct OtlpGrpc {
    parts: ExporterParts,
    config: GrpcConfig,
    settings: Settings,
    authentication: Authentication,
    /// Set by `start`.
    tls: Option<Client>,
    /// The environment's proxy for the endpoint.
    proxy: Option<Proxy>,
}

impl Exporter for OtlpGrpc {
    fn connected(&self, signals: &[Signal]) {
        let (temporality, url) = (self.config.sending.temporality, &self.config.endpoint.url);
        backends::warn_of_deltas(&self.settings, temporality, signals, url);
    }

    /// Reads certificates. It opens no connection: the backend may be unavailable on startup.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let url = &self.config.endpoint.url;
            let shown = route::shown(std::iter::once(url));
            tracing::info!(exporter = %self.parts.id, endpoint = shown, "exporting");
            let proxies = Proxies::from(Environment::of_process());
            self.proxy = proxies.choose_tunnel(url.into())?.cloned();
            if let Some(proxy) = &self.proxy {
                route::log(&self.parts.id, &[(url, proxy)]);
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
            let backend = GrpcBackend::new(self.config, self.authentication, tls.config, self.proxy)?;
            let parts = ExporterParts {
                reload: tls.reload,
                ..self.parts
            };
            exporter::run(backend, sending, parts, input, running).await
        })
    }
}
