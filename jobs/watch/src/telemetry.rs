//! Metrics of the lists and watches of a receiver. They carry no names of objects: their number must not grow with the
//! cluster.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

use crate::Kind;
use crate::watch::gap::WatchGap;

/// Bounds of the lengths of gaps, seconds: from a closed connection to a node that was down for hours.
const GAPS: [f64; 11] = [0.1, 1.0, 5.0, 15.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14_400.0];

/// The metrics of one receiver's watches.
#[derive(Clone, Debug)]
pub struct WatchTelemetry {
    receiver: KeyValue,
    failures: Counter<u64>,
    lists: Counter<u64>,
    undecodable: Counter<u64>,
    gaps: Histogram<f64>,
    silence: Gauge<f64>,
}

impl WatchTelemetry {
    /// The metrics of the receiver `id`.
    pub fn new(meter: &Meter, id: String) -> Self {
        let counter = |name: &'static str, unit: &'static str, description: &'static str| {
            meter
                .u64_counter(name)
                .with_unit(unit)
                .with_description(description)
                .build()
        };
        WatchTelemetry {
            receiver: KeyValue::new("receiver", id),
            failures: counter(
                "otelcol_k8s_job_watch_failures",
                "{failure}",
                "Failed lists and watches",
            ),
            lists: counter(
                "otelcol_k8s_job_watch_lists",
                "{list}",
                "Complete lists, including the first ones",
            ),
            undecodable: counter(
                "otelcol_k8s_job_undecodable_objects",
                "{object}",
                "Objects that could not be decoded",
            ),
            gaps: meter
                .f64_histogram("otelcol_k8s_job_watch_gap_seconds")
                .with_unit("s")
                .with_description("How long a watch was interrupted, from the last data received")
                .with_boundaries(GAPS.to_vec())
                .build(),
            silence: meter
                .f64_gauge("otelcol_k8s_job_watch_silence_seconds")
                .with_unit("s")
                .with_description("Time since a watch last received data; the longest of several namespaces")
                .build(),
        }
    }

    /// A list or watch failed.
    pub(crate) fn failed(&self, kind: Kind) {
        self.failures.add(1, &self.with(kind));
    }

    /// A list is complete.
    pub(crate) fn listed(&self, kind: Kind) {
        self.lists.add(1, &self.with(kind));
    }

    /// An object could not be decoded.
    pub(crate) fn undecodable(&self, kind: Kind) {
        self.undecodable.add(1, &self.with(kind));
    }

    /// A watch resumed after a gap.
    pub fn gap(&self, kind: Kind, gap: WatchGap) {
        let [receiver, resource] = self.with(kind);
        let by = KeyValue::new("by", gap.recovery.as_str());
        self.gaps.record(gap.length.as_secs_f64(), &[receiver, resource, by]);
    }

    /// The time since the watches of one kind last gave a sign of life.
    pub fn silence(&self, kind: Kind, age: Duration) {
        self.silence.record(age.as_secs_f64(), &self.with(kind));
    }

    fn with(&self, kind: Kind) -> [KeyValue; 2] {
        [self.receiver.clone(), KeyValue::new("resource", kind.as_str())]
    }
}
