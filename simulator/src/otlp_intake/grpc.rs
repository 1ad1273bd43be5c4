//! OTLP over gRPC, with the strictness of grpc-go (gRPC, "HTTP2 Transport Mapping").

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::Profile;
use super::accept::{Form, Message, Refusal};
use super::received::Signal;
use super::response::{self, RpcStatus};
use super::wire::{Call, Early, HttpReply, RawRequest, Wire};

const GRPC: &str = "application/grpc";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The characters of `grpc-message` that are percent-encoded.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The code of a reply, for the list of attempts; on the wire it may be in the trailers.
#[derive(Clone, Copy)]
pub(super) struct GrpcCode(pub(super) i32);

/// Finds the signal and the message of a call; `limit` is the largest message, in bytes.
pub(super) fn call<'a>(profile: &Profile, request: &'a RawRequest, limit: usize) -> Result<Call<'a>, Early> {
    let (path, headers) = (request.parts.uri.path(), &request.parts.headers);
    let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let is_grpc = content_type == GRPC.as_bytes() || content_type == b"application/grpc+proto";
    if request.parts.method != Method::POST {
        return Err(plain(StatusCode::METHOD_NOT_ALLOWED, "only POST is allowed").into());
    }
    if !is_grpc {
        let message = "invalid gRPC request content-type";
        return Err(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into());
    }
    if headers.get("te").is_none_or(|te| te != "trailers") {
        return Err(plain(StatusCode::BAD_REQUEST, "no `te: trailers`").into());
    }
    let signal = match path {
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Signal::Metrics),
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Traces),
        _ => None,
    };
    let signal = signal.filter(|signal| profile.grpc && profile.signals.contains(signal));
    let Some(signal) = signal else {
        let status = RpcStatus::new(12, &format!("unknown method {path}"), None);
        return Err(failure(&status).into());
    };
    let body = request.body.as_ref().map_err(|_| Early(None))?;
    Ok(Call {
        wire: Wire::Grpc,
        signal,
        message: unframe(headers, body).map(|(encoding, body)| Message {
            signal,
            key: request.key.as_ref().map(HeaderValue::as_bytes),
            headers,
            form: Form::Proto,
            encoding,
            body,
            cap: limit,
        }),
    })
}

/// The encoding and the content of the one message of a call.
fn unframe<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Refusal> {
    let malformed = |message: &str| Err(Refusal::Malformed(message.into()));
    let [compressed, a, b, c, d, message @ ..] = body else {
        return malformed("no message");
    };
    let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    if length != message.len() {
        let found = message.len();
        return malformed(&format!("expected one message of {length} bytes, found {found} bytes"));
    }
    match (compressed, headers.get("grpc-encoding")) {
        (0, _) => Ok((b"identity", message)),
        (1, Some(encoding)) => Ok((encoding.as_bytes(), message)),
        (1, None) => malformed("compressed flag set with identity or empty encoding"),
        _ => malformed("unexpected payload format"),
    }
}

/// The status of a refusal.
pub(super) fn status_of(refusal: &Refusal) -> RpcStatus {
    let status = |code, message: &str| RpcStatus::new(code, message, None);
    match refusal {
        Refusal::Key => status(16, "Forbidden"),
        Refusal::ContentType => status(13, "invalid gRPC request content-type"),
        Refusal::Encoding => status(12, "Decompressor is not installed for grpc-encoding"),
        Refusal::TooLarge { size, limit } => {
            let message = format!("grpc: received message larger than max ({size} vs. {limit})");
            status(8, &message)
        }
        Refusal::Malformed(message) => status(13, message),
    }
}

/// The code that is equivalent to an HTTP status.
pub(super) fn code_of(status: u16) -> i32 {
    match status {
        401 => 16,
        403 => 7,
        404 => 12,
        413 | 429 => 8,
        503 => 14,
        _ => 3,
    }
}

pub(super) fn success(message: Vec<u8>) -> HttpReply {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&message);
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(frame.freeze()).with_trailers(async move { Some(Ok(trailers)) });
    with_code(Response::new(body.boxed_unsync()), 0)
}

/// A response of headers only, as servers end a failed call.
pub(super) fn failure(status: &RpcStatus) -> HttpReply {
    let mut reply = with_code(Response::new(Full::default().boxed_unsync()), status.code);
    let headers = reply.headers_mut();
    headers.insert(GRPC_STATUS, HeaderValue::from(status.code));
    let mut insert = |name: &'static str, value: String| {
        // Both values are plain ASCII.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    let message = utf8_percent_encode(&status.message, ENCODED);
    insert("grpc-message", message.to_string());
    if !status.details.is_empty() {
        let details = response::encode(status, Form::Proto);
        insert("grpc-status-details-bin", STANDARD_NO_PAD.encode(details));
    }
    reply
}

fn with_code(mut reply: HttpReply, code: i32) -> HttpReply {
    let content_type = HeaderValue::from_static(GRPC);
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply.extensions_mut().insert(GrpcCode(code));
    reply
}

/// The response to a request that is not a gRPC call: a status of both kinds, as from grpc-go.
fn plain(status: StatusCode, message: &str) -> HttpReply {
    let mut reply = failure(&RpcStatus::new(13, message, None));
    *reply.status_mut() = status;
    reply
}
