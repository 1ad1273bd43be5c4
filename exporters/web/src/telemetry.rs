//! The exporter's own metrics.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};

use collector_config::ComponentId;

use crate::state::ReceivedCounts;

/// The counters of one exporter.
#[derive(Clone, Debug)]
pub(crate) struct WebTelemetry {
    received: Counter<u64>,
    dropped: Counter<u64>,
    unstored: Counter<u64>,
    damaged: Counter<u64>,
    exporter: KeyValue,
}

/// A value of a gauge; `None` once the exporter has ended.
pub(crate) type Value = Box<dyn Fn() -> Option<u64> + Send + Sync>;

impl WebTelemetry {
    /// Makes the counters, at zero so that they exist before the first failure.
    pub(crate) fn new(meter: &Meter, exporter: &ComponentId) -> Self {
        let counter = |name: &'static str, description: &'static str| {
            meter.u64_counter(name).with_description(description).build()
        };
        let telemetry = WebTelemetry {
            received: counter(
                "otelcol_exporter_web_received_events",
                "Events that were received and are not known yet",
            ),
            dropped: counter(
                "otelcol_exporter_web_dropped_events",
                "Received events that could not be kept",
            ),
            unstored: counter(
                "otelcol_exporter_web_unstored_events",
                "Kept events that are too large for the store",
            ),
            damaged: counter(
                "otelcol_exporter_web_damaged_events",
                "Stored events that could not be read",
            ),
            exporter: KeyValue::new("exporter", exporter.to_string()),
        };
        telemetry.received(ReceivedCounts::default());
        telemetry.unstored(0);
        telemetry.damaged(0);
        telemetry
    }

    /// Adds the gauges of the kept events and of the clients.
    pub(crate) fn observe(&self, meter: &Meter, gauges: [(&'static str, &'static str, Value); 3]) {
        for (name, description, value) in gauges {
            let attributes = [self.exporter.clone()];
            meter
                .u64_observable_gauge(name)
                .with_description(description)
                .with_callback(move |observer| {
                    if let Some(value) = value() {
                        observer.observe(value, &attributes);
                    }
                })
                .build();
        }
    }

    pub(crate) fn received(&self, counts: ReceivedCounts) {
        let exporter = std::slice::from_ref(&self.exporter);
        self.received.add(counts.kept, exporter);
        for (reason, count) in [("too_large", counts.too_large), ("unreadable", counts.unreadable)] {
            self.dropped
                .add(count, &[self.exporter.clone(), KeyValue::new("error.type", reason)]);
        }
    }

    pub(crate) fn unstored(&self, events: u64) {
        self.unstored.add(events, std::slice::from_ref(&self.exporter));
    }

    pub(crate) fn damaged(&self, events: u64) {
        self.damaged.add(events, std::slice::from_ref(&self.exporter));
    }
}
