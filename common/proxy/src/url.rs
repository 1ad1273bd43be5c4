//! A proxy, read from its URL.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::{Host, Url};

/// A proxy. Neither `Debug` nor `Display` shows its credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    protocol: Protocol,
    host: String,
    port: u16,
    credentials: Option<ProxyCredentials>,
    origin: &'static str,
}

/// The protocol that a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    /// Version 5, where the proxy resolves names.
    Socks,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ProxyCredentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

/// An invalid proxy URL. Never quotes the text, which may contain a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidProxy(String);

const EXPECTED: &str = "expected `http://host:port`, `socks5://host:port` or `socks5h://host:port`";

/// The largest user name and password of SOCKS (RFC 1929).
const SOCKS_LIMIT: usize = 255;

impl Proxy {
    /// Reads a URL from a setting, which must have a scheme. `origin` names the setting in messages.
    ///
    /// # Errors
    /// The URL is invalid; the error does not quote it.
    pub fn parse(text: &str, origin: &'static str) -> Result<Proxy, InvalidProxy> {
        let Some((scheme, _)) = text.trim().split_once("://") else {
            return Err(InvalidProxy(format!("it has no scheme, {EXPECTED}")));
        };
        let (protocol, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Protocol::Http, 80),
            "socks5" | "socks5h" => (Protocol::Socks, 1080),
            "https" => {
                let why = "TLS to the proxy (`https://`) is not supported; requests to https endpoints are encrypted \
                           through an http proxy, too";
                return Err(InvalidProxy(format!("{why}, {EXPECTED}")));
            }
            // Any other text may be a part of a password.
            known @ ("socks" | "socks4" | "socks4a" | "ftp") => {
                return Err(InvalidProxy(format!(
                    "the scheme `{known}` is not supported, {EXPECTED}"
                )));
            }
            _ => return Err(InvalidProxy(format!("unknown scheme, {EXPECTED}"))),
        };
        let invalid = |why: &str| InvalidProxy(format!("not a proxy URL ({why}), {EXPECTED}"));
        let url = Url::parse(text.trim()).map_err(|why| {
            let hint = match text.contains('@') {
                true => "; are special characters of the user name and password percent-encoded?",
                false => "",
            };
            invalid(&format!("{why}{hint}"))
        })?;
        let after_authority = [Some(url.path()), url.query(), url.fragment()];
        if after_authority.into_iter().flatten().any(|part| part.contains('@')) {
            return Err(invalid("percent-encode `/`, `?` and `#` in the user name and password"));
        }
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string().to_ascii_lowercase(),
            None => String::new(),
        };
        if host.trim_end_matches('.').split('.').any(str::is_empty) {
            return Err(invalid("the host is missing or incomplete"));
        }
        let decode = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
        let credentials = (!url.username().is_empty() || url.password().is_some()).then(|| ProxyCredentials {
            user: decode(url.username()),
            password: decode(url.password().unwrap_or_default()),
        });
        if let (Protocol::Socks, Some(ProxyCredentials { user, password })) = (protocol, &credentials)
            && (user.len() > SOCKS_LIMIT || password.len() > SOCKS_LIMIT)
        {
            return Err(invalid("a user name or password for SOCKS has at most 255 bytes"));
        }
        Ok(Proxy {
            protocol,
            host,
            port: url.port().unwrap_or(default_port),
            credentials,
            origin,
        })
    }

    /// Reads a URL from the environment, where `host:port` means `http://host:port`.
    pub(crate) fn parse_lenient(text: &str, origin: &'static str) -> Result<Proxy, InvalidProxy> {
        match text.contains("://") {
            true => Proxy::parse(text, origin),
            false => Proxy::parse(&format!("http://{}", text.trim()), origin),
        }
        .map_err(|InvalidProxy(why)| InvalidProxy(format!("environment variable {origin}: {why}")))
    }

    /// The URL **with its credentials**, for clients that need a URL. SOCKS has the scheme whose names the proxy resolves.
    pub fn expose_url(&self) -> String {
        let encode = |bytes: &[u8]| -> String {
            match std::str::from_utf8(bytes) {
                Ok(text) => utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
                Err(_) => percent_encoding::percent_encode(bytes, NON_ALPHANUMERIC).to_string(),
            }
        };
        let credentials = self.credentials.as_ref().map_or_else(String::new, |credentials| {
            format!("{}:{}@", encode(&credentials.user), encode(&credentials.password))
        });
        format!("{}://{credentials}{}", self.scheme(), self.authority())
    }

    /// Where the proxy is configured: a setting or a variable of the environment.
    pub fn origin(&self) -> &'static str {
        self.origin
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn credentials(&self) -> Option<&ProxyCredentials> {
        self.credentials.as_ref()
    }

    fn scheme(&self) -> &'static str {
        match self.protocol {
            Protocol::Http => "http",
            Protocol::Socks => "socks5h",
        }
    }

    fn authority(&self) -> String {
        authority(&self.host, self.port)
    }
}

