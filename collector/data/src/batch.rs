//! OTLP data with its acknowledgement: the message between components.

use std::fmt;
use std::sync::Arc;

use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;

use crate::Ack;
use crate::points::{self, PointRef};
use crate::proto;

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

    /// The number of items: log records, metric points or spans.
    pub fn items(&self) -> usize {
        match self {
            Payload::Logs(resources) => {
                let scopes = resources.iter().flat_map(|resource| &resource.scope_logs);
                scopes.map(|scope| scope.log_records.len()).sum()
            }
            Payload::Traces(resources) => {
                let scopes = resources.iter().flat_map(|resource| &resource.scope_spans);
                scopes.map(|scope| scope.spans.len()).sum()
            }
            Payload::Metrics(resources) => points::data_of(resources).map(points::count).sum(),
        }
    }

    /// The size of the protobuf export request in bytes, before compression.
    pub fn encoded_len(&self) -> usize {
        proto::encoded_len(self)
    }

    /// Appends data of the same signal.
    ///
    /// # Errors
    /// The other data, if its signal differs.
    pub fn append(&mut self, other: Payload) -> Result<(), Payload> {
        match (self, other) {
            (Payload::Logs(all), Payload::Logs(more)) => all.extend(more),
            (Payload::Metrics(all), Payload::Metrics(more)) => all.extend(more),
            (Payload::Traces(all), Payload::Traces(more)) => all.extend(more),
            (_, other) => return Err(other),
        }
        Ok(())
    }

    /// The resource of each group of items; `None` where it is absent.
    pub fn resources_mut(&mut self) -> impl Iterator<Item = &mut Option<Resource>> {
        let (logs, metrics, traces) = match self {
            Payload::Logs(all) => (Some(all), None, None),
            Payload::Metrics(all) => (None, Some(all), None),
            Payload::Traces(all) => (None, None, Some(all)),
        };
        let logs = logs.into_iter().flatten().map(|group| &mut group.resource);
        let metrics = metrics.into_iter().flatten().map(|group| &mut group.resource);
        let traces = traces.into_iter().flatten().map(|group| &mut group.resource);
        logs.chain(metrics).chain(traces)
    }

    /// The time of the oldest metric point, in nanoseconds since 1970; `None` for logs and traces, and where no point
    /// has a time.
    pub fn oldest_point(&self) -> Option<u64> {
        let Payload::Metrics(resources) = self else {
            return None;
        };
        // OTLP writes an unknown time as 0.
        let times = points::points_of(resources).map(PointRef::time);
        times.filter(|time| *time != 0).min()
    }
}

/// Data in flight from one component to the next.
///
/// The payload is shared: a fan-out clones the pointer, and a component that changes it
/// uses [`Batch::payload_mut`], which copies only while another component shares it.
#[derive(Clone, Debug)]
pub struct Batch {
    /// OTLP data of one signal.
    pub payload: Arc<Payload>,
    /// Receives the outcome of the delivery.
    pub ack: Ack,
}

impl Batch {
    /// A batch whose outcome is reported to `ack`.
    pub fn new(payload: Payload, ack: Ack) -> Self {
        Batch {
            payload: Arc::new(payload),
            ack,
        }
    }

    /// The data, for a change in place.
    pub fn payload_mut(&mut self) -> &mut Payload {
        Arc::make_mut(&mut self.payload)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use opentelemetry_proto::tonic::metrics::v1::{Metric, ScopeMetrics};

    use super::*;
    use crate::points::tests::each_kind_at;

    fn metrics(data: Vec<Data>) -> Payload {
        let metrics = data.into_iter().map(|data| Metric {
            data: Some(data),
            ..Default::default()
        });
        Payload::Metrics(vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: metrics.collect(),
                ..Default::default()
            }],
            ..Default::default()
        }])
    }

    #[test]
    fn finds_the_oldest_point_in_every_kind_of_metric() {
        let [others, ..] = each_kind_at(&[9, 0, 8]);
        assert_eq!(metrics(vec![others.clone()]).oldest_point(), Some(8), "0 is not a time");
        for (kind, without_time) in each_kind_at(&[7, 70]).into_iter().zip(each_kind_at(&[0])) {
            assert_eq!(metrics(vec![others.clone(), kind]).oldest_point(), Some(7));
            assert_eq!(metrics(vec![without_time]).oldest_point(), None);
        }
        assert_eq!(Payload::Logs(Vec::new()).oldest_point(), None);
    }

    #[test]
    fn counts_the_points_of_every_kind_of_metric() {
        assert_eq!(metrics(each_kind_at(&[1, 2]).into()).items(), 10);
    }
}
