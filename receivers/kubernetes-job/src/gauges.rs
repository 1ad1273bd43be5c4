//! The state of unfinished Jobs as OTLP gauges, one resource for each owner.

use collector_data::{Ack, Batch, Payload};
use jiff::Timestamp;
use job_event::attributes as attr;
use job_event::otlp::{nanos, owner_resource};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics};

use crate::batch_sender::IN_FLIGHT;
use crate::session::JobSession;
use job_tracker::OwnerState;

/// How many owners' gauges go into one batch.
const OWNERS: usize = 500;

impl JobSession {
    /// Sends the gauges of all owners, and records the sizes of the tracker.
    pub(crate) fn collect(&mut self) {
        self.telemetry.tracked(self.tracker.sizes());
        self.telemetry.pending(self.tracker.decided());
        self.telemetry.unacknowledged(self.events.unacknowledged());
        let states = self.tracker.states();
        if self.gauges.is_closed() {
            return;
        }
        let now = (self.clock)();
        let cluster = self.config.cluster_name.clone();
        let telemetry = self.telemetry.clone();
        // All are sent before the next collection, even with a slow exporter.
        let rounds = states.len() / (OWNERS * IN_FLIGHT) + 1;
        let patience = self.config.collection_interval.get() / u32::try_from(rounds + 1).unwrap_or(u32::MAX);
        let mut metrics = states.map(move |owner| encode(&owner, cluster.as_deref(), now));
        // Encoded points are large, so each batch is made when the ones before it are delivered. The next collection
        // replaces batches that are not sent by then.
        let batches = std::iter::from_fn(move || {
            let metrics: Vec<_> = metrics.by_ref().take(OWNERS).collect();
            let batch = (!metrics.is_empty()).then(|| Batch::new(Payload::Metrics(metrics), Ack::unwatched()))?;
            telemetry.points(batch.payload.items());
            Some(batch)
        });
        self.gauges.send_paced(patience, batches);
    }
}

/// The gauges of one owner at `now`.
pub fn encode(state: &OwnerState, cluster: Option<&str>, now: Timestamp) -> ResourceMetrics {
    let counts = state.counts;
    let metrics = [
        (attr::METRIC_POD_ACTIVE, counts.active),
        (attr::METRIC_POD_FAILED, counts.failed),
        (attr::METRIC_POD_SUCCESSFUL, counts.successful),
        (attr::METRIC_POD_DESIRED_SUCCESSFUL, counts.desired_successful),
        (attr::METRIC_POD_MAX_PARALLEL, counts.max_parallel),
    ];
    let metrics = metrics.into_iter().map(|(name, value)| Metric {
        name: name.into(),
        unit: "{pod}".into(),
        data: Some(Data::Gauge(Gauge {
            data_points: vec![NumberDataPoint {
                time_unix_nano: nanos(now),
                value: Some(Value::AsInt(value)),
                ..Default::default()
            }],
        })),
        ..Default::default()
    });
    ResourceMetrics {
        resource: Some(owner_resource(&state.job(), cluster)),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: attr::SCOPE_NAME.into(),
                version: env!("CARGO_PKG_VERSION").into(),
                ..Default::default()
            }),
            metrics: metrics.collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}