/// `host:port`, with brackets around an IPv6 address.
pub(crate) fn authority(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

impl ProxyCredentials {
    /// The value of `Proxy-Authorization`.
    pub(crate) fn basic(&self) -> String {
        let pair = [&self.user[..], b":", &self.password].concat();
        format!("Basic {}", STANDARD.encode(pair))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            Protocol::Http => "http",
            Protocol::Socks => "socks5",
        };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self}, {})", self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2";

    fn parse(text: &str) -> Result<Proxy, InvalidProxy> {
        Proxy::parse(text, "proxy_url")
    }

    #[test]
    fn reads_urls_with_default_ports() {
        for (text, shown) in [
            ("http://Proxy.example:3128", "http://proxy.example:3128"),
            ("HTTP://proxy/", "http://proxy:80"),
            ("socks5://Proxy", "socks5://proxy:1080"),
            ("socks5h://10.0.0.1:9", "socks5://10.0.0.1:9"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            (" http://u:p@proxy:1\n", "http://proxy:1"),
        ] {
            assert_eq!(parse(text).expect(text).to_string(), shown);
        }
    }

    #[test]
    fn the_environment_may_omit_the_scheme() {
        for (text, shown) in [
            ("proxy:3128", "http://proxy:3128"),
            ("u:p@10.1.1.1", "http://10.1.1.1:80"),
        ] {
            assert_eq!(Proxy::parse_lenient(text, "HTTP_PROXY").expect(text).to_string(), shown);
        }
    }

    #[test]
    fn errors_name_the_expected_form_and_quote_nothing() {
        for (text, expected) in [
            ("proxy:3128", "no scheme"),
            ("user:hunter2@proxy:3128", "no scheme"),
            ("", "no scheme"),
            ("https://user:hunter2@proxy:3128", "TLS to the proxy"),
            ("socks4://user:hunter2@proxy", "the scheme `socks4` is not supported"),
            ("user:hunter2://proxy", "unknown scheme"),
            ("http://", "not a proxy URL"),
            ("http://user:hunter2@", "not a proxy URL"),
            ("socks5://user:hunter2@:1", "not a proxy URL"),
            ("http://user:hunter2@proxy:99999", "invalid port number"),
            ("http://user:hunter2/x@proxy:1", "percent-encoded"),
            ("http://user:1/hunter2@proxy:1", "percent-encode `/`"),
            ("http://u..x:1", "incomplete"),
        ] {
            let why = parse(text).expect_err(text).to_string();
            assert!(
                why.contains(expected) && why.contains("`socks5://host:port`"),
                "{text}: {why}"
            );
            assert!(!why.contains(SECRET), "{why}");
        }
        let long = format!("socks5://{}@proxy", "u".repeat(256));
        assert!(parse(&long).expect_err("too long").to_string().contains("255 bytes"));
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let proxy = parse("http://us%40er:hun%3Ater2%2F@proxy:1").expect("a proxy");
        let credentials = proxy.credentials().expect("credentials");
        assert_eq!(credentials.user, b"us@er");
        assert_eq!(
            credentials.basic(),
            format!("Basic {}", STANDARD.encode("us@er:hun:ter2/"))
        );
        for shown in [proxy.to_string(), format!("{proxy:?}"), format!("{proxy:#?}")] {
            assert!(!shown.contains("ter2") && !shown.contains("er:"), "{shown}");
        }
        assert_eq!(proxy.expose_url(), "http://us%40er:hun%3Ater2%2F@proxy:1");
        assert_eq!(parse(&proxy.expose_url()), Ok(proxy));
    }
}
