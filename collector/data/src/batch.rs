//! What travels between components: OTLP data with its acknowledgement.

use std::fmt;
use std::sync::Arc;

use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, metric::Data};
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;

use crate::Ack;

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

    /// How many bytes it has as an OTLP export request in protobuf form, before compression.
    pub fn encoded_len(&self) -> usize {
        /// In all three requests the resources are field 1 and nothing else is there.
        fn len<M: Message>(resources: &[M]) -> usize {
            let fields = resources.iter().map(Message::encoded_len);
            fields.map(|len| 1 + prost::length_delimiter_len(len) + len).sum()
        }
        match self {
            Payload::Logs(resources) => len(resources),
            Payload::Metrics(resources) => len(resources),
            Payload::Traces(resources) => len(resources),
        }
    }

    /// Puts the data of the same signal behind this; gives data of another signal back.
    ///
    /// # Errors
    /// The other data, if its signal is another.
    pub fn append(&mut self, other: Payload) -> Result<(), Payload> {
        match (self, other) {
            (Payload::Logs(all), Payload::Logs(more)) => all.extend(more),
            (Payload::Metrics(all), Payload::Metrics(more)) => all.extend(more),
            (Payload::Traces(all), Payload::Traces(more)) => all.extend(more),
            (_, other) => return Err(other),
        }
        Ok(())
    }

    /// The time of the oldest metric point, in nanoseconds since 1970; `None` for logs and traces, and where no point
    /// has a time.
    pub fn oldest_point(&self) -> Option<u64> {
        let Payload::Metrics(resources) = self else {
            return None;
        };
        let metrics = resources.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
        let oldest = metrics.filter_map(|metric| match metric.data.as_ref()? {
            Data::Gauge(d) => oldest(d.data_points.iter().map(|point| point.time_unix_nano)),
            Data::Sum(d) => oldest(d.data_points.iter().map(|point| point.time_unix_nano)),
            Data::Histogram(d) => oldest(d.data_points.iter().map(|point| point.time_unix_nano)),
            Data::ExponentialHistogram(d) => oldest(d.data_points.iter().map(|point| point.time_unix_nano)),
            Data::Summary(d) => oldest(d.data_points.iter().map(|point| point.time_unix_nano)),
        });
        oldest.min()
    }
}

/// The smallest of the times that are known; OTLP writes an unknown time as 0.
fn oldest(times: impl Iterator<Item = u64>) -> Option<u64> {
    times.filter(|time| *time != 0).min()
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

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::metrics::v1::{
        ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
        NumberDataPoint, ScopeMetrics, Sum, Summary, SummaryDataPoint,
    };

    use super::*;

    #[test]
    fn the_oldest_point_is_found_in_every_kind_of_metric() {
        let number = |time| NumberDataPoint {
            time_unix_nano: time,
            ..Default::default()
        };
        let kinds: [fn(u64) -> Data; 5] = [
            |time| {
                Data::Gauge(Gauge {
                    data_points: vec![NumberDataPoint {
                        time_unix_nano: time,
                        ..Default::default()
                    }],
                })
            },
            |time| {
                Data::Sum(Sum {
                    data_points: vec![NumberDataPoint {
                        time_unix_nano: time,
                        ..Default::default()
                    }],
                    ..Default::default()
                })
            },
            |time| {
                Data::Histogram(Histogram {
                    data_points: vec![HistogramDataPoint {
                        time_unix_nano: time,
                        ..Default::default()
                    }],
                    ..Default::default()
                })
            },
            |time| {
                Data::ExponentialHistogram(ExponentialHistogram {
                    data_points: vec![ExponentialHistogramDataPoint {
                        time_unix_nano: time,
                        ..Default::default()
                    }],
                    ..Default::default()
                })
            },
            |time| {
                Data::Summary(Summary {
                    data_points: vec![SummaryDataPoint {
                        time_unix_nano: time,
                        ..Default::default()
                    }],
                })
            },
        ];
        let of = |data: Vec<Data>| {
            let metrics = data.into_iter().map(|data| Metric {
                data: Some(data),
                ..Default::default()
            });
            let scope = ScopeMetrics {
                metrics: metrics.collect(),
                ..Default::default()
            };
            let resource = ResourceMetrics {
                scope_metrics: vec![scope],
                ..Default::default()
            };
            Payload::Metrics(vec![resource]).oldest_point()
        };
        let others = Data::Gauge(Gauge {
            data_points: vec![number(9), number(0), number(8)],
        });
        assert_eq!(of(vec![others.clone()]), Some(8), "0 is no time");
        for kind in kinds {
            assert_eq!(of(vec![others.clone(), kind(7), kind(70)]), Some(7));
            assert_eq!(of(vec![kind(0)]), None);
        }
        assert_eq!(Payload::Logs(Vec::new()).oldest_point(), None);
    }
}
