//! The settings of `otlp_http`, under the Collector's names, and their check.

use std::collections::BTreeMap;

use collector_config::{Diagnostics, Duration, Secret, Settings};
use collector_data::Signal;
use collector_sending::{QueueSettings, RetrySettings};
use proxy::Proxy;
use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::authentication::AuthSettings;
use crate::backends::{self, CheckedSettings};
use crate::codes::NonRetryable;
use crate::compression::Compression;
use crate::encode::{BodyFormat, Encoding};
use crate::endpoint::{self, Endpoints};
use crate::exporter::Sending;
use crate::headers;
use crate::temporality::{CumulativeSettings, Temporality};
use crate::tls::TlsSettings;

/// `exporters::otlp_http`, as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("anyOf" = [
    {"required": ["endpoint"]},
    {"required": ["logs_endpoint"]},
    {"required": ["metrics_endpoint"]},
    {"required": ["traces_endpoint"]},
]))]
pub struct OtlpHttpSettings {
    /// The base URL; `/v1/logs`, `/v1/metrics` and `/v1/traces` are added. At least one of the four addresses is required.
    #[schemars(schema_with = "collector_config::schema::url")]
    pub endpoint: String,
    /// The URL for traces, used unchanged. By default it comes from `endpoint`.
    #[schemars(schema_with = "collector_config::schema::url")]
    pub traces_endpoint: String,
    /// The URL for metrics, used unchanged. By default it comes from `endpoint`.
    #[schemars(schema_with = "collector_config::schema::url")]
    pub metrics_endpoint: String,
    /// The URL for logs, used unchanged. By default it comes from `endpoint`.
    #[schemars(schema_with = "collector_config::schema::url")]
    pub logs_endpoint: String,
    /// The form of the body.
    #[schemars(extend("enum" = ["proto", "json"]))]
    pub encoding: String,
    /// The timeout of one attempt, from connecting to the end of the response; 0: none.
    pub timeout: Duration,
    /// The compression of requests.
    #[schemars(extend("enum" = ["gzip", "zstd", "none", ""]))]
    pub compression: String,
    /// The level of the compression.
    pub compression_params: CompressionParams,
    /// Headers of every request. Their values are secrets.
    pub headers: BTreeMap<String, Secret>,
    /// The extension that adds headers to each request.
    pub auth: Option<AuthSettings>,
    /// TLS and its certificates.
    pub tls: TlsSettings,
    /// The proxy for all requests: `http://`, `socks5://` or `socks5h://`. It is a secret. By default it comes from the
    /// environment. Endpoints on this machine are always reached directly.
    #[schemars(regex(pattern = r"^\s*((http|socks5h?)://\S+)?\s*$"))]
    pub proxy_url: Secret,
    /// How long a connection may be idle before it is closed; 0: without limit.
    pub idle_conn_timeout: Duration,
    /// The maximum number of idle connections for each host; 0: without limit.
    pub max_idle_conns_per_host: usize,
    /// Uses a new connection for each request, without HTTP/2.
    pub disable_keep_alives: bool,
    /// Uses HTTP/2 with servers that offer it over TLS.
    pub force_attempt_http2: bool,
    /// The interval of pings on an HTTP/2 connection; 0: no pings.
    pub http2_read_idle_timeout: Duration,
    /// How long the response to a ping may take before the connection is closed; 0: 20s.
    pub http2_ping_timeout: Duration,
    /// The temporality of sums and histograms: `delta`, the change since the last point, or `cumulative`, the total since
    /// the start.
    #[schemars(extend("enum" = ["delta", "cumulative"]))]
    pub temporality: String,
    /// Settings of totals. They need `temporality: cumulative`.
    pub cumulative: CumulativeSettings,
    /// When and how often failed requests are retried.
    pub retry_on_failure: RetrySettings,
    /// The queue that holds data while the backend is slow or down.
    pub sending_queue: QueueSettings,
}

/// `compression_params`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompressionParams {
    /// The level: 1 (fast) to 9 (small) or -1 for gzip, 1 to 22 for zstd. By default it is 6 for gzip and 3 for zstd.
    #[schemars(range(min = -1, max = 22))]
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
            auth: None,
            tls: TlsSettings::default(),
            proxy_url: Secret::default(),
            idle_conn_timeout: Duration::from_secs(90),
            max_idle_conns_per_host: 0,
            disable_keep_alives: false,
            force_attempt_http2: true,
            http2_read_idle_timeout: Duration::default(),
            http2_ping_timeout: Duration::default(),
            temporality: "delta".into(),
            cumulative: CumulativeSettings::default(),
            retry_on_failure: RetrySettings::default(),
            sending_queue: QueueSettings::default(),
        }
    }
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub(crate) struct HttpConfig {
    pub(crate) endpoints: Endpoints,
    pub(crate) timeout: Option<std::time::Duration>,
    pub(crate) encoding: Encoding,
    pub(crate) headers: HeaderMap,
    pub(crate) auth: Option<AuthSettings>,
    pub(crate) tls: TlsSettings,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) pool: Pool,
    pub(crate) non_retryable: NonRetryable,
    pub(crate) sending: Sending,
}

