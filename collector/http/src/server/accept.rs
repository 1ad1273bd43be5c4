//! Accepts connections; the router of the service responds to one request on each.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pacing::{Line, LogPace};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::server::Endpoint;
use crate::server::hosts::Hosts;
use crate::server::slots::{Id, Slots};

/// Connections that a server holds. Three servers fit into the usual limit of 1024 file descriptors and leave room for
/// the collector's own connections.
pub const MAX_CONNECTIONS: usize = 256;
/// Timeout of a request head, and of the TLS handshake before it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest request head, bytes.
const MAX_HEAD: usize = 16 * 1024;
/// The size of all responses that clients have not read yet, bytes.
const MAX_RESPONSES: usize = 32 * 1024 * 1024;
/// Timeout of open connections on shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// The pause after a failed accept: without it, a lack of file descriptors would make a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The kind of a server.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// The name for the log, such as `health check`.
    pub name: &'static str,
    /// Timeout of a connection, which carries one request.
    pub connection_timeout: Duration,
}

/// A server that listens; connections wait until it [serves](Server::serve).
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    policy: Policy,
}

/// The rules for all connections of a server.
struct Policy {
    service: Service,
    hosts: Hosts,
    /// The setting that allows further hosts, for the response to a foreign one.
    hosts_setting: String,
    tls: Option<TlsAcceptor>,
}

type Connections = Arc<Mutex<Slots<CancellationToken>>>;

impl Server {
    /// Listens on `endpoint`, which is the setting `key` in `section`. `section::allowed_hosts` are `allowed_hosts`.
    ///
    /// # Errors
    /// The address is in use, is not local, or does not resolve; the text names the setting.
    pub async fn listen(
        service: Service,
        endpoint: &Endpoint,
        section: &str,
        key: &str,
        allowed_hosts: &[String],
    ) -> Result<Self, String> {
        let setting = format!("{section}::{key}");
        let listener = endpoint.listen(&setting).await?;
        let address = listener
            .local_addr()
            .map_err(|error| format!("cannot listen on {endpoint}: {error}; see {setting}"))?;
        Ok(Server {
            listener,
            address,
            policy: Policy {
                service,
                hosts: Hosts::new(endpoint, allowed_hosts),
                hosts_setting: format!("{section}::allowed_hosts"),
                tls: None,
            },
        })
    }

    /// Serves HTTPS if there is an acceptor.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<TlsAcceptor>) -> Self {
        self.policy.tls = tls;
        self
    }

    /// The local address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.policy.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// Serves `router` until `shutdown`, then lets open connections end.
    pub async fn serve(self, router: Router, shutdown: CancellationToken) {
        let Server { listener, policy, .. } = self;
        let name = policy.service.name;
        let policy = Arc::new(policy);
        let connections: Connections = Arc::new(Mutex::new(Slots::new(MAX_CONNECTIONS, MAX_RESPONSES)));
        let mut tasks = JoinSet::new();
        let mut pace = LogPace::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(_) = tasks.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let evicted = CancellationToken::new();
                        let (id, other) = lock(&connections).open(peer.ip(), evicted.clone());
                        other.into_iter().for_each(|other| other.cancel());
                        let guard = Guard { id, connections: Arc::clone(&connections) };
                        let (policy, router) = (Arc::clone(&policy), router.clone());
                        tasks.spawn(async move {
                            let work = timeout(policy.service.connection_timeout, accept(stream, &policy, router, &guard));
                            match evicted.run_until_cancelled(work).await {
                                Some(Ok(())) => {}
                                Some(Err(_)) => tracing::debug!(server = name, "connection timed out"),
                                None => tracing::debug!(server = name, "connection closed to make room"),
                            }
                        });
                        // The new connection is served before further ones, which may be many, are accepted.
                        yield_now().await;
                    }
                    Err(error) => {
                        if let Some(Line { held_back }) = pace.failed(Instant::now()) {
                            tracing::warn!(server = name, not_logged = held_back, "cannot accept connections: {error}");
                        }
                        let victim = lock(&connections).evict(|_, _| lacks_descriptors(&error));
                        match victim {
                            // The descriptor is free once the task of the connection ended.
                            Some(victim) => {
                                victim.cancel();
                                yield_now().await;
                            }
                            None => sleep(ACCEPT_PAUSE).await,
                        }
                    }
                },
            }
        }
        drop(listener);
        let _ = timeout(DRAIN_TIMEOUT, async { while tasks.join_next().await.is_some() {} }).await;
    }
}

/// Frees the slot when the connection ends.
struct Guard {
    id: Id,
    connections: Connections,
}

impl Drop for Guard {
    fn drop(&mut self) {
        lock(&self.connections).closed(self.id);
    }
}

async fn accept(stream: TcpStream, policy: &Policy, router: Router, guard: &Guard) {
    let Some(tls) = &policy.tls else {
        return connection(stream, policy, router, guard).await;
    };
    let name = policy.service.name;
    match timeout(HEADER_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, policy, router, guard).await,
        Ok(Err(error)) => tracing::debug!(server = name, "TLS handshake failed: {error}"),
        Err(_) => tracing::debug!(server = name, "TLS handshake timed out"),
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, policy: &Policy, router: Router, guard: &Guard) {
    let service = service_fn(|request| {
        let router = router.clone();
        async {
            let response = respond(request, policy, router).await;
            let bytes = usize::try_from(response.body().size_hint().lower()).unwrap_or(usize::MAX);
            let evicted = lock(&guard.connections).respond(guard.id, bytes);
            evicted.into_iter().for_each(|other| other.cancel());
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(server = policy.service.name, "connection failed: {error}");
    }
}

async fn respond(request: Request<Incoming>, policy: &Policy, router: Router) -> Response {
    let mut response = match policy.hosts.accepts(request.uri(), request.headers()) {
        true => router.oneshot(request).await.into_response(),
        false => {
            let setting = &policy.hosts_setting;
            let text = format!(
                "unexpected Host header: expected an IP address, localhost, the name of a Service, or a name in {setting}\n"
            );
            (StatusCode::FORBIDDEN, text).into_response()
        }
    };
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// A panic never leaves the slots half changed.
fn lock(connections: &Connections) -> MutexGuard<'_, Slots<CancellationToken>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `EMFILE` or `ENFILE`, which `std::io::ErrorKind` has no name for.
fn lacks_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}
