//! The outcome of a response (OTLP specification, "OTLP/HTTP Response"). Pure.

use std::time::SystemTime;

use bytes::Bytes;
use collector_data::Signal;
use collector_sending::SendOutcome;
use prost::Message;
use proxy::{ProxyError, ProxyFailure};
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};

use crate::outcome::{self, RequestContext, StatusClass};
use crate::rpc::RpcStatus;
use crate::{endpoint, text};

/// A response of the backend.
#[derive(Clone, Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// At most [`outcome::SUCCESS_LIMIT`] bytes of the body.
    pub(crate) body: Bytes,
}

/// Reads a response. `now` is for a `Retry-After` that is a date.
pub(crate) fn outcome(context: RequestContext<'_>, response: &HttpResponse, now: SystemTime) -> SendOutcome {
    let outcome = of_response(context, response, now);
    match context.non_retryable.has_http(response.status) {
        true => outcome::without_retry(outcome),
        false => outcome,
    }
}

fn of_response(context: RequestContext<'_>, response: &HttpResponse, now: SystemTime) -> SendOutcome {
    let host = context.host();
    let status = response.status;
    let quoted = || quoted(context, response);
    if speaks_grpc(response) {
        return SendOutcome::Misconfigured(format!(
            "{host} speaks gRPC (HTTP {status}), and otlp_http needs OTLP over HTTP: use the exporter otlp_grpc, or \
             the port for HTTP, usually 4318"
        ));
    }
    if let (407, Some(proxy)) = (status, context.proxy) {
        return SendOutcome::Retry {
            after: None,
            why: ProxyError::new(proxy, ProxyFailure::Status(status)).to_string(),
        };
    }
    let host = match context.proxy {
        Some(proxy) => format!("{host} (through proxy {proxy})"),
        None => host,
    };
    match StatusClass::of(status) {
        StatusClass::Success => success(context, response),
        StatusClass::Redirect => SendOutcome::Misconfigured(redirect(context, response)),
        StatusClass::Access => SendOutcome::Misconfigured(refused(context, &quoted(), status)),
        StatusClass::Missing => SendOutcome::Misconfigured(format!(
            "{host} has no OTLP intake at {} (HTTP {status}){}: check the endpoint",
            context.url.path(),
            quoted()
        )),
        StatusClass::TooLarge => {
            SendOutcome::TooLarge(format!("{host} says the request is too large (HTTP 413){}", quoted()))
        }
        StatusClass::Later => SendOutcome::Retry {
            after: outcome::retry_after(&response.headers, now),
            why: match status {
                407 => format!(
                    "a proxy before {host} refused access (HTTP 407){}: check the proxy's credentials",
                    quoted()
                ),
                _ => format!("{host} answered HTTP {status}{}", quoted()),
            },
        },
        StatusClass::Never => SendOutcome::Permanent(format!("{host} answered HTTP {status}{}", quoted())),
    }
}

/// A gRPC server answers a plain request with its own content type or status, and some do so with HTTP 200.
fn speaks_grpc(response: &HttpResponse) -> bool {
    let content_type = response
        .headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    content_type.starts_with(b"application/grpc") || response.headers.contains_key("grpc-status")
}

fn redirect(context: RequestContext<'_>, response: &HttpResponse) -> String {
    let host = context.host();
    let status = response.status;
    let target = response
        .headers
        .get(LOCATION)
        .and_then(|location| context.url.join(location.to_str().ok()?).ok());
    // Only the host: the rest of the target may hold anything.
    let target = target.map_or_else(
        || "an unknown address".into(),
        |url| format!("{}://{}", url.scheme(), endpoint::authority(&url)),
    );
    format!(
        "{host} redirects to {} (HTTP {status}), which is not followed so that headers with keys stay here: \
         set the endpoint to the right address",
        text::clean(&target, context.secrets)
    )
}

fn refused(context: RequestContext<'_>, quoted: &str, status: u16) -> String {
    let host = context.host();
    if endpoint::is_datadog(context.url) || context.secrets.contains_key("dd-api-key") {
        format!(
            "{host} refused the API key, or the key belongs to another site (HTTP {status}){quoted}: \
             check headers::dd-api-key and the endpoint (https://otlp.<DD_SITE>)"
        )
    } else {
        format!(
            "{host} refused access (HTTP {status}){quoted}: check the headers with the credentials and the endpoint"
        )
    }
}

