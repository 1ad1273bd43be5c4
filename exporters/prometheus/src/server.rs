//! `GET /metrics`: a small HTTP/1 server that a slow or hostile client cannot tie up.

use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, VARY,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::exposition::Format;

/// Where metrics are served.
pub const PATH: &str = "/metrics";
/// How many connections are open at once; more wait to be accepted.
pub const MAX_CONNECTIONS: usize = 32;
/// How long a client may take for the head of its request, and for the TLS handshake before it.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may last. It carries one request. Prometheus gives up after 10 s, unless told otherwise.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long open connections may take to end at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// The pause after a failed accept: without one, a lack of file descriptors would make a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// From how many bytes on it is worth compressing.
const WORTH_COMPRESSING: usize = 1024;

/// Writes the page, in that format. It is called off the runtime's threads, for each request anew.
pub type Page = Arc<dyn Fn(Format) -> String + Send + Sync>;

/// What is served.
#[derive(Clone)]
pub struct Served {
    /// The page.
    pub page: Page,
    /// Whether those who ask for OpenMetrics get it.
    pub open_metrics: bool,
}

/// Listens on `host:port`; without a host on every IPv4 address. The error is for the person who wrote the endpoint in
/// `setting`.
///
/// # Errors
/// Why that cannot be listened on.
pub async fn listen(endpoint: &str, setting: &str) -> Result<TcpListener, String> {
    let address = match endpoint.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => endpoint.to_owned(),
    };
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("cannot listen on {endpoint}: address already in use; another collector? set {setting}")
        }
        _ => format!("cannot listen on {endpoint}: {error}; see {setting}"),
    })
}

/// Answers until `shutdown`, then lets open connections end.
pub async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, served: Served, shutdown: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(accept(stream, tls.clone(), served.clone()));
                }
                Err(error) => {
                    tracing::warn!("cannot accept a connection for {PATH}: {error}");
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

async fn accept(stream: TcpStream, tls: Option<TlsAcceptor>, served: Served) {
    let Some(tls) = tls else {
        return connection(stream, served).await;
    };
    match timeout(HEADER_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, served).await,
        Ok(Err(error)) => tracing::debug!("TLS handshake of a scrape failed: {error}"),
        Err(_) => tracing::debug!("TLS handshake of a scrape took too long"),
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, served: Served) {
    let service = service_fn(move |request: Request<Incoming>| {
        let served = served.clone();
        async move { Ok::<_, Infallible>(respond(&request, served).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("connection of a scrape: {error}"),
        Err(_) => tracing::debug!("connection of a scrape: took too long"),
    }
}

async fn respond(request: &Request<Incoming>, served: Served) -> Response<Full<Bytes>> {
    if request.uri().path() != PATH {
        return plain(StatusCode::NOT_FOUND, format!("nothing here; ask for {PATH}\n"));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".into());
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let accept = header(request.headers(), &ACCEPT);
    let format = match served.open_metrics {
        true => Format::accepted(accept.as_deref()),
        false => Format::Text,
    };
    let gzip = takes_gzip(header(request.headers(), &ACCEPT_ENCODING).as_deref());
    let written = tokio::task::spawn_blocking(move || {
        let text = (served.page)(format).into_bytes();
        match gzip && text.len() >= WORTH_COMPRESSING {
            true => compressed(&text).map_or((text, false), |compressed| (compressed, true)),
            false => (text, false),
        }
    });
    let Ok((body, compressed)) = written.await else {
        return plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "cannot write the metrics; see the log\n".into(),
        );
    };
    let mut response = Response::new(Full::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn plain(code: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A header that may stand there several times.
fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn takes_gzip(accept_encoding: Option<&str>) -> bool {
    let mut codings = accept_encoding.unwrap_or_default().split(',');
    codings.any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = matches!(quality.trim().strip_prefix("q=").map(str::parse::<f64>), Some(Ok(0.0)));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

fn compressed(text: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}
