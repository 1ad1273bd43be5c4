//! The component `job_metrics`: its settings and its loop.

use std::sync::Arc;
use std::time::Duration;

use collector_config::{
    ComponentId, Diagnostics, Dimension, Duration as Seconds, dimension_problems, excluded_dimension_problems,
    schema_of,
};
use collector_data::Signal;
use collector_data::cardinality::DEFAULT_LIMIT;
use collector_runtime::component::{ComponentError, Connector, Create, Factory, Kind, Running};
use collector_runtime::limited::LimitedMetrics;
use collector_runtime::storage::{Claimed, Storage};
use collector_runtime::{Inbox, Outputs};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::aggregate::Aggregate;
use crate::counting::{Counting, NOT_LEADER};
use crate::dimensions::{BUILT_IN, PointAttributes, UNBOUNDED};
use crate::histogram::DEFAULT_MAX_SIZE;
use crate::limit::limited;

/// The shortest window: points are one second apart at least.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// The most buckets a histogram may be configured to have.
const MAX_BUCKETS: usize = 1024;

/// Settings of the connector.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct JobMetricsSettings {
    /// How often counts are sent, at least 1s.
    interval: Seconds,
    /// The maximum number of buckets of a histogram, 2 to 1024. More buckets have a finer resolution.
    #[schemars(range(min = 2, max = MAX_BUCKETS))]
    histogram_max_size: usize,
    /// Attributes of an event, or else of its resource, that the points of every metric have as well.
    dimensions: Vec<Dimension>,
    /// Built-in attributes that points do not have: some of `reason`, `cause`, `category`, `outcome`.
    #[schemars(extend("items" = {"type": "string", "enum": BUILT_IN}))]
    exclude_dimensions: Vec<String>,
    /// The maximum number of series of each metric; 0: no limit.
    cardinality_limit: usize,
    /// The id of the extension that stores counted Jobs across restarts. Without it they are in memory only.
    #[schemars(schema_with = "collector_config::schema::optional_component_id")]
    storage: String,
}

impl Default for JobMetricsSettings {
    fn default() -> Self {
        JobMetricsSettings {
            interval: Seconds::from_secs(10),
            histogram_max_size: DEFAULT_MAX_SIZE,
            dimensions: Vec::new(),
            exclude_dimensions: Vec::new(),
            cardinality_limit: DEFAULT_LIMIT,
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
        schema: schema_of::<JobMetricsSettings>,
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
    let dimensions = dimension_problems("dimensions", &settings.dimensions, &BUILT_IN);
    let excluded = excluded_dimension_problems("exclude_dimensions", &settings.exclude_dimensions, &BUILT_IN);
    for problem in dimensions.into_iter().chain(excluded) {
        errors.push(create.settings.error(&problem.path, problem.message));
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
    warn_of_unbounded(create, &settings.dimensions);
    let connector = JobMetrics::new(
        settings.interval.get(),
        settings.histogram_max_size,
        Box::new(Timestamp::now),
    );
    Ok(Box::new(JobMetrics {
        id: create.id.clone(),
        storage,
        attributes: PointAttributes {
            dimensions: settings.dimensions,
            excluded: settings.exclude_dimensions,
        },
        limit: (settings.cardinality_limit > 0).then(|| limited(settings.cardinality_limit, create)),
        ..connector
    }))
}

fn warn_of_unbounded(create: &Create<'_>, dimensions: &[Dimension]) {
    let dimensions = dimensions.iter().enumerate();
    for (index, Dimension { name, .. }) in dimensions.filter(|(_, dimension)| UNBOUNDED.contains(&&*dimension.name)) {
        let message = format!("`{name}` has another value for each Job, so every Job is a series of its own");
        let warning = create.settings.error(&format!("dimensions::{index}::name"), message);
        let help = "events have this attribute; choose one with few values for metrics, such as a label";
        create.settings.warn(warning.with_help(help));
    }
}

/// A wall clock.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Turns the events of finished Jobs and of missed runs into delta metrics.
pub struct JobMetrics {
    id: ComponentId,
    interval: Duration,
    clock: Clock,
    max_buckets: usize,
    attributes: PointAttributes,
    limit: Option<LimitedMetrics>,
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
            attributes: PointAttributes::default(),
            limit: None,
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
            let store = self.store.map(|store| store.with_health(&running.health));
            let aggregate = Aggregate::new(self.max_buckets).with_attributes(self.attributes);
            let mut counting = Counting::new(aggregate, self.limit, self.clock, store, outputs);
            if let Some(left) = running.succession.inherit::<Counting>() {
                counting = counting.after(left, &running).await?;
            }
            loop {
                if !counting.is_claimed() {
                    tokio::select! {
                        () = running.shutdown.cancelled() => {
                            leave_uncounted(&mut input, &running).await;
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
            if !counting.may_be_left(&running) {
                counting = counting.finish().await?;
            }
            counting.leave(&running);
            Ok(())
        })
    }
}

/// Leaves the events that nobody has counted: to the successor of a reload, or else to the next start.
async fn leave_uncounted(input: &mut Inbox, running: &Running) {
    let mut uncounted = Vec::new();
    while let Some(batch) = input.recv().await {
        uncounted.push(batch);
    }
    // Only now: a receiver that does not know of the shutdown yet would count them as lost.
    for batch in uncounted {
        match running.succession.is_replaced() {
            true => running.succession.give_back(batch),
            false => batch.ack.deferred(NOT_LEADER),
        }
    }
}
