//! The settings, under the names of the Collector's exporter `prometheus`.

use std::collections::BTreeMap;
use std::time::Duration as StdDuration;

use collector_config::{Diagnostics, Duration};
use collector_http::server::{Endpoint, ServerTls};
use schemars::JsonSchema;
use serde::Deserialize;

use prometheus_text::{Options, Suffixes};

/// The settings of `prometheus`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PrometheusSettings {
    /// The address to listen on, `host:port`. Without a host (`:8889`) it is every address of the machine.
    #[schemars(schema_with = "collector_http::server::endpoint_schema")]
    pub endpoint: String,
    /// Additional host names of requests, such as `metrics.example.com`, `*.example.com`, or `*` for any.
    pub allowed_hosts: Vec<String>,
    /// The prefix of every metric name: letters, digits and `_`.
    #[schemars(regex(pattern = r"^([A-Za-z_][A-Za-z0-9_]*)?$"), extend("type" = ["string", "boolean"]))]
    pub namespace: String,
    /// Labels that are added to every series. Their names have letters, digits and `_`.
    #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}))]
    pub const_labels: BTreeMap<String, String>,
    /// Samples carry the time of their point; otherwise Prometheus uses the time of the scrape.
    pub send_timestamps: bool,
    /// How long a series without a new point is served; 0: without limit. It is longer than `start_at_zero`.
    pub metric_expiration: Duration,
    /// Attributes of resources as labels.
    pub resource_to_telemetry_conversion: Conversion,
    /// Serves OpenMetrics to scrapers that request it.
    pub enable_open_metrics: bool,
    /// Names end with their unit and with `_total` or `_ratio`.
    pub add_metric_suffixes: bool,
    /// How long a new count is served as 0 first. It is less than `metric_expiration`.
    pub start_at_zero: Duration,
    /// The certificate of the server, which turns on HTTPS.
    pub tls: Option<ServerTls>,
}

/// `resource_to_telemetry_conversion`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Conversion {
    /// Attributes of resources become labels.
    pub enabled: bool,
}

impl Default for Conversion {
    fn default() -> Self {
        Conversion { enabled: true }
    }
}

impl Default for PrometheusSettings {
    fn default() -> Self {
        PrometheusSettings {
            endpoint: "localhost:8889".into(),
            allowed_hosts: Vec::new(),
            namespace: String::new(),
            const_labels: BTreeMap::new(),
            send_timestamps: false,
            metric_expiration: Duration::from_secs(300),
            resource_to_telemetry_conversion: Conversion::default(),
            enable_open_metrics: false,
            add_metric_suffixes: true,
            start_at_zero: Duration::from_secs(60),
            tls: None,
        }
    }
}

impl PrometheusSettings {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// All invalid settings.
    pub fn read(settings: &collector_config::Settings) -> Result<Self, Diagnostics> {
        let read: PrometheusSettings = settings.read()?;
        let mut errors = Diagnostics::default();
        if Endpoint::parse(&read.endpoint).is_none() {
            let found = format!("found {:?}, expected host:port", read.endpoint);
            let help = "for example localhost:8889, or 0.0.0.0:8889 so that Prometheus can reach it";
            errors.push(settings.error("endpoint", found).with_help(help));
        }
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
                && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if !read.namespace.is_empty() && !is_name(&read.namespace) {
            let found = format!("found {:?}, expected letters, digits and _", read.namespace);
            errors.push(settings.error("namespace", found));
        }
        for name in read.const_labels.keys() {
            if !is_name(name) || name.starts_with("__") || name == "le" || name == "quantile" {
                let found = format!("{name:?} cannot be a label of every series: expected letters, digits and _");
                errors.push(settings.error("const_labels", found));
            }
        }
        for problem in read.tls.iter().flat_map(|tls| tls.problems(settings)) {
            errors.push(problem);
        }
        let expiration: StdDuration = read.metric_expiration.get();
        if !expiration.is_zero() && expiration <= read.start_at_zero.get() {
            let text = "is not longer than start_at_zero: a count would expire before it is served";
            errors.push(settings.error("metric_expiration", text));
        }
        errors.into_result(read)
    }

    /// Names and labels of metrics.
    pub fn options(&self) -> Options {
        Options {
            namespace: self.namespace.clone(),
            const_labels: self.const_labels.clone().into_iter().collect(),
            suffixes: Suffixes {
                unit: self.add_metric_suffixes,
                kind: self.add_metric_suffixes,
            },
            resource_labels: self.resource_to_telemetry_conversion.enabled,
            ..Options::default()
        }
    }
}
