//! The component: made from settings, started, run.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use opentelemetry::metrics::Meter;
use pipeline::component::{ComponentId, Create, Factory, Running};
use pipeline::config::Diagnostics;
use pipeline::sending::Sender;
use pipeline::storage::Storage;
use pipeline::{ComponentError, Exporter, Inbox, Signal};

use crate::client;
use crate::destination::Backend;
use crate::settings::Config;

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
    let storage = config
        .queue
        .open("sending_queue", create)
        .map_err(|mistake| Diagnostics(vec![mistake]))?;
    Ok(Box::new(OtlpHttp {
        id: create.id.clone(),
        config,
        storage,
        meter: create.meter.clone(),
        client: None,
    }))
}

struct OtlpHttp {
    id: ComponentId,
    config: Config,
    /// Where the queue is kept.
    storage: Option<Arc<dyn Storage>>,
    meter: Meter,
    /// There once it is started.
    client: Option<reqwest::Client>,
}

impl Exporter for OtlpHttp {
    /// Reads certificates. No connection is made: a backend that is away at the start is waited for.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            for warning in self.config.warnings() {
                tracing::warn!(exporter = %self.id, "{warning}");
            }
            self.client = Some(client::build(&self.config).await?);
            Ok(())
        })
    }

    fn run(self: Box<Self>, input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let client = self.client.ok_or("the exporter was run before it was started")?;
            let (retry, queue) = (self.config.retry.clone(), self.config.queue.clone());
            let backend = Backend {
                client,
                config: self.config,
            };
            Sender::new(backend, self.id, retry, queue, self.meter)
                .with_storage(self.storage)
                .run(input, running)
                .await
        })
    }
}
