//! Connections and requests.

use std::convert::Infallible;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::port::Door;
use super::received::{Attempt, Payload, Received, Signal};
use super::{CUMULATIVE_REFUSED, Shared, rules};

const API_KEY: &str = "dd-api-key";
const PROTOBUF: &str = "application/x-protobuf";

/// Beyond this even a body that is refused is not read.
const READ_CAP: usize = 80 * 1024 * 1024;

/// What an accepted request is told where an answer with a body is wanted.
const WARNING: &str = "accepted; this answer takes its time";

type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A request that gets no answer: its connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("the intake closes this connection, as scripted")]
struct Dropped;

/// `google.rpc.Status`, the body of an error answer (OTLP specification, "OTLP/HTTP Response").
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Serves until `stop`, then ends all connections.
pub(super) async fn serve(mut listener: TcpListener, mut door: Door, shared: Arc<Shared>, stop: CancellationToken) {
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
            let service = service_fn(|request| answer(Arc::clone(&shared), request));
            // The client sees by itself that its connection ended.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Takes one request, and writes down what became of it.
async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Reply, Dropped> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let mut headers = parts.headers;
    let key = headers.remove(API_KEY);

    // Read first: a client that is refused half-way through a body sees a broken connection instead of the answer.
    let body = Limited::new(body, READ_CAP).collect().await.map(|body| body.to_bytes());
    let body_size = body.as_ref().map_or(0, Bytes::len);

    let result = match (Signal::of_path(&path), body) {
        (None, _) => Ok(error(StatusCode::NOT_FOUND, 5, "no such path")),
        (Some(_), _) if parts.method != Method::POST => {
            Ok(error(StatusCode::METHOD_NOT_ALLOWED, 12, "only POST is allowed"))
        }
        (Some(_), Err(failure)) if failure.is::<LengthLimitError>() => {
            Ok(error(StatusCode::PAYLOAD_TOO_LARGE, 8, "Payload too large"))
        }
        (Some(_), Err(_)) => Err(Dropped),
        (Some(signal), Ok(body)) => {
            let scripted = shared.state().scripted(signal);
            let regular = |rejected| {
                let key = key.as_ref().map(|key| key.as_bytes());
                take(&shared, signal, key, &headers, &body, rejected)
            };
            let never = async || {
                // Written down now: the client ends this by going away.
                record(&shared, path.clone(), headers.clone(), body_size, None);
                std::future::pending::<Infallible>().await
            };
            match scripted {
                None => Ok(regular(None)),
                Some(Answer::Response { status, headers, body }) => scripted_reply(status, &headers, body),
                Some(Answer::TakeAndRespond { status, headers, body }) => {
                    regular(None);
                    scripted_reply(status, &headers, body)
                }
                Some(Answer::DropConnection) => Err(Dropped),
                Some(Answer::Hang) => match never().await {},
                Some(Answer::TakeAndHang) => {
                    regular(None);
                    match never().await {}
                }
                Some(Answer::Delay(pause)) => {
                    tokio::time::sleep(pause).await;
                    Ok(regular(None))
                }
                Some(Answer::Refuse { status }) => {
                    if let Ok(payload) = read(&shared, signal, &headers, &body) {
                        refuse(&shared, signal, payload, &headers);
                    }
                    scripted_reply(status, &[], Vec::new())
                }
                Some(Answer::Reject(items)) => Ok(regular(Some((items, "refused, as scripted")))),
                Some(Answer::Trickle(time)) => Ok(trickled(regular(Some((0, WARNING))), time).await),
            }
        }
    };
    let status = result.as_ref().ok().map(|reply| reply.status().as_u16());
    record(&shared, path, headers, body_size, status);
    result
}

fn record(shared: &Shared, path: String, headers: HeaderMap, body_size: usize, status: Option<u16>) {
    shared.state().attempts.push(Attempt {
        path,
        headers,
        body_size,
        status,
    });
}

/// The intake's own rules, in the order in which it applies them. `rejected`: how many of the first items to refuse, and
/// the message of a partial success.
fn take(
    shared: &Shared,
    signal: Signal,
    key: Option<&[u8]>,
    headers: &HeaderMap,
    body: &Bytes,
    rejected: Option<(usize, &str)>,
) -> Reply {
    let expected = shared.options.api_key.as_deref().map(str::as_bytes);
    if expected.is_some() && key != expected {
        return forbidden();
    }
    let payload = match read(shared, signal, headers, body) {
        Ok(payload) => payload,
        Err(reply) => return *reply,
    };
    if rules::has_refused_metric(&payload) {
        // "Payload validation failed": nothing of it is kept.
        let answer = partial_success(signal, payload.items(), CUMULATIVE_REFUSED);
        return protobuf(StatusCode::OK, answer);
    }
    let status = StatusCode::from_u16(rules::success_status(signal)).unwrap_or(StatusCode::OK);
    let Some((items, message)) = rejected else {
        keep(shared, signal, payload, headers);
        return protobuf(status, Vec::new());
    };
    let mut taken = payload;
    let refused = taken.split_off_first(items);
    let count = refused.items();
    if count > 0 {
        refuse(shared, signal, refused, headers);
    }
    keep(shared, signal, taken, headers);
    protobuf(status, partial_success(signal, count, message))
}

