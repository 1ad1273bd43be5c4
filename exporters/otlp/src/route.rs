//! The proxy through which a backend is reached, and failures caused by that proxy.

use std::error::Error;
use std::io;
use std::time::Duration;

use collector_config::ComponentId;
use proxy::{InvalidProxy, Proxies, Proxy, ProxyError, ProxyFailure};
use reqwest::Url;

use crate::{endpoint, failure};

/// How long to wait for the diagnosis of a proxy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// The hosts of URLs, without paths and queries, which may contain keys.
pub(crate) fn shown<'a>(urls: impl Iterator<Item = &'a Url>) -> String {
    let mut hosts: Vec<String> = urls.map(|url| url.origin().ascii_serialization()).collect();
    hosts.dedup();
    hosts.join(", ")
}

/// Each URL with a proxy, and its proxy.
///
/// # Errors
/// If a variable that applies to one of the URLs is not a proxy URL.
pub(crate) fn proxied<'a>(
    proxies: &'a Proxies,
    urls: impl Iterator<Item = &'a Url>,
) -> Result<Vec<(&'a Url, &'a Proxy)>, InvalidProxy> {
    let chosen = urls.map(|url| Ok(proxies.choose(url.into())?.map(|proxy| (url, proxy))));
    chosen.filter_map(Result::transpose).collect()
}

/// Logs the proxy of each endpoint once.
pub(crate) fn log(exporter: &ComponentId, proxied: &[(&Url, &Proxy)]) {
    let mut logged = Vec::new();
    for (url, proxy) in proxied {
        let endpoint = endpoint::authority(url);
        if !logged.contains(&endpoint) {
            tracing::info!(%exporter, endpoint, %proxy, from = proxy.origin(), "using a proxy");
            logged.push(endpoint);
        }
    }
}

/// The same rules for an HTTP client. Its `Debug` output contains no URL.
pub(crate) fn for_client(proxies: Proxies) -> reqwest::Proxy {
    reqwest::Proxy::custom(move |url| {
        let chosen = proxies.choose(url.into()).ok().flatten();
        chosen.map(Proxy::expose_url)
    })
}

/// True if requests for the URL are sent to the proxy itself, so that it may be the one that answers.
pub(crate) fn is_forwarded(url: &Url, proxy: &Proxy) -> bool {
    proxy.forwards(url.into())
}

/// The failure of the proxy, if it caused a missing response. The HTTP client does not report the answer of a proxy, so
/// the proxy is asked once more.
pub(crate) async fn fault(error: &reqwest::Error, url: &Url, proxy: &Proxy) -> Option<ProxyError> {
    let forwarded = is_forwarded(url, proxy);
    let has_words = |words| failure::has_words(error.source(), words);
    if !error.is_timeout() {
        if (!error.is_connect() && !forwarded) || failure::is_tls(error.source()) {
            return None;
        }
        if has_words("proxy authorization required") {
            return Some(ProxyError::new(proxy, ProxyFailure::Status(407)));
        }
    }
    if let Some(fault) = proxy.diagnose(url.into(), !forwarded, PATIENCE).await {
        return Some(fault);
    }
    let failure = if has_words("tunnel error") {
        ProxyFailure::Unknown
    } else if forwarded && !error.is_timeout() {
        ProxyFailure::Broken(io::ErrorKind::UnexpectedEof.into())
    } else {
        return None;
    };
    Some(ProxyError::new(proxy, failure))
}

/// The message of a failure that the proxy did not cause.
pub(crate) fn through(why: String, proxy: &Proxy) -> String {
    let hint = match why.contains("not trusted") {
        true => "; a proxy that inspects TLS shows a certificate of its own authority",
        false => "",
    };
    format!("{why} (through proxy {proxy}{hint})")
}
