//! The component `job_metrics`: its settings and its loop.

use std::sync::Arc;
use std::time::Duration;

use collector_config::ComponentId;
use collector_config::{Diagnostics, Duration as Seconds};
use collector_data::Signal;
use collector_runtime::component::{ComponentError, Connector, Create, Factory, Kind, Running};
use collector_runtime::storage::{Claimed, Storage};
use collector_runtime::{Inbox, Outputs};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::counting::{Counting, NOT_LEADER};
use crate::histogram::DEFAULT_MAX_SIZE;

/// The shortest window: points are one second apart at least.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// The most buckets a histogram may be configured to have.
const MAX_BUCKETS: usize = 1024;

/// Settings of the connector.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JobMetricsSettings {
    /// The length of a window.
    interval: Seconds,
    /// The most buckets of a histogram.
    histogram_max_size: usize,
    /// The id of the storage extension that persists the counts; empty: in memory.
    storage: String,
}

impl Default for JobMetricsSettings {
    fn default() -> Self {
        JobMetricsSettings {
            interval: Seconds::from_secs(10),
            histogram_max_size: DEFAULT_MAX_SIZE,
            storage: String::new(),
        }
    }
}

/// The factory of `job_metrics`.
pub fn factory() -> Factory<dyn Connector> {
    Factory {
        type_name: "job_metrics",
        aliases: &[],
        signals: &[Signal::Logs],
        makes: &[Signal::Metrics],
        description: "Counts finished Kubernetes Jobs, their failures by reason and cause, how long they took, and missed runs of CronJobs",
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Connector>, Diagnostics> {
    let settings: JobMetricsSettings = create.settings.read()?;
    let mut errors = Vec::new();
    if settings.interval.get() < MIN_INTERVAL {
        errors.push(create.settings.error(
            "interval",
            format!(
                "found {:?}, expected 1s or more: a backend keeps one point per second",
                settings.interval.get()
            ),
        ));
    }
    if !(2..=MAX_BUCKETS).contains(&settings.histogram_max_size) {
        errors.push(create.settings.error(
            "histogram_max_size",
            format!(
                "found {}, expected 2 to {MAX_BUCKETS} buckets",
                settings.histogram_max_size
            ),
        ));
    }
    let mut storage = None;
    if !settings.storage.is_empty() {
        match create.provided.storage(&settings.storage) {
            Ok(found) => storage = Some(found),
            Err(problem) => errors.push(create.settings.error("storage", problem)),
        }
    }
    if !errors.is_empty() {
        return Err(Diagnostics(errors));
    }
    let connector = JobMetrics::new(
        settings.interval.get(),
        settings.histogram_max_size,
        Box::new(Timestamp::now),
    );
    Ok(Box::new(JobMetrics {
        id: create.id.clone(),
        storage,
        ..connector
    }))
}

/// A wall clock.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Turns the events of finished Jobs and of missed runs into delta metrics.
pub struct JobMetrics {
    id: ComponentId,
    interval: Duration,
    clock: Clock,
    max_buckets: usize,
    storage: Option<Arc<dyn Storage>>,
    store: Option<Claimed>,
}

impl JobMetrics {
    /// A connector whose windows are `interval` long and whose histograms have at most `max_buckets` buckets.
    pub fn new(interval: Duration, max_buckets: usize, clock: Clock) -> Self {
        JobMetrics {
            id: ComponentId {
                type_name: "job_metrics".into(),
                name: None,
            },
            interval: interval.max(MIN_INTERVAL),
            clock,
            max_buckets,
            storage: None,
            store: None,
        }
    }

    /// Persists the counts in `storage`.
    #[must_use]
    pub fn with_storage(self, storage: Arc<dyn Storage>) -> Self {
        JobMetrics {
            storage: Some(storage),
            ..self
        }
    }
}

impl Connector for JobMetrics {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            if let Some(storage) = &self.storage {
                self.store = Some(Claimed::open(&**storage, Kind::Connector, &self.id).await?);
            }
            Ok(())
        })
    }

    fn run(
        self: Box<Self>,
        mut input: Inbox,
        outputs: Outputs,
        running: Running,
    ) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let mut ticks = interval_at(Instant::now() + self.interval, self.interval);
            // After a delay the next window has its full length.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let Self {
                clock,
                max_buckets,
                store,
                ..
            } = *self;
            let store = store.map(|store| store.with_health(&running.health));
            let mut counting = Counting::new(max_buckets, clock, store, outputs);
            loop {
                if !counting.is_claimed() {
                    tokio::select! {
                        () = running.shutdown.cancelled() => {
                            while let Some(batch) = input.recv().await {
                                batch.ack.deferred(NOT_LEADER);
                            }
                            break;
                        }
                        claimed = counting.claim() => claimed?,
                    }
                    continue;
                }
                tokio::select! {
                    batch = input.recv(), if !counting.is_full() => match batch {
                        Some(batch) => counting.take(batch),
                        None => break,
                    },
                    () = counting.until_next_second(), if counting.is_full() => counting.flush().await?,
                    _ = ticks.tick() => counting.flush().await?,
                    () = counting.settle_next() => {}
                }
            }
            counting.finish().await?;
            Ok(())
        })
    }
}
