//! The receiver's own metrics. No names of Jobs in them: their number must not grow with the cluster.

use collector_runtime::limited::LimitTelemetry;
use job_event::Outcome;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Meter};

use job_tracker::Sizes;
use job_watch::telemetry::WatchTelemetry;

/// Why an event is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The backend rejected it.
    Refused,
    /// An exporter dropped it.
    Dropped,
    /// The Job finished and was deleted during a gap of the watch, and its Events do not show how it finished.
    Gap,
    /// The same, and too many other Jobs wait to be reported from their Events.
    Flood,
}

impl Loss {
    /// The name in the attribute `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Loss::Refused => "refused",
            Loss::Dropped => "given_up",
            Loss::Gap => "gap",
            Loss::Flood => "flood",
        }
    }
}

/// The receiver's own metrics.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Those of the lists and watches.
    pub watches: WatchTelemetry,
    /// Those of the series of gauges.
    pub limit: LimitTelemetry,
    id: String,
    receiver: KeyValue,
    accepted: Counter<u64>,
    refused: Counter<u64>,
    points: Counter<u64>,
    decided: Counter<u64>,
    delivered: Counter<u64>,
    recovered: Counter<u64>,
    lost: Counter<u64>,
    notices: Counter<u64>,
    notices_lost: Counter<u64>,
    tracked: Gauge<u64>,
    pending: Gauge<u64>,
    unacknowledged: Gauge<u64>,
}

impl Telemetry {
    /// The metrics of the receiver with the given id.
    pub fn new(meter: &Meter, id: String) -> Self {
        let counter = |name: &'static str, unit: &'static str, what: &'static str| {
            meter.u64_counter(name).with_unit(unit).with_description(what).build()
        };
        Telemetry {
            watches: WatchTelemetry::new(meter, id.clone()),
            limit: LimitTelemetry::new(
                meter,
                KeyValue::new("receiver", id.clone()),
                "otelcol_k8s_job_series",
                "otelcol_k8s_job_overflowed_points",
            ),
            id: id.clone(),
            receiver: KeyValue::new("receiver", id),
            accepted: counter(
                "otelcol_receiver_accepted_log_records",
                "{record}",
                "Events that every exporter delivered or stored",
            ),
            refused: counter(
                "otelcol_receiver_refused_log_records",
                "{record}",
                "Events that are lost",
            ),
            points: counter(
                "otelcol_receiver_accepted_metric_points",
                "{datapoint}",
                "Points sent to the pipeline",
            ),
            decided: counter("otelcol_k8s_job_decided", "{job}", "Finished Jobs, by outcome"),
            delivered: counter(
                "otelcol_k8s_job_delivered",
                "{job}",
                "Jobs whose event every exporter delivered or stored",
            ),
            recovered: counter(
                "otelcol_k8s_job_recovered",
                "{job}",
                "Jobs that finished and were deleted during a gap of the watch, reported from their Events",
            ),
            lost: counter(
                "otelcol_k8s_job_lost",
                "{job}",
                "Finished Jobs whose event is lost, by reason",
            ),
            notices: counter(
                "otelcol_k8s_job_notices",
                "{event}",
                "Events of stalled Jobs, recoveries and missed runs, by event",
            ),
            notices_lost: counter(
                "otelcol_k8s_job_notices_lost",
                "{event}",
                "Events of stalled Jobs, recoveries and missed runs that are lost, by event and reason",
            ),
            tracked: meter
                .u64_gauge("otelcol_k8s_job_tracked")
                .with_unit("{object}")
                .with_description("Objects in the memory of the receiver")
                .build(),
            pending: meter
                .u64_gauge("otelcol_k8s_job_pending")
                .with_unit("{event}")
                .with_description("Events of finished Jobs that the pipeline has not accepted yet")
                .build(),
            unacknowledged: meter
                .u64_gauge("otelcol_k8s_job_unacknowledged")
                .with_unit("{event}")
                .with_description("Events in the pipeline that are not acknowledged yet")
                .build(),
        }
    }

    /// The path of a setting of the receiver.
    pub fn setting(&self, key: &str) -> String {
        format!("receivers::{}::{key}", self.id)
    }

    /// A Job finished.
    pub fn decided(&self, outcome: Outcome) {
        self.decided.add(1, &self.with("outcome", outcome.as_str()));
    }

    /// The event of a Job was delivered.
    pub fn delivered(&self) {
        self.delivered.add(1, std::slice::from_ref(&self.receiver));
        self.accepted.add(1, std::slice::from_ref(&self.receiver));
    }

    /// A Job that finished and was deleted during a gap of the watch is reported from its Events. It also counts as decided.
    pub fn recovered(&self) {
        self.recovered.add(1, std::slice::from_ref(&self.receiver));
    }

    /// The events of `count` finished Jobs are lost.
    pub fn lost(&self, count: u64, why: Loss) {
        self.lost.add(count, &self.with("reason", why.as_str()));
        // The record of a Job lost in a gap is delivered, and a flood has none.
        if !matches!(why, Loss::Gap | Loss::Flood) {
            self.refused.add(count, std::slice::from_ref(&self.receiver));
        }
    }

    /// A notice is emitted. Notices do not count as decided Jobs.
    pub fn notice(&self, event: &'static str) {
        self.notices.add(1, &self.with("event", event));
    }

    /// A notice was delivered.
    pub fn notice_delivered(&self) {
        self.accepted.add(1, std::slice::from_ref(&self.receiver));
    }

    /// A notice is lost.
    pub fn notice_lost(&self, event: &'static str, why: Loss) {
        let [receiver, event] = self.with("event", event);
        let reason = KeyValue::new("reason", why.as_str());
        self.notices_lost.add(1, &[receiver, event, reason]);
        self.refused.add(1, std::slice::from_ref(&self.receiver));
    }

    /// Points were sent to the pipeline.
    pub fn points(&self, count: usize) {
        self.points.add(count as u64, std::slice::from_ref(&self.receiver));
    }

    /// The sizes of the tracker.
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

    /// `count` events wait for the pipeline.
    pub fn pending(&self, count: usize) {
        self.pending.record(count as u64, std::slice::from_ref(&self.receiver));
    }

    /// `count` events in the pipeline are not acknowledged.
    pub fn unacknowledged(&self, count: usize) {
        self.unacknowledged
            .record(count as u64, std::slice::from_ref(&self.receiver));
    }

    fn with(&self, key: &'static str, value: &'static str) -> [KeyValue; 2] {
        [self.receiver.clone(), KeyValue::new(key, value)]
    }
}
