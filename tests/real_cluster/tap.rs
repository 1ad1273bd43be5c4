//! A reverse proxy before the API server that records what the collector asks for and what the answer is.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING,
};
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;

/// A request and the head of its answer.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) path: String,
    query: Vec<(String, String)>,
    /// The header `Accept`.
    pub(crate) accept: String,
    pub(crate) status: u16,
    /// The header `Content-Type` of the answer.
    pub(crate) content_type: String,
}

impl Exchange {
    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// True for a list of this resource of any namespace, and for each of its pages.
    pub(crate) fn lists(&self, resource: &str) -> bool {
        self.is_collection(resource) && self.parameter("watch").is_none()
    }

    /// True for a watch of this resource.
    pub(crate) fn watches(&self, resource: &str) -> bool {
        self.is_collection(resource) && self.parameter("watch").is_some()
    }

    /// True for a streaming list of this resource.
    pub(crate) fn streams(&self, resource: &str) -> bool {
        self.watches(resource) && self.parameter("sendInitialEvents") == Some("true")
    }

    fn is_collection(&self, resource: &str) -> bool {
        self.path.ends_with(&format!("/{resource}"))
    }
}

/// The changes of the proxy to requests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changes {
    /// The `timeoutSeconds` of every watch.
    pub(crate) watch_timeout: Option<u64>,
    /// True if only JSON is requested.
    pub(crate) json: bool,
}

/// A running proxy. Connections end when it is dropped.
pub(crate) struct Tap {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    upstream: Client,
    changes: Changes,
    exchanges: Mutex<Vec<Exchange>>,
    /// Cancelled at each cut; `None` while the proxy is cut off.
    connected: Mutex<Option<CancellationToken>>,
    stop: CancellationToken,
}

impl State {
    fn exchanges(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self) -> MutexGuard<'_, Option<CancellationToken>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap {
    /// Starts a proxy that reaches the API server with this client and its credentials.
    pub(crate) async fn start(upstream: Client, changes: Changes) -> Tap {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            upstream,
            changes,
            exchanges: Mutex::default(),
            connected: Mutex::new(Some(CancellationToken::new())),
            stop: CancellationToken::new(),
        });
        let serving = Arc::clone(&state);
        let stop = state.stop.clone();
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                let Some(connected) = state.connected().as_ref().map(CancellationToken::child_token) else {
                    continue;
                };
                let stop = state.stop.clone();
                let service = service_fn(move |request| forward(Arc::clone(&state), request));
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                let connection = stop.run_until_cancelled_owned(connection);
                tokio::spawn(connected.run_until_cancelled_owned(connection));
            }
        }));
        Tap { address, state }
    }

    /// The content of a kubeconfig for the proxy.
    pub(crate) fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: 'http://{}'}}}}]\n\
             users: [{{name: c, user: {{token: unused}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: c}}}}]\n",
            self.address
        )
    }

    /// Closes every connection, and each new one until [`Tap::reconnect`].
    pub(crate) fn cut(&self) {
        if let Some(connected) = self.state.connected().take() {
            connected.cancel();
        }
    }

    /// Accepts connections again.
    pub(crate) fn reconnect(&self) {
        *self.state.connected() = Some(CancellationToken::new());
    }

    /// The exchanges so far, in the order of the answers.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.state.exchanges().clone()
    }

    /// Those that match.
    pub(crate) fn matching(&self, matches: impl Fn(&Exchange) -> bool) -> Vec<Exchange> {
        self.exchanges()
            .into_iter()
            .filter(|exchange| matches(exchange))
            .collect()
    }

    /// Waits until this many exchanges match; returns them.
    pub(crate) async fn until(&self, count: usize, matches: impl Fn(&Exchange) -> bool) -> Vec<Exchange> {
        let wait = async {
            loop {
                let found = self.matching(&matches);
                if found.len() >= count {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(crate::PATIENCE, wait).await;
        found.unwrap_or_else(|_| panic!("expected {count} such exchanges among\n{:#?}", self.exchanges()))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.state.stop.cancel();
    }
}

async fn forward(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Body>, kube::Error> {
    let (mut parts, body) = request.into_parts();
    let text = |headers: &HeaderMap, name| {
        let value = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let mut exchange = Exchange {
        path: parts.uri.path().to_owned(),
        query: form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
        accept: text(&parts.headers, ACCEPT),
        status: 0,
        content_type: String::new(),
    };
    for name in [HOST, AUTHORIZATION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    if state.changes.json {
        let json = HeaderValue::from_static("application/json");
        parts.headers.insert(ACCEPT, json);
    }
    if let Some(seconds) = state
        .changes
        .watch_timeout
        .filter(|_| exchange.parameter("watch").is_some())
    {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let others = exchange.query.iter().filter(|(name, _)| name != "timeoutSeconds");
        query
            .extend_pairs(others)
            .append_pair("timeoutSeconds", &seconds.to_string());
        let uri = format!("{}?{}", exchange.path, query.finish());
        parts.uri = PathAndQuery::try_from(uri).unwrap().into();
    }
    let body = body.collect().await.map_err(kube::Error::HyperError)?.to_bytes();
    // A server that cannot be reached breaks the connection here, too.
    let answer = state
        .upstream
        .send(Request::from_parts(parts, Body::from(body)))
        .await?;
    let (mut head, body) = answer.into_parts();
    (exchange.status, exchange.content_type) = (head.status.as_u16(), text(&head.headers, CONTENT_TYPE));
    debug_assert_ne!(head.status, StatusCode::SWITCHING_PROTOCOLS);
    state.exchanges().push(exchange);
    head.headers.remove(TRANSFER_ENCODING);
    head.version = http::Version::HTTP_11;
    Ok(Response::from_parts(head, body))
}