/// `: message` from the body; empty for none.
fn quoted(context: RequestContext<'_>, response: &HttpResponse) -> String {
    let status = RpcStatus::decode(&response.body[..]).ok();
    let status = status.filter(|_| is(response, "application/x-protobuf"));
    let message = status.map(|status| status.message).or_else(|| json_message(response));
    context.quoted(&message.unwrap_or_else(|| String::from_utf8_lossy(&response.body).into_owned()))
}

/// The message of a status in JSON.
fn json_message(response: &HttpResponse) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&response.body).ok()?;
    Some(body.get("message")?.as_str()?.to_owned())
}

/// Any 2xx is a success. The Collector treats a response that it cannot read as a failure; the data did arrive, so here
/// it counts as delivered, with a warning. A web page does not: that address is not an OTLP intake.
fn success(context: RequestContext<'_>, response: &HttpResponse) -> SendOutcome {
    let body = &response.body;
    if body.is_empty() {
        return SendOutcome::Accepted;
    }
    let host = context.host();
    let status = response.status;
    if let Some(title) = text::html_title(&String::from_utf8_lossy(body)) {
        return SendOutcome::Misconfigured(format!(
            "{host} answered with a web page \"{}\" (HTTP {status}), so there is no OTLP intake at {}: check the endpoint",
            text::clean(&title, context.secrets),
            context.url.path(),
        ));
    }
    let partial = partial_success(context.signal, response);
    context.success(partial, &format!("HTTP {status} with a body"))
}

/// The rejected items and the message.
fn partial_success(signal: Signal, response: &HttpResponse) -> Result<(i64, String), String> {
    // Some backends answer protobuf requests in JSON.
    if is(response, "application/json") {
        return json_partial_success(&response.body);
    }
    outcome::partial_success(signal, &response.body)
}

/// The three messages differ only in the name of the count, which may be a string or a number.
fn json_partial_success(body: &[u8]) -> Result<(i64, String), String> {
    let body: serde_json::Value = serde_json::from_slice(body).map_err(|why| why.to_string())?;
    // The protobuf JSON mapping requires readers to accept the field names of the .proto, too.
    let partial = [&body["partialSuccess"], &body["partial_success"]];
    let keys = [
        "rejectedLogRecords",
        "rejectedDataPoints",
        "rejectedSpans",
        "rejected_log_records",
        "rejected_data_points",
        "rejected_spans",
    ];
    let find = |keys: &[&str]| {
        let mut all = partial
            .iter()
            .flat_map(|partial| keys.iter().filter_map(|key| partial.get(key)));
        all.next()
    };
    let rejected = find(&keys).and_then(|count| count.as_i64().or_else(|| count.as_str()?.parse().ok()));
    let message = find(&["errorMessage", "error_message"]).and_then(|message| message.as_str());
    Ok((rejected.unwrap_or(0), message.unwrap_or_default().to_owned()))
}

