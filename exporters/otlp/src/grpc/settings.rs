//! The settings of `otlp_grpc`, under the Collector's names, and their check.

use std::collections::BTreeMap;

use collector_config::{Diagnostic, Diagnostics, Duration, Secret, Settings};
use collector_sending::{QueueSettings, RetrySettings};
use reqwest::header::{HeaderMap, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{GrpcEndpoint, endpoint_schema};
use crate::authentication::AuthSettings;
use crate::backends::{self, CheckedSettings};
use crate::codes::NonRetryable;
use crate::compression::Compression;
use crate::exporter::Sending;
use crate::temporality::{CumulativeSettings, Temporality};
use crate::tls::TlsSettings;
use crate::{endpoint, headers};

/// `exporters::otlp_grpc`, as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["endpoint"]))]
pub struct OtlpGrpcSettings {
    /// The server as `host:port`, with TLS unless `tls::insecure` is set; `https://` or `http://` before it decides as well.
    /// The usual port is 4317.
    #[schemars(schema_with = "endpoint_schema")]
    pub endpoint: String,
    /// The timeout of one attempt, from connecting to the end of the response; 0: none.
    pub timeout: Duration,
    /// The compression of requests.
    #[schemars(extend("enum" = ["gzip", "zstd", "none", ""]))]
    pub compression: String,
    /// Metadata of every call. Its values are secrets.
    pub headers: BTreeMap<String, Secret>,
    /// The extension that adds headers to each request.
    pub auth: Option<AuthSettings>,
    /// TLS and its certificates.
    pub tls: TlsSettings,
    /// Pings that detect a dead connection. `keepalive: {}` uses the defaults; without it no pings are sent.
    pub keepalive: Option<KeepaliveSettings>,
    /// The value of `:authority`, and the name in the TLS handshake (SNI). By default it is the host of the endpoint.
    pub authority: String,
    /// The value of the header `user-agent`.
    pub user_agent: String,
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

/// `keepalive`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeepaliveSettings {
    /// The interval of pings, at least 1s.
    pub time: Duration,
    /// How long the response to a ping may take before the connection is closed, at least 1s.
    pub timeout: Duration,
    /// Sends pings while no request is in flight, too.
    pub permit_without_stream: bool,
}

impl Default for KeepaliveSettings {
    fn default() -> Self {
        KeepaliveSettings {
            time: Duration::from_secs(10),
            timeout: Duration::from_secs(10),
            permit_without_stream: false,
        }
    }
}

impl Default for OtlpGrpcSettings {
    fn default() -> Self {
        OtlpGrpcSettings {
            endpoint: String::new(),
            timeout: Duration::from_secs(5),
            compression: "gzip".into(),
            headers: BTreeMap::new(),
            auth: None,
            tls: TlsSettings::default(),
            keepalive: None,
            authority: String::new(),
            user_agent: crate::USER_AGENT.into(),
            temporality: "delta".into(),
            cumulative: CumulativeSettings::default(),
            retry_on_failure: RetrySettings::default(),
            sending_queue: QueueSettings::default(),
        }
    }
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub(crate) struct GrpcConfig {
    pub(crate) endpoint: GrpcEndpoint,
    pub(crate) timeout: Option<std::time::Duration>,
    pub(crate) compression: Compression,
    pub(crate) headers: HeaderMap,
    pub(crate) auth: Option<AuthSettings>,
    pub(crate) tls: TlsSettings,
    pub(crate) keepalive: Option<KeepaliveSettings>,
    /// Scheme and authority of each call.
    pub(crate) origin: http::Uri,
    pub(crate) user_agent: HeaderValue,
    pub(crate) non_retryable: NonRetryable,
    pub(crate) sending: Sending,
}

/// Checks that no header is metadata of gRPC or binary metadata.
fn check_metadata(headers: &HeaderMap, settings: &Settings, errors: &mut Vec<Diagnostic>) {
    for name in headers.keys().map(|name| name.as_str()) {
        let message = if name == "user-agent" {
            format!("the header `{name}` is set by gRPC and cannot be changed; set `user_agent` instead")
        } else if name.starts_with("grpc-") || name == "te" {
            format!("the header `{name}` is set by gRPC and cannot be changed")
        } else if name.ends_with("-bin") {
            format!("`{name}` would be binary metadata, which is not supported")
        } else {
            continue;
        };
        errors.push(settings.error(&format!("headers::{name}"), message));
    }
}

/// Scheme and authority of each call; `None` if `authority` is not a name.
fn origin(endpoint: &GrpcEndpoint, authority: &str) -> Option<http::Uri> {
    let scheme = if endpoint.tls { "https" } else { "http" };
    let text = match authority {
        "" => endpoint.url.as_str().trim_end_matches('/').to_owned(),
        authority => format!("{scheme}://{authority}"),
    };
    let origin = text.parse::<http::Uri>().ok()?;
    let only_authority = origin.path_and_query().is_none_or(|path| path == "/");
    let has_user = origin.authority()?.as_str().contains('@');
    (only_authority && !has_user).then_some(origin)
}

impl KeepaliveSettings {
    fn errors(&self, settings: &Settings) -> Vec<Diagnostic> {
        let too_short = [("time", self.time), ("timeout", self.timeout)]
            .into_iter()
            .filter(|(_, value)| value.get() < std::time::Duration::from_secs(1));
        let errors = too_short.map(|(key, value)| {
            let message = format!("found {value}, expected 1s or more; servers end connections that ping too often");
            settings.error(&format!("keepalive::{key}"), message)
        });
        errors.collect()
    }
}

impl GrpcConfig {
    /// Reads and checks the settings, without any I/O.
    pub(crate) fn read(settings: &Settings) -> Result<GrpcConfig, Diagnostics> {
        let raw: OtlpGrpcSettings = settings.read()?;
        let mut errors = Vec::new();
        let endpoint = GrpcEndpoint::read(&raw.endpoint, raw.tls.insecure, settings, &mut errors);
        let headers = headers::read(&raw.headers, settings, &mut errors);
        check_metadata(&headers, settings, &mut errors);
        let compression = Compression::read(&raw.compression, None, settings, &mut errors);
        let origin = endpoint.as_ref().and_then(|endpoint| origin(endpoint, &raw.authority));
        if endpoint.is_some() && origin.is_none() {
            errors.push(settings.error("authority", "not a name, expected `host` or `host:port`"));
        }
        let user_agent = HeaderValue::try_from(&raw.user_agent);
        if user_agent.is_err() {
            let message = "it contains a character that is not valid in a header, such as a line break";
            errors.push(settings.error("user_agent", message));
        }
        if let Some(keepalive) = &raw.keepalive {
            errors.extend(keepalive.errors(settings));
        }
        errors.extend(raw.tls.errors(settings));
        let temporality = Temporality::read(&raw.temporality, raw.cumulative, settings, &mut errors);
        let sends = CheckedSettings {
            settings,
            headers: raw.headers.keys().map(|name| name.to_ascii_lowercase()).collect(),
            authenticated: raw.auth.is_some(),
            temporality,
        };
        if let Some(endpoint) = &endpoint {
            let url = &endpoint.url;
            backends::check(&sends, "endpoint", url, true, &mut errors);
            backends::check_temporality(&sends, url, &mut errors);
            if endpoint.port() == 4318 {
                let message = "port 4318 is usually for OTLP over HTTP";
                settings.warn(
                    settings
                        .error("endpoint", message)
                        .with_help("use the port for gRPC, usually 4317, or the exporter `otlp_http`"),
                );
            }
            let urls = std::iter::once(("endpoint", url));
            endpoint::warn(settings, urls, &headers, sends.authenticated, &raw.tls);
        }
        errors.extend(raw.retry_on_failure.errors("retry_on_failure", settings));
        let codes = &raw.retry_on_failure.non_retryable_status_codes;
        let non_retryable = NonRetryable::read(codes, true, settings, &mut errors);
        errors.extend(raw.sending_queue.errors("sending_queue", settings));
        let (Some(endpoint), Some(origin), Ok(user_agent), true) = (endpoint, origin, user_agent, errors.is_empty())
        else {
            return Err(Diagnostics(errors));
        };
        let timeout = raw.timeout.get();
        Ok(GrpcConfig {
            endpoint,
            timeout: (!timeout.is_zero()).then_some(timeout),
            compression,
            headers,
            auth: raw.auth,
            tls: raw.tls,
            keepalive: raw.keepalive,
            origin,
            user_agent,
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

    fn read(yaml: &str) -> Result<GrpcConfig, String> {
        read_with_warnings(yaml).0
    }

    fn read_with_warnings(yaml: &str) -> (Result<GrpcConfig, String>, String) {
        let settings = Settings::from_yaml(yaml).unwrap();
        let config = GrpcConfig::read(&settings).map_err(|errors| errors.to_string());
        (config, settings.warnings().to_string())
    }

    #[test]
    fn a_collectors_example_is_read() {
        let (config, warnings) = read_with_warnings(
            "endpoint: otelcol2:4317\ncompression: zstd\nheaders: {x-token: hunter2}\n\
             keepalive: {time: 30s, permit_without_stream: true}\nauthority: other.example\n\
             tls: {cert_file: a, key_file: b}\ntemporality: cumulative\ncumulative: {max_stale: 5m}",
        );
        let config = config.unwrap();
        assert_eq!(config.compression, Compression::Zstd(3));
        assert_eq!(config.timeout, Some(std::time::Duration::from_secs(5)));
        assert_eq!(config.origin, "https://other.example");
        let keepalive = config.keepalive.unwrap();
        assert_eq!(
            (keepalive.time, keepalive.timeout),
            (Duration::from_secs(30), Duration::from_secs(10))
        );
        assert!(!format!("{config:?}").contains("hunter2"));
        let of_files = |line: &str| line.contains("cannot read `") || line.starts_with("    ");
        assert!(warnings.lines().all(of_files), "{warnings}");
        let (_, warnings) = read_with_warnings("endpoint: h:4318\ntls: {insecure: true}\nheaders: {x-token: hunter2}");
        assert!(warnings.contains("x-token goes to h:4318 unencrypted"), "{warnings}");
        assert!(
            warnings.contains("port 4318 is usually for OTLP over HTTP"),
            "{warnings}"
        );
    }

    #[test]
    fn every_error_is_reported_at_once_with_its_line() {
        let text = read(
            "endpoint: localhost\ncompression: snappy\nheaders:\n  grpc-timeout: 1S\n  user-agent: me\n  x-bin: a\n\
             keepalive: {time: 1ms}\nuser_agent: \"a\\nb\"\ntls: {max_version: '1.0'}\ntemporality: both\n\
             retry_on_failure: {multiplier: 0}",
        )
        .unwrap_err();
        for expected in [
            "yaml:1:11: endpoint: it has no port",
            "yaml:2:14: compression: compression `snappy` is not supported",
            "yaml:4:17: headers::grpc-timeout: the header `grpc-timeout` is set by gRPC",
            "yaml:5:15: headers::user-agent: the header `user-agent` is set by gRPC and cannot be changed; set `user_agent`",
            "yaml:6:10: headers::x-bin: `x-bin` would be binary",
            "keepalive::time: found 1ms, expected 1s or more",
            "yaml:8:13: user_agent: it contains a character",
            "tls::max_version",
            "temporality: unknown temporality `both`",
            "retry_on_failure::multiplier",
        ] {
            assert!(text.contains(expected), "{expected} in:\n{text}");
        }
        assert!(read("{}").unwrap_err().contains("`endpoint` must be specified"));
        assert!(
            read("endpoint: h:1\nauthority: a/b")
                .unwrap_err()
                .contains("authority: not a name")
        );
        assert!(
            read("endpoint: h:1\nwait_for_ready: true")
                .unwrap_err()
                .contains("unknown key `wait_for_ready`")
        );
    }
}
