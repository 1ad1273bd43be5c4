//! The accepted `Host` headers.
//!
//! A browser that is led to an attacker's name, which then resolves to the Pod's address, sends that name as `Host`
//! (DNS rebinding). Nobody can register the names by which probes and scrapes reach a Pod: addresses, `localhost`, names
//! without a dot (a Service) and names of cluster-internal zones. The configuration may allow further names.

use std::net::IpAddr;

use hyper::header::HOST;
use hyper::{HeaderMap, Uri};

use crate::server::Endpoint;

/// Zones without registration: those of Kubernetes Services, and the reserved one (RFC 6761).
const INTERNAL: [&str; 3] = [".svc", ".cluster.local", ".localhost"];

/// The hosts that a server accepts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    /// Lower case, without ports: names, `*.suffix`, or `*` for all.
    allowed: Vec<String>,
}

impl Hosts {
    /// The hosts of a server that listens on `endpoint`. `allowed` are further names, `*.example.com` for all names below
    /// one, or `*` for all.
    pub(crate) fn new(endpoint: &Endpoint, allowed: &[String]) -> Self {
        let allowed = allowed.iter().map(String::as_str).chain(endpoint.host());
        Hosts {
            allowed: allowed.map(str::to_ascii_lowercase).collect(),
        }
    }

    /// True if a request is allowed. A request without a host does not come from a browser.
    pub(crate) fn accepts(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(HOST).iter();
        given.all(|host| host.to_str().is_ok_and(|host| self.knows(host)))
            && uri.authority().is_none_or(|authority| self.knows(authority.as_str()))
    }

    fn knows(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        if let Some((address, _)) = bare {
            return is_address(address);
        }
        if is_address(host) {
            return true;
        }
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        is_address(&name)
            || !name.contains('.')
            || INTERNAL.iter().any(|zone| name.ends_with(zone))
            || self.allowed.iter().any(|allowed| match allowed.strip_prefix('*') {
                Some(suffix) => name.ends_with(suffix),
                None => *allowed == name,
            })
    }
}

/// True for an IP address, with or without a zone.
fn is_address(text: &str) -> bool {
    text.split('%')
        .next()
        .is_some_and(|address| address.parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        let endpoint = Endpoint::parse("kjc.example.com:80").expect("valid");
        Hosts::new(&endpoint, &["metrics.example.org".into(), "*.corp.example".into()])
    }

    #[test]
    fn accepts_addresses_services_and_configured_names() {
        for host in [
            "10.1.2.3:13133",
            "10.1.2.3",
            "[fd00::1]:13133",
            "[fd00::1]",
            "fd00::1",
            "localhost:8888",
            "collector:8888",
            "kjc.monitoring.svc",
            "kjc.monitoring.svc:8888",
            "KJC.monitoring.svc.Cluster.Local.",
            "a.localhost",
            "kjc.example.com:80",
            "METRICS.example.org",
            "a.corp.example:1",
            "",
        ] {
            assert!(hosts().knows(host), "{host}");
        }
    }

    #[test]
    fn rejects_names_that_anyone_can_own() {
        for host in [
            "evil.example:13133",
            "evil.example",
            "10.1.2.3.evil.example",
            "x.svc.evil.example",
            "corp.example.evil.example",
            "kjc.example.com.evil.example:80",
            "localhost.evil.example",
            "evilcorp.example",
            "evil.example.:80",
        ] {
            assert!(!hosts().knows(host), "{host}");
        }
        let all = Hosts::new(&Endpoint::new("", 1), &["*".into()]);
        assert!(all.knows("evil.example"), "a `*` allows every name");
    }

    #[test]
    fn checks_every_host_of_a_request() {
        let mut headers = HeaderMap::new();
        assert!(hosts().accepts(&Uri::from_static("/healthz"), &headers), "HTTP/1.0");
        assert!(!hosts().accepts(&Uri::from_static("http://evil.example/healthz"), &headers));
        headers.append(HOST, "localhost".parse().expect("a value"));
        assert!(hosts().accepts(&Uri::from_static("/healthz"), &headers));
        headers.append(HOST, "evil.example".parse().expect("a value"));
        assert!(!hosts().accepts(&Uri::from_static("/healthz"), &headers));
    }
}
