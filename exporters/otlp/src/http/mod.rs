//! Exporter `otlp_http`: OTLP over HTTP, protobuf or JSON.
//!
//! * [`settings`]: the configuration, checked without any I/O.
//! * `client`: the connection.
//! * `response`: the outcome of a response; pure.
//! * `backend`: one attempt to send; queue and retries are in [`collector_sending`].

mod backend;
mod client;
pub(crate) mod response;
pub mod settings;

use collector_config::{Diagnostics, Settings, schema_of};
use collector_data::Signal;
use collector_runtime::component::{Create, Factory, Running};
use collector_runtime::{ComponentError, Exporter, Inbox};
use futures_util::future::BoxFuture;

use crate::authentication::Authentication;
use crate::exporter::{self, ExporterParts};
use crate::{backends, route};
use backend::HttpBackend;
use client::Client;
use settings::HttpConfig;

/// The factory of `otlp_http`, also known as `otlphttp`, the Collector's older name.
pub fn factory() -> Factory<dyn Exporter> {
    Factory {
        type_name: "otlp_http",
        aliases: &["otlphttp"],
        signals: &Signal::ALL,
        makes: &[],
        description: "Sends OTLP over HTTP to Datadog, an OpenTelemetry Collector, or any other intake",
        schema: schema_of::<settings::OtlpHttpSettings>,
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Exporter>, Diagnostics> {
    let config = HttpConfig::read(create.settings)?;
    let (parts, authentication) = ExporterParts::new(create, &config.sending.queue, config.auth.as_ref())?;
    Ok(Box::new(OtlpHttp {
        parts,
        config,
        settings: create.settings.clone(),
        authentication,
        client: None,
    }))
}

struct OtlpHttp {
    parts: ExporterParts,
    config: HttpConfig,
    settings: Settings,
    authentication: Authentication,
    /// Set by `start`.
    client: Option<Client>,
}

impl Exporter for OtlpHttp {
    fn connected(&self, signals: &[Signal]) {
        if let Some(url) = self.config.endpoints.of(Signal::Metrics) {
            backends::warn_of_deltas(&self.settings, self.config.sending.temporality, signals, url);
        }
    }

    /// Reads certificates. It opens no connection: the backend may be unavailable on startup.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let client = client::build(&self.config).await?;
            tracing::info!(exporter = %self.parts.id, endpoint = route::shown(self.config.endpoints.all()), "exporting");
            route::log(
                &self.parts.id,
                &route::proxied(&client.proxies, self.config.endpoints.all())?,
            );
            self.client = Some(client);
            Ok(())
        })
    }

    fn run(self: Box<Self>, input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let Client { http, reload, proxies } = self.client.ok_or("the exporter was run before it was started")?;
            let sending = self.config.sending.clone();
            let backend = HttpBackend {
                client: http,
                proxies,
                authentication: self.authentication,
                config: self.config,
            };
            let parts = ExporterParts { reload, ..self.parts };
            exporter::run(backend, sending, parts, input, running).await
        })
    }
}
