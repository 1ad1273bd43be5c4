//! Backends that are known by their address: the temporality each accepts, and the header with its key. A new backend is
//! one entry of [`BACKENDS`]; the recipes are in `docs/backends.md`.

use collector_config::{Diagnostic, Settings, nearest};
use collector_data::Signal;
use reqwest::Url;

use crate::datadog;
use crate::temporality::Temporality;

/// The temporality of the counters and histograms that a backend stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptedTemporality {
    Both,
    /// It rejects totals.
    Deltas,
    /// It rejects deltas or, mostly, drops them without an error.
    Totals,
}

#[derive(Debug)]
struct KnownBackend {
    name: &'static str,
    takes: AcceptedTemporality,
    /// The header with the key; the backend refuses requests without it.
    header: Option<&'static str>,
    /// True if it accepts OTLP over gRPC.
    grpc: bool,
    /// Ends of its host names.
    domains: &'static [&'static str],
    /// Ends of the path before `/v1/metrics`, for backends whose users choose the host.
    paths: &'static [&'static str],
}

/// The first match wins.
const BACKENDS: [KnownBackend; 9] = [
    KnownBackend {
        name: "Datadog",
        takes: AcceptedTemporality::Deltas,
        header: Some("dd-api-key"),
        grpc: false,
        domains: &datadog::DOMAINS,
        paths: &[],
    },
    KnownBackend {
        name: "New Relic",
        takes: AcceptedTemporality::Both,
        header: Some("api-key"),
        grpc: true,
        domains: &["nr-data.net"],
        paths: &[],
    },
    KnownBackend {
        name: "Honeycomb",
        takes: AcceptedTemporality::Both,
        header: Some("x-honeycomb-team"),
        grpc: true,
        domains: &["honeycomb.io"],
        paths: &[],
    },
    KnownBackend {
        name: "Dynatrace",
        takes: AcceptedTemporality::Deltas,
        header: Some("authorization"),
        grpc: false,
        domains: &["dynatrace.com"],
        // An ActiveGate has its own host.
        paths: &["/api/v2/otlp"],
    },
    KnownBackend {
        name: "Grafana Cloud",
        takes: AcceptedTemporality::Totals,
        header: Some("authorization"),
        grpc: false,
        domains: &["grafana.net"],
        paths: &[],
    },
    KnownBackend {
        name: "Chronosphere",
        takes: AcceptedTemporality::Both,
        header: None,
        grpc: true,
        domains: &["chronosphere.io"],
        paths: &[],
    },
    KnownBackend {
        name: "Prometheus",
        takes: AcceptedTemporality::Totals,
        header: None,
        grpc: true,
        domains: &[],
        paths: &["/api/v1/otlp"],
    },
    KnownBackend {
        name: "VictoriaMetrics",
        takes: AcceptedTemporality::Totals,
        header: None,
        grpc: true,
        domains: &[],
        paths: &["/opentelemetry", "/opentelemetry/api/v1/push"],
    },
    KnownBackend {
        name: "Mimir",
        takes: AcceptedTemporality::Totals,
        header: None,
        grpc: true,
        domains: &[],
        paths: &["/otlp"],
    },
];

fn of(url: &Url) -> Option<&'static KnownBackend> {
    BACKENDS
        .iter()
        .find(|backend| is_at(url, backend.domains) || has_path(url, backend.paths))
}

/// True if the host is one of the domains or below one.
pub(crate) fn is_at(url: &Url, domains: &[&str]) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    domains.iter().any(|domain| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

fn has_path(url: &Url, paths: &[&str]) -> bool {
    let path = url.path().trim_end_matches('/');
    let base = path.strip_suffix("/v1/metrics").unwrap_or(path);
    paths.iter().any(|end| base.ends_with(end))
}

/// The settings of an exporter that the checks compare.
pub(crate) struct CheckedSettings<'a> {
    pub(crate) settings: &'a Settings,
    /// The names of the headers in lower case, including those with an invalid value.
    pub(crate) headers: Vec<String>,
    /// True if an extension adds headers.
    pub(crate) authenticated: bool,
    pub(crate) temporality: Temporality,
}

impl CheckedSettings<'_> {
    /// True if the header is set, even to a variable without a value.
    fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|name| name == header) || self.settings.is_set(&format!("headers::{header}"))
    }
}

