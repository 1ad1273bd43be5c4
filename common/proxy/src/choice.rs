//! The choice of the proxy for a target. Pure.

use std::net::IpAddr;

use url::Url;

use crate::no_proxy::NoProxy;
use crate::url::{InvalidProxy, Proxy};

/// The target of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    tls: bool,
    host: &'a str,
    port: u16,
}

impl<'a> Target<'a> {
    /// The target of an `https://` URL; an IPv6 address with or without brackets.
    pub fn https(host: &'a str, port: u16) -> Target<'a> {
        Target::new(true, host, port)
    }

    /// The target of an `http://` URL; an IPv6 address with or without brackets.
    pub fn http(host: &'a str, port: u16) -> Target<'a> {
        Target::new(false, host, port)
    }

    fn new(tls: bool, host: &'a str, port: u16) -> Target<'a> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Target { tls, host, port }
    }

    /// True if the target is that of an `https://` URL.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host, without brackets.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl<'a> From<&'a Url> for Target<'a> {
    fn from(url: &'a Url) -> Target<'a> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        Target::new(url.scheme() == "https", host, port)
    }
}

/// True if a host, with or without brackets, is this machine: `localhost`, a name below it, or an address of loopback.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The variables about proxies: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, or their names in lower case.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    https: Option<Result<Proxy, InvalidProxy>>,
    http: Option<Result<Proxy, InvalidProxy>>,
    no_proxy: NoProxy,
}

impl Environment {
    /// Reads variables. The name in upper case takes precedence, as in Go; an empty variable counts as unset.
    pub fn read<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Environment {
        const NAMES: [&str; 8] = [
            "HTTPS_PROXY",
            "https_proxy",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
            "NO_PROXY",
            "no_proxy",
        ];
        let mut values = [""; NAMES.len()];
        for (name, value) in variables {
            if let Some(place) = NAMES.iter().position(|known| *known == name) {
                values[place] = value.trim();
            }
        }
        // The first of these variables with a value.
        let first = |places: &[usize]| places.iter().copied().find(|place| !values[*place].is_empty());
        let proxy = |places: &[usize]| first(places).map(|place| Proxy::parse_lenient(values[place], NAMES[place]));
        Environment {
            https: proxy(&[0, 1, 4, 5]),
            http: proxy(&[2, 3, 4, 5]),
            no_proxy: first(&[6, 7]).map_or_else(NoProxy::default, |place| NoProxy::parse(values[place])),
        }
    }

