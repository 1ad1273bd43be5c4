//! The HTTP client.

use std::error::Error;

use pipeline::ComponentError;
use reqwest::Client;
use reqwest::redirect::Policy;

use crate::endpoint;
use crate::settings::Config;

/// Names this program to the backend.
const USER_AGENT: &str = concat!("kube-job-collector/", env!("CARGO_PKG_VERSION"));

/// Makes the client; reads certificates, opens no connection.
///
/// # Errors
/// If certificates cannot be read or used.
pub(crate) async fn build(config: &Config) -> Result<Client, ComponentError> {
    let needs_tls = config.endpoints.all().any(|url| url.scheme() == "https");
    let tls = config.tls.client_config(needs_tls).await?;
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        // A redirect would carry the key to another host.
        .redirect(Policy::none())
        .default_headers(config.headers.clone());
    if let Some(timeout) = config.timeout {
        builder = builder.timeout(timeout);
    }
    if !config.proxy_url.is_empty() {
        let proxy = reqwest::Proxy::all(config.proxy_url.expose());
        builder = builder.proxy(proxy.map_err(|_| "proxy_url is not the URL of a proxy")?);
    } else if config.endpoints.all().all(endpoint::is_loopback) {
        // As Go's ProxyFromEnvironment: the environment's proxy is never asked for this machine.
        builder = builder.no_proxy();
    }
    builder.build().map_err(|why| {
        let cause = why.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("the HTTP client cannot be made: {why}{cause}").into()
    })
}
