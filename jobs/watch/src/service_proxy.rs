//! Requests to a Service of the cluster, through the API server's proxy
//! (`/api/v1/namespaces/{namespace}/services/{scheme:name:port}/proxy/`).

use std::fmt;
use std::time::Duration;

use escape::Escaped;
use http::header::{ACCEPT, HOST};
use http::{Request, StatusCode};
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use tokio::time::timeout;

use crate::WatchError;
use crate::decode::{clipped, text};
use crate::model::Status;
use crate::watch::request::encoded;
use crate::watch::whole;

/// The most bytes read of a reply.
const LONGEST: usize = 16 * 1024 * 1024;

/// A port of a Service.
#[derive(Clone, Copy, Debug)]
pub struct ServicePort<'a> {
    /// The Service's namespace.
    pub namespace: &'a str,
    /// The Service's name.
    pub name: &'a str,
    /// The name or the number of its port.
    pub port: &'a str,
    /// True if the port speaks TLS; the API server does not verify its certificate.
    pub tls: bool,
}

/// A request through the proxy failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyError {
    /// The API server answered itself: RBAC denies the proxy, the Service is missing, or it has no ready endpoint.
    Server {
        /// The HTTP status.
        code: u16,
        /// The API server's message.
        message: String,
    },
    /// The Service answered with another status than 200.
    Service {
        /// The HTTP status.
        code: u16,
        /// The beginning of the body.
        body: String,
    },
    /// No complete reply was received in this time.
    Timeout(Duration),
    /// The API server is unreachable, or its reply cannot be read.
    Failed(String),
}

impl ProxyError {
    /// True if RBAC denies the proxy.
    pub fn is_denied(&self) -> bool {
        matches!(self, ProxyError::Server { code: 401 | 403, .. })
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyError::Server { code, message } => write!(f, "{code} {}", Escaped(message)),
            ProxyError::Service { code, body } if body.is_empty() => write!(f, "it answers {code}"),
            ProxyError::Service { code, body } => write!(f, "it answers {code}: {}", Escaped(body)),
            ProxyError::Timeout(time) => write!(f, "no answer in {} s", time.as_secs()),
            ProxyError::Failed(problem) => f.write_str(problem),
        }
    }
}

impl From<WatchError> for ProxyError {
    fn from(error: WatchError) -> Self {
        ProxyError::Failed(error.to_string())
    }
}

/// The body of `GET path`, with status 200. `path` begins with `/` and may have a query; `patience` is the limit of the whole
/// request.
///
/// The API server forwards the `Host` header of the request, which is its own name. A Service that serves only names of
/// its own answers 403; the request is then repeated with the Service's name as `Host`.
///
/// # Errors
/// The request failed, or the status is not 200.
pub async fn get(
    client: &Client,
    service: ServicePort<'_>,
    path: &str,
    patience: Duration,
) -> Result<String, ProxyError> {
    let read = async {
        match once(client, service, path, None).await {
            Err(ProxyError::Service { code: 403, .. }) => {
                let host = format!("{}.{}.svc", service.name, service.namespace);
                once(client, service, path, Some(&host)).await
            }
            done => done,
        }
    };
    timeout(patience, read)
        .await
        .unwrap_or(Err(ProxyError::Timeout(patience)))
}

async fn once(client: &Client, service: ServicePort<'_>, path: &str, host: Option<&str>) -> Result<String, ProxyError> {
    let scheme = if service.tls { "https:" } else { "" };
    let uri = format!(
        "/api/v1/namespaces/{}/services/{scheme}{}:{}/proxy{path}",
        encoded(service.namespace),
        encoded(service.name),
        encoded(service.port)
    );
    let mut request = Request::get(uri).header(ACCEPT, "application/json");
    if let Some(host) = host {
        request = request.header(HOST, host);
    }
    let request = request.body(Body::empty());
    let request = request.map_err(|error| ProxyError::Failed(format!("the request is not valid: {error}")))?;
    let response = client.send(request).await;
    let response = response.map_err(|error| WatchError::Connection(crate::client::explain(&error)))?;
    let code = response.status();
    let mut body = response.into_body();
    // The caller limits the time.
    let body = whole(&mut body, LONGEST, Duration::MAX).await?;
    if code == StatusCode::OK {
        return Ok(text(body));
    }
    Err(refusal(code, text(body)))
}

/// The error in a reply: a `Status` is the API server's, anything else the Service's.
fn refusal(code: StatusCode, body: String) -> ProxyError {
    #[derive(Deserialize)]
    struct Typed {
        kind: String,
        #[serde(flatten)]
        status: Status,
    }
    let code = code.as_u16();
    match serde_json::from_str::<Typed>(&body) {
        Ok(Typed { kind, status }) if kind == "Status" => ProxyError::Server {
            code,
            message: clipped(&status.message),
        },
        _ => ProxyError::Service {
            code,
            body: clipped(body.trim()),
        },
    }
}
