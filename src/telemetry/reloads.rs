//! How often the configuration was reloaded, under names in the manner of Prometheus' own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

/// The reloads of the process so far.
pub(crate) struct Reloads(Arc<ReloadCounts>);

struct ReloadCounts {
    successes: AtomicU64,
    failures: AtomicU64,
    /// 1 if the last reload succeeded, else 0. The start counts as a success.
    succeeded: AtomicU64,
    /// The second of the last success.
    success: AtomicU64,
}

impl Reloads {
    /// Makes the instruments. The first configuration was applied `now`.
    pub(crate) fn observe(meter: &Meter, now: Timestamp) -> Reloads {
        let counts = Arc::new(ReloadCounts {
            successes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            succeeded: AtomicU64::new(1),
            success: AtomicU64::new(seconds(now)),
        });
        let counted = Arc::clone(&counts);
        meter
            .u64_observable_counter("otelcol_config_reloads")
            .with_description("Attempts to apply a changed configuration without a restart")
            .with_unit("{reloads}")
            .with_callback(move |reloads| {
                for (outcome, count) in [("success", &counted.successes), ("failure", &counted.failures)] {
                    reloads.observe(count.load(Ordering::Relaxed), &[KeyValue::new("outcome", outcome)]);
                }
            })
            .build();
        let counted = Arc::clone(&counts);
        meter
            .u64_observable_gauge("otelcol_config_last_reload_successful")
            .with_description("1 if the last reload of the configuration succeeded, else 0")
            .with_callback(move |successful| successful.observe(counted.succeeded.load(Ordering::Relaxed), &[]))
            .build();
        let counted = Arc::clone(&counts);
        meter
            .u64_observable_gauge("otelcol_config_last_reload_success_timestamp")
            .with_description("When a configuration was last applied, in seconds since 1970")
            .with_unit("s")
            .with_callback(move |time| time.observe(counted.success.load(Ordering::Relaxed), &[]))
            .build();
        Reloads(counts)
    }

    /// A configuration was applied `now`.
    pub(crate) fn succeeded(&self, now: Timestamp) {
        self.0.successes.fetch_add(1, Ordering::Relaxed);
        self.0.succeeded.store(1, Ordering::Relaxed);
        self.0.success.store(seconds(now), Ordering::Relaxed);
    }

    /// A configuration was refused or could not start.
    pub(crate) fn failed(&self) {
        self.0.failures.fetch_add(1, Ordering::Relaxed);
        self.0.succeeded.store(0, Ordering::Relaxed);
    }
}

/// Seconds since 1970.
fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_second()).unwrap_or_default()
}
