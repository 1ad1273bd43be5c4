//! The component: requests as lines of JSON, retried until they are written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use collector_config::{ComponentId, Diagnostics, schema_of};
use collector_data::{Payload, Signal, json};
use collector_runtime::component::{Create, Factory, Running};
use collector_runtime::{ComponentError, Exporter, Inbox};
use collector_sending::{Destination, QueueSettings, Request, RetrySettings, SendOutcome, Sender};
use futures_util::future::BoxFuture;
use opentelemetry::metrics::Meter;
use tokio::time::MissedTickBehavior;

use crate::output::OutputFile;
use crate::settings::{FileConfig, FileSettings};

/// The encoding of every request.
const JSON: &str = "json";

/// The factory of `file`.
pub fn factory() -> Factory<dyn Exporter> {
    Factory {
        type_name: "file",
        aliases: &[],
        signals: &Signal::ALL,
        makes: &[],
        description: "Writes OTLP as lines of JSON to a file",
        schema: schema_of::<FileSettings>,
        create: |create| Ok(Box::new(FileExporter::new(create)?)),
    }
}

struct FileExporter {
    id: ComponentId,
    config: FileConfig,
    meter: Meter,
    /// Set by `start`.
    file: Option<OutputFile>,
}

impl FileExporter {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        Ok(FileExporter {
            id: create.id.clone(),
            config: FileConfig::read(create.settings)?,
            meter: create.meter.clone(),
            file: None,
        })
    }
}

/// A full disk may have space again at any time, so nothing is dropped before.
fn retry() -> RetrySettings {
    RetrySettings {
        initial_interval: collector_config::Duration::from_secs(1),
        max_elapsed_time: collector_config::Duration::default(),
        ..RetrySettings::default()
    }
}

/// One consumer keeps the order of the lines.
fn queue() -> QueueSettings {
    QueueSettings {
        num_consumers: 1,
        ..QueueSettings::default()
    }
}

impl Exporter for FileExporter {
    /// Opens the file, so that a wrong path or missing permission fails on startup.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let config = self.config.clone();
            let file = tokio::task::spawn_blocking(|| OutputFile::open(config)).await?;
            self.file = Some(file.map_err(|error| format!("cannot write to {}: {error}", self.config.path.display()))?);
            tracing::info!(exporter = %self.id, path = %self.config.path.display(), "exporting");
            Ok(())
        })
    }

    fn run(self: Box<Self>, input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let file = self.file.ok_or("the exporter was run before it was started")?;
            let destination = FileDestination {
                file: Arc::new(Mutex::new(file)),
                path: self.config.path.display().to_string(),
            };
            let file = Arc::clone(&destination.file);
            let sending = Sender::new(destination, self.id, retry(), queue(), self.meter).run(input, running);
            let flush_interval = self.config.flush_interval;
            if flush_interval.is_zero() {
                return sending.await;
            }
            tokio::select! {
                ended = sending => ended?,
                failed = flush(Arc::clone(&file), flush_interval) => return Err(failed),
            }
            tokio::task::spawn_blocking(move || lock(&file).sync()).await??;
            Ok(())
        })
    }
}

fn lock(file: &Mutex<OutputFile>) -> std::sync::MutexGuard<'_, OutputFile> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Flushes lines to the disk at an interval. Returns the first error, since the lines count as delivered.
async fn flush(file: Arc<Mutex<OutputFile>>, interval: Duration) -> ComponentError {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let file = Arc::clone(&file);
        match tokio::task::spawn_blocking(move || lock(&file).sync()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return format!("cannot flush acknowledged data to the disk: {error}").into(),
            Err(error) => return error.into(),
        }
    }
}

/// The file as the destination of a sender.
struct FileDestination {
    file: Arc<Mutex<OutputFile>>,
    path: String,
}

impl Destination for FileDestination {
    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String> {
        if payload.items() == 0 {
            return Ok(Vec::new());
        }
        let mut line = json::encode(&payload).map_err(|error| format!("it cannot be written as JSON: {error}"))?;
        line.push(b'\n');
        Ok(vec![Request::new(&payload, JSON, "", line.into())])
    }

    fn unpack(&self, request: &Request) -> Result<Payload, String> {
        json::decode(request.signal, &request.body).map_err(|error| format!("the line is not an OTLP request: {error}"))
    }

    async fn export(&self, request: &Request) -> SendOutcome {
        let (file, line): (_, Bytes) = (Arc::clone(&self.file), request.body.clone());
        let written = tokio::task::spawn_blocking(move || lock(&file).append(&line)).await;
        let why = match written {
            Ok(Ok(())) => return SendOutcome::Accepted,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        SendOutcome::Retry {
            after: None,
            why: format!("cannot write to {}: {why}", self.path),
        }
    }
}