fn is(response: &HttpResponse, content_type: &str) -> bool {
    let found = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let found = found.map(|found| found.split(';').next().unwrap_or_default().trim());
    found.is_some_and(|found| found.eq_ignore_ascii_case(content_type))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};

    use reqwest::Url;

    use super::*;
    use crate::codes::NonRetryable;

    fn read_answer(url: &str, status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> SendOutcome {
        let url = Url::parse(url).unwrap();
        let mut secrets = HeaderMap::new();
        secrets.insert("x-key", "hunter2".parse().unwrap());
        let headers = headers.iter().map(|(name, value)| {
            let name: reqwest::header::HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        let headers: HeaderMap = headers.collect();
        let context = RequestContext {
            signal: Signal::Logs,
            url: &url,
            secrets: &secrets,
            non_retryable: &NonRetryable::default(),
            proxy: None,
        };
        let response = HttpResponse {
            status,
            headers,
            body: Bytes::copy_from_slice(body),
        };
        // Sun, 06 Nov 1994 08:49:37 GMT
        outcome(
            context,
            &response,
            SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777),
        )
    }

    const DATADOG: &str = "https://otlp.datadoghq.com/v1/logs";
    const OTHER: &str = "http://h:4318/v1/logs";
    const PROTO: (&str, &str) = ("content-type", "application/x-protobuf");
    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    fn partial(rejected: i64, message: &str) -> Vec<u8> {
        ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records: rejected,
                error_message: message.into(),
            }),
        }
        .encode_to_vec()
    }

    #[test]
    fn every_2xx_is_a_success() {
        for status in [200, 202, 204] {
            assert_eq!(read_answer(OTHER, status, &[], b""), SendOutcome::Accepted);
        }
        assert_eq!(
            read_answer(OTHER, 200, &[PROTO], &partial(0, "")),
            SendOutcome::Accepted
        );
        assert_eq!(read_answer(OTHER, 200, &[JSON], b"{}"), SendOutcome::Accepted);
        assert_eq!(
            read_answer(OTHER, 200, &[JSON], br#"{"partialSuccess":{}}"#),
            SendOutcome::Accepted
        );
    }

    #[test]
    fn reads_a_partial_success_in_both_forms() {
        let expected = SendOutcome::Partial {
            rejected: 2,
            message: "too old".into(),
        };
        assert_eq!(read_answer(OTHER, 200, &[PROTO], &partial(2, "too\nold")), expected);
        let json = br#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}"#;
        assert_eq!(read_answer(OTHER, 200, &[JSON], json), expected);
        let warning = SendOutcome::Partial {
            rejected: 0,
            message: "deprecated".into(),
        };
        assert_eq!(read_answer(OTHER, 200, &[PROTO], &partial(0, "deprecated")), warning);
    }

    #[test]
    fn an_unreadable_success_is_a_warning_and_a_web_page_an_error() {
        let SendOutcome::Partial { rejected: 0, message } = read_answer(OTHER, 200, &[], b"OK then") else {
            panic!()
        };
        assert!(message.contains("not an OTLP response"), "{message}");
        let page = read_answer(OTHER, 200, &[], b"<html><title>Log in</title></html>");
        assert!(
            matches!(page, SendOutcome::Misconfigured(why) if why.contains("\"Log in\"") && why.contains("h:4318"))
        );
    }

    #[test]
    fn recognizes_a_grpc_server_by_any_answer() {
        for (status, headers) in [
            (200, [("content-type", "application/grpc"), ("grpc-status", "12")]),
            (415, [("content-type", "application/grpc"), ("x", "y")]),
            (503, [("x", "y"), ("grpc-status", "14")]),
        ] {
            let SendOutcome::Misconfigured(why) = read_answer(OTHER, status, &headers, b"") else {
                panic!("{status}")
            };
            assert!(why.contains("h:4318 speaks gRPC") && why.contains("otlp_grpc"), "{why}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
        ] {
            let SendOutcome::Retry { after, .. } = read_answer(OTHER, 429, &[("retry-after", value)], b"") else {
                panic!()
            };
            assert_eq!(after, expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_message_names_the_host_the_problem_and_the_fix() {
        let rpc = RpcStatus {
            code: 3,
            message: "bad field hunter2".into(),
            details: Vec::new(),
        };
        let rpc = rpc.encode_to_vec();
        for (url, status, headers, body, expected) in [
            (
                OTHER,
                400,
                &[PROTO][..],
                &rpc[..],
                "h:4318 answered HTTP 400: bad field [REDACTED]",
            ),
            (OTHER, 501, &[], b"boom\nbang", "h:4318 answered HTTP 501: boom bang"),
            (
                OTHER,
                400,
                &[JSON],
                b"{\"code\":3,\"message\":\"bad field\"}",
                "h:4318 answered HTTP 400: bad field",
            ),
            (
                DATADOG,
                403,
                &[JSON],
                b"{\"errors\":[\"Forbidden\"]}",
                "check headers::dd-api-key and the endpoint",
            ),
            (
                OTHER,
                401,
                &[],
                b"",
                "h:4318 refused access (HTTP 401): check the headers",
            ),
            (
                OTHER,
                404,
                &[],
                b"<html><title>Not Found</title>",
                "no OTLP intake at /v1/logs (HTTP 404): a web page \"Not Found\"",
            ),
            (
                OTHER,
                307,
                &[("location", "https://user:pw@evil.example/x?y")],
                b"",
                "h:4318 redirects to https://evil.example (HTTP 307)",
            ),
            (OTHER, 302, &[("location", "/login")], b"", "redirects to http://h:4318"),
            (OTHER, 304, &[], b"", "redirects to an unknown address"),
            (OTHER, 413, &[], b"", "h:4318 says the request is too large (HTTP 413)"),
        ] {
            let (SendOutcome::Permanent(why) | SendOutcome::Misconfigured(why) | SendOutcome::TooLarge(why)) =
                read_answer(url, status, headers, body)
            else {
                panic!("{status}")
            };
            assert!(why.contains(expected), "{expected:?} not in {why:?}");
            assert!(!why.contains("pw"), "{why}");
        }
    }
}
