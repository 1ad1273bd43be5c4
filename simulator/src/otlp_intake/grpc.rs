//! OTLP over gRPC, with the strictness of grpc-go (gRPC, "HTTP2 Transport Mapping").

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use super::Shared;
use super::answer::Answer;
use super::received::Signal;
use super::response::{self, RpcStatus};
use super::server::{Dropped, Reply, WARNING, endless, read_body, record, scripted_reply, trickled};
use super::taking::{self, Form, Message, Refusal};

const GRPC: &str = "application/grpc";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// What ends a call that went wrong.
struct Status(RpcStatus);

impl Status {
    fn new(code: i32, message: &str) -> Status {
        Status(RpcStatus::new(code, message, None))
    }
}

/// Takes one call, and writes down what became of it.
pub(super) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Reply, Dropped> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let mut headers = parts.headers;
    let profile = &shared.options.profile;
    let key = headers.remove(profile.key_header);
    let body = read_body(body).await;
    let body_size = body.as_ref().map_or(0, Bytes::len);
    let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let is_grpc = content_type == GRPC.as_bytes() || content_type == b"application/grpc+proto";

    let signal = signal_of(&path).filter(|signal| profile.grpc && profile.signals.contains(signal));
    let result = match (signal, body) {
        _ if parts.method != Method::POST => Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "only POST is allowed")),
        _ if !is_grpc => Ok(plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid gRPC request content-type",
        )),
        _ if headers.get("te").is_none_or(|te| te != "trailers") => {
            Ok(plain(StatusCode::BAD_REQUEST, "no `te: trailers`"))
        }
        (None, _) => Ok(failed(Status::new(12, &format!("unknown method {path}")))),
        (Some(_), Err(_)) => Err(Dropped),
        (Some(signal), Ok(body)) => {
            let scripted = shared.state().scripted(signal);
            let message = message(&shared, signal, key.as_ref(), &headers, &body);
            let regular = |rejected| match &message {
                Ok(message) => regular(&shared, message, rejected),
                Err(status) => failed(Status(status.0.clone())),
            };
            let never = async || {
                // Written down now: the client ends this by going away.
                record(&shared, &path, &headers, body_size, None, None);
                std::future::pending::<Infallible>().await
            };
            match scripted {
                None => Ok(regular(None)),
                Some(Answer::Response { status, headers, body }) => scripted_reply(status, &headers, body),
                Some(Answer::TakeAndRespond { status, headers, body }) => {
                    regular(None);
                    scripted_reply(status, &headers, body)
                }
                Some(Answer::Status { code, message, retry }) => {
                    Ok(failed(Status(RpcStatus::new(code, &message, retry))))
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
                    if let Ok(message) = &message
                        && let Ok(payload) = taking::read(&shared, message)
                    {
                        taking::refuse(&shared, message, payload);
                    }
                    Ok(failed(Status::new(grpc_code(status), "refused, as scripted")))
                }
                Some(Answer::Reject(items)) => Ok(regular(Some((items, "refused, as scripted")))),
                Some(Answer::Trickle(time)) => Ok(trickled(regular(Some((0, WARNING))), time).await),
                Some(Answer::Endless) => Ok(succeeded(Vec::new()).map(|_| endless())),
            }
        }
    };
    let status = result.as_ref().ok().map(|reply| reply.status().as_u16());
    let code = result
        .as_ref()
        .ok()
        .and_then(|reply| reply.extensions().get::<Code>().copied());
    record(&shared, &path, &headers, body_size, status, code.map(|code| code.0));
    result
}

/// The code of a reply, for the list of attempts; on the wire it may stand in the trailers.
#[derive(Clone, Copy)]
struct Code(i32);

fn signal_of(path: &str) -> Option<Signal> {
    match path {
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Signal::Metrics),
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Traces),
        _ => None,
    }
}

/// The one message of the call.
fn message<'a>(
    shared: &Shared,
    signal: Signal,
    key: Option<&'a HeaderValue>,
    headers: &'a HeaderMap,
    body: &'a Bytes,
) -> Result<Message<'a>, Status> {
    let [compressed, a, b, c, d, message @ ..] = &body[..] else {
        return Err(Status::new(13, "no message"));
    };
    let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    if length != message.len() {
        let found = message.len();
        return Err(Status::new(
            13,
            &format!("one message of {length} bytes was announced, and {found} came"),
        ));
    }
    let encoding = headers.get("grpc-encoding").map(|value| value.as_bytes());
    let encoding = match (compressed, encoding) {
        (0, _) => &b"identity"[..],
        (1, Some(encoding)) => encoding,
        (1, None) => return Err(Status::new(13, "compressed flag set with identity or empty encoding")),
        _ => return Err(Status::new(13, "unexpected payload format")),
    };
    Ok(Message {
        signal,
        key: key.map(|key| key.as_bytes()),
        headers,
        form: Form::Proto,
        encoding,
        body: message,
        cap: shared.options.limits.grpc_message,
    })
}

fn regular(shared: &Shared, message: &Message<'_>, rejected: Option<(usize, &str)>) -> Reply {
    match taking::take(shared, message, rejected) {
        Ok(taken) => succeeded(response::export_response(message.signal, &taken, Form::Proto)),
        Err(Refusal::Key) => failed(Status::new(16, "Forbidden")),
        Err(Refusal::Encoding) => failed(Status::new(12, "Decompressor is not installed for grpc-encoding")),
        Err(Refusal::TooLarge { size, limit }) => {
            let words = format!("grpc: received message larger than max ({size} vs. {limit})");
            failed(Status::new(8, &words))
        }
        Err(Refusal::Malformed(why)) => failed(Status::new(13, &why)),
    }
}

/// The code that stands for an HTTP status.
fn grpc_code(status: u16) -> i32 {
    match status {
        401 => 16,
        403 => 7,
        404 => 12,
        413 | 429 => 8,
        503 => 14,
        _ => 3,
    }
}

fn succeeded(message: Vec<u8>) -> Reply {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&message);
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(frame.freeze()).with_trailers(async move { Some(Ok(trailers)) });
    reply(body.boxed_unsync(), 0)
}

/// Only headers, as servers end a call that went wrong.
fn failed(status: Status) -> Reply {
    let status = status.0;
    let mut reply = reply(Full::default().boxed_unsync(), status.code);
    let headers = reply.headers_mut();
    headers.insert(GRPC_STATUS, HeaderValue::from(status.code));
    let mut insert = |name: &'static str, value: String| {
        // Both forms below are plain ASCII.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    insert("grpc-message", percent_encoded(&status.message));
    if !status.details.is_empty() {
        let details = response::written(&status, Form::Proto);
        insert("grpc-status-details-bin", base64(&details));
    }
    reply
}

fn percent_encoded(message: &str) -> String {
    let mut text = String::new();
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => text.push(char::from(byte)),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        // Without padding, as gRPC sends it.
        for digit in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * digit)) & 63;
            text.push(char::from(DIGITS[index as usize]));
        }
    }
    text
}

fn reply(body: http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>, code: i32) -> Reply {
    let mut reply = Response::new(body);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    reply.extensions_mut().insert(Code(code));
    reply
}

/// An answer to what is not a gRPC call at all: a status of both kinds, as grpc-go sends it.
fn plain(status: StatusCode, message: &str) -> Reply {
    let mut reply = failed(Status::new(13, message));
    *reply.status_mut() = status;
    reply
}
