//! Connections, and the scripted treatment of requests.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::IntakeState;
use super::accept::{self, Accepted};
use super::grpc::{self, GrpcCode};
use super::port::PortControl;
use super::received::Attempt;
use super::response::RpcStatus;
use super::script::ScriptedReply;
use super::wire::{Call, Dropped, HttpReply, Protocol, RawRequest, Wire};

/// The most bytes that are read of a body, refused or not.
const READ_CAP: usize = 80 * 1024 * 1024;
const REFUSED: &str = "refused, as scripted";
const WARNING: &str = "accepted; a slow response";

/// Serves until `stop`, then ends all connections.
pub(super) async fn serve(
    mut listener: TcpListener,
    mut control: PortControl,
    protocol: Protocol,
    state: Arc<IntakeState>,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => return,
            () = control.closing() => {
                // Their connections end without a response, wherever they are.
                connections.shutdown().await;
                listener = tokio::select! {
                    opened = control.close_until_reopened(listener) => match opened {
                        Ok(listener) => listener,
                        Err(error) => {
                            tracing::error!(%error, "OTLP intake cannot reopen its port");
                            return;
                        }
                    },
                    () = stop.cancelled() => return,
                };
                continue;
            }
        };
        let stream = match accepted {
            Ok((stream, _)) => TokioIo::new(stream),
            Err(error) => {
                tracing::warn!(%error, "OTLP intake cannot accept a connection");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&state), protocol, request));
            // In both cases the client sees by itself that its connection ended.
            match protocol {
                Protocol::Http => {
                    let _ = http1::Builder::new().serve_connection(stream, service).await;
                }
                Protocol::Grpc => {
                    let server = http2::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(stream, service).await;
                }
            }
        });
    }
}

/// Handles one request and records the attempt.
async fn answer(state: Arc<IntakeState>, protocol: Protocol, request: Request<Incoming>) -> Result<HttpReply, Dropped> {
    let (mut parts, body) = request.into_parts();
    let profile = &state.options.profile;
    let key = parts.headers.remove(profile.key_header);
    // The whole body is read first: a client that is refused half-way through a body sees a broken connection instead of
    // the response.
    let body = Limited::new(body, READ_CAP).collect().await.map(|body| body.to_bytes());
    let mut attempt = Attempt {
        path: parts.uri.path().to_owned(),
        headers: parts.headers.clone(),
        body_size: body.as_ref().map_or(0, Bytes::len),
        status: None,
        grpc_status: None,
    };
    let request = RawRequest { parts, key, body };
    let result = match protocol.call(profile, &request, state.options.limits.grpc_message) {
        Ok(call) => play(&state, &call, &attempt).await,
        Err(early) => early.0.map(|reply| *reply).ok_or(Dropped),
    };
    if let Ok(reply) = &result {
        attempt.status = Some(reply.status().as_u16());
        attempt.grpc_status = reply.extensions().get().map(|GrpcCode(code)| *code);
    }
    state.record().attempts.push(attempt);
    result
}

/// Plays the scripted reply, or handles the call as usual.
async fn play(state: &IntakeState, call: &Call<'_>, attempt: &Attempt) -> Result<HttpReply, Dropped> {
    let usual = |rejected| usual(state, call, rejected);
    let hang = async || {
        // Recorded now: the client ends this by closing the connection.
        state.record().attempts.push(attempt.clone());
        std::future::pending::<Infallible>().await
    };
    let scripted = state.record().scripted(call.signal);
    let Some(scripted) = scripted else {
        return Ok(usual(None));
    };
    match scripted {
        ScriptedReply::Response { status, headers, body } => response(status, &headers, body),
        ScriptedReply::AcceptAndRespond { status, headers, body } => {
            usual(None);
            response(status, &headers, body)
        }
        ScriptedReply::Status { code, message, retry } => {
            let status = RpcStatus::new(code, &message, retry);
            Ok(call.wire.status(&status, retry))
        }
        ScriptedReply::DropConnection => Err(Dropped),
        ScriptedReply::Hang => match hang().await {},
        ScriptedReply::AcceptAndHang => {
            usual(None);
            match hang().await {}
        }
        ScriptedReply::Delay(pause) => {
            tokio::time::sleep(pause).await;
            Ok(usual(None))
        }
        ScriptedReply::Refuse { status } => {
            if let Ok(message) = &call.message
                && let Ok(payload) = accept::read(state, message)
            {
                accept::refuse(state, message, payload);
            }
            match call.wire {
                Wire::Http(_) => response(status, &[], Vec::new()),
                Wire::Grpc => Ok(grpc::failure(&RpcStatus::new(grpc::code_of(status), REFUSED, None))),
            }
        }
        ScriptedReply::Reject(items) => Ok(usual(Some((items, REFUSED)))),
        ScriptedReply::Trickle(time) => Ok(trickled(usual(Some((0, WARNING))), time).await),
        ScriptedReply::Endless => {
            let reply = call.wire.accepted(call.signal, &Accepted::default());
            Ok(reply.map(|_| endless()))
        }
    }
}

fn usual(state: &IntakeState, call: &Call<'_>, rejected: Option<(usize, &str)>) -> HttpReply {
    let accepted = match &call.message {
        Ok(message) => accept::accept(state, message, rejected),
        Err(refusal) => return call.wire.refused(&state.options.profile, refusal),
    };
    match accepted {
        Ok(accepted) => call.wire.accepted(call.signal, &accepted),
        Err(refusal) => call.wire.refused(&state.options.profile, &refusal),
    }
}

fn response(status: u16, headers: &[(String, String)], body: Vec<u8>) -> Result<HttpReply, Dropped> {
    let builder = headers
        .iter()
        .fold(Response::builder().status(status), |builder, (name, value)| {
            builder.header(name, value)
        });
    builder
        .body(Full::new(Bytes::from(body)).boxed_unsync())
        .map_err(|error| {
            tracing::error!(%error, "scripted reply is not a valid HTTP response");
            Dropped
        })
}

/// A body that never ends.
fn endless() -> UnsyncBoxBody<Bytes, Infallible> {
    const PIECE: &[u8] = &[b' '; 16 * 1024];
    let pieces = futures_util::stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(PIECE))));
    StreamBody::new(pieces).boxed_unsync()
}

/// The same reply, with its body byte by byte over this time.
async fn trickled(reply: HttpReply, time: Duration) -> HttpReply {
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