/// The pool of connections.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) idle_timeout: Option<std::time::Duration>,
    pub(crate) max_idle_per_host: usize,
    pub(crate) http2: bool,
    pub(crate) ping_interval: Option<std::time::Duration>,
    pub(crate) ping_timeout: Option<std::time::Duration>,
}

impl Pool {
    fn of(raw: &OtlpHttpSettings) -> Pool {
        let unless_zero = |duration: Duration| (!duration.get().is_zero()).then(|| duration.get());
        let max_idle_per_host = match (raw.disable_keep_alives, raw.max_idle_conns_per_host) {
            (true, _) => 0,
            (false, 0) => usize::MAX,
            (false, most) => most,
        };
        Pool {
            idle_timeout: unless_zero(raw.idle_conn_timeout),
            max_idle_per_host,
            // An HTTP/2 connection carries many requests at once, so it cannot be closed after each.
            http2: raw.force_attempt_http2 && !raw.disable_keep_alives,
            ping_interval: unless_zero(raw.http2_read_idle_timeout),
            ping_timeout: unless_zero(raw.http2_ping_timeout),
        }
    }
}

impl HttpConfig {
    /// Reads and checks the settings, without any I/O.
    pub(crate) fn read(settings: &Settings) -> Result<HttpConfig, Diagnostics> {
        let raw: OtlpHttpSettings = settings.read()?;
        let mut errors = Vec::new();
        let endpoints = Endpoints::read(&raw, settings, &mut errors);
        let headers = headers::read(&raw.headers, settings, &mut errors);
        let level = raw.compression_params.level;
        let compression = Compression::read(&raw.compression, level, settings, &mut errors);
        let format = BodyFormat::of(&raw.encoding).unwrap_or_else(|why| {
            errors.push(settings.error("encoding", why));
            BodyFormat::Proto
        });
        let proxy = match raw.proxy_url.expose() {
            "" => None,
            url => Proxy::parse(url, "proxy_url")
                .map_err(|why| errors.push(settings.error("proxy_url", why.to_string())))
                .ok(),
        };
        if raw.tls.insecure && endpoints.all().any(|url| url.scheme() == "https") {
            let message = "`insecure: true` asks for no TLS and `https://` for TLS; write `http://`, or, to take any \
                           certificate, set `tls::insecure_skip_verify`";
            errors.push(settings.error("tls::insecure", message));
        }
        errors.extend(raw.tls.errors(settings));
        let temporality = Temporality::read(&raw.temporality, raw.cumulative, settings, &mut errors);
        let sends = CheckedSettings {
            settings,
            headers: raw.headers.keys().map(|name| name.to_ascii_lowercase()).collect(),
            authenticated: raw.auth.is_some(),
            temporality,
        };
        for (key, url) in endpoints.given() {
            backends::check(&sends, key, url, false, &mut errors);
            if url.port() == Some(4317) {
                let message = "port 4317 is usually for gRPC";
                settings.warn(
                    settings
                        .error(key, message)
                        .with_help("use the port for HTTP, usually 4318, or the exporter `otlp_grpc`"),
                );
            }
        }
        if let Some(metrics) = endpoints.of(Signal::Metrics) {
            backends::check_temporality(&sends, metrics, &mut errors);
        }
        endpoint::warn(settings, endpoints.given(), &headers, sends.authenticated, &raw.tls);
        errors.extend(raw.retry_on_failure.errors("retry_on_failure", settings));
        let codes = &raw.retry_on_failure.non_retryable_status_codes;
        let non_retryable = NonRetryable::read(codes, false, settings, &mut errors);
        errors.extend(raw.sending_queue.errors("sending_queue", settings));
        if !errors.is_empty() {
            return Err(Diagnostics(errors));
        }
        let timeout = raw.timeout.get();
        let pool = Pool::of(&raw);
        Ok(HttpConfig {
            endpoints,
            timeout: (!timeout.is_zero()).then_some(timeout),
            encoding: Encoding { format, compression },
            headers,
            auth: raw.auth,
            tls: raw.tls,
            proxy,
            pool,
            non_retryable,
            sending: Sending {
                retry: raw.retry_on_failure,
                queue: raw.sending_queue,
                temporality,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(yaml: &str) -> String {
        HttpConfig::read(&Settings::from_yaml(yaml).unwrap())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn datadogs_own_example_is_read() {
        let yaml = "endpoint: https://otlp.datadoghq.com\ncompression: zstd\ncompression_params: {level: 3}\n\
                    headers: {dd-api-key: hunter2, dd-otel-metric-config: '{\"resource_attributes_as_tags\": true}'}\n\
                    timeout: 1m30s\nproxy_url: 'http://u:hunter2@proxy:1'\nretry_on_failure: {max_elapsed_time: 0}\nsending_queue: {queue_size: 5}";
        let settings = Settings::from_yaml(yaml).unwrap();
        let config = HttpConfig::read(&settings).unwrap();
        assert_eq!(config.encoding.compression, Compression::Zstd(3));
        assert_eq!(config.encoding.format, BodyFormat::Proto);
        assert_eq!(config.timeout, Some(std::time::Duration::from_secs(90)));
        assert_eq!(config.sending.queue.queue_size, 5);
        assert!(config.sending.queue.block_on_overflow, "nothing is dropped by default");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(settings.warnings().is_empty());
    }

    #[test]
    fn every_error_is_reported_at_once_with_its_line() {
        let text = errors(
            "endpoint: otlp.datadoghq.com\ncompression: lz4\nencoding: xml\nproxy_url: 'http://u:hunter2@'\n\
             tls: {cert_file: /x}\nretry_on_failure:\n  max_interval: 1s\n  multiplier: 0.5\nsending_queue: {num_consumers: 0}",
        );
        for expected in [
            "yaml:1:11: endpoint: it has no scheme",
            "yaml:2:14: compression: compression `lz4` is not supported",
            "yaml:3:11: encoding: unknown encoding `xml`, expected proto or json",
            "yaml:4:12: proxy_url: not a proxy URL",
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
    fn rejects_unusable_proxy_urls() {
        for (url, expected) in [
            ("proxy:3128", "it has no scheme, expected `http://host:port`"),
            ("hunter2://proxy", "unknown scheme"),
            ("socks4://u:hunter2@proxy", "the scheme `socks4` is not supported"),
            ("https://u:hunter2@proxy:1", "TLS to the proxy"),
        ] {
            let text = errors(&format!("endpoint: https://h\nproxy_url: '{url}'"));
            assert!(text.contains(&format!("yaml:2:12: proxy_url: {expected}")), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        for url in ["http://proxy", "socks5://u:p@proxy:1", "socks5h://proxy"] {
            let yaml = format!("endpoint: https://h\nproxy_url: '{url}'");
            assert!(HttpConfig::read(&Settings::from_yaml(&yaml).unwrap()).is_ok(), "{url}");
        }
    }

    #[test]
    fn unknown_keys_are_errors() {
        let text = errors("endpoint: https://h\nendpiont: x\ntls: {cipher_suites: []}");
        assert!(text.contains("endpiont") && text.contains("cipher_suites"), "{text}");
        let text = errors("endpoint: https://h\ntls: {insecure: true}");
        assert!(
            text.contains("yaml:2:17: tls::insecure: `insecure: true` asks for no TLS"),
            "{text}"
        );
    }

    #[test]
    fn warns_of_a_key_over_plain_http_except_on_loopback() {
        let warnings = |url: &str| {
            let settings = Settings::from_yaml(&format!("endpoint: {url}\nheaders: {{dd-api-key: x}}")).unwrap();
            HttpConfig::read(&settings).unwrap();
            settings.warnings().to_string()
        };
        let found = warnings("http://proxy.example:4318");
        assert!(
            found.contains("yaml:1:11: endpoint: the header dd-api-key goes to proxy.example:4318 unencrypted"),
            "{found}"
        );
        assert_eq!(warnings("http://127.0.0.1:4318"), "");
        assert_eq!(warnings("https://proxy.example"), "");
    }

    #[test]
    fn warns_of_skipped_verification_and_grpc_port() {
        let yaml = "endpoint: https://h:4317\ntls:\n  insecure_skip_verify: true";
        let settings = Settings::from_yaml(yaml).unwrap();
        HttpConfig::read(&settings).unwrap();
        let found = settings.warnings().to_string();
        assert!(
            found.contains("yaml:1:11: endpoint: port 4317 is usually for gRPC"),
            "{found}"
        );
        assert!(
            found.contains("yaml:3:25: tls::insecure_skip_verify: any certificate is accepted"),
            "{found}"
        );
    }
}
