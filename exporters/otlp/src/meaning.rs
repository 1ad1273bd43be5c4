//! What an answer means, whatever the transport, and what to do about it.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use pipeline::Signal;
use pipeline::sending::SendOutcome;
use prost::Message;

/// How much of an answer is read, in bytes; as the collector.
pub(crate) const BODY_LIMIT: usize = 64 * 1024;

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
