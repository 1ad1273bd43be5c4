//! The settings of `service::telemetry`.

use std::borrow::Cow;
use std::collections::HashMap;

use collector_config::Secret;
use collector_config::schema::any_case;
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::metrics::Temporality;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::pull::Pull;
use super::push::Push;

/// The collector's own logs and metrics.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TelemetryConfig {
    /// The collector's own logs.
    pub(super) logs: Logs,
    /// The collector's own metrics.
    pub(super) metrics: Metrics,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Logs {
    /// The lowest level that is logged.
    pub level: Level,
    /// The form of log lines: `console` is plain text, `json` is one JSON object in each line.
    pub encoding: Encoding,
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
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

impl JsonSchema for Level {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Level".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        any_case(
            &["debug", "info", "warn", "error"],
            &["warning", "dpanic", "panic", "fatal"],
        )
    }
}

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    Console,
    Json,
}

#[derive(Clone, Deserialize, JsonSchema, Default, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Metrics {
    /// Readers that export the collector's own metrics.
    pub readers: Vec<Reader>,
}

/// A reader: `periodic` or `pull`.
#[derive(Clone, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["periodic"]}, {"required": ["pull"]}]))]
pub(super) struct Reader {
    /// Sends metrics over OTLP.
    pub periodic: Option<Periodic>,
    /// Serves metrics to Prometheus at `/metrics`.
    pub pull: Option<Pull>,
}

#[derive(Clone, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Periodic {
    /// The time between two exports, in milliseconds.
    #[serde(default = "one_minute")]
    pub interval: u64,
    /// The exporter of the reader.
    pub exporter: PeriodicExporter,
}

fn one_minute() -> u64 {
    60_000
}

#[derive(Clone, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct PeriodicExporter {
    /// OTLP over HTTP.
    pub otlp: Otlp,
}

#[derive(Clone, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Otlp {
    /// The URL. If it has no path, `/v1/metrics` is added.
    endpoint: String,
    /// The protocol: only `http/protobuf`, OTLP over HTTP.
    #[serde(default, rename = "protocol")]
    _protocol: OtlpProtocol,
    /// Headers of every request. Their values are secrets.
    #[serde(default)]
    headers: HashMap<String, Secret>,
    /// The temporality of sums and histograms. Datadog accepts `delta` only.
    #[serde(default)]
    temporality_preference: TemporalityPreference,
}

/// As the Collector's schema writes it. There is one.
#[derive(Clone, Default, PartialEq)]
struct OtlpProtocol;

impl JsonSchema for OtlpProtocol {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OtlpProtocol".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": ["http/protobuf"], "default": "http/protobuf"})
    }
}

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

#[derive(Clone, Copy, Default, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum TemporalityPreference {
    #[default]
    Cumulative,
    Delta,
}

impl Otlp {
    pub(super) fn url(&self) -> String {
        let base = self.endpoint.trim_end_matches('/');
        match base.split_once("://") {
            Some((_, host)) if !host.contains(['/', '?']) => format!("{base}/v1/metrics"),
            _ => self.endpoint.clone(),
        }
    }

    /// Opens no connection.
    pub(super) fn exporter(&self) -> Result<MetricExporter, String> {
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
