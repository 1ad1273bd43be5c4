//! The messages of responses.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use serde::Serialize;

use super::accept::{Accepted, Form};
use super::received::Signal;

/// The `Export…ServiceResponse`.
pub(super) fn export_response(signal: Signal, accepted: &Accepted, form: Form) -> Vec<u8> {
    let rejected = i64::try_from(accepted.rejected).unwrap_or(i64::MAX);
    let error_message = accepted.message.clone();
    let partial = *accepted != Accepted::default();
    if form == Form::Json {
        return json_response(signal, partial.then_some((rejected, error_message)));
    }
    match signal {
        Signal::Logs => {
            let partial_success = partial.then_some(ExportLogsPartialSuccess {
                rejected_log_records: rejected,
                error_message,
            });
            ExportLogsServiceResponse { partial_success }.encode_to_vec()
        }
        Signal::Metrics => {
            let partial_success = partial.then_some(ExportMetricsPartialSuccess {
                rejected_data_points: rejected,
                error_message,
            });
            ExportMetricsServiceResponse { partial_success }.encode_to_vec()
        }
        Signal::Traces => {
            let partial_success = partial.then_some(ExportTracePartialSuccess {
                rejected_spans: rejected,
                error_message,
            });
            ExportTraceServiceResponse { partial_success }.encode_to_vec()
        }
    }
}

/// Written by hand: the generated types write 64-bit integers of these messages as numbers, where the protobuf JSON
/// mapping has strings.
fn json_response(signal: Signal, partial: Option<(i64, String)>) -> Vec<u8> {
    let Some((rejected, message)) = partial else {
        return b"{}".to_vec();
    };
    let count = match signal {
        Signal::Logs => "rejectedLogRecords",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Traces => "rejectedSpans",
    };
    let partial = serde_json::json!({ count: rejected.to_string(), "errorMessage": message });
    serde_json::json!({ "partialSuccess": partial })
        .to_string()
        .into_bytes()
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Serialize, prost::Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    #[serde(skip)]
    pub details: Vec<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl RpcStatus {
    /// A status; `retry` is the delay of its `RetryInfo`.
    pub(super) fn new(code: i32, message: &str, retry: Option<Duration>) -> Self {
        let delay = |retry: Duration| Delay {
            seconds: i64::try_from(retry.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(retry.subsec_nanos()).unwrap_or(0),
        };
        let info = retry.map(|retry| RetryInfo {
            retry_delay: Some(delay(retry)),
        });
        let detail = info.map(|info| Detail {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
            value: info.encode_to_vec(),
        });
        RpcStatus {
            code,
            message: message.into(),
            details: detail.into_iter().collect(),
        }
    }
}

pub(super) fn encode(status: &RpcStatus, form: Form) -> Vec<u8> {
    match form {
        Form::Proto => status.encode_to_vec(),
        // The type is plain data, which can always be written.
        Form::Json => serde_json::to_vec(status).unwrap_or_default(),
    }
}
