//! Listen addresses: `host:port`, also as `${env:POD_IP}` makes it.

use std::fmt;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr};

use schemars::{Schema, SchemaGenerator, json_schema};
use tokio::net::TcpListener;

/// A host and a port to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Without brackets; `None` for every address of the machine.
    host: Option<String>,
    port: u16,
}

impl Endpoint {
    /// The endpoint of a host, which may be an IPv6 address with or without brackets, and a port. An empty host is every
    /// address of the machine.
    pub fn new(host: &str, port: u16) -> Self {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        Endpoint {
            host: (!host.is_empty()).then(|| host.to_owned()),
            port,
        }
    }

    /// Reads `host:port`, `:port`, `[IPv6]:port` and `IPv6:port`: a Pod's address has no brackets, and the port always
    /// follows the last colon. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let port = port.parse().ok()?;
        let is_host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').is_some_and(is_ipv6),
            None if host.contains(':') => is_ipv6(host),
            None => !host.contains(|c: char| c.is_whitespace() || "/@[]?#".contains(c)),
        };
        is_host.then(|| Endpoint::new(host, port))
    }

    /// The host, without brackets; `None` for every address of the machine.
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Listens. `setting` is the path of the endpoint in the configuration.
    ///
    /// # Errors
    /// The address is in use, is not local, or does not resolve.
    pub(crate) async fn listen(&self, setting: &str) -> Result<TcpListener, String> {
        let bound = match &self.host {
            Some(host) => TcpListener::bind((host.as_str(), self.port)).await,
            // An IPv6 socket takes IPv4 connections too; a machine without IPv6 has only the other.
            None => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, self.port)).await {
                Err(error) if error.kind() != ErrorKind::AddrInUse => {
                    TcpListener::bind((Ipv4Addr::UNSPECIFIED, self.port)).await
                }
                bound => bound,
            },
        };
        bound.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => {
                format!("cannot listen on {self}: address already in use; another collector? set {setting}")
            }
            _ => format!("cannot listen on {self}: {error}; see {setting}"),
        })
    }
}

/// The schema of a setting that [`Endpoint::parse`] reads.
pub fn endpoint_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": r"^(\[[^\]]*\]|[^\s/@\[\]?#]*):[0-9]{1,5}$",
        "patternErrorMessage": "expected host:port, such as localhost:8080, or :8080 for every address",
    })
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => write!(f, ":{}", self.port),
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
        }
    }
}

/// True for an IPv6 address, with or without a zone (`fe80::1%eth0`).
fn is_ipv6(text: &str) -> bool {
    text.split('%')
        .next()
        .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_ipv6_with_and_without_brackets() {
        for (text, shown) in [
            ("fd00::1:13133", "[fd00::1]:13133"),
            ("[fd00::1]:13133", "[fd00::1]:13133"),
            ("::1:13133", "[::1]:13133"),
            (":::13133", "[::]:13133"),
            ("[::]:13133", "[::]:13133"),
            ("2001:db8:1:2:3:4:5:6:80", "[2001:db8:1:2:3:4:5:6]:80"),
            ("::ffff:10.0.0.1:80", "[::ffff:10.0.0.1]:80"),
            ("fe80::1%eth0:80", "[fe80::1%eth0]:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("localhost:0", "localhost:0"),
            (":13133", ":13133"),
        ] {
            assert_eq!(
                Endpoint::parse(text).map(|e| e.to_string()).as_deref(),
                Some(shown),
                "{text}"
            );
        }
        assert_eq!(Endpoint::new("::1", 1), Endpoint::new("[::1]", 1));
        assert_eq!(Endpoint::new("", 1).to_string(), ":1");
    }

    #[test]
    fn rejects_anything_else() {
        for text in [
            "",
            "localhost",
            "localhost:",
            "localhost:http",
            "localhost:99999",
            "localhost:+80",
            "::1",
            "[::1]",
            "fd00::1",
            "[localhost]:80",
            "[::1:80",
            "::1]:80",
            "1::2::3:80",
            "http://localhost:80",
            "localhost:80/path",
            "a b:80",
        ] {
            // `fd00::1` alone reads as address `fd00:` and port 1, and that is no address.
            assert_eq!(Endpoint::parse(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn an_empty_host_accepts_ipv4_connections() {
        let listener = Endpoint::parse(":0")
            .expect("valid")
            .listen("endpoint")
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .expect("IPv4");
    }
}
