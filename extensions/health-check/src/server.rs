//! A small HTTP/1 server that a slow or hostile client cannot tie up.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use pipeline::health::Health;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::answer::answer;

/// How many connections are open at once; more wait to be accepted.
pub const MAX_CONNECTIONS: usize = 64;
/// How long a client may take for the head of its request.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may last. It carries one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long open connections may take to end at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// The pause after a failed accept: without one, a lack of file descriptors would make a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers until `shutdown`, then lets open connections end.
pub async fn serve(listener: TcpListener, liveness_path: Arc<str>, health: Health, shutdown: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, liveness_path.clone(), health.clone()));
                }
                Err(error) => {
                    tracing::warn!("health check cannot accept a connection: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let _ = timeout(DRAIN_TIMEOUT, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

async fn connection(stream: TcpStream, liveness_path: Arc<str>, health: Health) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = respond(&request, &liveness_path, &health);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("health check connection: {error}"),
        Err(_) => tracing::debug!("health check connection: took too long"),
    }
}

fn respond(request: &Request<Incoming>, liveness_path: &str, health: &Health) -> Response<Full<Bytes>> {
    let statuses = health.watch().borrow().clone();
    let (code, body) = answer(request.method(), request.uri().path(), liveness_path, &statuses);
    let mut response = Response::new(Full::from(format!("{body:#}\n")));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if code == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
