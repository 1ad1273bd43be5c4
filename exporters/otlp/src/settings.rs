//! The settings of `otlp_http`, under the collector's names, and their check.

use std::collections::BTreeMap;

use pipeline::config::{Diagnostics, Duration, Secret, Settings};
use pipeline::sending::{QueueSettings, RetrySettings};
use reqwest::header::HeaderMap;
use serde::Deserialize;

use crate::compression::Compression;
use crate::endpoint::{self, Endpoints};
use crate::headers;
use crate::tls::TlsSettings;

/// `exporters::otlp_http`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OtlpHttpSettings {
    /// The base URL; `/v1/logs`, `/v1/metrics` and `/v1/traces` are added.
    pub endpoint: String,
    /// The URL for traces, used as it is.
    pub traces_endpoint: String,
    /// The URL for metrics, used as it is.
    pub metrics_endpoint: String,
    /// The URL for logs, used as it is.
    pub logs_endpoint: String,
    /// The form of the body; only `proto`.
    pub encoding: String,
    /// How long one attempt may take, connection and answer included; 0: forever.
    pub timeout: Duration,
    /// `gzip`, `zstd` or `none`.
    pub compression: String,
    /// How hard to compress.
    pub compression_params: CompressionParams,
    /// Headers of every request; the values are secrets.
    pub headers: BTreeMap<String, Secret>,
    /// Certificates.
    pub tls: TlsSettings,
    /// The proxy for all requests. Without it the environment's `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` hold,
    /// except for endpoints on this machine. It may hold a password.
    pub proxy_url: Secret,
    /// Retries.
    pub retry_on_failure: RetrySettings,
    /// What waits in memory.
    pub sending_queue: QueueSettings,
}

/// `compression_params`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompressionParams {
    /// gzip: 1 to 9, or -1; zstd: 1 to 22.
    pub level: Option<i32>,
}

impl Default for OtlpHttpSettings {
    fn default() -> Self {
        OtlpHttpSettings {
            endpoint: String::new(),
            traces_endpoint: String::new(),
            metrics_endpoint: String::new(),
            logs_endpoint: String::new(),
            encoding: "proto".into(),
            timeout: Duration::from_secs(30),
            compression: "gzip".into(),
            compression_params: CompressionParams::default(),
            headers: BTreeMap::new(),
            tls: TlsSettings::default(),
            proxy_url: Secret::default(),
            retry_on_failure: RetrySettings::default(),
            sending_queue: QueueSettings::default(),
        }
    }
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) endpoints: Endpoints,
    pub(crate) timeout: Option<std::time::Duration>,
    pub(crate) compression: Compression,
    pub(crate) headers: HeaderMap,
    pub(crate) tls: TlsSettings,
    /// Empty, or a URL that has been checked. Not kept as a `reqwest::Proxy`, whose `Debug` shows the password.
    pub(crate) proxy_url: Secret,
    pub(crate) retry: RetrySettings,
    pub(crate) queue: QueueSettings,
}

impl Config {
    /// Reads and checks the settings, without any I/O.
    pub(crate) fn read(settings: &Settings) -> Result<Config, Diagnostics> {
        let raw: OtlpHttpSettings = settings.read()?;
        let mut mistakes = Vec::new();
        let endpoints = Endpoints::read(&raw, settings, &mut mistakes);
        let headers = headers::read(&raw.headers, settings, &mut mistakes);
        let level = raw.compression_params.level;
        let compression = Compression::read(&raw.compression, level, settings, &mut mistakes);
        if raw.encoding != "proto" {
            mistakes.push(settings.mistake("encoding", "only the encoding `proto` is supported"));
        }
        if !raw.proxy_url.is_empty() && reqwest::Proxy::all(raw.proxy_url.expose()).is_err() {
            // The error would show the URL, which may hold a password.
            let message = "not the URL of a proxy, expected `http://host:port`";
            mistakes.push(settings.mistake("proxy_url", message));
        }
        mistakes.extend(raw.tls.mistakes(settings));
        mistakes.extend(raw.retry_on_failure.mistakes("retry_on_failure", settings));
        mistakes.extend(raw.sending_queue.mistakes("sending_queue", settings));
        if !mistakes.is_empty() {
            return Err(Diagnostics(mistakes));
        }
        let timeout = raw.timeout.get();
        Ok(Config {
            endpoints,
            timeout: (!timeout.is_zero()).then_some(timeout),
            compression,
            headers,
            tls: raw.tls,
            proxy_url: raw.proxy_url,
            retry: raw.retry_on_failure,
            queue: raw.sending_queue,
        })
    }

