//! What an answer means, whatever the transport, and what to do about it.

use std::time::{Duration, SystemTime};

use collector_data::Signal;
use collector_sending::SendOutcome;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How much of a success is read, in bytes: the limit that the OTLP specification recommends. It may hold a long list of
/// what was rejected.
pub(crate) const SUCCESS_LIMIT: usize = 4 * 1024 * 1024;
/// How much of any other answer is read, in bytes: its message is cut to a line anyway.
pub(crate) const ERROR_LIMIT: usize = 64 * 1024;

/// What the answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Accepted,
    Partial { rejected: u64, message: String },
    Retry { after: Option<Duration>, why: String },
    TooLarge(String),
    Permanent(String),
    Misconfigured(String),
}

impl Meaning {
    /// The same answer where its code is in `non_retryable_status_codes`: what would be tried again is given up.
    pub(crate) fn without_retry(self) -> Meaning {
        match self {
            Meaning::Retry { why, .. } | Meaning::Misconfigured(why) => {
                Meaning::Permanent(format!("{why} (in retry_on_failure::non_retryable_status_codes)"))
            }
            other => other,
        }
    }
}

impl From<Meaning> for SendOutcome {
    fn from(meaning: Meaning) -> Self {
        match meaning {
            Meaning::Accepted => SendOutcome::Accepted,
            Meaning::Partial { rejected, message } => SendOutcome::Partial { rejected, message },
            Meaning::Retry { after, why } => SendOutcome::Retry { after, why },
            Meaning::TooLarge(why) => SendOutcome::TooLarge(why),
            Meaning::Permanent(why) => SendOutcome::Permanent(why),
            Meaning::Misconfigured(why) => SendOutcome::Misconfigured(why),
        }
    }
}

/// The meaning of an HTTP status for a request, whether the backend, a gateway or a proxy answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It was accepted, at least in part.
    Success,
    /// The intake is elsewhere.
    Redirect,
    /// No access for anything sent with these credentials.
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

impl Class {
    /// Classifies a status.
    ///
    /// OTLP retries 429, 502, 503 and 504 only. The others here pass as well, and what is given up is lost: a Collector
    /// whose memory is full answers 500, gateways answer 52x, servers that shut down 408 and 421, proxies 407 until their
    /// credentials are fixed. A status outside 100..=599 is to be treated as a 5xx (RFC 9110, 15). 1xx is no final answer.
    pub(crate) fn of(status: u16) -> Class {
        match status {
            200..=299 => Class::Success,
            300..=399 => Class::Redirect,
            401 | 403 => Class::Access,
            404 | 405 => Class::Missing,
            413 => Class::TooLarge,
            407 | 408 | 421 | 425 | 429 => Class::Later,
            400..=499 | 501 => Class::Never,
            _ => Class::Later,
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
