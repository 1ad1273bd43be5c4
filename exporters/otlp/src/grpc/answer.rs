//! What an answer means (OTLP specification, "OTLP/gRPC Response"; gRPC, "HTTP2 Transport Mapping"). Pure.

use pipeline::Signal;
use prost::Message;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use tonic::{Code, Status};

use super::call::Answer;
use crate::meaning::{self, Meaning};
use crate::rpc::RpcStatus;
use crate::{endpoint, text};

/// What was asked, for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) signal: Signal,
    pub(super) url: &'a Url,
    /// The configured headers, whose values must not appear in messages.
    pub(super) secrets: &'a HeaderMap,
}

/// Reads an answer.
pub(super) fn meaning(asked: Asked<'_>, answer: &Answer) -> Meaning {
    let trailers = answer.trailers.as_ref();
    let status = trailers.and_then(Status::from_header_map);
    if let Some(status) = status.or_else(|| Status::from_header_map(&answer.headers)) {
        return of_status(asked, &status, answer);
    }
    let host = endpoint::authority(asked.url);
    let content_type = answer
        .headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    let is_grpc = content_type.starts_with(b"application/grpc");
    if answer.status == 200 && is_grpc {
        // The server, or something between, ended the answer before its status.
        let why = answer.broken.as_deref().unwrap_or("it has no status");
        let why = text::clean(why, asked.secrets);
        return Meaning::Retry {
            after: None,
            why: format!("the answer of {host} is not complete: {why}"),
        };
    }
    without_status(asked, answer)
}

/// Something that is not a gRPC server answered, such as a proxy.
fn without_status(asked: Asked<'_>, answer: &Answer) -> Meaning {
    let host = endpoint::authority(asked.url);
    let said = said(asked, &String::from_utf8_lossy(&answer.body));
    let status = answer.status;
    match status {
        429 | 502 | 503 | 504 => Meaning::Retry {
            after: None,
            why: format!("{host} answered HTTP {status}{said}"),
        },
        401 | 403 => Meaning::Misconfigured(refused(&host, &format!("HTTP {status}"), &said)),
        200..=399 | 404 | 405 | 415 => Meaning::Misconfigured(format!(
            "{host} does not speak gRPC there (HTTP {status}){said}: check the endpoint; if it is for OTLP over HTTP, use \
             the exporter otlp_http, or the port for gRPC, usually 4317"
        )),
        _ => Meaning::Permanent(format!("{host} answered HTTP {status}{said}")),
    }
}

fn of_status(asked: Asked<'_>, status: &Status, answer: &Answer) -> Meaning {
    let host = endpoint::authority(asked.url);
    let code = status.code();
    let said = said(asked, status.message());
    let why = || format!("{host} answered {}{said}", name(code));
    let delay = || RpcStatus::decode(status.details()).ok()?.retry_delay();
    match code {
        Code::Ok => success(asked, answer),
        // The codes that the OTLP specification lists, and no other.
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Meaning::Retry {
            after: delay(),
            why: why(),
        },
        Code::ResourceExhausted if is_about_size(status.message()) => {
            Meaning::TooLarge(format!("{host} says the request is too large{said}"))
        }
        Code::ResourceExhausted => match delay() {
            Some(delay) => Meaning::Retry {
                after: Some(delay),
                why: why(),
            },
            None => Meaning::Permanent(why()),
        },
        Code::Unauthenticated | Code::PermissionDenied => Meaning::Misconfigured(refused(&host, name(code), &said)),
        Code::Unimplemented => Meaning::Misconfigured(format!(
            "{host} does not take {} over gRPC (UNIMPLEMENTED){said}: check the endpoint",
            asked.signal
        )),
        _ => Meaning::Permanent(why()),
    }
}

/// The words of grpc-go, grpc-java, grpc-c++ and tonic for a message above the server's limit.
fn is_about_size(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "message larger than max",
        "exceeds maximum size",
        "message length too large",
        "message too large",
        "payload too large",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// The data arrived. An answer that cannot be read does not change that, so it is only a warning.
fn success(asked: Asked<'_>, answer: &Answer) -> Meaning {
    let partial = message(&answer.body).and_then(|message| meaning::partial_success(asked.signal, message));
    match partial {
        Ok((0, message)) if message.is_empty() => Meaning::Accepted,
        Ok((rejected, message)) => Meaning::Partial {
            rejected: u64::try_from(rejected).unwrap_or(0),
            message: text::clean(&message, asked.secrets),
        },
        Err(why) => Meaning::Partial {
            rejected: 0,
            message: format!(
                "{} answered OK with a message that is not an OTLP response: {why}",
                endpoint::authority(asked.url)
            ),
        },
    }
}

/// The one message of a call.
fn message(body: &[u8]) -> Result<&[u8], String> {
    let [compressed, a, b, c, d, message @ ..] = body else {
        return Err("it is not complete".into());
    };
    if *compressed != 0 {
        return Err("it is compressed, and we did not offer that".into());
    }
    let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    if length != message.len() {
        return Err(format!("it should have {length} bytes and has {}", message.len()));
    }
    Ok(message)
}

fn refused(host: &str, how: &str, said: &str) -> String {
    format!("{host} refused access ({how}){said}: check the headers with the credentials and the endpoint")
}

/// `: message`, or nothing.
fn said(asked: Asked<'_>, message: &str) -> String {
    let message = match text::html_title(message) {
        Some(title) => format!("a web page \"{title}\""),
        None => message.to_owned(),
    };
    match text::clean(&message, asked.secrets) {
        message if message.is_empty() => message,
        message => format!(": {message}"),
    }
}

/// A code as the specification writes it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
