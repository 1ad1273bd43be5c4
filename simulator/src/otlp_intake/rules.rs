//! The rules of Datadog's OTLP intake. Pure.
//!
//! Sources: Datadog documentation, "Datadog OTLP Metrics / Logs / Traces Intake Endpoint"; the partial success text is
//! the one that users of the intake report from their logs.

use http::StatusCode;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, metric::Data};

use super::received::{ReceivedData, Signal};

/// The message of the intake about cumulative metrics, in a partial success.
pub const CUMULATIVE_REFUSED: &str = "Payload validation failed: OTLP metrics intake does not accept cumulative \
     histogram metrics, cumulative monotonic sum metrics or other unspecified metrics";

/// The largest accepted requests, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimits {
    /// Metrics, as sent (compressed).
    pub metrics_compressed: usize,
    /// Logs, decompressed.
    pub logs_decompressed: usize,
    /// Traces, decompressed.
    pub traces_decompressed: usize,
    /// Any message over gRPC, compressed and decompressed; the usual limit of gRPC servers.
    pub grpc_message: usize,
}

impl SizeLimits {
    /// The limits of Datadog.
    pub(super) const DATADOG: SizeLimits = SizeLimits {
        metrics_compressed: 512 * 1024,
        // 5.1 MiB
        logs_decompressed: 5_347_737,
        traces_decompressed: 15 * 1024 * 1024,
        grpc_message: 4 * 1024 * 1024,
    };

    /// No limits of a backend.
    pub(super) const NONE: SizeLimits = SizeLimits {
        metrics_compressed: DECOMPRESSED_CAP,
        logs_decompressed: DECOMPRESSED_CAP,
        traces_decompressed: DECOMPRESSED_CAP,
        grpc_message: 4 * 1024 * 1024,
    };
}

impl Default for SizeLimits {
    fn default() -> Self {
        SizeLimits::DATADOG
    }
}

/// The largest decompressed body of any signal, in bytes.
const DECOMPRESSED_CAP: usize = 64 * 1024 * 1024;

impl SizeLimits {
    /// The largest body as sent.
    pub(super) fn compressed(&self, signal: Signal) -> usize {
        match signal {
            Signal::Metrics => self.metrics_compressed,
            Signal::Logs | Signal::Traces => self.decompressed(signal),
        }
    }

    /// The largest body after decompression.
    pub(super) fn decompressed(&self, signal: Signal) -> usize {
        match signal {
            Signal::Metrics => DECOMPRESSED_CAP,
            Signal::Logs => self.logs_decompressed,
            Signal::Traces => self.traces_decompressed,
        }
    }
}

/// The status of an accepted request.
pub(super) fn success_status(signal: Signal) -> StatusCode {
    match signal {
        Signal::Traces => StatusCode::ACCEPTED,
        Signal::Logs | Signal::Metrics => StatusCode::OK,
    }
}

/// True if the payload has a metric that makes the intake refuse all of it.
pub(super) fn has_refused_metric(payload: &ReceivedData) -> bool {
    let ReceivedData::Metrics(request) = payload else {
        return false;
    };
    request
        .resource_metrics
        .iter()
        .flat_map(|resource| &resource.scope_metrics)
        .flat_map(|scope| &scope.metrics)
        .any(is_refused)
}

/// True for a cumulative histogram, a cumulative monotonic sum, or one without temporality. Gauges and cumulative
/// non-monotonic sums are accepted.
pub(super) fn is_refused(metric: &Metric) -> bool {
    let delta = AggregationTemporality::Delta as i32;
    let cumulative = AggregationTemporality::Cumulative as i32;
    match &metric.data {
        Some(Data::Sum(sum)) => {
            let gauge_like = sum.aggregation_temporality == cumulative && !sum.is_monotonic;
            sum.aggregation_temporality != delta && !gauge_like
        }
        Some(Data::Histogram(histogram)) => histogram.aggregation_temporality != delta,
        Some(Data::ExponentialHistogram(histogram)) => histogram.aggregation_temporality != delta,
        Some(Data::Gauge(_) | Data::Summary(_)) | None => false,
    }
}
