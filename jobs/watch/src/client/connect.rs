//! Connects to the API server with a kubeconfig or the Pod's service account.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use hyper_timeout::TimeoutConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kube::client::{Body, ConfigExt};
use kube::{Client, Config};
use proxy::{Environment, InvalidProxy, Proxy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower::{BoxError, ServiceBuilder, ServiceExt};

use crate::client::connector::{Connector, proxy_in_cluster};
use crate::client::drained::Drained;
use crate::client::explain::explain;
use crate::client::session::{self, ConfigSource, Read};

/// Longer than the silence of any watch; the watches detect dead connections earlier.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(330);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The credentials to use; the values are those of the Collector's Kubernetes receivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AuthType {
    /// The service account inside of a cluster, else a kubeconfig.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// A kubeconfig.
    #[serde(rename = "kubeConfig")]
    KubeConfig,
    /// The Pod's service account.
    #[serde(rename = "serviceAccount")]
    ServiceAccount,
}

/// The contradictions among the settings `auth_type`, `kubeconfig` and `context`: the key and the problem.
pub fn auth_errors(auth: AuthType, kubeconfig: bool, context: bool) -> Vec<(&'static str, String)> {
    if auth != AuthType::ServiceAccount {
        return Vec::new();
    }
    let given = [("kubeconfig", kubeconfig), ("context", context)];
    let given = given.into_iter().filter(|(_, is_set)| *is_set);
    given
        .map(|(key, _)| {
            (
                key,
                "has no meaning with auth_type: serviceAccount; remove one of the two".into(),
            )
        })
        .collect()
}

/// An error of the connection settings.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The kubeconfig cannot be used.
    #[error("kubeconfig {file}: {problem}")]
    Kubeconfig {
        /// The file.
        file: String,
        /// The problem and how to fix it.
        problem: String,
    },
    /// The service account cannot be used.
    #[error(
        "service account: {0}; expected the environment variables KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT \
         and the files token, ca.crt and namespace in /var/run/secrets/kubernetes.io/serviceaccount, which a Pod has \
         unless automountServiceAccountToken is false; outside of a cluster set auth_type: kubeConfig"
    )]
    ServiceAccount(String),
    /// The proxy of the environment cannot be used.
    #[error("cannot reach the API server: {0}")]
    Proxy(#[from] InvalidProxy),
}

/// A client and its API server.
pub struct Connected {
    /// The client.
    pub client: Client,
    /// The API server's URL, without credentials.
    pub server: String,
    /// The context of the kubeconfig; `None` for a service account.
    pub context: Option<String>,
}

/// Makes a client. Reads files; sends no request.
///
/// # Errors
/// The file or context that cannot be used, and what to do.
pub async fn connect(auth: AuthType, path: Option<&Path>, context: Option<&str>) -> Result<Connected, ClientError> {
    let in_cluster = match auth {
        AuthType::ServiceAccount => true,
        AuthType::KubeConfig => false,
        AuthType::Auto => path.is_none() && context.is_none() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some(),
    };
    if in_cluster {
        let config = Config::incluster().map_err(|error| ClientError::ServiceAccount(error.to_string()))?;
        let proxy = proxy_in_cluster(&config.cluster_url, Environment::of_process())?;
        let read = Read {
            config,
            user: None,
            context: None,
            proxy,
        };
        return open(read, None).await.map_err(ClientError::ServiceAccount);
    }
    let source = ConfigSource {
        path: path.map(Path::to_path_buf),
        context: context.map(String::from),
        file: path.map_or_else(default_kubeconfig, |path| path.display().to_string()),
    };
    let fail = |problem| ClientError::Kubeconfig {
        file: source.file.clone(),
        problem,
    };
    let read = source.read().await.map_err(fail)?;
    open(read, Some(source.clone())).await.map_err(fail)
}

async fn open(read: Read, source: Option<ConfigSource>) -> Result<Connected, String> {
    let server = without_credentials(&read.config.cluster_url);
    if let Some(proxy) = &read.proxy {
        tracing::info!(server, %proxy, from = proxy.origin(), "using a proxy for the API server");
    }
    let context = read.context.clone();
    let client = session::open(read, source).await?;
    Ok(Connected {
        client,
        server,
        context,
    })
}

/// Connections to the API server, without credentials but for a client certificate.
pub(crate) fn transport(mut config: Config, proxy: Option<Proxy>) -> Result<Client, String> {
    // It would hide 429, 503 and 504 for minutes; the watches log their own retries.
    config.default_retry = false;
    if config.cluster_url.scheme_str() == Some("http") && config.root_cert.is_none() {
        // Plain HTTP needs no roots; without this, kube requires the system's certificates.
        config.root_cert = Some(Vec::new());
    }
    stack(&config, proxy).map_err(|error| explain(&error))
}

/// The stack of kube's client, on connections with TCP keepalive.
fn stack(config: &Config, proxy: Option<Proxy>) -> Result<Client, kube::Error> {
    // A proxy needs two connections; each has its own timeout, whose error names it.
    let limit = if proxy.is_some() {
        2 * CONNECT_TIMEOUT
    } else {
        CONNECT_TIMEOUT
    };
    let tcp = Connector::new(proxy, CONNECT_TIMEOUT);
    let tls = config.rustls_https_connector_with_connector(tcp)?;
    let drained = tls.map_response(|stream| TokioIo::new(Drained::new(TokioIo::new(stream), PROGRESS_TIMEOUT)));
    let mut connector = TimeoutConnector::new(drained);
    connector.set_connect_timeout(Some(limit));
    let http = hyper_util::client::legacy::Builder::new(TokioExecutor::new()).build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace.clone()))
}

