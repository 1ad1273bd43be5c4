//! The sender's own metrics, under the collector's names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};

use super::capacity::QueueCapacity;
use super::clock::Clock;
use collector_config::ComponentId;
use collector_data::Signal;

/// Why items were lost: the values of the attribute `error.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The backend refuses them, or they cannot be encoded.
    Refused,
    /// `max_elapsed_time` has passed.
    RetriesExhausted,
    /// They are older than `max_metric_point_age`.
    TooOld,
}

impl Loss {
    const ALL: [Loss; 3] = [Loss::Refused, Loss::RetriesExhausted, Loss::TooOld];

    fn as_str(self) -> &'static str {
        match self {
            Loss::Refused => "refused",
            Loss::RetriesExhausted => "retries_exhausted",
            Loss::TooOld => "too_old",
        }
    }
}

/// Reads the value of a gauge; `None` once its exporter has ended.
type Value = Box<dyn Fn() -> Option<u64> + Send + Sync>;

/// The instruments of one exporter and signal. Counters count items (log records, metric points or spans) unless noted.
#[derive(Clone, Debug)]
pub(super) struct Instruments {
    sent: Counter<u64>,
    rejected: Counter<u64>,
    send_failed: Counter<u64>,
    enqueue_failed: Counter<u64>,
    /// Requests.
    unreadable: Counter<u64>,
    in_flight: Arc<AtomicU64>,
    exporter: [KeyValue; 1],
    signal: [KeyValue; 2],
}

impl Instruments {
    /// Makes the counters, at zero so that they exist before the first failure, and the gauges of the queue.
    pub(super) fn new(
        meter: &Meter,
        exporter: &ComponentId,
        signal: Signal,
        capacity: &Arc<QueueCapacity>,
        clock: &Clock,
    ) -> Self {
        let items = match signal {
            Signal::Logs => "log_records",
            Signal::Metrics => "metric_points",
            Signal::Traces => "spans",
        };
        let exporter = [KeyValue::new("exporter", exporter.to_string())];
        let signal_attributes = [exporter[0].clone(), KeyValue::new("data_type", signal.as_str())];
        let counter = |name: &str, description: &'static str| {
            meter
                .u64_counter(format!("otelcol_exporter_{name}_{items}"))
                .with_description(description)
                .build()
        };
        let sent = counter("sent", "Items that the backend accepted");
        let rejected = counter("rejected", "Items that the backend refused within an accepted request");
        let send_failed = counter(
            "send_failed",
            "Items that were dropped: refused, not sent in time, or too old",
        );
        let enqueue_failed = counter(
            "enqueue_failed",
            "Items that were dropped because the sending queue was full",
        );
        let unreadable = meter
            .u64_counter("otelcol_exporter_queue_unreadable_requests")
            .with_description("Stored requests that could not be read and were set aside")
            .build();
        for counter in [&sent, &rejected, &enqueue_failed] {
            counter.add(0, &exporter);
        }
        unreadable.add(0, &signal_attributes);
        let instruments = Instruments {
            sent,
            rejected,
            send_failed,
            enqueue_failed,
            unreadable,
            in_flight: Arc::default(),
            exporter,
            signal: signal_attributes,
        };
        Loss::ALL.into_iter().for_each(|loss| instruments.send_failed(0, loss));
        instruments.gauges(meter, capacity, clock);
        instruments
    }

    fn gauges(&self, meter: &Meter, capacity: &Arc<QueueCapacity>, clock: &Clock) {
        // A callback cannot be removed. It observes nothing once its exporter has ended, which has a successor perhaps.
        let gauge = |name: &'static str, description: &'static str, value: Value| {
            let attributes = self.signal.clone();
            meter
                .u64_observable_gauge(name)
                .with_description(description)
                .with_callback(move |gauge| {
                    if let Some(value) = value() {
                        gauge.observe(value, &attributes);
                    }
                })
                .build();
        };
        let of = Arc::downgrade(capacity);
        gauge(
            "otelcol_exporter_queue_size",
            "Current size of the sending queue, including requests in flight, in the unit of sending_queue::sizer",
            Box::new(move || Some(of.upgrade()?.used_units())),
        );
        let of = Arc::downgrade(capacity);
        gauge(
            "otelcol_exporter_queue_capacity",
            "Capacity of the sending queue, in the unit of sending_queue::sizer",
            Box::new(move || Some(of.upgrade()?.limit())),
        );
        let of = Arc::downgrade(capacity);
        gauge(
            "otelcol_exporter_queue_size_bytes",
            "Bytes of the requests that are queued or in flight",
            Box::new(move || Some(of.upgrade()?.used().bytes)),
        );
        let of = Arc::downgrade(&self.in_flight);
        gauge(
            "otelcol_exporter_in_flight_requests",
            "Requests in flight",
            Box::new(move || Some(of.upgrade()?.load(Ordering::Relaxed))),
        );
        let (of, clock) = (Arc::downgrade(capacity), clock.clone());
        gauge(
            "otelcol_exporter_queue_oldest_age_seconds",
            "Age of the oldest queued request; 0 if the queue is empty",
            Box::new(move || {
                let oldest = of.upgrade()?.oldest();
                let age = oldest.map(|queued| clock.now().saturating_sub(queued));
                Some(age.unwrap_or(0) / 1_000_000_000)
            }),
        );
    }

    pub(super) fn sent(&self, items: u64) {
        self.sent.add(items, &self.exporter);
    }

    pub(super) fn rejected(&self, items: u64) {
        self.rejected.add(items, &self.exporter);
    }

    pub(super) fn send_failed(&self, items: u64, loss: Loss) {
        let attributes = [self.exporter[0].clone(), KeyValue::new("error.type", loss.as_str())];
        self.send_failed.add(items, &attributes);
    }

    pub(super) fn enqueue_failed(&self, items: u64) {
        self.enqueue_failed.add(items, &self.exporter);
    }

    pub(super) fn unreadable(&self) {
        self.unreadable.add(1, &self.signal);
    }

    /// Counts one attempt as in flight until the guard is dropped.
    pub(super) fn in_flight(&self) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(&self.in_flight))
    }
}

/// An attempt in flight.
pub(super) struct InFlight(Arc<AtomicU64>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
