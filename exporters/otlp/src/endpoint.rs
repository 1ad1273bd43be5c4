//! The URL of each signal, with errors that name the usual slips.

use collector_config::{Diagnostic, Settings};
use collector_data::Signal;
use reqwest::Url;
use reqwest::header::HeaderMap;

use crate::http::settings::OtlpHttpSettings;
use crate::tls::TlsSettings;
use crate::{backends, datadog, headers};

/// The URL of each signal that has one.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    logs: Option<Url>,
    metrics: Option<Url>,
    traces: Option<Url>,
    /// As configured, each with its key.
    given: Vec<(&'static str, Url)>,
}

impl Endpoints {
    /// The URL of the signal.
    pub(crate) fn of(&self, signal: Signal) -> Option<&Url> {
        match signal {
            Signal::Logs => self.logs.as_ref(),
            Signal::Metrics => self.metrics.as_ref(),
            Signal::Traces => self.traces.as_ref(),
        }
    }

    /// Every URL.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Url> {
        Signal::ALL.into_iter().filter_map(|signal| self.of(signal))
    }

    /// The configured URLs, each with its key.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, &Url)> {
        self.given.iter().map(|(key, url)| (*key, url))
    }

    /// Reads the four keys; a base `endpoint` gets the signal's path, the others are used as they are.
    pub(crate) fn read(raw: &OtlpHttpSettings, settings: &Settings, errors: &mut Vec<Diagnostic>) -> Endpoints {
        let mut parse = |key: &str, text: &str| match text.trim() {
            "" => {
                if settings.is_set(key) {
                    errors.push(settings.error(key, "it is empty, expected a URL such as `https://host`"));
                }
                None
            }
            text => check(text).map_err(|why| errors.push(settings.error(key, why))).ok(),
        };
        let base = parse("endpoint", &raw.endpoint);
        let logs = parse("logs_endpoint", &raw.logs_endpoint);
        let metrics = parse("metrics_endpoint", &raw.metrics_endpoint);
        let traces = parse("traces_endpoint", &raw.traces_endpoint);

        let keys = ["endpoint", "logs_endpoint", "metrics_endpoint", "traces_endpoint"];
        if !keys.iter().any(|key| settings.is_set(key)) {
            errors.push(settings.error("", "at least one endpoint must be specified").with_help(
                "set `endpoint` to the backend's base URL, such as `https://otlp.datadoghq.com` \
                 or `http://localhost:4318`",
            ));
        }
        if let Some(base) = &base
            && let Some(path) = ["/v1/logs", "/v1/metrics", "/v1/traces"]
                .iter()
                .find(|path| base.path().trim_end_matches('/').ends_with(**path))
        {
            errors.push(settings.error(
                "endpoint",
                format!("it ends with `{path}`, but `endpoint` is a base URL to which that path is added"),
            ));
        }
        let given = [&base, &logs, &metrics, &traces];
        let given = keys
            .iter()
            .zip(given)
            .filter_map(|(key, url)| Some((*key, url.clone()?)));
        Endpoints {
            given: given.collect(),
            logs: logs.or_else(|| base.as_ref().map(|base| with_path(base, "v1/logs"))),
            metrics: metrics.or_else(|| base.as_ref().map(|base| with_path(base, "v1/metrics"))),
            traces: traces.or_else(|| base.as_ref().map(|base| with_path(base, "v1/traces"))),
        }
    }
}

fn with_path(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

fn check(text: &str) -> Result<Url, String> {
    const EXPECTED: &str = "expected a URL that begins with `https://` or `http://`";
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some("https" | "http") => {}
        None => return Err(format!("it has no scheme, {EXPECTED}")),
        Some(_) => return Err(format!("unknown scheme, {EXPECTED}")),
    }
    if text.matches("://").count() > 1 {
        return Err(TWO_SCHEMES.into());
    }
    let url = Url::parse(text).map_err(|why| format!("not a URL ({why}), {EXPECTED}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or password, which would show in logs; use `headers::authorization`".into());
    }
    check_host(&url)?;
    Ok(url)
}

/// `https://otlp.https://datadoghq.com`
pub(crate) const TWO_SCHEMES: &str =
    "it has two schemes (`://`); check that environment variables in it hold a host or a Datadog site, not a URL";

/// An empty label comes from an empty variable, a symbol from a variable that was not replaced.
pub(crate) fn check_host(url: &Url) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    if host.split('.').any(str::is_empty) {
        return Err(format!(
            "the host `{host}` is incomplete; is an environment variable in it empty, such as DD_SITE?"
        ));
    }
    let symbol = host.chars().find(|c| !c.is_alphanumeric() && !"-._:[]".contains(*c));
    if let Some(symbol) = symbol {
        return Err(format!(
            "the host `{host}` has `{symbol}` in it; for an environment variable, write `${{env:NAME}}`"
        ));
    }
    Ok(())
}