fn without_credentials(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("https");
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().trim_end_matches('/');
    format!("{scheme}://{}{port}{path}", url.host().unwrap_or_default())
}

/// The default path of the kubeconfig.
fn default_kubeconfig() -> String {
    match std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()) {
        Some(paths) => PathBuf::from(paths).display().to_string(),
        None => "~/.kube/config".into(),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::client::{Coalesce, Ticks};

    async fn error(text: Option<&str>, context: Option<&str>) -> String {
        let file = std::env::temp_dir().join(format!("kubeconfig-{:x}", rand()));
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let error = connect(AuthType::KubeConfig, Some(&file), context).await;
        let _ = std::fs::remove_file(&file);
        let text = error.err().unwrap().to_string();
        assert!(text.contains(&*file.display().to_string()), "{text}");
        text
    }

    fn rand() -> u64 {
        use std::hash::{BuildHasher, Hasher, RandomState};
        RandomState::new().build_hasher().finish()
    }

    const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n\
        - {name: a, context: {cluster: c, user: u}}\nclusters:\n- {name: c, cluster: {server: 'http://127.0.0.1:1'}}\n\
        users:\n- {name: u, user: {token: s3cret-token}}\n";

    #[tokio::test]
    async fn explains_an_unusable_kubeconfig() {
        assert!(
            error(None, None)
                .await
                .contains("set kubeconfig to a file that this process can read")
        );
        assert!(
            error(Some(KUBECONFIG), Some("b"))
                .await
                .ends_with("no context \"b\"; it has \"a\"")
        );
        let no_current = KUBECONFIG.replace("current-context: a\n", "");
        assert!(
            error(Some(&no_current), None)
                .await
                .contains("set context to one of \"a\"")
        );
    }

    #[tokio::test]
    async fn no_error_quotes_the_kubeconfig() {
        for broken in [
            "users: [{name: u, user: {token: s3cret-token}",
            "contexts: s3cret-token",
            "a: 's3cret-token",
        ] {
            let text = error(Some(broken), None).await;
            assert!(!text.contains("s3cret"), "{text}");
        }
    }

    #[tokio::test]
    async fn explains_an_unreachable_server() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let config = Config::new(url.parse().unwrap());
        let read = Read {
            config,
            user: None,
            context: None,
            proxy: None,
        };
        let Connected { client, server, .. } = open(read, None).await.unwrap();
        assert_eq!(server, url);
        let error = client.apiserver_version().await.unwrap_err();
        let text = explain(&error);
        assert!(text.contains("Connection refused"), "{text}");
        assert!(text.ends_with("; is it running, is the address right?"), "{text}");
        assert!(
            !text.contains("ServiceError") && !text.contains("client error"),
            "{text}"
        );
    }

    /// The kernel's timer of the connection to `port`, from its table of connections: its kind and when it is due.
    #[cfg(target_os = "linux")]
    fn timer(port: u16) -> Option<String> {
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        let columns = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut timers = columns
            .filter(|columns| columns[2].ends_with(&format!(":{port:04X}")) && columns[3] == "01")
            .map(|columns| columns[5].to_owned());
        timers.next()
    }

    #[tokio::test]
    async fn refusals_are_seen_at_once_and_compression_is_never_asked_for() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config::new(format!("http://{address}").parse().unwrap());
        let client = transport(config, None).unwrap();
        let request = Request::get("/version").body(Body::empty()).unwrap();
        let asking = tokio::spawn(async move { client.send(request).await.unwrap() });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 1024];
        let read = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await.unwrap();
        let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
        assert!(
            head.starts_with("get /version") && !head.contains("accept-encoding"),
            "{head}"
        );
        let refusal = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, refusal).await.unwrap();
        let response = asking.await.unwrap();
        assert_eq!(response.status().as_u16(), 429);
        // Only watches turn the ticks of their connection on.
        let ticks = response.extensions().get::<Ticks>().unwrap();
        assert!(!ticks.are_on());
        let ms = Duration::from_millis;
        let ticking = ticks.start(Coalesce::new(ms(25), ms(200)));
        assert!(ticks.are_on());
        drop(ticking);
        assert!(!ticks.are_on());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_kernel_keeps_an_eye_on_connections() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config::new(format!("http://{address}").parse().unwrap());
        let client = transport(config, None).unwrap();
        let asking = tokio::spawn(async move { client.apiserver_version().await.map(|_| ()) });
        let (mut stream, _) = listener.accept().await.unwrap();
        // Once the request is here and acknowledged, no other timer runs.
        let mut head = [0; 1024];
        let read = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await.unwrap();
        assert!(head[..read].starts_with(b"GET /version"));
        let timer = timer(address.port()).unwrap();
        let (kind, due) = timer.split_once(':').unwrap();
        assert_eq!(kind, "02", "keepalive");
        // In hundredths of a second.
        let due = u64::from_str_radix(due, 16).unwrap();
        assert!((2000..=3000).contains(&due), "{due}");
        asking.abort();
    }

    #[test]
    fn a_url_loses_its_credentials() {
        let url = "https://me:s3cret@example.test:6443/clusters/a/".parse().unwrap();
        assert_eq!(without_credentials(&url), "https://example.test:6443/clusters/a");
        let url = "https://[::1]:6443".parse().unwrap();
        assert_eq!(without_credentials(&url), "https://[::1]:6443");
    }
}
