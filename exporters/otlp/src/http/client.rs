//! The HTTP client.

use std::error::Error;

use collector_runtime::ComponentError;
use proxy::{Environment, Proxies};
use reqwest::redirect::Policy;

use super::settings::HttpConfig;
use crate::tls::{Alpn, Reload};
use crate::{USER_AGENT, route};

/// The client, and the reload of its certificates.
pub(super) struct Client {
    pub(super) http: reqwest::Client,
    pub(super) reload: Option<Reload>,
    pub(super) proxies: Proxies,
}

/// Makes the client; reads certificates, opens no connection.
///
/// # Errors
/// If certificates cannot be read or used, or the proxy of the environment cannot be used.
pub(super) async fn build(config: &HttpConfig) -> Result<Client, ComponentError> {
    let needs_tls = config.endpoints.all().any(|url| url.scheme() == "https");
    let pool = &config.pool;
    let alpn = if pool.http2 { Alpn::Both } else { Alpn::Http1 };
    let tls = config.tls.client(needs_tls, alpn).await?;
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.config)
        .user_agent(USER_AGENT)
        // A redirect would carry the key to another host.
        .redirect(Policy::none())
        .pool_idle_timeout(pool.idle_timeout)
        .pool_max_idle_per_host(pool.max_idle_per_host)
        .http2_keep_alive_interval(pool.ping_interval)
        .http2_keep_alive_while_idle(true);
    if let Some(timeout) = pool.ping_timeout {
        builder = builder.http2_keep_alive_timeout(timeout);
    }
    if !pool.http2 {
        builder = builder.http1_only();
    }
    if let Some(timeout) = config.timeout {
        builder = builder.timeout(timeout);
    }
    let proxies = match &config.proxy {
        Some(proxy) => Proxies::from(proxy.clone()),
        None => Proxies::from(Environment::of_process()),
    };
    // reqwest ignores ports in NO_PROXY, and uses proxies for loopback.
    builder = builder.no_proxy();
    if !route::proxied(&proxies, config.endpoints.all())?.is_empty() {
        builder = builder.proxy(route::for_client(proxies.clone()));
    }
    let http = builder.build().map_err(|why| {
        let cause = why.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("cannot build the HTTP client: {why}{cause}")
    })?;
    Ok(Client {
        http,
        proxies,
        reload: tls.reload,
    })
}
