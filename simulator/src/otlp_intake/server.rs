//! Connections, and what both transports have in common.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::port::Door;
use super::received::Attempt;

/// Beyond this even a body that is refused is not read.
const READ_CAP: usize = 80 * 1024 * 1024;

/// What an accepted request is told where an answer with a body is wanted.
pub(super) const WARNING: &str = "accepted; this answer takes its time";

pub(super) type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A request that gets no answer: its connection, or over HTTP/2 its stream, is closed.
#[derive(Debug, thiserror::Error)]
#[error("the intake closes this connection, as scripted")]
pub(super) struct Dropped;

/// What a port speaks, and nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) enum Transport {
    /// HTTP/1.1.
    Http,
    /// gRPC over HTTP/2 without TLS.
    Grpc,
}

/// Serves until `stop`, then ends all connections.
pub(super) async fn serve(
    mut listener: TcpListener,
    mut door: Door,
    transport: Transport,
    shared: Arc<Shared>,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => return,
            () = door.closing() => {
                // Their connections end without an answer, wherever they are.
                connections.shutdown().await;
                listener = tokio::select! {
                    opened = door.stay_closed(listener) => match opened {
                        Ok(listener) => listener,
                        Err(error) => {
                            tracing::error!("the OTLP intake cannot open its port again: {error}");
                            return;
                        }
                    },
                    () = stop.cancelled() => return,
                };
                continue;
            }
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("the OTLP intake could not accept a connection: {error}");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let stream = TokioIo::new(stream);
            // In both cases the client sees by itself that its connection ended.
            match transport {
                Transport::Http => {
                    let service = service_fn(|request| super::http::answer(Arc::clone(&shared), request));
                    let _ = http1::Builder::new().serve_connection(stream, service).await;
                }
                Transport::Grpc => {
                    let service = service_fn(|request| super::grpc::answer(Arc::clone(&shared), request));
                    let server = http2::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(stream, service).await;
                }
            }
        });
    }
}

/// Reads the whole body first: a client that is refused half-way through a body sees a broken connection instead of the
/// answer.
pub(super) async fn read_body(body: Incoming) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Limited::new(body, READ_CAP).collect().await?.to_bytes())
}

pub(super) fn record(
    shared: &Shared,
    path: &str,
    headers: &HeaderMap,
    body_size: usize,
    status: Option<u16>,
    grpc_status: Option<i32>,
) {
    shared.state().attempts.push(Attempt {
        path: path.to_owned(),
        headers: headers.clone(),
        body_size,
        status,
        grpc_status,
    });
}

/// A body that never ends.
pub(super) fn endless() -> UnsyncBoxBody<Bytes, Infallible> {
    const PIECE: &[u8] = &[b' '; 16 * 1024];
    let pieces = futures_util::stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(PIECE))));
    StreamBody::new(pieces).boxed_unsync()
}

/// The same answer, its body byte by byte in this time.
pub(super) async fn trickled(reply: Reply, time: Duration) -> Reply {
    let (parts, body) = reply.into_parts();
    let (trailers, body) = match body.collect().await {
        Ok(body) => (body.trailers().cloned(), body.to_bytes()),
        Err(never) => match never {},
    };
    let pause = time / u32::try_from(body.len()).unwrap_or(u32::MAX).max(1);
    let bytes = futures_util::stream::unfold((body, trailers), move |(mut rest, mut trailers)| async move {
        if rest.is_empty() {
            let last = Frame::trailers(trailers.take()?);
            return Some((Ok(last), (rest, None)));
        }
        tokio::time::sleep(pause).await;
        let byte = rest.split_to(1);
        Some((Ok(Frame::data(byte)), (rest, trailers)))
    });
    Response::from_parts(parts, StreamBody::new(bytes).boxed_unsync())
}

pub(super) fn scripted_reply(status: u16, headers: &[(String, String)], body: Vec<u8>) -> Result<Reply, Dropped> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder
        .body(Full::new(Bytes::from(body)).boxed_unsync())
        .map_err(|failure| {
            tracing::error!("the scripted answer is not a valid HTTP response: {failure}");
            Dropped
        })
}
