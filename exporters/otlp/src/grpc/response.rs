//! The outcome of a response (OTLP specification, "OTLP/gRPC Response"; gRPC, "HTTP2 Transport Mapping"). Pure.

use std::time::SystemTime;

use collector_sending::SendOutcome;
use reqwest::header::CONTENT_TYPE;
use tonic::Code;

use super::call::GrpcResponse;
use crate::codes;
use crate::outcome::{self, RequestContext, StatusClass};
use crate::rpc::GrpcStatus;
use crate::text;

/// Reads a response. `now` is for a `Retry-After` that is a date.
pub(crate) fn outcome(context: RequestContext<'_>, response: &GrpcResponse, now: SystemTime) -> SendOutcome {
    let trailers = response.trailers.as_ref();
    let status = trailers.and_then(GrpcStatus::read);
    if let Some(status) = status.or_else(|| GrpcStatus::read(&response.headers)) {
        return of_status(context, &status, response);
    }
    let host = context.host();
    let content_type = response
        .headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    let is_grpc = content_type.starts_with(b"application/grpc");
    if response.status == 200 && is_grpc {
        // The server or a proxy ended the response before its status.
        let why = response.broken.as_deref().unwrap_or("it has no status");
        let why = text::clean(why, context.secrets);
        return SendOutcome::Retry {
            after: None,
            why: format!("the response of {host} is incomplete: {why}"),
        };
    }
    let outcome = without_status(context, response, now);
    match context.non_retryable.has_http(response.status) {
        true => outcome::without_retry(outcome),
        false => outcome,
    }
}

/// True if the server or a proxy refused the credentials.
pub(super) fn is_unauthenticated(response: &GrpcResponse) -> bool {
    let status = response.trailers.as_ref().and_then(GrpcStatus::read);
    match status.or_else(|| GrpcStatus::read(&response.headers)) {
        Some(status) => status.code == Code::Unauthenticated,
        None => response.status == 401,
    }
}

/// Reads the response of a proxy or another server that does not speak gRPC.
fn without_status(context: RequestContext<'_>, response: &GrpcResponse, now: SystemTime) -> SendOutcome {
    let host = context.host();
    let quoted = context.quoted(&String::from_utf8_lossy(&response.body));
    let status = response.status;
    match StatusClass::of(status) {
        StatusClass::Later => SendOutcome::Retry {
            after: outcome::retry_after(&response.headers, now),
            why: format!("{host} answered HTTP {status}{quoted}"),
        },
        StatusClass::Access => SendOutcome::Misconfigured(refused(&host, &format!("HTTP {status}"), &quoted)),
        StatusClass::TooLarge => {
            SendOutcome::TooLarge(format!("{host} says the request is too large (HTTP 413){quoted}"))
        }
        StatusClass::Never if status != 415 => SendOutcome::Permanent(format!("{host} answered HTTP {status}{quoted}")),
        _ => SendOutcome::Misconfigured(format!(
            "{host} does not speak gRPC there (HTTP {status}){quoted}: check the endpoint; if it is for OTLP over HTTP, use \
             the exporter otlp_http, or the port for gRPC, usually 4317"
        )),
    }
}

fn of_status(context: RequestContext<'_>, status: &GrpcStatus, response: &GrpcResponse) -> SendOutcome {
    let outcome = of_code(context, status, response);
    match context.non_retryable.has_grpc(status.code) {
        true => outcome::without_retry(outcome),
        false => outcome,
    }
}

/// OTLP retries CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE and DATA_LOSS, and RESOURCE_EXHAUSTED
/// only with `RetryInfo`. RESOURCE_EXHAUSTED, INTERNAL and UNKNOWN correspond to HTTP 429 and 500, are temporary like
/// these, and come from gateways; an unknown number counts as UNKNOWN (gRPC, "Status codes").
fn of_code(context: RequestContext<'_>, status: &GrpcStatus, response: &GrpcResponse) -> SendOutcome {
    let host = context.host();
    let code = status.code;
    let quoted = context.quoted(&status.message);
    let why = || format!("{host} answered {}{quoted}", codes::name(code));
    match code {
        Code::Ok => success(context, response),
        Code::ResourceExhausted if is_about_size(&status.message) => {
            SendOutcome::TooLarge(format!("{host} says the request is too large{quoted}"))
        }
        Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => SendOutcome::Retry {
            after: status.retry_delay(),
            why: why(),
        },
        Code::Unauthenticated | Code::PermissionDenied => {
            SendOutcome::Misconfigured(refused(&host, codes::name(code), &quoted))
        }
        Code::Unimplemented => SendOutcome::Misconfigured(format!(
            "{host} does not take {} over gRPC (UNIMPLEMENTED){quoted}: check the endpoint",
            context.signal
        )),
        Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition => {
            SendOutcome::Permanent(why())
        }
    }
}

/// True if a message says that the request exceeds the server's limit, in the words of grpc-go, grpc-java, grpc-c++,
/// grpc-dotnet, tonic or a proxy. RESOURCE_EXHAUSTED also reports an exhausted quota.
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

