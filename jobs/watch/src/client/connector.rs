//! TCP connections to the API server, directly or through a proxy.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use kube::config::Kubeconfig;
use proxy::{Environment, InvalidProxy, Proxies, Proxy, Target};
use socket2::{SockRef, TcpKeepalive};
use tokio::time::Instant;
use tower::{BoxError, Service};

use super::coalesced::{Coalesced, TickGrid};
use super::socket::TcpSocket;

/// TCP keepalive: the idle time before the first probe, the interval, and the failed probes until the connection is dead,
/// 60 s in all. It also keeps silent connections open in routers.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);

/// Name of a kubeconfig's proxy in messages.
const PROXY_URL: &str = "kubeconfig proxy-url";

/// Creates connections with TCP keepalive.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    proxy: Option<Arc<Proxy>>,
    /// The timeout of a connection through the proxy. Without a proxy the caller's timeout applies.
    timeout: Duration,
    grid: TickGrid,
}

impl Connector {
    pub(crate) fn new(proxy: Option<Proxy>, timeout: Duration) -> Connector {
        let (time, interval, retries) = KEEPALIVE;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_keepalive(Some(time));
        tcp.set_keepalive_interval(Some(interval));
        tcp.set_keepalive_retries(Some(retries));
        Connector {
            tcp,
            proxy: proxy.map(Arc::new),
            timeout,
            grid: TickGrid::new(Instant::now()),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Coalesced<TcpSocket>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(BoxError::from)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let grid = self.grid;
        let coalesced = move |stream| TokioIo::new(Coalesced::new(TcpSocket::new(stream), grid));
        let Some(proxy) = self.proxy.clone() else {
            let connecting = self.tcp.call(target);
            return Box::pin(async move { Ok(coalesced(connecting.await?.into_inner())) });
        };
        let timeout = self.timeout;
        Box::pin(async move {
            let (host, port) = place(&target);
            let connecting = tokio::time::timeout(timeout, proxy.connect(host, port));
            let stream = connecting.await.map_err(|_| proxy.late(timeout))??;
            let (time, interval, retries) = KEEPALIVE;
            let keepalive = TcpKeepalive::new()
                .with_time(time)
                .with_interval(interval)
                .with_retries(retries);
            SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
            Ok(coalesced(stream))
        })
    }
}

fn place(target: &Uri) -> (&str, u16) {
    let host = target.host().unwrap_or_default();
    let usual = if target.scheme_str() == Some("http") { 80 } else { 443 };
    let port = target.port_u16().unwrap_or(usual);
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// Removes the `proxy-url` of the cluster of a context from the kubeconfig. Its replacement keeps kube's client from
/// reading the environment: kube does not support all of its proxies, and logs their passwords.
pub(crate) fn take_proxy_url(kubeconfig: &mut Kubeconfig, context: Option<&str>) -> Option<String> {
    let context = context.or(kubeconfig.current_context.as_deref());
    let mut contexts = kubeconfig.contexts.iter();
    let context = contexts.find(|named| Some(named.name.as_str()) == context);
    let cluster = context.and_then(|named| Some(named.context.as_ref()?.cluster.clone()));
    let mut taken = None;
    for named in &mut kubeconfig.clusters {
        let Some(settings) = &mut named.cluster else { continue };
        let found = settings.proxy_url.replace("http://proxy.invalid".into());
        if Some(&named.name) == cluster.as_ref() && taken.is_none() {
            taken = found.filter(|url| !url.trim().is_empty());
        }
    }
    taken
}

/// The proxy for the API server of a kubeconfig: its `proxy-url`, else the environment's.
pub(crate) fn proxy_of_kubeconfig(
    server: &Uri,
    proxy_url: Option<&str>,
    environment: Environment,
) -> Result<Option<Proxy>, InvalidProxy> {
    let proxies = match proxy_url {
        Some(url) => Proxies::from(Proxy::parse(url, PROXY_URL)?),
        None => Proxies::from(environment),
    };
    choose(server, &proxies)
}

/// The proxy for the API server of a Pod's own cluster. A proxy outside of the cluster cannot reach a cluster IP, so the
/// environment applies only to a host name.
pub(crate) fn proxy_in_cluster(server: &Uri, environment: Environment) -> Result<Option<Proxy>, InvalidProxy> {
    match place(server).0.parse::<IpAddr>() {
        Ok(_) => Ok(None),
        Err(_) => choose(server, &Proxies::from(environment)),
    }
}

fn choose(server: &Uri, proxies: &Proxies) -> Result<Option<Proxy>, InvalidProxy> {
    let (host, port) = place(server);
    let target = match server.scheme_str() {
        Some("http") => Target::http(host, port),
        _ => Target::https(host, port),
    };
    // Always through a tunnel, so that the proxy sees the same kind of traffic for every scheme.
    Ok(proxies.choose(target)?.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n\
        - {name: a, context: {cluster: one, user: u}}\n- {name: b, context: {cluster: two, user: u}}\nclusters:\n\
        - {name: one, cluster: {server: 'https://one.example', proxy-url: 'http://p:1'}}\n\
        - {name: two, cluster: {server: 'https://two.example'}}\n";

    #[test]
    fn the_proxy_url_is_that_of_the_contexts_cluster() {
        for (context, expected) in [
            (None, Some("http://p:1")),
            (Some("a"), Some("http://p:1")),
            (Some("b"), None),
            (Some("c"), None),
        ] {
            let mut kubeconfig = Kubeconfig::from_yaml(KUBECONFIG).expect("a kubeconfig");
            assert_eq!(
                take_proxy_url(&mut kubeconfig, context).as_deref(),
                expected,
                "{context:?}"
            );
            let left = kubeconfig
                .clusters
                .iter()
                .filter_map(|named| named.cluster.as_ref()?.proxy_url.as_deref());
            assert_eq!(left.collect::<Vec<_>>(), ["http://proxy.invalid"; 2]);
        }
    }

    #[test]
    fn a_kubeconfigs_proxy_comes_before_the_environments() {
        let choose = |server: &str, proxy_url: Option<&str>| {
            let environment = Environment::read([("HTTPS_PROXY", "http://e:1"), ("NO_PROXY", "two.example")]);
            proxy_of_kubeconfig(&server.parse().expect("a URL"), proxy_url, environment)
        };
        let shown = |server: &str, proxy_url| {
            choose(server, proxy_url)
                .expect("a choice")
                .map(|proxy| format!("{proxy} {}", proxy.origin()))
        };
        let kubeconfig = Some("http://k:1");
        for server in ["https://one.example", "https://two.example:6443"] {
            let expected = Some("http://k:1 kubeconfig proxy-url");
            assert_eq!(shown(server, kubeconfig).as_deref(), expected, "{server}");
        }
        assert_eq!(
            shown("https://one.example:6443/x", None).as_deref(),
            Some("http://e:1 HTTPS_PROXY")
        );
        for server in [
            "https://two.example",
            "http://one.example",
            "https://[::1]:1",
            "https://127.0.0.1:1",
        ] {
            assert_eq!(shown(server, None), None, "{server}");
        }
        assert_eq!(shown("https://127.0.0.1:1", kubeconfig), None);
        let why = choose("https://one.example", Some("p:1"))
            .expect_err("an error")
            .to_string();
        assert!(why.contains("no scheme"), "{why}");
    }

    #[test]
    fn in_a_cluster_addresses_are_reached_directly() {
        let choose = |server: &str| {
            let environment = Environment::read([("HTTPS_PROXY", "http://e:1"), ("NO_PROXY", "near.example")]);
            let chosen = proxy_in_cluster(&server.parse().expect("a URL"), environment).expect("a choice");
            chosen.is_some()
        };
        assert!(choose("https://api.far.example"));
        for server in ["https://10.96.0.1", "https://[fd00::1]:443", "https://api.near.example"] {
            assert!(!choose(server), "{server}");
        }
    }
}
