//! The receiver's own metrics. No names of Jobs in them: their number must not grow with the cluster.

use job_event::Outcome;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Meter};

use crate::tracker::{Kind, Sizes};

/// The receiver's own metrics.
#[derive(Clone, Debug)]
pub struct Telemetry {
    receiver: KeyValue,
    accepted: Counter<u64>,
    refused: Counter<u64>,
    points: Counter<u64>,
    decided: Counter<u64>,
    failures: Counter<u64>,
    lists: Counter<u64>,
    undecodable: Counter<u64>,
    tracked: Gauge<u64>,
    pending: Gauge<u64>,
}

impl Telemetry {
    /// The metrics of the receiver with the given id.
    pub fn new(meter: &Meter, id: String) -> Self {
        let counter = |name: &'static str, unit: &'static str, what: &'static str| {
            meter.u64_counter(name).with_unit(unit).with_description(what).build()
        };
        Telemetry {
            receiver: KeyValue::new("receiver", id),
            accepted: counter(
                "otelcol_receiver_accepted_log_records",
                "{record}",
                "Events that every destination has or has stored",
            ),
            refused: counter(
                "otelcol_receiver_refused_log_records",
                "{record}",
                "Events that got lost",
            ),
            points: counter(
                "otelcol_receiver_accepted_metric_points",
                "{datapoint}",
                "Points handed to the pipeline",
            ),
            decided: counter("otelcol_k8s_job_decided", "{job}", "Jobs that ended, by outcome"),
            failures: counter(
                "otelcol_k8s_job_watch_failures",
                "{failure}",
                "Lists and watches that failed",
            ),
            lists: counter(
                "otelcol_k8s_job_watch_lists",
                "{list}",
                "Complete lists, the first ones included",
            ),
            undecodable: counter(
                "otelcol_k8s_job_undecodable_objects",
                "{object}",
                "Objects that could not be used",
            ),
            tracked: meter
                .u64_gauge("otelcol_k8s_job_tracked")
                .with_unit("{object}")
                .with_description("What the receiver holds in memory")
                .build(),
            pending: meter
                .u64_gauge("otelcol_k8s_job_pending_events")
                .with_unit("{event}")
                .with_description("Events of finished Jobs that the pipeline has not taken yet")
                .build(),
        }
    }

    /// A Job ended.
    pub fn decided(&self, outcome: Outcome) {
        self.decided.add(1, &self.with("outcome", outcome.as_str()));
    }

    /// An event was delivered.
    pub fn accepted(&self) {
        self.accepted.add(1, std::slice::from_ref(&self.receiver));
    }

    /// An event got lost.
    pub fn refused(&self) {
        self.refused.add(1, std::slice::from_ref(&self.receiver));
    }

    /// Points were handed to the pipeline.
    pub fn points(&self, count: usize) {
        self.points.add(count as u64, std::slice::from_ref(&self.receiver));
    }

    /// A list or watch failed.
    pub fn failed(&self, kind: Kind) {
        self.failures.add(1, &self.with("resource", kind.as_str()));
    }

    /// A list is complete.
    pub fn listed(&self, kind: Kind) {
        self.lists.add(1, &self.with("resource", kind.as_str()));
    }

    /// An object could not be used.
    pub fn undecodable(&self, kind: Kind) {
        self.undecodable.add(1, &self.with("resource", kind.as_str()));
    }

    /// What the tracker holds.
    pub fn tracked(&self, sizes: Sizes) {
        for (what, count) in [
            ("live_jobs", sizes.live),
            ("reported_jobs", sizes.reported),
            ("pods", sizes.pods),
            ("cronjobs", sizes.cronjobs),
            ("early", sizes.early),
        ] {
            self.tracked.record(count as u64, &self.with("what", what));
        }
    }

    /// So many events wait for the pipeline.
    pub fn pending(&self, count: usize) {
        self.pending.record(count as u64, std::slice::from_ref(&self.receiver));
    }

    fn with(&self, key: &'static str, value: &'static str) -> [KeyValue; 2] {
        [self.receiver.clone(), KeyValue::new(key, value)]
    }
}