/// Warns of dangerous settings: credentials without TLS, and a server whose certificate is not verified.
/// `authenticated`: an extension adds headers.
pub(crate) fn warn<'a>(
    settings: &Settings,
    urls: impl Iterator<Item = (&'static str, &'a Url)>,
    headers: &HeaderMap,
    authenticated: bool,
    tls: &TlsSettings,
) {
    let credentials: Vec<&str> = headers.keys().map(|name| name.as_str()).collect();
    let mut credentials: Vec<String> = credentials
        .into_iter()
        .filter(|name| headers::is_credential(name))
        .map(|name| format!("the header {name}"))
        .collect();
    if authenticated {
        credentials.push("the authenticator's header".into());
    }
    let plain = urls.filter(|(_, url)| url.scheme() == "http" && !is_loopback(url));
    for (key, url) in plain {
        if !credentials.is_empty() {
            let (names, host) = (credentials.join(" and "), authority(url));
            settings.warn(settings.error(key, format!("{names} goes to {host} unencrypted; use https://")));
        }
    }
    if tls.insecure_skip_verify {
        settings.warn(settings.error(
            "tls::insecure_skip_verify",
            "any certificate is accepted, so anyone between the collector and the backend can read and change the \
             data",
        ));
    }
}

/// True if the URL is on loopback.
pub(crate) fn is_loopback(url: &Url) -> bool {
    proxy::is_loopback(url.host_str().unwrap_or_default())
}

/// True if the URL belongs to Datadog.
pub(crate) fn is_datadog(url: &Url) -> bool {
    backends::is_at(url, &datadog::DOMAINS)
}

/// `host`, or `host:port` if the port is not the default of the scheme; for messages.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> (Endpoints, Vec<String>) {
        let settings = Settings::from_yaml(yaml).unwrap();
        let raw: OtlpHttpSettings = settings.read().unwrap();
        let mut errors = Vec::new();
        let endpoints = Endpoints::read(&raw, &settings, &mut errors);
        let errors = errors
            .into_iter()
            .map(|error| format!("{}: {}", error.path, error.message));
        (endpoints, errors.collect())
    }

    #[test]
    fn adds_the_path_to_the_base_endpoint_only() {
        let (endpoints, errors) = read("endpoint: https://h:1/otlp/\nlogs_endpoint: http://l/in?x=1");
        assert_eq!(errors, [""; 0]);
        assert_eq!(
            endpoints.of(Signal::Metrics).unwrap().as_str(),
            "https://h:1/otlp/v1/metrics"
        );
        assert_eq!(
            endpoints.of(Signal::Traces).unwrap().as_str(),
            "https://h:1/otlp/v1/traces"
        );
        assert_eq!(endpoints.of(Signal::Logs).unwrap().as_str(), "http://l/in?x=1");
    }

    #[test]
    fn an_error_names_the_usual_slip() {
        for (yaml, expected) in [
            ("timeout: 1s", "at least one endpoint must be specified"),
            ("endpoint: ''", "endpoint: it is empty"),
            ("endpoint: 'https://otlp.'", "DD_SITE"),
            ("endpoint: 'https://otlp..com'", "DD_SITE"),
            ("endpoint: 'https://'", "not a URL"),
            ("endpoint: otlp.datadoghq.com", "no scheme"),
            ("endpoint: localhost:4318", "no scheme"),
            ("endpoint: ftp://x", "unknown scheme"),
            ("endpoint: 'https://otlp.https://datadoghq.com'", "two schemes"),
            ("endpoint: 'https://otlp.$DD_SITE'", "has `$` in it"),
            ("endpoint: 'https://otlp.{{site}}'", "has `{` in it"),
            ("endpoint: 'https://$(HOST_IP):4318'", "has `$` in it"),
            ("logs_endpoint: https://user:pass@h/x", "headers::authorization"),
            ("endpoint: https://h/v1/logs", "is a base URL"),
        ] {
            let (_, errors) = read(yaml);
            assert_eq!(errors.len(), 1, "{yaml}: {errors:?}");
            assert!(errors[0].contains(expected), "{yaml}: {errors:?}");
            assert!(!errors[0].contains("pass@"), "{errors:?}");
        }
    }

    #[test]
    fn distinguishes_loopback_and_datadog_hosts() {
        let url = |text| Url::parse(text).unwrap();
        assert!(is_datadog(&url("https://otlp.us3.datadoghq.com")));
        assert!(!is_datadog(&url("https://notdatadoghq.com")));
        assert!(is_loopback(&url("http://[::1]:4318")));
        assert!(is_loopback(&url("http://localhost")));
        assert!(!is_loopback(&url("http://127.example.com")));
        assert_eq!(authority(&url("https://h:443/x")), "h");
        assert_eq!(authority(&url("http://h:4318/x")), "h:4318");
    }
}
