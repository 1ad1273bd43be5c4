//! The collector's own logs and metrics: `service::telemetry` of the configuration.

mod escape;
mod logs;
mod process;
mod pull;
mod push;
mod reloads;
mod settings;
#[cfg(test)]
mod tests;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Duration;

use collector_config::{Diagnostics, Settings};
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use tracing_subscriber::{EnvFilter, reload};

use self::escape::{EscapedFields, EscapedJson};
use self::logs::Dropped;
pub(crate) use self::logs::{LAST_LINES, LogWriter};
use self::pull::Endpoint;
pub(crate) use self::reloads::Reloads;
use self::settings::Encoding;
pub(crate) use self::settings::{Level, TelemetryConfig};
use crate::terminal;

/// The timeout of the last export of own metrics: the grace period is nearly over by then.
const LAST_SEND: Duration = Duration::from_secs(2);

/// `service::telemetry`, read and checked; nothing of it runs yet.
#[derive(Default)]
pub(crate) struct TelemetryPlan {
    config: TelemetryConfig,
    readers: Vec<PlannedReader>,
}

enum PlannedReader {
    Periodic(MetricExporter, Duration),
    Pull(Endpoint),
}

impl TelemetryPlan {
    /// Reads `service::telemetry`.
    pub(crate) fn read(settings: &Settings) -> Result<TelemetryPlan, Diagnostics> {
        let config: TelemetryConfig = settings.read()?;
        let (mut readers, mut errors) = (Vec::new(), Diagnostics::default());
        for (index, reader) in config.metrics.readers.iter().enumerate() {
            let path = format!("metrics::readers::{index}");
            match (&reader.periodic, &reader.pull) {
                (Some(periodic), None) => match periodic.exporter.otlp.exporter() {
                    Ok(exporter) => {
                        let interval = Duration::from_millis(periodic.interval);
                        readers.push(PlannedReader::Periodic(exporter, interval));
                    }
                    Err(why) => {
                        let path = format!("{path}::periodic::exporter::otlp::endpoint");
                        errors.push(settings.error(&path, why));
                    }
                },
                (None, Some(pull)) => readers.push(PlannedReader::Pull(Endpoint::new(pull, index))),
                (Some(_), Some(_)) => {
                    let text = "found periodic and pull, expected one of them: write two entries of the list";
                    errors.push(settings.error(&path, text));
                }
                (None, None) => {
                    let text = "expected periodic (pushed over OTLP) or pull (scraped by Prometheus), found neither";
                    errors.push(settings.error(&path, text));
                }
            }
        }
        errors.into_result(TelemetryPlan { config, readers })
    }

    /// Starts the readers. Without a reader the metrics are not exported.
    pub(crate) fn start(self) -> Telemetry {
        let resource = Resource::builder_empty()
            .with_attributes([
                opentelemetry::KeyValue::new("service.name", env!("CARGO_PKG_NAME")),
                opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            ])
            .build();
        let mut meters = SdkMeterProvider::builder().with_resource(resource);
        let mut endpoints = Vec::new();
        for reader in self.readers {
            match reader {
                PlannedReader::Periodic(exporter, interval) => {
                    meters = meters.with_reader(PeriodicReader::builder(exporter).with_interval(interval).build());
                }
                PlannedReader::Pull(endpoint) => {
                    meters = meters.with_reader(endpoint.reader());
                    endpoints.push(endpoint);
                }
            }
        }
        let meters = meters.build();
        let dropped = Dropped::default();
        process::observe(&meters.meter(env!("CARGO_PKG_NAME")), Arc::clone(&dropped));
        Telemetry {
            config: self.config,
            dropped,
            meters,
            endpoints,
        }
    }

    /// The settings alone, to compare them with those that run.
    pub(crate) fn into_config(self) -> TelemetryConfig {
        self.config
    }
}

/// The collector's own telemetry.
pub(crate) struct Telemetry {
    config: TelemetryConfig,
    /// Log lines that could not be written.
    dropped: Dropped,
    meters: SdkMeterProvider,
    endpoints: Vec<Endpoint>,
}

