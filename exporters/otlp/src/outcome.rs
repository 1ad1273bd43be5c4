//! The outcome of a request, for both transports.

use std::time::{Duration, SystemTime};

use collector_data::Signal;
use collector_sending::SendOutcome;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use proxy::Proxy;
use reqwest::Url;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::codes::NonRetryable;
use crate::{endpoint, text};

/// The most bytes that are read of a success: the limit that the OTLP specification recommends. It may list rejected
/// items.
pub(crate) const SUCCESS_LIMIT: usize = 4 * 1024 * 1024;
/// The most bytes that are read of any other response: its message is cut to a line anyway.
pub(crate) const ERROR_LIMIT: usize = 64 * 1024;

/// The request that a response belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestContext<'a> {
    pub(crate) signal: Signal,
    pub(crate) url: &'a Url,
    /// The headers of the request, whose values must not appear in messages.
    pub(crate) secrets: &'a HeaderMap,
    /// The codes after which data is dropped.
    pub(crate) non_retryable: &'a NonRetryable,
    /// The proxy that may have answered instead of the backend.
    pub(crate) proxy: Option<&'a Proxy>,
}

impl RequestContext<'_> {
    /// The host of the backend.
    pub(crate) fn host(&self) -> String {
        endpoint::authority(self.url)
    }

    /// `: message` for the text of a response; empty for none.
    pub(crate) fn quoted(&self, message: &str) -> String {
        let message = match text::html_title(message) {
            Some(title) => format!("a web page \"{title}\""),
            None => message.to_owned(),
        };
        match text::clean(&message, self.secrets) {
            message if message.is_empty() => message,
            message => format!(": {message}"),
        }
    }

    /// The outcome of a success, given the number of rejected items and the message in it. The data arrived, so a response
    /// that cannot be read is only a warning; `response` names it.
    pub(crate) fn success(&self, partial: Result<(i64, String), String>, response: &str) -> SendOutcome {
        match partial {
            Ok((0, message)) if message.is_empty() => SendOutcome::Accepted,
            Ok((rejected, message)) => SendOutcome::Partial {
                rejected: u64::try_from(rejected).unwrap_or(0),
                message: text::clean(&message, self.secrets),
            },
            Err(error) => SendOutcome::Partial {
                rejected: 0,
                message: format!(
                    "{} answered {response} that is not an OTLP response: {error}",
                    self.host()
                ),
            },
        }
    }
}

/// The outcome where the code is in `non_retryable_status_codes`: a retry becomes a permanent error.
pub(crate) fn without_retry(outcome: SendOutcome) -> SendOutcome {
    match outcome {
        SendOutcome::Retry { why, .. } | SendOutcome::Misconfigured(why) => {
            SendOutcome::Permanent(format!("{why} (in retry_on_failure::non_retryable_status_codes)"))
        }
        other => other,
    }
}

/// The class of an HTTP status, from the backend, a gateway or a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusClass {
    /// The request was accepted, at least in part.
    Success,
    /// The intake has another address.
    Redirect,
    /// The credentials have no access.
    Access,
    /// No intake at this address.
    Missing,
    /// A smaller request may be accepted.
    TooLarge,
    /// The same request may be accepted later.
    Later,
    /// This request will not be accepted.
    Never,
}

impl StatusClass {
    /// Classifies a status.
    ///
    /// OTLP retries 429, 502, 503 and 504 only. The others are temporary as well, and data that is not retried is lost: a
    /// Collector whose memory is full answers 500, gateways answer 52x, servers on shutdown 408 and 421, proxies 407 until
    /// their credentials are fixed. A status outside 100..=599 counts as 5xx (RFC 9110, 15). 1xx is not a final response.
    pub(crate) fn of(status: u16) -> StatusClass {
        match status {
            200..=299 => StatusClass::Success,
            300..=399 => StatusClass::Redirect,
            401 | 403 => StatusClass::Access,
            404 | 405 => StatusClass::Missing,
            413 => StatusClass::TooLarge,
            407 | 408 | 421 | 425 | 429 => StatusClass::Later,
            400..=499 | 501 => StatusClass::Never,
            _ => StatusClass::Later,
        }
    }
}

/// `Retry-After`: seconds or an HTTP date; `None` if it is neither.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    // A date that has passed means at once.
    Some(date.duration_since(now).unwrap_or_default())
}

/// The rejected items and the message of an export response in protobuf form.
pub(crate) fn partial_success(signal: Signal, body: &[u8]) -> Result<(i64, String), String> {
    fn read<M: Message + Default>(body: &[u8]) -> Result<M, String> {
        M::decode(body).map_err(|why| why.to_string())
    }
    let parts = match signal {
        Signal::Logs => read::<ExportLogsServiceResponse>(body)?
            .partial_success
            .map(|partial| (partial.rejected_log_records, partial.error_message)),
        Signal::Metrics => read::<ExportMetricsServiceResponse>(body)?
            .partial_success
            .map(|partial| (partial.rejected_data_points, partial.error_message)),
        Signal::Traces => read::<ExportTraceServiceResponse>(body)?
            .partial_success
            .map(|partial| (partial.rejected_spans, partial.error_message)),
    };
    Ok(parts.unwrap_or_default())
}