fn success(context: RequestContext<'_>, response: &GrpcResponse) -> SendOutcome {
    let partial = message(&response.body).and_then(|message| outcome::partial_success(context.signal, message));
    context.success(partial, "OK with a message")
}

/// The message of a unary call.
fn message(body: &[u8]) -> Result<&[u8], String> {
    let [compressed, a, b, c, d, message @ ..] = body else {
        return Err("it is incomplete".into());
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

fn refused(host: &str, how: &str, quoted: &str) -> String {
    format!("{host} refused access ({how}){quoted}: check the headers with the credentials and the endpoint")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use collector_data::Signal;
    use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};

    use prost::Message;
    use reqwest::Url;
    use reqwest::header::HeaderMap;
    use tonic::Status;

    use super::*;
    use crate::codes::NonRetryable;
    use crate::rpc::{Delay, Detail, RetryInfo, RpcStatus};

    const GRPC: &str = "application/grpc+proto";

    fn read(status: u16, content_type: &str, trailers: Option<HeaderMap>, body: &[u8]) -> SendOutcome {
        let url = Url::parse("http://h:4317/").unwrap();
        let mut secrets = HeaderMap::new();
        secrets.insert("x-key", "hunter2".parse().unwrap());
        let context = RequestContext {
            signal: Signal::Logs,
            url: &url,
            secrets: &secrets,
            non_retryable: &NonRetryable::default(),
            proxy: None,
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        let response = GrpcResponse {
            status,
            headers,
            body: Bytes::copy_from_slice(body),
            trailers,
            broken: None,
        };
        outcome(context, &response, SystemTime::UNIX_EPOCH)
    }

    fn status(code: Code, message: &str, details: &[u8]) -> SendOutcome {
        let status = Status::with_details(code, message, Bytes::copy_from_slice(details));
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).unwrap();
        read(200, GRPC, Some(trailers), b"")
    }

    fn ok(body: &[u8]) -> SendOutcome {
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
    fn reads_the_delay_that_a_server_requests() {
        let ten = Some(Duration::from_secs(10));
        for code in [Code::Unavailable, Code::ResourceExhausted] {
            let outcome = status(code, "busy", &asks_to_wait(10));
            assert!(
                matches!(outcome, SendOutcome::Retry { after, .. } if after == ten),
                "{outcome:?}"
            );
        }
        let outcome = status(
            Code::ResourceExhausted,
            "quota exceeded for this tenant",
            b"not a status",
        );
        assert!(matches!(outcome, SendOutcome::Retry { after: None, .. }), "{outcome:?}");
    }

    #[test]
    fn a_size_limit_is_not_taken_for_a_quota() {
        for words in [
            "grpc: received message larger than max (8 vs. 4)",
            "Received message larger than max (8 vs. 4)",
            "gRPC message exceeds maximum size 4: 8",
            "Error, decoded message length too large: found 8 bytes, the limit is: 4 bytes",
            "Received message exceeds the maximum configured message size.",
            "Payload too large",
        ] {
            let outcome = status(Code::ResourceExhausted, words, b"");
            assert!(matches!(outcome, SendOutcome::TooLarge(_)), "{words}: {outcome:?}");
        }
    }

    #[test]
    fn reads_a_partial_success() {
        assert_eq!(ok(&[0; 5]), SendOutcome::Accepted);
        let partial = |rejected, message: &str| SendOutcome::Partial {
            rejected,
            message: message.into(),
        };
        assert_eq!(ok(&framed(2, "too old")), partial(2, "too old"));
        assert_eq!(ok(&framed(0, "a warning")), partial(0, "a warning"));
        for (body, why) in [
            (&b""[..], "it is incomplete"),
            (&[0, 0, 0, 0], "it is incomplete"),
            (&[1, 0, 0, 0, 0], "it is compressed"),
            (&[0, 0, 0, 0, 9, 1], "it should have 9 bytes and has 1"),
            (&[0, 0, 0, 0, 1, 0xff], "not an OTLP response"),
        ] {
            match ok(body) {
                SendOutcome::Partial { rejected: 0, message } => assert!(message.contains(why), "{message}"),
                other => panic!("{body:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_response_without_a_status_is_incomplete_or_not_grpc() {
        assert!(matches!(read(200, GRPC, None, b""), SendOutcome::Retry { .. }));
        let page = b"<html><title>Bad Gateway</title>";
        for code in [429, 502, 503, 504] {
            let outcome = read(code, "text/html", None, page);
            assert!(matches!(outcome, SendOutcome::Retry { .. }), "{outcome:?}");
        }
        for code in [200, 301, 404, 405, 415] {
            match read(code, "text/html", None, page) {
                SendOutcome::Misconfigured(why) => {
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
        assert!(matches!(
            read(400, "text/plain", None, b"no"),
            SendOutcome::Permanent(_)
        ));
        assert!(matches!(
            read(403, "text/plain", None, b"no"),
            SendOutcome::Misconfigured(_)
        ));
    }

    #[test]
    fn a_quoted_message_contains_no_secret() {
        let outcome = status(Code::Unauthenticated, "key hunter2 is unknown", b"");
        match outcome {
            SendOutcome::Misconfigured(why) => assert!(!why.contains("hunter2") && why.contains("is unknown"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}
