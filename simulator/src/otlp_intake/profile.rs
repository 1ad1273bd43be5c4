//! The documented rules of backends for OTLP, one profile each.
//!
//! Sources, as of 2026: Datadog, "OTLP Metrics / Logs / Traces Intake Endpoint" and "Custom Metrics"; New Relic,
//! "OpenTelemetry OTLP endpoint"; Dynatrace, "OTLP API endpoints" and "Metrics ingestion via OTLP"; Grafana Cloud, "Send
//! data using OTLP"; Honeycomb, "Send Data with OpenTelemetry"; Prometheus, "Using Prometheus as your OpenTelemetry
//! backend" and "Feature flags".

use std::time::Duration;

use super::received::Signal;
use super::rules::{CUMULATIVE_REFUSED, SizeLimits};

/// The metrics that a backend accepts, by their temporality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporalities {
    /// All metrics.
    Any,
    /// A request with a cumulative monotonic sum, a cumulative histogram or no temporality is refused as a whole, in a
    /// partial success with this message.
    RefusesCumulative(&'static str),
    /// Each such metric is refused, in a partial success with this message.
    RejectsCumulative(&'static str),
    /// Deltas are accepted and dropped.
    DropsDelta,
}

/// The rules of a backend.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// The name of the backend.
    pub name: &'static str,
    /// The prefix of its paths, before `/v1/logs`.
    pub path: &'static str,
    /// The accepted signals.
    pub signals: &'static [Signal],
    /// The header of the key.
    pub key_header: &'static str,
    /// The text before the key in the header.
    pub key_prefix: &'static str,
    /// The status and the body of the response to a wrong key.
    pub key_refused: (u16, &'static str),
    /// The accepted values of `Content-Type`.
    pub content_types: &'static [&'static str],
    /// The accepted values of `Content-Encoding`; an empty one means no compression.
    pub encodings: &'static [&'static str],
    /// Accepts gRPC.
    pub grpc: bool,
    /// The largest body as sent, in bytes, besides the limits of each signal.
    pub largest_sent: usize,
    /// The limits of each signal.
    pub limits: SizeLimits,
    /// The accepted metrics.
    pub temporalities: Temporalities,
    /// The largest age of a point, and how far ahead of the clock it may be; other points are accepted and dropped.
    pub ages: Option<(Duration, Duration)>,
    /// The longest name and the longest text of an attribute, in characters.
    pub attribute: Option<(usize, usize)>,
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const ALL: &[Signal] = &[Signal::Logs, Signal::Metrics, Signal::Traces];

/// Datadog's OTLP intake.
pub const DATADOG: Profile = Profile {
    name: "datadog",
    path: "",
    signals: ALL,
    key_header: "dd-api-key",
    key_prefix: "",
    key_refused: (403, r#"{"status":"error","code":403,"errors":["Forbidden"]}"#),
    content_types: &[PROTOBUF, JSON],
    encodings: &["", "gzip", "zstd"],
    grpc: false,
    largest_sent: usize::MAX,
    limits: SizeLimits::DATADOG,
    temporalities: Temporalities::RefusesCumulative(CUMULATIVE_REFUSED),
    ages: Some((Duration::from_secs(60 * 60), Duration::from_secs(10 * 60))),
    attribute: None,
};

/// A backend without limits of its own.
const PLAIN: Profile = Profile {
    limits: SizeLimits::NONE,
    temporalities: Temporalities::Any,
    ages: None,
    grpc: true,
    key_refused: (401, ""),
    ..DATADOG
};

/// New Relic: 1 MB (10⁶ bytes) a request.
pub const NEW_RELIC: Profile = Profile {
    name: "new relic",
    key_header: "api-key",
    key_refused: (403, ""),
    largest_sent: 1_000_000,
    attribute: Some((255, 4095)),
    ..PLAIN
};

/// Dynatrace: protobuf over HTTP only, deltas only.
pub const DYNATRACE: Profile = Profile {
    name: "dynatrace",
    path: "/api/v2/otlp",
    key_header: "authorization",
    key_prefix: "Api-Token ",
    content_types: &[PROTOBUF],
    encodings: &["", "gzip"],
    grpc: false,
    temporalities: Temporalities::RejectsCumulative("UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM"),
    ..PLAIN
};

/// Grafana Cloud's OTLP gateway: protobuf over HTTP, not compressed or gzip; Mimir keeps cumulative metrics only.
pub const GRAFANA_CLOUD: Profile = Profile {
    name: "grafana cloud",
    path: "/otlp",
    key_header: "authorization",
    key_prefix: "Basic ",
    content_types: &[PROTOBUF],
    encodings: &["", "gzip"],
    grpc: false,
    temporalities: Temporalities::DropsDelta,
    ..PLAIN
};

/// Honeycomb.
pub const HONEYCOMB: Profile = Profile {
    name: "honeycomb",
    key_header: "x-honeycomb-team",
    largest_sent: 15_000_000,
    ..PLAIN
};

/// Prometheus 3 with `--web.enable-otlp-receiver`: metrics only, deltas are dropped without a feature flag.
pub const PROMETHEUS: Profile = Profile {
    name: "prometheus",
    path: "/api/v1/otlp",
    signals: &[Signal::Metrics],
    encodings: &["", "gzip"],
    grpc: false,
    temporalities: Temporalities::DropsDelta,
    ..PLAIN
};

/// Every profile.
pub const PROFILES: &[Profile] = &[DATADOG, NEW_RELIC, DYNATRACE, GRAFANA_CLOUD, HONEYCOMB, PROMETHEUS];
