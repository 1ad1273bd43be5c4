//! The cause of a missing response, as a message with the fix.

use std::error::Error;
use std::io;
use std::time::Duration;

use proxy::ProxyError;
use reqwest::Url;
use rustls::{AlertDescription, CertificateError, OtherError};

use crate::tls::NotTrusted;
use crate::{datadog, endpoint};

/// Explains a failed request to `url`.
pub(crate) fn explain(error: &reqwest::Error, url: &Url, timeout: Option<Duration>) -> String {
    let host = endpoint::authority(url);
    if error.is_timeout() {
        return late(&host, timeout);
    }
    explain_cause(error.source(), url, error.is_connect())
}

/// True if the response is not HTTP/1.
pub(crate) fn is_other_protocol(error: &reqwest::Error) -> bool {
    let chain = Chain::of(error.source());
    // hyper's words; its error type has no other distinction.
    chain.tls.is_none()
        && chain
            .texts
            .iter()
            .any(|text| text.contains("invalid HTTP version parsed"))
}

/// True if the transport timed out.
pub(crate) fn is_late(error: &(dyn Error + 'static)) -> bool {
    let chain = Chain::of(Some(error));
    chain.late || chain.io == Some(io::ErrorKind::TimedOut)
}

/// True if the proxy failed.
pub(crate) fn is_of_proxy(error: &(dyn Error + 'static)) -> bool {
    Chain::of(Some(error)).proxy.is_some()
}

/// True if TLS failed.
pub(crate) fn is_tls(error: Option<&(dyn Error + 'static)>) -> bool {
    let chain = Chain::of(error);
    chain.tls.is_some() || chain.alert_about_us().is_some()
}

/// True if the connection ended before a response.
pub(crate) fn is_closed(error: &reqwest::Error) -> bool {
    let chain = Chain::of(error.source());
    let broken = [
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::UnexpectedEof,
    ];
    chain.tls.is_none() && (chain.io.is_some_and(|kind| broken.contains(&kind)) || chain.has(CLOSED))
}

/// True if one of the causes has these words.
pub(crate) fn has_words(error: Option<&(dyn Error + 'static)>, words: &str) -> bool {
    Chain::of(error).has(words)
}

/// hyper's words for a connection that ended before a response.
const CLOSED: &str = "connection closed before message completed";

/// True if the peer may speak another protocol than HTTP/2.
pub(crate) fn is_broken(error: &(dyn Error + 'static)) -> bool {
    let chain = Chain::of(Some(error));
    chain.tls.is_none() && chain.io != Some(io::ErrorKind::ConnectionRefused)
}

/// The message of a timeout.
pub(crate) fn late(host: &str, timeout: Option<Duration>) -> String {
    match timeout {
        Some(timeout) => format!("no answer from {host} within {timeout:?} (timeout)"),
        None => format!("no answer from {host} in time"),
    }
}

/// Explains why a request to `url` failed, from the causes of the error.
pub(crate) fn explain_cause(error: Option<&(dyn Error + 'static)>, url: &Url, connecting: bool) -> String {
    let host = endpoint::authority(url);
    let chain = Chain::of(error);
    if let Some(proxy) = chain.proxy {
        return proxy.to_string();
    }
    if let Some(alert) = chain.alert_about_us() {
        return format!(
            "{host} refused the client certificate, or requires one: check tls::cert_file and tls::key_file ({alert})"
        );
    }
    if let Some(tls) = chain.tls {
        return explain_tls(tls, url);
    }
    let dns = "dns error";
    if chain.has(dns) {
        let hint = site_hint(url);
        return format!(
            "the name {} cannot be resolved: {}{hint}",
            url.host_str().unwrap_or_default(),
            chain.last()
        );
    }
    match chain.io {
        Some(io::ErrorKind::ConnectionRefused) => {
            let hint = site_hint(url);
            format!("{host} refused the connection: is it running and is the port right?{hint}")
        }
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) => {
            format!("{host} closed the connection before it answered")
        }
        _ if chain.has(CLOSED) => format!("{host} closed the connection before it answered"),
        _ if connecting => format!("cannot connect to {host}: {}", chain.last()),
        _ => format!("the request to {host} failed: {}", chain.last()),
    }
}

fn explain_tls(error: &rustls::Error, url: &Url) -> String {
    let host = endpoint::authority(url);
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            // A bad signature comes from an authority that was created again under the same name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
                "the certificate of {host} is signed by an authority that is not trusted here: \
                 put that authority's certificate in tls::ca_file"
            ),
            CertificateError::NotValidForName => {
                format!("the certificate of {host} is for another name: check the endpoint")
            }
            CertificateError::NotValidForNameContext { presented, expected } if presented.is_empty() => format!(
                "the certificate of {host} has no subjectAltName, and its common name is ignored; it needs the \
                 subjectAltName {}",
                expected.to_str()
            ),
            CertificateError::NotValidForNameContext { presented, expected } => format!(
                "the certificate of {host} is for {}, not for {}: check the endpoint, or tls::server_name_override",
                presented.iter().map(|name| bare(name)).collect::<Vec<_>>().join(", "),
                expected.to_str()
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("the certificate of {host} has expired, or the clock here is wrong")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                format!("the certificate of {host} is not valid yet, or the clock here is wrong")
            }
            CertificateError::Other(OtherError(why)) => match why.downcast_ref() {
                Some(NotTrusted::SelfSigned) => format!(
                    "the certificate of {host} is self-signed and not trusted: put exactly this certificate in tls::ca_file"
                ),
                Some(NotTrusted::Authority) => format!(
                    "the certificate of {host} is a CA certificate (CA:TRUE), not a server certificate: give the server its \
                     own certificate, or put exactly this certificate in tls::ca_file"
                ),
                None => format!("cannot verify the certificate of {host}: {why}"),
            },
            why => format!("cannot verify the certificate of {host}: {why}"),
        },
        rustls::Error::InvalidMessage(_) => {
            format!("{host} does not speak TLS: does the endpoint need http:// or another port?")
        }
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => format!(
            "{host} refuses the protocol: gRPC needs HTTP/2, so this may be an endpoint for OTLP over HTTP; use the \
             exporter otlp_http, or the port for gRPC, usually 4317"
        ),
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) | rustls::Error::PeerIncompatible(_) => {
            format!("{host} and tls::min_version, tls::max_version have no version of TLS in common ({error})")
        }
        why => format!("TLS with {host} failed: {why}"),
    }
}

/// rustls writes `DnsName("h")`.
fn bare(name: &str) -> &str {
    name.split('"').nth(1).unwrap_or(name)
}

/// For Datadog's hosts a wrong site is the usual cause.
fn site_hint(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    if endpoint::is_datadog(url) || host.starts_with("otlp.") {
        format!("; check the site in the endpoint ({})", datadog::sites())
    } else {
        "; check the endpoint".to_owned()
    }
}

/// An error's chain of causes.
struct Chain<'a> {
    tls: Option<&'a rustls::Error>,
    proxy: Option<&'a ProxyError>,
    io: Option<io::ErrorKind>,
    /// True if tonic timed out, by `grpc-timeout`.
    late: bool,
    texts: Vec<String>,
}