/// Finds settings that the backend of `url`, set under `key`, is sure to refuse.
pub(crate) fn check(sends: &CheckedSettings<'_>, key: &str, url: &Url, grpc: bool, errors: &mut Vec<Diagnostic>) {
    let settings = sends.settings;
    if let Some(wrong) = datadog::check(url, sends.has("dd-api-key")) {
        let found = settings.error(key, wrong.message).with_help(wrong.help);
        if !wrong.perhaps {
            errors.push(found);
            return;
        }
        settings.warn(found);
    }
    let Some(backend) = of(url) else { return };
    let name = backend.name;
    if grpc && !backend.grpc {
        errors.push(
            settings
                .error(key, format!("{name} does not accept OTLP over gRPC"))
                .with_help("use the exporter `otlp_http` for it"),
        );
        return;
    }
    if let Some(header) = backend.header
        && is_at(url, backend.domains)
        && !sends.has(header)
        && !sends.authenticated
    {
        let help = match nearest(header, sends.headers.iter().map(String::as_str)) {
            Some(near) => format!("found the header `{near}`; write `{header}`"),
            None => format!("add `headers: {{{header}: \"${{env:NAME}}\"}}`, with the variable that holds the key"),
        };
        let message = format!("{name} refuses requests without the header `{header}`");
        let missing = settings.error("headers", message).with_help(help);
        // One error for all signals.
        if !errors.contains(&missing) {
            errors.push(missing);
        }
    }
}

/// Finds totals that the backend of the metrics is sure to reject.
pub(crate) fn check_temporality(sends: &CheckedSettings<'_>, metrics: &Url, errors: &mut Vec<Diagnostic>) {
    if let Some(backend) = of(metrics)
        && backend.takes == AcceptedTemporality::Deltas
        && sends.temporality != Temporality::Delta
    {
        let message = format!(
            "{} rejects cumulative metrics, so every counter and histogram would be lost",
            backend.name
        );
        errors.push(
            sends
                .settings
                .error("temporality", message)
                .with_help("remove `temporality`, or write `temporality: delta`"),
        );
    }
}

/// Warns of deltas that the backend is likely to drop, if the exporter receives metrics.
pub(crate) fn warn_of_deltas(settings: &Settings, temporality: Temporality, signals: &[Signal], metrics: &Url) {
    if let Some(backend) = of(metrics)
        && backend.takes == AcceptedTemporality::Totals
        && temporality == Temporality::Delta
        && signals.contains(&Signal::Metrics)
    {
        let name = backend.name;
        let subject = match is_at(metrics, backend.domains) {
            true => format!("{name} stores cumulative metrics"),
            false => format!(
                "`{}` is a path of {name}, which stores cumulative metrics",
                metrics.path()
            ),
        };
        let message = format!("{subject} and drops deltas, usually without an error");
        settings.warn(
            settings
                .error("temporality", message)
                .with_help("set `temporality: cumulative`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(url: &str) -> Option<&'static str> {
        of(&Url::parse(url).unwrap()).map(|backend| backend.name)
    }

    #[test]
    fn backends_are_known_by_host_or_path() {
        for (url, expected) in [
            ("https://otlp.us5.datadoghq.com/v1/metrics", Some("Datadog")),
            ("https://otlp.datadoghq.eu/v1/metrics", Some("Datadog")),
            ("https://otlp.us2.ddog-gov.com/v1/metrics", Some("Datadog")),
            ("https://notdatadoghq.com/v1/metrics", None),
            ("https://otlp.eu01.nr-data.net/v1/metrics", Some("New Relic")),
            ("https://api.honeycomb.io/v1/metrics", Some("Honeycomb")),
            (
                "https://abc.live.dynatrace.com/api/v2/otlp/v1/metrics",
                Some("Dynatrace"),
            ),
            (
                "https://activegate:9999/e/abc/api/v2/otlp/v1/metrics",
                Some("Dynatrace"),
            ),
            (
                "https://otlp-gateway-prod-eu-west-0.grafana.net/otlp/v1/metrics",
                Some("Grafana Cloud"),
            ),
            (
                "https://acme.chronosphere.io/data/opentelemetry/v1/metrics",
                Some("Chronosphere"),
            ),
            ("http://prometheus:9090/api/v1/otlp/v1/metrics", Some("Prometheus")),
            ("http://x/prometheus/api/v1/otlp/v1/metrics/", Some("Prometheus")),
            ("http://vm:8428/opentelemetry/v1/metrics", Some("VictoriaMetrics")),
            (
                "http://vm:8480/insert/0/opentelemetry/v1/metrics",
                Some("VictoriaMetrics"),
            ),
            ("http://vm:8428/opentelemetry/api/v1/push", Some("VictoriaMetrics")),
            ("http://mimir:9009/otlp/v1/metrics", Some("Mimir")),
            ("http://otel-collector:4318/v1/metrics", None),
            ("http://127.0.0.1:4318/api/default/v1/metrics", None),
        ] {
            assert_eq!(name(url), expected, "{url}");
        }
    }
}
