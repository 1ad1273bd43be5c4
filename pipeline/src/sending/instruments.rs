//! The sender's own metrics, under the collector's names.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};

use super::queue::Places;
use crate::batch::Signal;
use crate::component::ComponentId;

/// Counters of one exporter and signal; every value is a number of items (log records, metric points or spans).
#[derive(Clone, Debug)]
pub(super) struct Instruments {
    sent: Counter<u64>,
    rejected: Counter<u64>,
    send_failed: Counter<u64>,
    enqueue_failed: Counter<u64>,
    attributes: [KeyValue; 1],
}

impl Instruments {
    /// Makes the counters (from zero, so that they are there before anything goes wrong) and the queue's gauges.
    pub(super) fn new(meter: &Meter, exporter: &ComponentId, signal: Signal, places: &Places) -> Self {
        let items = match signal {
            Signal::Logs => "log_records",
            Signal::Metrics => "metric_points",
            Signal::Traces => "spans",
        };
        let attributes = [KeyValue::new("exporter", exporter.to_string())];
        let counter = |what: &str, description: &'static str| {
            let counter = meter
                .u64_counter(format!("otelcol_exporter_{what}_{items}"))
                .with_description(description)
                .build();
            counter.add(0, &attributes);
            counter
        };
        let sent = counter("sent", "Items that the destination accepted");
        let rejected = counter(
            "rejected",
            "Items that the destination refused within an accepted request",
        );
        let send_failed = counter("send_failed", "Items that were given up: refused, or not sent in time");
        let enqueue_failed = counter("enqueue_failed", "Items that found no room in the sending queue");

        let lane = [attributes[0].clone(), KeyValue::new("data_type", signal.as_str())];
        let (observed, of) = (places.clone(), lane.clone());
        meter
            .u64_observable_gauge("otelcol_exporter_queue_size")
            .with_description("Batches that wait or are being sent")
            .with_callback(move |gauge| gauge.observe(observed.taken() as u64, &of))
            .build();
        let (observed, of) = (places.clone(), lane);
        meter
            .u64_observable_gauge("otelcol_exporter_queue_capacity")
            .with_description("Batches that the sending queue holds at most")
            .with_callback(move |gauge| gauge.observe(observed.capacity() as u64, &of))
            .build();

        Instruments {
            sent,
            rejected,
            send_failed,
            enqueue_failed,
            attributes,
        }
    }

    pub(super) fn sent(&self, items: u64) {
        self.sent.add(items, &self.attributes);
    }

    pub(super) fn rejected(&self, items: u64) {
        self.rejected.add(items, &self.attributes);
    }

    pub(super) fn send_failed(&self, items: u64) {
        self.send_failed.add(items, &self.attributes);
    }

    pub(super) fn enqueue_failed(&self, items: u64) {
        self.enqueue_failed.add(items, &self.attributes);
    }
}