/// The collector's own log. Writes the last lines, within [`LAST_LINES`], when it is dropped.
pub(crate) struct Log {
    /// Writes the lines.
    pub writer: LogWriter,
    set_level: Box<dyn Fn(Level) + Send + Sync>,
}

impl Drop for Log {
    fn drop(&mut self) {
        self.writer.flush(LAST_LINES);
    }
}

impl Telemetry {
    /// Applies the settings of a new configuration that need no restart. Returns the keys that need one because their
    /// values differ from those that run.
    pub(crate) fn apply(&self, config: &TelemetryConfig, log: Option<&Log>) -> Vec<&'static str> {
        if let Some(log) = log {
            (log.set_level)(config.logs.level);
        }
        let mut restart = Vec::new();
        if config.logs.encoding != self.config.logs.encoding {
            restart.push("service::telemetry::logs::encoding");
        }
        if config.metrics != self.config.metrics {
            restart.push("service::telemetry::metrics::readers");
        }
        restart
    }

    /// Where components make their instruments.
    pub(crate) fn meter(&self) -> Meter {
        self.meters.meter(env!("CARGO_PKG_NAME"))
    }

    /// Starts writing the collector's own logs to standard error, at the configured level or at `level`; panics, too.
    pub(crate) fn init_logs(&self, level: Option<Level>) -> Option<Log> {
        let report = |lines| warn!(lines, "log lines dropped: standard error was full, closed or not read");
        let writer = match LogWriter::start(std::io::stderr(), Arc::clone(&self.dropped), report) {
            Ok(writer) => writer,
            Err(error) => {
                terminal::note(&format!("kube-job-collector: cannot start logging: {error}"));
                return None;
            }
        };
        let sink = writer.clone();
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter(level.unwrap_or(self.config.logs.level)))
            .with_writer(move || sink.clone())
            .log_internal_errors(false)
            .with_ansi(terminal::colours(&std::io::stderr()));
        let (started, set_level) = match self.config.logs.encoding {
            Encoding::Console => {
                let builder = builder.fmt_fields(EscapedFields).with_filter_reloading();
                let set_level = setter(builder.reload_handle());
                (builder.try_init(), set_level)
            }
            Encoding::Json => {
                let builder = builder.json().flatten_event(true).map_event_format(EscapedJson);
                let builder = builder.with_filter_reloading();
                let set_level = setter(builder.reload_handle());
                (builder.try_init(), set_level)
            }
        };
        if let Err(error) = started {
            terminal::note(&format!("kube-job-collector: cannot start logging: {error}"));
            return None;
        }
        std::panic::set_hook(Box::new(log_panic));
        Some(Log { writer, set_level })
    }

    /// Serves the own metrics that are to be scraped, until `shutdown`.
    pub(crate) async fn serve(&self, shutdown: &CancellationToken) -> Result<JoinSet<()>, String> {
        let mut servers = JoinSet::new();
        for endpoint in &self.endpoints {
            servers.spawn(endpoint.serve(shutdown.clone()).await?);
        }
        Ok(servers)
    }

    /// Exports the last of the own metrics.
    pub(crate) fn shutdown(&self) {
        if let Err(error) = self.meters.shutdown_with_timeout(LAST_SEND) {
            warn!(%error, "the last of the collector's own metrics may be lost");
        }
    }
}

/// Libraries log from `warn`, so that `debug` shows the collector's work, not every HTTP frame. kube's client logs errors
/// that the receiver also logs, with its reaction.
fn filter(level: Level) -> EnvFilter {
    let level = match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    EnvFilter::new(format!(
        "{level},hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,h2=warn,tower=warn,kube_client=off,opentelemetry=warn"
    ))
}

fn setter<S: 'static>(handle: reload::Handle<EnvFilter, S>) -> Box<dyn Fn(Level) + Send + Sync> {
    Box::new(move |level| {
        if let Err(error) = handle.reload(filter(level)) {
            warn!(%error, "cannot change the level of the log");
        }
    })
}

/// The hook of the standard library writes to standard error itself, which may block.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let text = panic.payload();
    let text = text
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| text.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let place = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(place, backtrace, "panicked: {text}");
}
