//! The collector's own logs and metrics: `service::telemetry` of the configuration.

mod escape;
mod logs;
mod process;
mod pull;
mod push;
#[cfg(test)]
mod tests;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::HashMap;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Duration;

use collector_config::{Diagnostics, Secret, Settings};
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use tracing_subscriber::EnvFilter;

use self::escape::{EscapedFields, EscapedJson};
use self::logs::Dropped;
pub(crate) use self::logs::{LAST_LINES, LastLines, LogWriter};
use self::pull::{Endpoint, Pull};
use self::push::Push;
use crate::terminal;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct TelemetryConfig {
    logs: Logs,
    metrics: Metrics,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Logs {
    level: Level,
    encoding: Encoding,
}

impl Default for Logs {
    fn default() -> Self {
        Logs {
            level: Level::Info,
            encoding: Encoding::Console,
        }
    }
}

/// The lowest level of log lines that are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Level {
    /// Details of the collector's operation.
    Debug,
    /// Normal operation.
    Info,
    /// Possible problems.
    Warn,
    /// Problems.
    Error,
}

impl<'de> Deserialize<'de> for Level {
    /// In any case, and with the Collector's names for levels above error.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.trim().to_ascii_lowercase().as_str() {
            "debug" => Ok(Level::Debug),
            "info" => Ok(Level::Info),
            "warn" | "warning" => Ok(Level::Warn),
            "error" | "dpanic" | "panic" | "fatal" => Ok(Level::Error),
            _ => Err(serde::de::Error::custom(format!(
                "`{text}` is not a level, expected `debug`, `info`, `warn` or `error`"
            ))),
        }
    }
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Console,
    Json,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Metrics {
    readers: Vec<Reader>,
}

/// With one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reader {
    periodic: Option<Periodic>,
    pull: Option<Pull>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Periodic {
    /// Milliseconds.
    #[serde(default = "one_minute")]
    interval: u64,
    exporter: PeriodicExporter,
}

fn one_minute() -> u64 {
    60_000
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeriodicExporter {
    otlp: Otlp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Otlp {
    /// The URL; without a path, `/v1/metrics` is added.
    endpoint: String,
    #[serde(default, rename = "protocol")]
    _protocol: OtlpProtocol,
    #[serde(default)]
    headers: HashMap<String, Secret>,
    #[serde(default)]
    temporality_preference: TemporalityPreference,
}

/// As the Collector's schema writes it. There is one.
#[derive(Default)]
struct OtlpProtocol;

impl<'de> Deserialize<'de> for OtlpProtocol {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "http/protobuf" => Ok(OtlpProtocol),
            other => Err(serde::de::Error::custom(format!(
                "`{other}` is not supported here, expected `http/protobuf` and an endpoint such as \
                 http://localhost:4318/v1/metrics"
            ))),
        }
    }
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TemporalityPreference {
    #[default]
    Cumulative,
    Delta,
}

/// The timeout of the last export of own metrics: the grace period is nearly over by then.
const LAST_SEND: Duration = Duration::from_secs(2);

/// The collector's own telemetry.
#[derive(Default)]
pub(crate) struct Telemetry {
    logs: Logs,
    /// Log lines that could not be written.
    dropped: Dropped,
    meters: SdkMeterProvider,
    endpoints: Vec<Endpoint>,
}

impl Telemetry {
    /// Reads `service::telemetry`. Without a reader the metrics are not exported.
    pub(crate) fn read(settings: &Settings) -> Result<Telemetry, Diagnostics> {
        let config: TelemetryConfig = settings.read()?;
        let resource = Resource::builder_empty()
            .with_attributes([
                opentelemetry::KeyValue::new("service.name", env!("CARGO_PKG_NAME")),
                opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            ])
            .build();
        let mut meters = SdkMeterProvider::builder().with_resource(resource);
        let (mut endpoints, mut errors) = (Vec::new(), Diagnostics::default());
        for (index, reader) in config.metrics.readers.iter().enumerate() {
            let path = format!("metrics::readers::{index}");
            match (&reader.periodic, &reader.pull) {
                (Some(periodic), None) => match periodic.exporter.otlp.exporter() {
                    Ok(exporter) => {
                        let interval = Duration::from_millis(periodic.interval);
                        meters = meters.with_reader(PeriodicReader::builder(exporter).with_interval(interval).build());
                    }
                    Err(why) => {
                        let path = format!("{path}::periodic::exporter::otlp::endpoint");
                        errors.push(settings.error(&path, why));
                    }
                },
                (None, Some(pull)) => {
                    let endpoint = Endpoint::new(pull, index);
                    meters = meters.with_reader(endpoint.reader());
                    endpoints.push(endpoint);
                }
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
        let meters = meters.build();
        let dropped = Dropped::default();
        process::observe(&meters.meter(env!("CARGO_PKG_NAME")), Arc::clone(&dropped));
        errors.into_result(())?;
        Ok(Telemetry {
            logs: config.logs,
            dropped,
            meters,
            endpoints,
        })
    }

    /// Where components make their instruments.
    pub(crate) fn meter(&self) -> Meter {
        self.meters.meter(env!("CARGO_PKG_NAME"))
    }

    /// Starts writing the collector's own logs to standard error, at the configured level or at `level`; panics, too.
    /// The returned guard writes the last lines when it is dropped.
    pub(crate) fn init_logs(&self, level: Option<Level>) -> Option<LastLines> {
        let report = |lines| warn!(lines, "log lines dropped: standard error was full, closed or not read");
        let writer = match LogWriter::start(std::io::stderr(), Arc::clone(&self.dropped), report) {
            Ok(writer) => writer,
            Err(error) => {
                terminal::note(&format!("kube-job-collector: cannot start logging: {error}"));
                return None;
            }
        };
        let last_lines = LastLines(writer.clone());
        let level = match level.unwrap_or(self.logs.level) {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        // Libraries log from `warn`, so that `debug` shows the collector's work, not every HTTP frame. kube's client
        // logs errors that the receiver also logs, with its reaction.
        let filter = EnvFilter::new(format!(
            "{level},hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,h2=warn,tower=warn,kube_client=off,opentelemetry=warn"
        ));
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(move || writer.clone())
            .log_internal_errors(false)
            .with_ansi(terminal::colours(&std::io::stderr()));
        let started = match self.logs.encoding {
            Encoding::Console => builder.fmt_fields(EscapedFields).try_init(),
            Encoding::Json => builder
                .json()
                .flatten_event(true)
                .map_event_format(EscapedJson)
                .try_init(),
        };
        if let Err(error) = started {
            terminal::note(&format!("kube-job-collector: cannot start logging: {error}"));
            return None;
        }
        std::panic::set_hook(Box::new(log_panic));
        Some(last_lines)
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

impl Otlp {
    fn url(&self) -> String {
        let base = self.endpoint.trim_end_matches('/');
        match base.split_once("://") {
            Some((_, host)) if !host.contains(['/', '?']) => format!("{base}/v1/metrics"),
            _ => self.endpoint.clone(),
        }
    }

    fn exporter(&self) -> Result<MetricExporter, String> {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.expose().to_owned()))
            .collect();
        MetricExporter::builder()
            .with_http()
            .with_http_client(Push::new(&self.url())?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(self.url())
            .with_headers(headers)
            .with_temporality(match self.temporality_preference {
                TemporalityPreference::Cumulative => Temporality::Cumulative,
                TemporalityPreference::Delta => Temporality::Delta,
            })
            .build()
            .map_err(|error| format!("{error}; expected a URL such as http://localhost:4318/v1/metrics"))
    }
}
