//! The address of the server, with errors that name the usual slips.

use collector_config::{Diagnostic, Settings};
use reqwest::Url;
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::endpoint;

#[derive(Clone, Debug)]
pub(crate) struct GrpcEndpoint {
    /// `http://host:port` or `https://host:port`.
    pub(crate) url: Url,
    pub(crate) tls: bool,
}

/// The schema of the setting that [`GrpcEndpoint::read`] reads. Null is refused: an empty endpoint is an error.
pub(super) fn endpoint_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "not": {"type": "null"},
        "pattern": r"^\s*(https?://)?[^\s/@]+:[0-9]{1,5}/?\s*$",
        "patternErrorMessage": "expected `host:port`, `https://host:port` or `http://host:port`",
    })
}

impl GrpcEndpoint {
    /// Reads `endpoint`: `host:port`, with TLS unless `tls::insecure` is set, or the same after `https://` or `http://`.
    pub(super) fn read(
        text: &str,
        insecure: bool,
        settings: &Settings,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<GrpcEndpoint> {
        let text = text.trim();
        if text.is_empty() {
            let error = if settings.is_set("endpoint") {
                settings.error("endpoint", "it is empty, expected `host:port`")
            } else {
                settings
                    .error("", "`endpoint` must be specified")
                    .with_help("set `endpoint` to the backend's `host:port`, such as `localhost:4317`")
            };
            errors.push(error);
            return None;
        }
        match check(text, insecure) {
            Ok(endpoint) => Some(endpoint),
            Err(why) => {
                errors.push(settings.error("endpoint", why));
                None
            }
        }
    }

    /// The host, without the brackets of an IPv6 address.
    pub(super) fn host(&self) -> &str {
        let host = self.url.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(443)
    }
}

fn check(text: &str, insecure: bool) -> Result<GrpcEndpoint, String> {
    const EXPECTED: &str = "expected `host:port`, `https://host:port` or `http://host:port`";
    let (tls, rest) = match text.split_once("://") {
        None if text.starts_with("unix:") => return Err(format!("Unix sockets are not supported, {EXPECTED}")),
        None => (!insecure, text),
        Some(("https", _)) if insecure => {
            return Err(
                "`https://` asks for TLS and `tls::insecure: true` for none; to take any certificate, set \
                 `tls::insecure_skip_verify` instead"
                    .into(),
            );
        }
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        Some(("dns", _)) => return Err(format!("gRPC name schemes are not supported, {EXPECTED}")),
        Some(_) => return Err(format!("unknown scheme, {EXPECTED}")),
    };
    if rest.contains("://") {
        return Err(endpoint::TWO_SCHEMES.into());
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if let Some((_, path)) = authority.split_once('/') {
        let hint = if path.contains("v1/") {
            " This looks like an address for `otlp_http`."
        } else {
            ""
        };
        return Err(format!("it has a path, and a gRPC address has none, {EXPECTED}.{hint}"));
    }
    if authority.contains('@') {
        return Err("it holds a user name or password, which would show in logs; use `headers::authorization`".into());
    }
    let scheme = if tls { "https" } else { "http" };
    let url = Url::parse(&format!("{scheme}://{authority}")).map_err(|why| format!("{why}, {EXPECTED}"))?;
    endpoint::check_host(&url)?;
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    if port.is_none_or(|port| port.parse::<u16>().is_err()) {
        return Err(format!("it has no port, {EXPECTED}; the usual port for gRPC is 4317"));
    }
    Ok(GrpcEndpoint { url, tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_or_insecure_decides_about_tls() {
        for (text, insecure, expected, tls) in [
            ("h:4317", false, "https://h:4317/", true),
            ("h:4317", true, "http://h:4317/", false),
            ("https://h:443", false, "https://h/", true),
            ("http://h:80/", false, "http://h/", false),
            ("http://h:4317", true, "http://h:4317/", false),
            ("[::1]:4317", true, "http://[::1]:4317/", false),
        ] {
            let endpoint = check(text, insecure).unwrap();
            assert_eq!((endpoint.url.as_str(), endpoint.tls), (expected, tls), "{text}");
        }
        let endpoint = check("https://h:443", false).unwrap();
        assert_eq!((endpoint.host(), endpoint.port()), ("h", 443));
        let endpoint = check("http://[::1]:80", false).unwrap();
        assert_eq!((endpoint.host(), endpoint.port()), ("::1", 80));
    }

    #[test]
    fn an_error_names_the_usual_slip() {
        for (text, expected) in [
            ("h", "no port"),
            ("https://h", "no port"),
            ("[::1]", "no port"),
            ("h:grpc", "invalid port"),
            ("ftp://h:1", "unknown scheme"),
            ("dns:///h:1", "name schemes"),
            ("unix:/run/x", "Unix sockets"),
            ("https://h:4318/v1/logs", "address for `otlp_http`"),
            ("h:4317/x", "it has a path"),
            ("otlp.:4317", "incomplete"),
            ("https://otlp.https://h:1", "two schemes"),
            ("$HOST_IP:4317", "has `$` in it"),
            ("https://u:hunter2@h:1", "headers::authorization"),
            ("ab cd:1", "expected `host:port`"),
        ] {
            let why = check(text, false).unwrap_err();
            assert!(why.contains(expected), "{text}: {why}");
            assert!(!why.contains("hunter2"), "{why}");
        }
        assert!(check("https://h:1", true).unwrap_err().contains("insecure_skip_verify"));
    }
}
