//! The sender's own metrics, under the collector's names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};

use super::clock::Clock;
use super::places::Places;
use collector_config::ComponentId;
use collector_data::Signal;

/// Why items were given up: the values of the attribute `error.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The destination does not want them, or they cannot be made into a request.
    Refused,
    /// The retries are over.
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

/// Counters of one exporter and signal; where nothing else is said they count items (log records, metric points or spans).
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
    lane: [KeyValue; 2],
}

impl Instruments {
    /// Makes the counters (from zero, so that they are there before anything goes wrong) and the queue's gauges.
    pub(super) fn new(
        meter: &Meter,
        exporter: &ComponentId,
        signal: Signal,
        places: &Arc<Places>,
        clock: &Clock,
    ) -> Self {
        let items = match signal {
            Signal::Logs => "log_records",
            Signal::Metrics => "metric_points",
            Signal::Traces => "spans",
        };
        let exporter = [KeyValue::new("exporter", exporter.to_string())];
        let lane = [exporter[0].clone(), KeyValue::new("data_type", signal.as_str())];
        let counter = |what: &str, description: &'static str| {
            meter
                .u64_counter(format!("otelcol_exporter_{what}_{items}"))
                .with_description(description)
                .build()
        };
        let sent = counter("sent", "Items that the destination accepted");
        let rejected = counter(
            "rejected",
            "Items that the destination refused within an accepted request",
        );
        let send_failed = counter(
            "send_failed",
            "Items that were given up: refused, not sent in time, or too old",
        );
        let enqueue_failed = counter("enqueue_failed", "Items that found no room in the sending queue");
        let unreadable = meter
            .u64_counter("otelcol_exporter_queue_unreadable_requests")
            .with_description("Stored requests that could not be read and were set aside")
            .build();
        for counter in [&sent, &rejected, &enqueue_failed] {
            counter.add(0, &exporter);
        }
        unreadable.add(0, &lane);
        let instruments = Instruments {
            sent,
            rejected,
            send_failed,
            enqueue_failed,
            unreadable,
            in_flight: Arc::default(),
            exporter,
            lane,
        };
        Loss::ALL.into_iter().for_each(|loss| instruments.send_failed(0, loss));
        instruments.gauges(meter, places, clock);
        instruments
    }

    fn gauges(&self, meter: &Meter, places: &Arc<Places>, clock: &Clock) {
        let gauge = |name: &'static str, description: &'static str, value: Box<dyn Fn() -> u64 + Send + Sync>| {
            let lane = self.lane.clone();
            meter
                .u64_observable_gauge(name)
                .with_description(description)
                .with_callback(move |gauge| gauge.observe(value(), &lane))
                .build();
        };
        let of = Arc::clone(places);
        gauge(
            "otelcol_exporter_queue_size",
            "What waits or is being sent, in the unit of sending_queue::sizer",
            Box::new(move || of.taken()),
        );
        let of = Arc::clone(places);
        gauge(
            "otelcol_exporter_queue_capacity",
            "What the sending queue holds at most, in the unit of sending_queue::sizer",
            Box::new(move || of.capacity()),
        );
        let of = Arc::clone(places);
        gauge(
            "otelcol_exporter_queue_size_bytes",
            "Bytes of the requests that wait or are being sent",
            Box::new(move || of.used().bytes),
        );
        let of = Arc::clone(&self.in_flight);
        gauge(
            "otelcol_exporter_in_flight_requests",
            "Requests that are being sent at this moment",
            Box::new(move || of.load(Ordering::Relaxed)),
        );
        let (of, clock) = (Arc::clone(places), clock.clone());
        gauge(
            "otelcol_exporter_queue_oldest_age_seconds",
            "For how long the oldest request waits; 0 if none does",
            Box::new(move || {
                let age = of.oldest().map(|queued| clock.now().saturating_sub(queued));
                age.unwrap_or(0) / 1_000_000_000
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
        self.unreadable.add(1, &self.lane);
    }

    /// One more attempt is under way until the guard is dropped.
    pub(super) fn in_flight(&self) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(&self.in_flight))
    }
}

/// An attempt that is under way.
pub(super) struct InFlight(Arc<AtomicU64>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