    /// What is allowed but dangerous, for the log at the start.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let credentials: Vec<&str> = self.headers.keys().map(|name| name.as_str()).collect();
        let credentials: Vec<&str> = credentials
            .into_iter()
            .filter(|name| headers::is_credential(name))
            .collect();
        let plain: Vec<String> = self
            .endpoints
            .all()
            .filter(|url| url.scheme() == "http" && !endpoint::is_loopback(url))
            .map(endpoint::authority)
            .collect();
        if let (Some(host), false) = (plain.first(), credentials.is_empty()) {
            let names = credentials.join(", ");
            warnings.push(format!("the header {names} goes to {host} unencrypted; use https://"));
        }
        if self.tls.insecure_skip_verify {
            warnings.push(
                "tls::insecure_skip_verify is true: whoever stands between can read and change everything".into(),
            );
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(yaml: &str) -> String {
        Config::read(&Settings::from_yaml(yaml).unwrap())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn datadogs_own_example_is_read() {
        let yaml = "endpoint: https://otlp.datadoghq.com\ncompression: zstd\ncompression_params: {level: 3}\n\
                    headers: {dd-api-key: hunter2, dd-otel-metric-config: '{\"resource_attributes_as_tags\": true}'}\n\
                    timeout: 1m30s\nproxy_url: 'http://u:hunter2@proxy:1'\nretry_on_failure: {max_elapsed_time: 0}\nsending_queue: {queue_size: 5}";
        let config = Config::read(&Settings::from_yaml(yaml).unwrap()).unwrap();
        assert_eq!(config.compression, Compression::Zstd(3));
        assert_eq!(config.timeout, Some(std::time::Duration::from_secs(90)));
        assert_eq!(config.queue.queue_size, 5);
        assert!(config.queue.block_on_overflow, "nothing is dropped by default");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!(config.warnings(), [""; 0]);
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_its_line() {
        let text = mistakes(
            "endpoint: otlp.datadoghq.com\ncompression: lz4\nencoding: json\nproxy_url: 'http://u:hunter2@'\n\
             tls: {cert_file: /x}\nretry_on_failure:\n  max_interval: 1s\n  multiplier: 0.5\nsending_queue: {num_consumers: 0}",
        );
        for expected in [
            "yaml:1:11: endpoint: it has no scheme",
            "yaml:2:14: compression: compression `lz4` is not supported",
            "yaml:3:11: encoding: only the encoding `proto`",
            "proxy_url: not the URL of a proxy",
            "tls::key_file",
            "retry_on_failure::max_interval: 'max_interval' must not be less than 'initial_interval'",
            "retry_on_failure::multiplier: 'multiplier' must be at least 1",
            "sending_queue::num_consumers: `num_consumers` must be positive",
        ] {
            assert!(text.contains(expected), "{expected} in:\n{text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn unknown_keys_are_mistakes() {
        let text = mistakes("endpoint: https://h\nendpiont: x\ntls: {insecure: true}");
        assert!(text.contains("endpiont") && text.contains("insecure"), "{text}");
    }

    #[test]
    fn a_key_over_plain_http_is_warned_of_unless_it_stays_here() {
        let warnings = |url: &str| {
            let yaml = format!("endpoint: {url}\nheaders: {{dd-api-key: x}}");
            Config::read(&Settings::from_yaml(&yaml).unwrap()).unwrap().warnings()
        };
        assert!(warnings("http://proxy.example:4318")[0].contains("dd-api-key goes to proxy.example:4318 unencrypted"));
        assert_eq!(warnings("http://127.0.0.1:4318"), [""; 0]);
        assert_eq!(warnings("https://proxy.example"), [""; 0]);
    }
}