/// Reads the body, or says why it cannot be read.
fn read(shared: &Shared, signal: Signal, headers: &HeaderMap, body: &Bytes) -> Result<Payload, Box<Reply>> {
    let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    if content_type != PROTOBUF.as_bytes() {
        let message = "unsupported content type, expected application/x-protobuf";
        return Err(error(StatusCode::UNSUPPORTED_MEDIA_TYPE, 3, message).into());
    }
    let limits = &shared.options.limits;
    if body.len() > limits.compressed(signal) {
        return Err(error(StatusCode::PAYLOAD_TOO_LARGE, 8, "Payload too large").into());
    }
    let encoding = headers
        .get(CONTENT_ENCODING)
        .map_or(&b"identity"[..], |value| value.as_bytes());
    let content = decompress(encoding, body, limits.decompressed(signal)).map_err(|problem| match problem {
        Unreadable::TooLarge => error(StatusCode::PAYLOAD_TOO_LARGE, 8, "Payload too large"),
        Unreadable::UnknownEncoding => error(StatusCode::UNSUPPORTED_MEDIA_TYPE, 3, "unsupported content encoding"),
        Unreadable::Broken(failure) => {
            let message = format!("cannot decompress the body: {failure}");
            error(StatusCode::BAD_REQUEST, 3, &message)
        }
    })?;
    Payload::decode(signal, &content).map_err(|failure| {
        let message = format!("not an OTLP message: {failure}");
        error(StatusCode::BAD_REQUEST, 3, &message).into()
    })
}

fn partial_success(signal: Signal, rejected: usize, message: &str) -> Vec<u8> {
    let (rejected, error_message) = (i64::try_from(rejected).unwrap_or(i64::MAX), message.into());
    match signal {
        Signal::Logs => ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records: rejected,
                error_message,
            }),
        }
        .encode_to_vec(),
        Signal::Metrics => ExportMetricsServiceResponse {
            partial_success: Some(ExportMetricsPartialSuccess {
                rejected_data_points: rejected,
                error_message,
            }),
        }
        .encode_to_vec(),
        Signal::Traces => ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans: rejected,
                error_message,
            }),
        }
        .encode_to_vec(),
    }
}

fn received(signal: Signal, payload: Payload, headers: &HeaderMap) -> Arc<Received> {
    Arc::new(Received {
        signal,
        payload,
        at: Timestamp::now(),
        headers: headers.clone(),
    })
}

fn keep(shared: &Shared, signal: Signal, payload: Payload, headers: &HeaderMap) {
    let received = received(signal, payload, headers);
    let mut state = shared.state();
    for point in received.payload.points() {
        state.overwrites.see(point);
    }
    state.received.push(Arc::clone(&received));
    // Under the lock, so that subscribers see the same order; nobody may be listening.
    let _ = shared.arrivals.send(received);
}

fn refuse(shared: &Shared, signal: Signal, payload: Payload, headers: &HeaderMap) {
    shared.state().refused.push(received(signal, payload, headers));
}

enum Unreadable {
    TooLarge,
    UnknownEncoding,
    Broken(io::Error),
}

fn decompress(encoding: &[u8], body: &Bytes, limit: usize) -> Result<Bytes, Unreadable> {
    let reader: Box<dyn Read + '_> = match encoding {
        b"identity" | b"" => Box::new(&body[..]),
        b"gzip" => Box::new(flate2::read::MultiGzDecoder::new(&body[..])),
        b"zstd" => Box::new(zstd::Decoder::new(&body[..]).map_err(Unreadable::Broken)?),
        _ => return Err(Unreadable::UnknownEncoding),
    };
    let mut content = Vec::new();
    let one_more = (limit as u64).saturating_add(1);
    reader
        .take(one_more)
        .read_to_end(&mut content)
        .map_err(Unreadable::Broken)?;
    if content.len() > limit {
        return Err(Unreadable::TooLarge);
    }
    Ok(content.into())
}

fn protobuf(status: StatusCode, body: Vec<u8>) -> Reply {
    reply(status, PROTOBUF, body)
}

fn error(status: StatusCode, code: i32, message: &str) -> Reply {
    let body = RpcStatus {
        code,
        message: message.into(),
    };
    protobuf(status, body.encode_to_vec())
}

fn forbidden() -> Reply {
    let body = br#"{"status":"error","code":403,"errors":["Forbidden"]}"#;
    reply(StatusCode::FORBIDDEN, "application/json", body.to_vec())
}

fn reply(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)).boxed_unsync());
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    reply
}

/// The same answer, its body byte by byte in this time.
async fn trickled(reply: Reply, time: Duration) -> Reply {
    let (parts, body) = reply.into_parts();
    // The body is in memory and cannot fail.
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let pause = time / u32::try_from(body.len()).unwrap_or(u32::MAX).max(1);
    let bytes = futures_util::stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let byte = rest.split_to(1);
        Some((Ok(Frame::data(byte)), rest))
    });
    Response::from_parts(parts, StreamBody::new(bytes).boxed_unsync())
}

fn scripted_reply(status: u16, headers: &[(String, String)], body: Vec<u8>) -> Result<Reply, Dropped> {
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
