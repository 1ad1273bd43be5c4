//! What travels between components: OTLP data with its acknowledgement.

use std::fmt;
use std::sync::Arc;

use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, metric::Data};
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;

use crate::ack::Ack;

/// The kind of telemetry a pipeline carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Log records, events among them.
    Logs,
    /// Metric points.
    Metrics,
    /// Spans.
    Traces,
}

impl Signal {
    /// Every signal, in the order in which reports list them.
    pub const ALL: [Signal; 3] = [Signal::Logs, Signal::Metrics, Signal::Traces];

    /// The name used in `service::pipelines` and in OTLP paths (`/v1/logs`).
    pub fn as_str(self) -> &'static str {
        match self {
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
            Signal::Traces => "traces",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// OTLP data of one signal.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// Log records, grouped by resource.
    Logs(Vec<ResourceLogs>),
    /// Metrics, grouped by resource.
    Metrics(Vec<ResourceMetrics>),
    /// Spans, grouped by resource.
    Traces(Vec<ResourceSpans>),
}

impl Payload {
    /// The signal that the data belongs to.
    pub fn signal(&self) -> Signal {
        match self {
            Payload::Logs(_) => Signal::Logs,
            Payload::Metrics(_) => Signal::Metrics,
            Payload::Traces(_) => Signal::Traces,
        }
    }

    /// How many items it holds: log records, metric points or spans.
    pub fn items(&self) -> usize {
        match self {
            Payload::Logs(resources) => resources
                .iter()
                .flat_map(|r| &r.scope_logs)
                .map(|s| s.log_records.len())
                .sum(),
            Payload::Traces(resources) => resources
                .iter()
                .flat_map(|r| &r.scope_spans)
                .map(|s| s.spans.len())
                .sum(),
            Payload::Metrics(resources) => resources
                .iter()
                .flat_map(|r| &r.scope_metrics)
                .flat_map(|s| &s.metrics)
                .map(|m| match &m.data {
                    Some(Data::Gauge(d)) => d.data_points.len(),
                    Some(Data::Sum(d)) => d.data_points.len(),
                    Some(Data::Histogram(d)) => d.data_points.len(),
                    Some(Data::ExponentialHistogram(d)) => d.data_points.len(),
                    Some(Data::Summary(d)) => d.data_points.len(),
                    None => 0,
                })
                .sum(),
        }
    }
}

/// Data on its way from one component to the next.
///
/// The payload is shared: a fan-out clones the pointer, and a component that changes it
/// uses [`Batch::payload_mut`], which copies only when somebody else still looks at it.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The data.
    pub payload: Arc<Payload>,
    /// Whom to tell what became of it.
    pub ack: Ack,
}

impl Batch {
    /// A batch whose end is told to `ack`.
    pub fn new(payload: Payload, ack: Ack) -> Self {
        Batch {
            payload: Arc::new(payload),
            ack,
        }
    }

    /// The data, to be changed.
    pub fn payload_mut(&mut self) -> &mut Payload {
        Arc::make_mut(&mut self.payload)
    }
}
