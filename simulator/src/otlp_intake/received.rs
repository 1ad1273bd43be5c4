//! What came in.

use std::fmt;

use http::HeaderMap;
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
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
    /// The signal whose data goes to this path.
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
pub enum Payload {
    /// Log records.
    Logs(ExportLogsServiceRequest),
    /// Metric points.
    Metrics(ExportMetricsServiceRequest),
    /// Spans.
    Traces(ExportTraceServiceRequest),
}

impl Payload {
    /// Reads the protobuf form.
    ///
    /// # Errors
    /// If it is none.
    pub fn decode(signal: Signal, body: &[u8]) -> Result<Payload, prost::DecodeError> {
        Ok(match signal {
            Signal::Logs => Payload::Logs(Message::decode(body)?),
            Signal::Metrics => Payload::Metrics(Message::decode(body)?),
            Signal::Traces => Payload::Traces(Message::decode(body)?),
        })
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// If it is none.
    pub fn decode_json(signal: Signal, body: &[u8]) -> Result<Payload, serde_json::Error> {
        Ok(match signal {
            Signal::Logs => Payload::Logs(serde_json::from_slice(body)?),
            Signal::Metrics => Payload::Metrics(serde_json::from_slice(body)?),
            Signal::Traces => Payload::Traces(serde_json::from_slice(body)?),
        })
    }

    /// Takes the first items out, up to this many.
    pub(super) fn split_off_first(&mut self, items: usize) -> Payload {
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

    /// Keeps the items for which it says so; it is asked for each, in their order.
    fn retain(&mut self, mut keep: impl FnMut() -> bool) {
        match self {
            Payload::Logs(request) => {
                for scope in request
                    .resource_logs
                    .iter_mut()
                    .flat_map(|resource| &mut resource.scope_logs)
                {
                    scope.log_records.retain(|_| keep());
                }
            }
            Payload::Metrics(request) => {
                let scopes = request
                    .resource_metrics
                    .iter_mut()
                    .flat_map(|resource| &mut resource.scope_metrics);
                for metric in scopes.flat_map(|scope| &mut scope.metrics) {
                    match &mut metric.data {
                        Some(Data::Gauge(data)) => data.data_points.retain(|_| keep()),
                        Some(Data::Sum(data)) => data.data_points.retain(|_| keep()),
                        Some(Data::Histogram(data)) => data.data_points.retain(|_| keep()),
                        Some(Data::ExponentialHistogram(data)) => data.data_points.retain(|_| keep()),
                        Some(Data::Summary(data)) => data.data_points.retain(|_| keep()),
                        None => {}
                    }
                }
            }
            Payload::Traces(request) => {
                for scope in request
                    .resource_spans
                    .iter_mut()
                    .flat_map(|resource| &mut resource.scope_spans)
                {
                    scope.spans.retain(|_| keep());
                }
            }
        }
    }

    /// How many log records, metric points or spans it holds.
    pub fn items(&self) -> usize {
        match self {
            Payload::Logs(_) => self.records().len(),
            Payload::Metrics(_) => self.points().len(),
            Payload::Traces(request) => {
                let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
                scopes.map(|scope| scope.spans.len()).sum()
            }
        }
    }
}

/// One accepted request.
#[derive(Clone, Debug)]
pub struct Received {
    /// What it holds.
    pub signal: Signal,
    /// The data.
    pub payload: Payload,
    /// When it had arrived completely.
    pub at: Timestamp,
    /// Its headers, without the key.
    pub headers: HeaderMap,
}

/// One request and its answer, whether accepted or not.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The path that was asked for.
    pub path: String,
    /// The headers, without the key.
    pub headers: HeaderMap,
    /// The size of the body as sent, in bytes.
    pub body_size: usize,
    /// The status of the answer; `None` if there was none.
    pub status: Option<u16>,
    /// The code of the answer, over gRPC.
    pub grpc_status: Option<i32>,
}
