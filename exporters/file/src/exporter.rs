//! The component: requests as lines of JSON, tried until they are written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use collector_config::{ComponentId, Diagnostics};
use collector_data::{Payload, Signal, json};
use collector_runtime::component::{Create, Factory, Running};
use collector_runtime::{ComponentError, Exporter, Inbox};
use collector_sending::{Destination, QueueSettings, Request, RetrySettings, SendOutcome, Sender};
use futures_util::future::BoxFuture;
use opentelemetry::metrics::Meter;
use tokio::time::MissedTickBehavior;

use crate::log::Log;
use crate::settings::Config;

/// How a request is written; the only form.
const JSON: &str = "json";

/// The factory of `file`.
pub fn factory() -> Factory<dyn Exporter> {
    Factory {
        type_name: "file",
        aliases: &[],
        signals: &Signal::ALL,
        makes: &[],
        description: "Writes OTLP as lines of JSON to a file",
        create: |create| Ok(Box::new(FileExporter::new(create)?)),
    }
}

struct FileExporter {
    id: ComponentId,
    config: Config,
    meter: Meter,
    /// There once it is started.
    log: Option<Log>,
}

impl FileExporter {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        Ok(FileExporter {
            id: create.id.clone(),
            config: Config::read(create.settings)?,
            meter: create.meter.clone(),
            log: None,
        })
    }
}

/// A disk that is full may have room again at any time, and nothing is given up before.
fn retry() -> RetrySettings {
    RetrySettings {
        initial_interval: collector_config::Duration::from_secs(1),
        max_elapsed_time: collector_config::Duration::default(),
        ..RetrySettings::default()
    }
}

/// One at a time: lines stand in the order in which they came.
fn queue() -> QueueSettings {
    QueueSettings {
        num_consumers: 1,
        ..QueueSettings::default()
    }
}

impl Exporter for FileExporter {
    /// Opens the file, so that a wrong path or missing permission is known at once.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let config = self.config.clone();
            let log = tokio::task::spawn_blocking(|| Log::open(config)).await?;
            self.log = Some(log.map_err(|error| format!("cannot write to {}: {error}", self.config.path.display()))?);
            tracing::info!(exporter = %self.id, path = %self.config.path.display(), "exporting");
            Ok(())
        })
    }

    fn run(self: Box<Self>, input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let log = self.log.ok_or("the exporter was run before it was started")?;
            let file = Lined {
                log: Arc::new(Mutex::new(log)),
                path: self.config.path.display().to_string(),
            };
            let log = Arc::clone(&file.log);
            let sending = Sender::new(file, self.id, retry(), queue(), self.meter).run(input, running);
            let flush_interval = self.config.flush_interval;
            if flush_interval.is_zero() {
                return sending.await;
            }
            tokio::select! {
                ended = sending => ended?,
                failed = flush(Arc::clone(&log), flush_interval) => return Err(failed),
            }
            tokio::task::spawn_blocking(move || lock(&log).sync()).await??;
            Ok(())
        })
    }
}

fn lock(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Brings lines to the disk, again and again. Ends with an error when that fails: they count as delivered.
async fn flush(log: Arc<Mutex<Log>>, interval: Duration) -> ComponentError {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let log = Arc::clone(&log);
        match tokio::task::spawn_blocking(move || lock(&log).sync()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return format!("what was written cannot be brought to the disk: {error}").into(),
            Err(error) => return error.into(),
        }
    }
}

/// A file as somewhere to send to.
struct Lined {
    log: Arc<Mutex<Log>>,
    path: String,
}

impl Destination for Lined {
    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String> {
        if payload.items() == 0 {
            return Ok(Vec::new());
        }
        let mut line = json::encode(&payload).map_err(|error| format!("it cannot be written as JSON: {error}"))?;
        line.push(b'\n');
        Ok(vec![Request::new(&payload, JSON, "", line.into())])
    }

    fn unpack(&self, request: &Request) -> Result<Payload, String> {
        json::decode(request.signal, &request.body).map_err(|error| format!("it is no line of OTLP: {error}"))
    }

    async fn export(&self, request: &Request) -> SendOutcome {
        let (log, line): (_, Bytes) = (Arc::clone(&self.log), request.body.clone());
        let written = tokio::task::spawn_blocking(move || lock(&log).append(&line)).await;
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