impl<'a> Chain<'a> {
    fn of(error: Option<&'a (dyn Error + 'static)>) -> Chain<'a> {
        let mut chain = Chain {
            tls: None,
            proxy: None,
            io: None,
            late: false,
            texts: Vec::new(),
        };
        let mut next = error;
        while let Some(error) = next {
            chain.texts.push(error.to_string());
            next = error.source();
            if let Some(tls) = error.downcast_ref() {
                chain.tls = Some(tls);
            }
            if let Some(proxy) = error.downcast_ref() {
                chain.proxy = Some(proxy);
            }
            chain.late |= error.is::<tonic::TimeoutExpired>();
            if let Some(io) = error.downcast_ref::<io::Error>() {
                chain.io = Some(io.kind());
                // `io::Error::source` skips the wrapped error.
                if let Some(inner) = io.get_ref() {
                    next = Some(inner);
                }
            }
        }
        chain
    }

    /// The alert of a server that refuses the client certificate. It arrives after the handshake, where HTTP/2 reduces the
    /// error to text.
    fn alert_about_us(&self) -> Option<&str> {
        const ALERTS: [AlertDescription; 5] = [
            AlertDescription::CertificateRequired,
            AlertDescription::BadCertificate,
            AlertDescription::UnknownCA,
            AlertDescription::CertificateExpired,
            AlertDescription::CertificateUnknown,
        ];
        let words = ALERTS.map(|alert| rustls::Error::AlertReceived(alert).to_string());
        let texts = self.texts.iter().map(String::as_str);
        texts.rev().find(|text| words.iter().any(|words| text.contains(words)))
    }

    fn has(&self, words: &str) -> bool {
        self.texts.iter().any(|text| text.contains(words))
    }

    fn last(&self) -> &str {
        self.texts.last().map_or("unknown cause", String::as_str)
    }
}