    /// Reads this process's variables. A value that is not Unicode counts as unset.
    pub fn of_process() -> Environment {
        let variables: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Environment::read(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    fn choose(&self, target: Target<'_>) -> Result<Option<&Proxy>, InvalidProxy> {
        let of_scheme = if target.tls { &self.https } else { &self.http };
        match of_scheme {
            Some(proxy) if !self.no_proxy.matches(target.host, target.port) => {
                proxy.as_ref().map(Some).map_err(Clone::clone)
            }
            _ => Ok(None),
        }
    }
}

/// The proxies of connections: one from a setting for all targets, or those of the environment.
#[derive(Clone, Debug)]
pub struct Proxies(Rules);

#[derive(Clone, Debug)]
enum Rules {
    Always(Proxy),
    Environment(Environment),
}

impl From<Proxy> for Proxies {
    /// For all targets, regardless of `NO_PROXY`.
    fn from(proxy: Proxy) -> Proxies {
        Proxies(Rules::Always(proxy))
    }
}

impl From<Environment> for Proxies {
    fn from(environment: Environment) -> Proxies {
        Proxies(Rules::Environment(environment))
    }
}

impl Proxies {
    /// The proxy for a target, or `None` to reach it directly. Loopback is always reached directly.
    ///
    /// # Errors
    /// The variable for this target is not a proxy URL.
    pub fn choose(&self, target: Target<'_>) -> Result<Option<&Proxy>, InvalidProxy> {
        if is_loopback(target.host) {
            return Ok(None);
        }
        match &self.0 {
            Rules::Always(proxy) => Ok(Some(proxy)),
            Rules::Environment(environment) => environment.choose(target),
        }
    }

    /// The proxy for a target that is always reached through a tunnel, such as a gRPC server: the one for `https://`,
    /// as grpc-go, else the one for `http://` if the target has no TLS.
    ///
    /// # Errors
    /// As [`choose`](Proxies::choose).
    pub fn choose_tunnel(&self, target: Target<'_>) -> Result<Option<&Proxy>, InvalidProxy> {
        let chosen = self.choose(Target { tls: true, ..target })?;
        match chosen {
            None if !target.tls => self.choose(target),
            chosen => Ok(chosen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(variables: &[(&str, &str)], target: Target<'_>) -> Option<String> {
        let proxies = Proxies::from(Environment::read(variables.iter().copied()));
        let chosen = proxies.choose(target).expect("a choice")?;
        Some(format!("{chosen} {}", chosen.origin()))
    }

    const TLS: Target<'static> = Target {
        tls: true,
        host: "h.example",
        port: 443,
    };
    const PLAIN: Target<'static> = Target {
        tls: false,
        host: "h.example",
        port: 80,
    };

    #[test]
    fn chooses_by_scheme_with_all_proxy_last() {
        let both = [("HTTP_PROXY", "http://a:1"), ("HTTPS_PROXY", "b:2")];
        assert_eq!(choose(&both, TLS).as_deref(), Some("http://b:2 HTTPS_PROXY"));
        assert_eq!(choose(&both, PLAIN).as_deref(), Some("http://a:1 HTTP_PROXY"));
        assert_eq!(choose(&both[..1], TLS), None);
        let all = [("ALL_PROXY", "socks5h://s"), ("https_proxy", "http://b:2")];
        assert_eq!(choose(&all, TLS).as_deref(), Some("http://b:2 https_proxy"));
        assert_eq!(choose(&all, PLAIN).as_deref(), Some("socks5://s:1080 ALL_PROXY"));
    }

    #[test]
    fn upper_case_comes_first_and_empty_is_unset() {
        let two = [("https_proxy", "http://lower:1"), ("HTTPS_PROXY", "http://upper:1")];
        assert_eq!(choose(&two, TLS).as_deref(), Some("http://upper:1 HTTPS_PROXY"));
        let empty = [("https_proxy", "http://lower:1"), ("HTTPS_PROXY", " ")];
        assert_eq!(choose(&empty, TLS).as_deref(), Some("http://lower:1 https_proxy"));
        let empty = [("HTTPS_PROXY", ""), ("all_proxy", "http://all:1")];
        assert_eq!(choose(&empty, TLS).as_deref(), Some("http://all:1 all_proxy"));
        assert_eq!(choose(&[], TLS), None);
    }

    #[test]
    fn no_proxy_applies_to_the_environment_only() {
        for name in ["NO_PROXY", "no_proxy"] {
            let variables = [("ALL_PROXY", "http://a:1"), (name, "h.example:443")];
            assert_eq!(choose(&variables, TLS), None);
            assert!(choose(&variables, PLAIN).is_some());
        }
        let setting = Proxies::from(Proxy::parse("http://a:1", "proxy_url").expect("a proxy"));
        assert!(setting.choose(TLS).expect("a choice").is_some());
    }

    #[test]
    fn loopback_is_always_reached_directly() {
        let environment = Environment::read([("ALL_PROXY", "http://a:1")]);
        let setting = Proxy::parse("http://a:1", "proxy_url").expect("a proxy");
        for proxies in [Proxies::from(environment), Proxies::from(setting)] {
            for host in [
                "localhost",
                "LocalHost.",
                "a.localhost",
                "127.0.0.1",
                "127.9.9.9",
                "::1",
                "[::1]",
                "::ffff:127.0.0.1",
            ] {
                assert_eq!(proxies.choose(Target::https(host, 443)), Ok(None), "{host}");
                assert_eq!(proxies.choose_tunnel(Target::http(host, 80)), Ok(None), "{host}");
            }
            for host in ["localhost.example", "127.0.0.1.example", "128.0.0.1", "::2"] {
                assert!(
                    proxies.choose(Target::https(host, 443)).expect("a choice").is_some(),
                    "{host}"
                );
            }
        }
    }

    #[test]
    fn grpc_without_tls_prefers_the_https_proxy() {
        let choose = |variables: &[(&str, &str)]| {
            let proxies = Proxies::from(Environment::read(variables.iter().copied()));
            proxies.choose_tunnel(PLAIN).expect("a choice").map(Proxy::to_string)
        };
        let both = [("HTTP_PROXY", "http://a:1"), ("HTTPS_PROXY", "http://b:2")];
        assert_eq!(choose(&both).as_deref(), Some("http://b:2"));
        assert_eq!(choose(&both[..1]).as_deref(), Some("http://a:1"));
    }

    #[test]
    fn a_bad_variable_fails_only_its_targets() {
        let environment = Environment::read([
            ("HTTPS_PROXY", "https://user:hunter2@p:1"),
            ("NO_PROXY", "direct.example"),
        ]);
        let proxies = Proxies::from(environment.clone());
        assert_eq!(proxies.choose(PLAIN), Ok(None));
        assert_eq!(proxies.choose(Target::https("direct.example", 443)), Ok(None));
        assert_eq!(proxies.choose(Target::https("127.0.0.1", 443)), Ok(None));
        let why = proxies.choose(TLS).expect_err("an error").to_string();
        assert!(
            why.starts_with("environment variable HTTPS_PROXY: TLS to the proxy"),
            "{why}"
        );
        assert!(!format!("{why}{environment:?}").contains("hunter2"));
    }
}
