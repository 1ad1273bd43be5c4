//! OTLP over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError};

use super::accept::{Form, Message, Refusal};
use super::received::Signal;
use super::response::{self, RpcStatus};
use super::wire::{Call, Early, HttpReply, RawRequest, Wire};
use super::{Profile, rules};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Finds the signal and the form of a request.
pub(super) fn call<'a>(profile: &Profile, request: &'a RawRequest) -> Result<Call<'a>, Early> {
    let headers = &request.parts.headers;
    let known = form(headers, profile);
    let form = known.unwrap_or(Form::Proto);
    let signal = request.parts.uri.path().strip_prefix(profile.path);
    let signal = signal
        .and_then(Signal::of_path)
        .filter(|signal| profile.signals.contains(signal));
    let Some(signal) = signal else {
        return Err(error(StatusCode::NOT_FOUND, 5, "no such path", form).into());
    };
    if request.parts.method != Method::POST {
        let message = "only POST is allowed";
        return Err(error(StatusCode::METHOD_NOT_ALLOWED, 12, message, form).into());
    }
    let body = request
        .body
        .as_ref()
        .map_err(|failure| match failure.is::<LengthLimitError>() {
            true => error(StatusCode::PAYLOAD_TOO_LARGE, 8, "Payload too large", form).into(),
            false => Early(None),
        })?;
    let message = match known {
        Some(form) => Ok(Message {
            signal,
            key: request.key.as_ref().map(HeaderValue::as_bytes),
            headers,
            form,
            encoding: headers.get(CONTENT_ENCODING).map_or(b"identity", HeaderValue::as_bytes),
            body,
            cap: usize::MAX,
        }),
        None => Err(Refusal::ContentType),
    };
    Ok(Call {
        wire: Wire::Http(form),
        signal,
        message,
    })
}

/// The form of a body, if the backend accepts it.
fn form(headers: &HeaderMap, profile: &Profile) -> Option<Form> {
    let found = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    match found {
        _ if !profile.content_types.contains(&found) => None,
        PROTOBUF => Some(Form::Proto),
        JSON => Some(Form::Json),
        _ => None,
    }
}

pub(super) fn success(signal: Signal, form: Form, body: Vec<u8>) -> HttpReply {
    reply(rules::success_status(signal), form, body)
}

pub(super) fn refusal(profile: &Profile, form: Form, refusal: &Refusal) -> HttpReply {
    match refusal {
        Refusal::Key => {
            let (status, body) = profile.key_refused;
            reply(
                StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN),
                Form::Json,
                body.into(),
            )
        }
        Refusal::ContentType => {
            let message = "unsupported content type";
            error(StatusCode::UNSUPPORTED_MEDIA_TYPE, 3, message, Form::Proto)
        }
        Refusal::Encoding => {
            let message = "unsupported content encoding";
            error(StatusCode::UNSUPPORTED_MEDIA_TYPE, 3, message, form)
        }
        Refusal::TooLarge { .. } => error(StatusCode::PAYLOAD_TOO_LARGE, 8, "Payload too large", form),
        Refusal::Malformed(message) => error(StatusCode::BAD_REQUEST, 3, message, form),
    }
}

/// The response that is equivalent to a gRPC status.
pub(super) fn rpc_status(status: &RpcStatus, retry: Option<Duration>, form: Form) -> HttpReply {
    let code = match status.code {
        0 => StatusCode::OK,
        3 | 9 | 11 => StatusCode::BAD_REQUEST,
        5 | 12 => StatusCode::NOT_FOUND,
        6 => StatusCode::CONFLICT,
        7 => StatusCode::FORBIDDEN,
        8 => StatusCode::TOO_MANY_REQUESTS,
        14 => StatusCode::SERVICE_UNAVAILABLE,
        16 => StatusCode::UNAUTHORIZED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut reply = reply(code, form, response::encode(status, form));
    if let Some(retry) = retry {
        let seconds = HeaderValue::from(retry.as_secs());
        reply.headers_mut().insert("retry-after", seconds);
    }
    reply
}

fn error(status: StatusCode, code: i32, message: &str, form: Form) -> HttpReply {
    let body = response::encode(&RpcStatus::new(code, message, None), form);
    reply(status, form, body)
}

fn reply(status: StatusCode, form: Form, body: Vec<u8>) -> HttpReply {
    let content_type = match form {
        Form::Proto => PROTOBUF,
        Form::Json => JSON,
    };
    let mut reply = Response::new(Full::new(Bytes::from(body)).boxed_unsync());
    *reply.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply
}
