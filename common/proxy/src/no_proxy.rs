//! `NO_PROXY`: the targets that are reached directly. The rules are those of Go's `httpproxy`, which kubectl and the
//! OpenTelemetry Collector use, and curl's where Go ignores an entry: blanks between entries, dots at the end of names.
//! Brackets around an IPv6 address without a port, which both ignore, mean the address.

use std::net::IpAddr;

use ipnet::IpNet;

/// The entries of `NO_PROXY`.
#[derive(Clone, Debug, Default)]
pub(crate) struct NoProxy(Vec<NoProxyEntry>);

#[derive(Clone, Debug)]
enum NoProxyEntry {
    Everything,
    Network(IpNet),
    Address(IpAddr, Option<u16>),
    Name {
        /// In lower case, without dots at its ends.
        name: String,
        /// True if only names below it are meant.
        below: bool,
        port: Option<u16>,
    },
}

impl NoProxy {
    /// Reads a list. An invalid entry matches nothing.
    pub(crate) fn parse(list: &str) -> NoProxy {
        let entries = list.split(|char: char| char == ',' || char.is_whitespace());
        NoProxy(entries.filter_map(NoProxyEntry::parse).collect())
    }

    /// True if the target is reached directly. `host` is a name or an address, without brackets.
    pub(crate) fn matches(&self, host: &str, port: u16) -> bool {
        let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.0.iter().any(|entry| match entry {
            NoProxyEntry::Everything => true,
            NoProxyEntry::Network(network) => address.as_ref().is_ok_and(|address| network.contains(address)),
            NoProxyEntry::Address(own, of) => address.as_ref() == Ok(own) && of.is_none_or(|of| of == port),
            NoProxyEntry::Name { name, below, port: of } => {
                if address.is_ok() {
                    return false;
                }
                let rest = host.strip_suffix(name.as_str());
                rest.is_some_and(|rest| (rest.is_empty() && !below) || rest.ends_with('.'))
                    && of.is_none_or(|of| of == port)
            }
        })
    }
}

impl NoProxyEntry {
    fn parse(text: &str) -> Option<NoProxyEntry> {
        if text == "*" {
            return Some(NoProxyEntry::Everything);
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Some(NoProxyEntry::Network(network));
        }
        let (host, port) = split(text)?;
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(NoProxyEntry::Address(address.to_canonical(), port));
        }
        let host = host
            .strip_prefix('*')
            .filter(|rest| rest.starts_with('.'))
            .unwrap_or(host);
        let below = host.starts_with('.');
        let name = host.trim_start_matches('.').trim_end_matches('.').to_ascii_lowercase();
        (!name.is_empty()).then_some(NoProxyEntry::Name { name, below, port })
    }
}

/// An entry's host and port; `None` if the port is none.
fn split(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match text.split_once(':') {
        // More than one colon: an IPv6 address.
        Some((_, rest)) if rest.contains(':') => Some((text, None)),
        Some((host, "")) => Some((host, None)),
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: the list, the target, whether Go's `httpproxy` and curl reach it directly, and whether this does.
    /// Measured with Go 1.26's `net/http` and curl 7.88.
    const TABLE: &[(&str, &str, u16, bool, bool, bool)] = &[
        // Names: themselves and everything below.
        ("example.com", "example.com", 443, true, true, true),
        ("example.com", "a.example.com", 443, true, true, true),
        ("example.com", "notexample.com", 443, false, false, false),
        ("EXAMPLE.com", "a.Example.COM", 443, true, true, true),
        ("com", "example.com", 443, true, true, true),
        // A dot before the name: in Go only subdomains.
        (".example.com", "a.example.com", 443, true, true, true),
        (".example.com", "example.com", 443, false, true, false),
        ("*.example.com", "a.example.com", 443, true, false, true),
        ("*.example.com", "example.com", 443, false, false, false),
        ("*example.com", "a.example.com", 443, false, false, false),
        // Dots at the end.
        ("example.com.", "example.com", 443, false, true, true),
        ("example.com", "example.com.", 443, false, true, true),
        // Everything.
        ("*", "example.com", 443, true, true, true),
        ("*", "10.0.0.1", 443, true, true, true),
        ("other, *", "example.com", 443, true, false, true),
        // Lists.
        ("a.example,b.example", "b.example", 443, true, true, true),
        (" a.example , b.example ", "b.example", 443, true, true, true),
        ("a.example b.example", "b.example", 443, false, true, true),
        (",,", "a.example", 443, false, false, false),
        ("", "a.example", 443, false, false, false),
        // Addresses.
        ("10.0.0.1", "10.0.0.1", 443, true, true, true),
        ("10.0.0.1", "10.0.0.10", 443, false, false, false),
        ("0.0.1", "10.0.0.1", 443, false, false, false),
        ("fd00::1", "fd00::1", 443, true, true, true),
        ("FD00:0::1", "fd00::1", 443, true, false, true),
        ("[fd00::1]", "fd00::1", 443, false, false, true),
        ("10.0.0.1", "::ffff:10.0.0.1", 443, true, false, true),
        // Networks.
        ("10.0.0.0/8", "10.1.2.3", 443, true, true, true),
        ("10.1.2.3/8", "10.9.9.9", 443, true, true, true),
        ("10.0.0.0/8", "11.1.2.3", 443, false, false, false),
        ("10.0.0.0/33", "10.0.0.0", 443, false, false, false),
        ("10.0.0.0/8", "10.example", 443, false, false, false),
        ("fd00::/8", "fd12::1", 443, true, false, true),
        ("fd00::/8", "fe00::1", 443, false, false, false),
        ("0.0.0.0/0", "fd12::1", 443, false, false, false),
        // Ports, which curl does not support.
        ("example.com:8443", "example.com", 8443, true, false, true),
        ("example.com:8443", "example.com", 443, false, false, false),
        (".example.com:8443", "a.example.com", 8443, true, false, true),
        ("10.0.0.1:6443", "10.0.0.1", 6443, true, false, true),
        ("10.0.0.1:6443", "10.0.0.1", 443, false, false, false),
        ("[fd00::1]:6443", "fd00::1", 6443, true, false, true),
        ("[fd00::1]:6443", "fd00::1", 443, false, false, false),
        ("example.com:http", "example.com", 80, false, false, false),
        (":443", "example.com", 443, false, false, false),
    ];

    #[test]
    fn no_proxy_matches_as_go_or_curl_do() {
        for &(list, host, port, go, curl, expected) in TABLE {
            let found = NoProxy::parse(list).matches(host, port);
            assert_eq!(found, expected, "{list:?} for {host}:{port}");
            let ours = list == "[fd00::1]";
            assert!(
                found == go || found == curl || ours,
                "{list:?} for {host}:{port}: neither as Go nor as curl"
            );
        }
    }
}
