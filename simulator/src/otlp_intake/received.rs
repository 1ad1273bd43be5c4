//! Received data.

use std::fmt;

use http::HeaderMap;
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

/// The kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Log records.
    Logs,
    /// Metric points.
    Metrics,
    /// Spans.
    Traces,
}

impl Signal {
    /// The signal of a path.
    pub(super) fn of_path(path: &str) -> Option<Signal> {
        match path {
            "/v1/logs" => Some(Signal::Logs),
            "/v1/metrics" => Some(Signal::Metrics),
            "/v1/traces" => Some(Signal::Traces),
            _ => None,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
            Signal::Traces => "traces",
        })
    }
}

/// The content of one request.
#[derive(Clone, Debug, PartialEq)]
pub enum ReceivedData {
    /// Log records.
    Logs(ExportLogsServiceRequest),
    /// Metric points.
    Metrics(ExportMetricsServiceRequest),
    /// Spans.
    Traces(ExportTraceServiceRequest),
}

impl ReceivedData {
    pub(super) fn decode(signal: Signal, body: &[u8]) -> Result<ReceivedData, prost::DecodeError> {
        Ok(match signal {
            Signal::Logs => ReceivedData::Logs(Message::decode(body)?),
            Signal::Metrics => ReceivedData::Metrics(Message::decode(body)?),
            Signal::Traces => ReceivedData::Traces(Message::decode(body)?),
        })
    }

    pub(super) fn decode_json(signal: Signal, body: &[u8]) -> Result<ReceivedData, serde_json::Error> {
        Ok(match signal {
            Signal::Logs => ReceivedData::Logs(serde_json::from_slice(body)?),
            Signal::Metrics => ReceivedData::Metrics(serde_json::from_slice(body)?),
            Signal::Traces => ReceivedData::Traces(serde_json::from_slice(body)?),
        })
    }

    /// Removes and returns the first items, up to this many.
    pub(super) fn split_off_first(&mut self, items: usize) -> ReceivedData {
        let mut first = self.clone();
        let mut number = 0;
        first.retain(|| {
            number += 1;
            number <= items
        });
        let mut number = 0;
        self.retain(|| {
            number += 1;
            number > items
        });
        first
    }

    /// Keeps the items for which `keep` returns true; it is called once for each, in their order.
    fn retain(&mut self, mut keep: impl FnMut() -> bool) {
        match self {
            ReceivedData::Logs(request) => {
                let mut resources = request.resource_logs.iter_mut();
                resources
                    .by_ref()
                    .flat_map(|resource| &mut resource.scope_logs)
                    .for_each(|scope| {
                        scope.log_records.retain(|_| keep());
                    });
            }
            ReceivedData::Metrics(_) => self.metrics_mut().for_each(|metric| retain_points(metric, |_| keep())),
            ReceivedData::Traces(request) => {
                let mut resources = request.resource_spans.iter_mut();
                resources
                    .by_ref()
                    .flat_map(|resource| &mut resource.scope_spans)
                    .for_each(|scope| {
                        scope.spans.retain(|_| keep());
                    });
            }
        }
    }

    /// The metrics; none unless it has metrics.
    pub(super) fn metrics_mut(&mut self) -> impl Iterator<Item = &mut Metric> {
        let resources = match self {
            ReceivedData::Metrics(request) => request.resource_metrics.iter_mut(),
            _ => [].iter_mut(),
        };
        let scopes = resources.flat_map(|resource| &mut resource.scope_metrics);
        scopes.flat_map(|scope| &mut scope.metrics)
    }

    /// The number of log records, metric points or spans.
    pub fn items(&self) -> usize {
        match self {
            ReceivedData::Logs(_) => self.records().len(),
            ReceivedData::Metrics(_) => self.points().len(),
            ReceivedData::Traces(request) => {
                let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
                scopes.map(|scope| scope.spans.len()).sum()
            }
        }
    }
}

/// Keeps the points of a metric for whose times, in nanoseconds since 1970, `keep` returns true.
pub(super) fn retain_points(metric: &mut Metric, mut keep: impl FnMut(u64) -> bool) {
    match &mut metric.data {
        Some(Data::Gauge(data)) => data.data_points.retain(|point| keep(point.time_unix_nano)),
        Some(Data::Sum(data)) => data.data_points.retain(|point| keep(point.time_unix_nano)),
        Some(Data::Histogram(data)) => data.data_points.retain(|point| keep(point.time_unix_nano)),
        Some(Data::ExponentialHistogram(data)) => data.data_points.retain(|point| keep(point.time_unix_nano)),
        Some(Data::Summary(data)) => data.data_points.retain(|point| keep(point.time_unix_nano)),
        None => {}
    }
}

/// One accepted request.
#[derive(Clone, Debug)]
pub struct Received {
    /// The signal of the data.
    pub signal: Signal,
    /// The decoded data.
    pub payload: ReceivedData,
    /// The time at which the whole request had arrived.
    pub at: Timestamp,
    /// The headers, without the key.
    pub headers: HeaderMap,
}

/// One request and the status of its response, accepted or not.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The path of the request.
    pub path: String,
    /// The headers, without the key.
    pub headers: HeaderMap,
    /// The size of the body as sent, in bytes.
    pub body_size: usize,
    /// The HTTP status; `None` without a response.
    pub status: Option<u16>,
    /// The gRPC code, over gRPC.
    pub grpc_status: Option<i32>,
}
