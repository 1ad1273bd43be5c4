//! What an answer means (OTLP specification, "OTLP/gRPC Response"; gRPC, "HTTP2 Transport Mapping"). Pure.

use std::time::SystemTime;

use collector_data::Signal;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use tonic::Code;

use super::call::Answer;
use crate::codes::{self, NonRetryable};
use crate::meaning::{self, Class, Meaning};
use crate::rpc::GrpcStatus;
use crate::{endpoint, text};

/// What was asked, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) signal: Signal,
    pub(crate) url: &'a Url,
    /// The configured headers, whose values must not appear in messages.
    pub(crate) secrets: &'a HeaderMap,
    /// The codes after which data is given up.
    pub(crate) non_retryable: &'a NonRetryable,
}

/// Reads an answer. `now` is for a `Retry-After` that is a date.
pub(crate) fn meaning(asked: Asked<'_>, answer: &Answer, now: SystemTime) -> Meaning {
    let trailers = answer.trailers.as_ref();
    let status = trailers.and_then(GrpcStatus::read);
    if let Some(status) = status.or_else(|| GrpcStatus::read(&answer.headers)) {
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
    let meaning = without_status(asked, answer, now);
    match asked.non_retryable.has_http(answer.status) {
        true => meaning.without_retry(),
        false => meaning,
    }
}

/// True if the credentials were refused, by the server or by something before it.
pub(super) fn is_unauthenticated(answer: &Answer) -> bool {
    let status = answer.trailers.as_ref().and_then(GrpcStatus::read);
    match status.or_else(|| GrpcStatus::read(&answer.headers)) {
        Some(status) => status.code == Code::Unauthenticated,
        None => answer.status == 401,
    }
}

/// Something that is not a gRPC server answered, such as a proxy.
fn without_status(asked: Asked<'_>, answer: &Answer, now: SystemTime) -> Meaning {
    let host = endpoint::authority(asked.url);
    let said = said(asked, &String::from_utf8_lossy(&answer.body));
    let status = answer.status;
    match Class::of(status) {
        Class::Later => Meaning::Retry {
            after: meaning::retry_after(&answer.headers, now),
            why: format!("{host} answered HTTP {status}{said}"),
        },
        Class::Access => Meaning::Misconfigured(refused(&host, &format!("HTTP {status}"), &said)),
        Class::TooLarge => Meaning::TooLarge(format!("{host} says the request is too large (HTTP 413){said}")),
        Class::Never if status != 415 => Meaning::Permanent(format!("{host} answered HTTP {status}{said}")),
        _ => Meaning::Misconfigured(format!(
            "{host} does not speak gRPC there (HTTP {status}){said}: check the endpoint; if it is for OTLP over HTTP, use \
             the exporter otlp_http, or the port for gRPC, usually 4317"
        )),
    }
}

fn of_status(asked: Asked<'_>, status: &GrpcStatus, answer: &Answer) -> Meaning {
    let meaning = of_code(asked, status, answer);
    match asked.non_retryable.has_grpc(status.code) {
        true => meaning.without_retry(),
        false => meaning,
    }
}

/// OTLP retries CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE and DATA_LOSS, and RESOURCE_EXHAUSTED
/// only with `RetryInfo`. RESOURCE_EXHAUSTED, INTERNAL and UNKNOWN are what HTTP has as 429 and 500, pass like these, and
/// come from gateways; a number that is no code counts as UNKNOWN (gRPC, "Status codes").
fn of_code(asked: Asked<'_>, status: &GrpcStatus, answer: &Answer) -> Meaning {
    let host = endpoint::authority(asked.url);
    let code = status.code;
    let said = said(asked, &status.message);
    let why = || format!("{host} answered {}{said}", codes::name(code));
    match code {
        Code::Ok => success(asked, answer),
        Code::ResourceExhausted if is_about_size(&status.message) => {
            Meaning::TooLarge(format!("{host} says the request is too large{said}"))
        }
        Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => Meaning::Retry {
            after: status.retry_delay(),
            why: why(),
        },
        Code::Unauthenticated | Code::PermissionDenied => {
            Meaning::Misconfigured(refused(&host, codes::name(code), &said))
        }
        Code::Unimplemented => Meaning::Misconfigured(format!(
            "{host} does not take {} over gRPC (UNIMPLEMENTED){said}: check the endpoint",
            asked.signal
        )),
        Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition => {
            Meaning::Permanent(why())
        }
    }
}

/// True if a message says that the request is above the server's limit, in the words of grpc-go, grpc-java, grpc-c++,
/// grpc-dotnet, tonic or a proxy, and not that a quota is used up.
fn is_about_size(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    has(&["message", "payload", "request", "body"])
        && has(&[
            "too large",
            "too big",
            "larger than",
            "exceeds maximum size",
            "exceeds the maximum",
            "size limit",
        ])
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};

    use super::*;
    use prost::Message;
    use tonic::Status;

    use crate::rpc::{Delay, Detail, RetryInfo, RpcStatus};

    const GRPC: &str = "application/grpc+proto";

    fn read(status: u16, content_type: &str, trailers: Option<HeaderMap>, body: &[u8]) -> Meaning {
        let url = Url::parse("http://h:4317/").unwrap();
        let mut secrets = HeaderMap::new();
        secrets.insert("x-key", "hunter2".parse().unwrap());
        let asked = Asked {
            signal: Signal::Logs,
            url: &url,
            secrets: &secrets,
            non_retryable: &NonRetryable::default(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        let answer = Answer {
            status,
            headers,
            body: Bytes::copy_from_slice(body),
            trailers,
            broken: None,
        };
        meaning(asked, &answer, SystemTime::UNIX_EPOCH)
    }

    fn status(code: Code, message: &str, details: &[u8]) -> Meaning {
        let status = Status::with_details(code, message, Bytes::copy_from_slice(details));
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).unwrap();
        read(200, GRPC, Some(trailers), b"")
    }

    fn ok(body: &[u8]) -> Meaning {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        read(200, GRPC, Some(trailers), body)
    }

    fn framed(rejected: i64, message: &str) -> Vec<u8> {
        let partial_success = Some(ExportLogsPartialSuccess {
            rejected_log_records: rejected,
            error_message: message.into(),
        });
        let message = ExportLogsServiceResponse { partial_success }.encode_to_vec();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[0], &length[..], &message].concat()
    }

    fn asks_to_wait(seconds: i64) -> Vec<u8> {
        let retry_delay = Some(Delay { seconds, nanos: 0 });
        let status = RpcStatus {
            details: vec![Detail {
                type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
                value: RetryInfo { retry_delay }.encode_to_vec(),
            }],
            ..Default::default()
        };
        status.encode_to_vec()
    }

    #[test]
    fn a_server_may_ask_to_wait() {
        let ten = Some(Duration::from_secs(10));
        for code in [Code::Unavailable, Code::ResourceExhausted] {
            let meaning = status(code, "busy", &asks_to_wait(10));
            assert!(
                matches!(meaning, Meaning::Retry { after, .. } if after == ten),
                "{meaning:?}"
            );
        }
        let meaning = status(
            Code::ResourceExhausted,
            "quota exceeded for this tenant",
            b"not a status",
        );
        assert!(matches!(meaning, Meaning::Retry { after: None, .. }), "{meaning:?}");
    }

    #[test]
    fn a_message_that_is_too_large_is_told_from_a_quota() {
        for words in [
            "grpc: received message larger than max (8 vs. 4)",
            "Received message larger than max (8 vs. 4)",
            "gRPC message exceeds maximum size 4: 8",
            "Error, decoded message length too large: found 8 bytes, the limit is: 4 bytes",
            "Received message exceeds the maximum configured message size.",
            "Payload too large",
        ] {
            let meaning = status(Code::ResourceExhausted, words, b"");
            assert!(matches!(meaning, Meaning::TooLarge(_)), "{words}: {meaning:?}");
        }
    }

    #[test]
    fn success_may_be_a_part() {
        assert_eq!(ok(&[0; 5]), Meaning::Accepted);
        let partial = |rejected, message: &str| Meaning::Partial {
            rejected,
            message: message.into(),
        };
        assert_eq!(ok(&framed(2, "too old")), partial(2, "too old"));
        assert_eq!(ok(&framed(0, "a warning")), partial(0, "a warning"));
        for (body, why) in [
            (&b""[..], "it is not complete"),
            (&[0, 0, 0, 0], "it is not complete"),
            (&[1, 0, 0, 0, 0], "it is compressed"),
            (&[0, 0, 0, 0, 9, 1], "it should have 9 bytes and has 1"),
            (&[0, 0, 0, 0, 1, 0xff], "not an OTLP response"),
        ] {
            match ok(body) {
                Meaning::Partial { rejected: 0, message } => assert!(message.contains(why), "{message}"),
                other => panic!("{body:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_answer_without_a_status_broke_off_or_came_from_something_else() {
        assert!(matches!(read(200, GRPC, None, b""), Meaning::Retry { .. }));
        let page = b"<html><title>Bad Gateway</title>";
        for code in [429, 502, 503, 504] {
            let meaning = read(code, "text/html", None, page);
            assert!(matches!(meaning, Meaning::Retry { .. }), "{meaning:?}");
        }
        for code in [200, 301, 404, 405, 415] {
            match read(code, "text/html", None, page) {
                Meaning::Misconfigured(why) => {
                    assert!(
                        why.contains("does not speak gRPC") && why.contains("otlp_http"),
                        "{why}"
                    );
                    assert!(
                        why.contains("a web page \"bad gateway\"") || why.contains("Bad Gateway"),
                        "{why}"
                    );
                }
                other => panic!("{code}: {other:?}"),
            }
        }
        assert!(matches!(read(400, "text/plain", None, b"no"), Meaning::Permanent(_)));
        assert!(matches!(
            read(403, "text/plain", None, b"no"),
            Meaning::Misconfigured(_)
        ));
    }

    #[test]
    fn what_a_server_says_holds_no_secret() {
        let meaning = status(Code::Unauthenticated, "key hunter2 is unknown", b"");
        match meaning {
            Meaning::Misconfigured(why) => assert!(!why.contains("hunter2") && why.contains("is unknown"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}
