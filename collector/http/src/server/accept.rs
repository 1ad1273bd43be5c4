//! Accepts connections and answers one request on each.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::server::Hosts;
use crate::server::pace::Pace;
use crate::server::slots::{Id, Slots};

/// How many connections a server holds. Three servers fit into the 1024 file descriptors that a process may have as a
/// rule, and leave room for the collector's own connections.
pub const MAX_CONNECTIONS: usize = 256;
/// How long a client may take for the head of its request, and for the TLS handshake before it.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How large a request's head may be.
const MAX_HEAD: usize = 16 * 1024;
/// How many bytes of answers may wait for their readers.
const MAX_ANSWERS: usize = 32 * 1024 * 1024;
/// How long open connections may take to end at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// The pause after a failed accept: without one, a lack of file descriptors would make a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The body of an answer.
pub type Body = Full<Bytes>;

/// How a server treats its clients.
#[derive(Clone)]
pub struct Options {
    /// The service, for the log: `health check`.
    pub name: &'static str,
    /// Which hosts it answers for.
    pub hosts: Hosts,
    /// The setting that allows further ones, for the answer to a request for another host.
    pub hosts_setting: String,
    /// Enables HTTPS.
    pub tls: Option<TlsAcceptor>,
    /// How long a connection may last. It carries one request.
    pub connection_timeout: Duration,
}

type Connections = Arc<Mutex<Slots<CancellationToken>>>;

/// Answers requests with `handler` until `shutdown`, then lets open connections end.
pub async fn serve<H, F>(listener: TcpListener, options: Options, handler: H, shutdown: CancellationToken)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let connections: Connections = Arc::new(Mutex::new(Slots::new(MAX_CONNECTIONS, MAX_ANSWERS)));
    let mut tasks = JoinSet::new();
    let mut pace = Pace::default();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let evicted = CancellationToken::new();
                    let (id, other) = lock(&connections).open(peer.ip(), evicted.clone());
                    close(other);
                    let guard = Guard { id, connections: Arc::clone(&connections) };
                    let (options, handler) = (options.clone(), handler.clone());
                    tasks.spawn(async move {
                        let work = timeout(options.connection_timeout, accept(stream, &options, handler, &guard));
                        match evicted.run_until_cancelled(work).await {
                            Some(Ok(())) => {}
                            Some(Err(_)) => tracing::debug!(server = options.name, "connection timed out"),
                            None => tracing::debug!(server = options.name, "connection closed to make room"),
                        }
                    });
                    // The new connection is served before further ones, which may be many, are accepted.
                    yield_now().await;
                }
                Err(error) => {
                    if let Some(suppressed) = pace.failed(Instant::now()) {
                        tracing::warn!(server = options.name, suppressed, "cannot accept connections: {error}");
                    }
                    let victim = lock(&connections).evict(|_, _| lacks_descriptors(&error));
                    match victim {
                        // Its descriptor is free once its task has seen that.
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

/// Frees its slot when the connection ends.
struct Guard {
    id: Id,
    connections: Connections,
}

impl Drop for Guard {
    fn drop(&mut self) {
        lock(&self.connections).closed(self.id);
    }
}

async fn accept<H, F>(stream: TcpStream, options: &Options, handler: H, guard: &Guard)
where
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Body>>,
{
    let Some(tls) = &options.tls else {
        return connection(stream, options, handler, guard).await;
    };
    match timeout(HEADER_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, options, handler, guard).await,
        Ok(Err(error)) => tracing::debug!(server = options.name, "TLS handshake failed: {error}"),
        Err(_) => tracing::debug!(server = options.name, "TLS handshake timed out"),
    }
}

async fn connection<H, F>(stream: impl AsyncRead + AsyncWrite + Unpin, options: &Options, handler: H, guard: &Guard)
where
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Body>>,
{
    let service = service_fn(|request: Request<Incoming>| async {
        let response = match refused(&request, options) {
            Some(refusal) => refusal,
            None => handler(request).await,
        };
        let bytes = response.body().size_hint().lower();
        let evicted = lock(&guard.connections).answer(guard.id, usize::try_from(bytes).unwrap_or(usize::MAX));
        evicted.into_iter().for_each(|other| other.cancel());
        Ok::<_, Infallible>(response)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(server = options.name, "connection failed: {error}");
    }
}

/// The answer to a request that no handler should see.
fn refused(request: &Request<Incoming>, options: &Options) -> Option<Response<Body>> {
    if !options.hosts.accepts(request.uri(), request.headers()) {
        let setting = &options.hosts_setting;
        let text = format!(
            "unexpected Host header: expected an IP address, localhost, the name of a Service, or a name in {setting}\n"
        );
        return Some(plain(StatusCode::FORBIDDEN, text));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".into());
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(response);
    }
    None
}

/// An answer of plain text.
pub fn plain(code: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn close(connection: Option<CancellationToken>) {
    if let Some(connection) = connection {
        connection.cancel();
    }
}

/// The slots are never left half changed.
fn lock(connections: &Connections) -> MutexGuard<'_, Slots<CancellationToken>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `EMFILE` or `ENFILE`, which `std::io::ErrorKind` has no name for.
fn lacks_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}
