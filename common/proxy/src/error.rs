//! The errors of connections through a proxy.

use std::fmt;
use std::io;
use std::time::Duration;

use http::StatusCode;

use crate::url::Proxy;

/// A failed connection through a proxy. The text names the proxy and where it is configured, without credentials.
#[derive(Debug)]
pub struct ProxyError {
    proxy: Proxy,
    failure: ProxyFailure,
}

/// The failure of a proxy.
#[derive(Debug)]
pub enum ProxyFailure {
    /// The proxy's name cannot be resolved.
    Resolve(io::Error),
    /// No connection to the proxy.
    Connect(io::Error),
    /// The connection ended before the proxy answered.
    Broken(io::Error),
    /// The answer does not follow the proxy protocol.
    OtherProtocol,
    /// The answer to `CONNECT`, or to a request that the proxy was to forward.
    Status(u16),
    /// SOCKS: the proxy requires other credentials, or rejected these.
    Authentication,
    /// SOCKS: the proxy's reason, one of RFC 1928, section 6.
    Reply(u8),
    /// No connection within this time.
    Late(Duration),
    /// No tunnel, for an unknown reason.
    Unknown,
}

impl ProxyError {
    /// An error of this proxy.
    pub fn new(proxy: &Proxy, failure: ProxyFailure) -> ProxyError {
        ProxyError {
            proxy: proxy.clone(),
            failure,
        }
    }

    /// The failure.
    pub fn failure(&self) -> &ProxyFailure {
        &self.failure
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (proxy, origin) = (&self.proxy, self.proxy.origin());
        let name = format!("proxy {proxy} (from {origin})");
        match &self.failure {
            ProxyFailure::Resolve(why) => write!(
                f,
                "{name}: the name {} cannot be resolved: {why}; check {origin}",
                proxy.host()
            ),
            ProxyFailure::Connect(why) if why.kind() == io::ErrorKind::ConnectionRefused => {
                write!(
                    f,
                    "{name} refused the connection: check that it is running, and the port in {origin}"
                )
            }
            ProxyFailure::Connect(why) => write!(f, "{name}: cannot connect: {why}; check {origin}"),
            ProxyFailure::Broken(why) if why.kind() == io::ErrorKind::UnexpectedEof => {
                write!(f, "{name} closed the connection before it answered")
            }
            ProxyFailure::Broken(why) => write!(f, "{name}: the connection broke before it answered: {why}"),
            ProxyFailure::OtherProtocol => {
                write!(
                    f,
                    "{name} does not answer as a proxy: check scheme and port in {origin}"
                )
            }
            ProxyFailure::Status(407) => write!(
                f,
                "{name} requires authentication (HTTP 407): check the user name and password in {origin}, as \
                 scheme://user:password@host:port"
            ),
            ProxyFailure::Status(status) => {
                let reason = StatusCode::from_u16(*status)
                    .ok()
                    .and_then(|status| status.canonical_reason());
                let reason = reason.map(|reason| format!(" {reason}")).unwrap_or_default();
                write!(f, "{name} answered HTTP {status}{reason}{}", hint(*status))
            }
            ProxyFailure::Authentication => write!(
                f,
                "{name} requires authentication: check the user name and password in {origin}, as \
                 scheme://user:password@host:port"
            ),
            ProxyFailure::Reply(code) => write!(f, "{name} did not connect to the target: {}", reply(*code)),
            ProxyFailure::Late(timeout) => write!(f, "{name} did not connect to the target within {timeout:?}"),
            ProxyFailure::Unknown => write!(f, "{name} did not connect to the target"),
        }
    }
}

/// The usual cause of an answer to `CONNECT`.
fn hint(status: u16) -> &'static str {
    match status {
        403 | 405 => ": it does not allow this target, or this port; allow it there, or add the target to NO_PROXY",
        400 | 404 => ": is it a proxy?",
        502..=504 => ": it cannot reach the target, or does not resolve its name",
        _ => "",
    }
}

/// RFC 1928, section 6.
fn reply(code: u8) -> String {
    match code {
        1 => "general failure".into(),
        2 => "not allowed by its rules".into(),
        3 => "network unreachable".into(),
        4 => "host unreachable".into(),
        5 => "connection refused by the target".into(),
        6 => "TTL expired".into(),
        7 => "command not supported".into(),
        8 => "address type not supported".into(),
        code => format!("reply {code}"),
    }
}

impl std::error::Error for ProxyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.failure {
            ProxyFailure::Resolve(why) | ProxyFailure::Connect(why) | ProxyFailure::Broken(why) => Some(why),
            _ => None,
        }
    }
}
