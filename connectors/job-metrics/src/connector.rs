//! The component `job_metrics`: counts events, sends the counts at the end of each window, and tells the events'
//! senders what became of the counts.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use job_event::finished::Finished;
use pipeline::component::{ComponentError, Connector, Create, Factory, Running};
use pipeline::config::{Diagnostics, Duration as Seconds};
use pipeline::health::Status;
use pipeline::{Ack, Batch, Inbox, Outcome, Outputs, Payload, Signal};
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::warn;

use crate::aggregate::Aggregate;
use crate::histogram::DEFAULT_MAX_SIZE;
use crate::recent::{self, Recent};
use crate::window::Windows;

/// The shortest window: points are one second apart at least.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// The most buckets a histogram may be configured to have.
const MAX_BUCKETS: usize = 1024;

/// Settings of the connector.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// How long a window is.
    interval: Seconds,
    /// The most buckets of a histogram.
    histogram_max_size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            interval: Seconds::from_secs(10),
            histogram_max_size: DEFAULT_MAX_SIZE,
        }
    }
}

/// The connector's factory.
pub fn factory() -> Factory<dyn Connector> {
    Factory {
        type_name: "job_metrics",
        aliases: &[],
        signals: &[Signal::Logs],
        makes: &[Signal::Metrics],
        description: "Counts finished Kubernetes Jobs, their failures by reason and cause, and how long they took",
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Connector>, Diagnostics> {
    let settings: Settings = create.settings.read()?;
    let mut mistakes = Vec::new();
    if settings.interval.get() < MIN_INTERVAL {
        mistakes.push(create.settings.mistake(
            "interval",
            format!(
                "found {:?}, expected 1s or more: a backend keeps one point per second",
                settings.interval.get()
            ),
        ));
    }
    if !(2..=MAX_BUCKETS).contains(&settings.histogram_max_size) {
        mistakes.push(create.settings.mistake(
            "histogram_max_size",
            format!(
                "found {}, expected 2 to {MAX_BUCKETS} buckets",
                settings.histogram_max_size
            ),
        ));
    }
    if !mistakes.is_empty() {
        return Err(Diagnostics(mistakes));
    }
    Ok(Box::new(JobMetrics::new(
        settings.interval.get(),
        settings.histogram_max_size,
        Box::new(Timestamp::now),
    )))
}

/// Tells the time of day.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Turns the events of finished Jobs into delta metrics.
pub struct JobMetrics {
    interval: Duration,
    clock: Clock,
    max_buckets: usize,
}

impl JobMetrics {
    /// A connector whose windows are `interval` long and whose histograms have at most `max_buckets` buckets.
    pub fn new(interval: Duration, max_buckets: usize, clock: Clock) -> Self {
        JobMetrics {
            interval: interval.max(MIN_INTERVAL),
            clock,
            max_buckets,
        }
    }
}

impl Connector for JobMetrics {
    fn run(
        self: Box<Self>,
        mut input: Inbox,
        outputs: Outputs,
        running: Running,
    ) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let mut counting = Counting::new(&self);
            let mut ticks = interval_at(Instant::now() + self.interval, self.interval);
            // After a delay the next window has its full length again.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            running.health.report(Status::Ok);
            loop {
                tokio::select! {
                    batch = input.recv() => match batch {
                        Some(batch) => counting.take(batch),
                        None => break,
                    },
                    _ = ticks.tick() => counting.flush(&outputs, (self.clock)()).await,
                    Some(sent) = counting.in_flight.next() => counting.settle(sent),
                }
            }
            counting.flush(&outputs, (self.clock)()).await;
            // The exporters end when nobody can send to them any more, and only then may decide the last batches.
            drop(outputs);
            counting.finish().await;
            running.health.report(Status::Stopped);
            Ok(())
        })
    }
}

/// A window's counts on their way, and whom to tell what becomes of them.
struct Sent {
    outcome: Outcome,
    events: Held,
}

/// The events of one window.
#[derive(Default)]
struct Held {
    acks: Vec<Ack>,
    uids: Vec<Arc<str>>,
}

struct Counting {
    aggregate: Aggregate,
    windows: Windows,
    recent: Recent,
    held: Held,
    in_flight: FuturesUnordered<BoxFuture<'static, Sent>>,
}

impl Counting {
    fn new(connector: &JobMetrics) -> Self {
        Counting {
            aggregate: Aggregate::new(connector.max_buckets),
            windows: Windows::new((connector.clock)()),
            recent: Recent::new(recent::CAPACITY),
            held: Held::default(),
            in_flight: FuturesUnordered::new(),
        }
    }

    /// Counts the events of a batch. Its acknowledgement is held until the counts have arrived.
    fn take(&mut self, batch: Batch) {
        let mut holds_events = false;
        if let Payload::Logs(resources) = &*batch.payload {
            for resource in resources {
                for record in resource.scope_logs.iter().flat_map(|scope| &scope.log_records) {
                    match Finished::read(record) {
                        Ok(None) => {}
                        Ok(Some(event)) => {
                            holds_events = true;
                            if let Some(uid) = self.recent.insert(&event.uid) {
                                self.held.uids.push(uid);
                                self.aggregate
                                    .add(resource.resource.as_ref(), &resource.schema_url, &event);
                            }
                        }
                        Err(error) => warn!(%error, "cannot count an event of a finished Job"),
                    }
                }
            }
        }
        if holds_events {
            self.held.acks.push(batch.ack);
        } else {
            batch.ack.delivered();
        }
    }

    /// Ends the window: sends what was counted.
    async fn flush(&mut self, outputs: &Outputs, now: Timestamp) {
        if self.aggregate.is_empty() {
            self.windows.skip(now);
            // Events that add nothing are done, except that one that came again shares the fate of the first.
            if self.in_flight.is_empty() {
                decide(std::mem::take(&mut self.held).acks, &Outcome::Delivered);
            }
            return;
        }
        let metrics = self.aggregate.take(self.windows.close(now));
        let events = std::mem::take(&mut self.held);
        let (ack, delivery) = Ack::new();
        outputs.send(Batch::new(Payload::Metrics(metrics), ack)).await;
        self.in_flight.push(Box::pin(async move {
            Sent {
                outcome: delivery.await,
                events,
            }
        }));
    }

    /// Tells the senders of the events what became of their counts.
    fn settle(&mut self, sent: Sent) {
        if matches!(sent.outcome, Outcome::Dropped(_)) {
            // Should the events come again, they are to be counted again.
            self.recent.forget(&sent.events.uids);
        }
        decide(sent.events.acks, &sent.outcome);
    }

    /// Waits until everything that was sent is decided.
    async fn finish(&mut self) {
        let mut worst = Outcome::Delivered;
        while let Some(sent) = self.in_flight.next().await {
            if worst == Outcome::Delivered {
                worst = sent.outcome.clone();
            }
            self.settle(sent);
        }
        // What is still held came again while its first counts were on their way.
        decide(std::mem::take(&mut self.held).acks, &worst);
    }
}

fn decide(acks: Vec<Ack>, outcome: &Outcome) {
    for ack in acks {
        ack.decide(outcome.clone());
    }
}
