//! Restarts, replicas and failing stores: each Job is counted in one point, and a resent point is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use collector_config::ComponentId;
use collector_data::{Batch, Delivery, Outcome, Payload};
use collector_runtime::component::Kind;
use collector_runtime::health::Status;
use collector_runtime::storage::memory::MemoryStorage;
use collector_runtime::storage::{COPIED, Change, Leadership, Storage, StoreError};
use futures_util::{FutureExt, poll};
use jiff::SignedDuration;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, ResourceMetrics};
use proptest::prelude::*;
use std::sync::Arc;
use tokio::sync::watch;

use crate::support::*;

fn start(storage: &MemoryStorage) -> Bench {
    start_ahead(storage, SignedDuration::ZERO)
}

fn start_ahead(storage: &MemoryStorage, ahead: SignedDuration) -> Bench {
    let storage = Arc::new(storage.clone());
    Bench::start_with(|connector| connector.with_storage(storage), ahead)
}

/// The process is killed: nothing is decided or flushed.
fn kill(bench: Bench) {
    bench.task.abort();
}

fn stored(storage: &MemoryStorage) -> usize {
    storage.content(Kind::Connector, &id("job_metrics")).len()
}

#[tokio::test(start_paused = true)]
async fn a_kill_resends_the_same_points_and_counts_no_job_again() {
    let storage = MemoryStorage::new();
    let mut bench = start(&storage);
    let _lost = bench.send(vec![failed("u1", "j")]).await;
    let (before, ack) = bench.next().await;
    kill(bench);
    drop(ack);

    let mut bench = start(&storage);
    let (again, ack) = bench.next().await;
    assert_eq!(again, before);
    // The receiver does not know that it was counted.
    let mut resent = bench.send(vec![failed("u1", "j"), completed("u2", "k", 3)]).await;
    ack.delivered();
    yield_now().await;
    assert!(poll!(&mut resent).is_pending(), "the other Job is not sent yet");
    let (other, ack) = bench.next().await;
    assert_eq!(other.len(), 1, "{other:?}");
    ack.delivered();
    assert_eq!(resent.await, Outcome::Delivered);

    // Once delivered, it does not come again.
    bench.shutdown.cancel();
    drop(bench.events);
    bench.task.await.unwrap().unwrap();
    let mut bench = start(&storage);
    let known = bench.send(vec![failed("u1", "j")]).await;
    assert_eq!(known.await, Outcome::Delivered);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(bench.metrics.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_a_store_counts_its_jobs_and_sends_nothing() {
    let storage = MemoryStorage::new();
    let mut bench = start(&storage);
    let _lost = bench.send(vec![failed("u1", "j")]).await;
    let (_, ack) = bench.next().await;
    kill(bench);
    drop(ack);
    // Another shard has the same windows without this key, and sends the points.
    let store = Storage::open(&storage, Kind::Connector, &id("job_metrics"))
        .await
        .unwrap();
    store.claim().await.unwrap();
    let copied = Change::Set(COPIED.into(), Default::default());
    store.apply(vec![copied]).await.unwrap();

    for _ in 0..2 {
        let mut bench = start(&storage);
        let delivery = bench.send(vec![failed("u1", "j")]).await;
        assert_eq!(delivery.await, Outcome::Delivered, "it is counted");
        let silence = tokio::time::timeout(Duration::from_secs(60), bench.next()).await;
        assert!(silence.is_err(), "no points");
        kill(bench);
        let content = storage.content(Kind::Connector, &id("job_metrics"));
        assert_eq!(content.keys().collect::<Vec<_>>(), ["window/00000000000000000000"]);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_is_not_written_down() {
    let storage = MemoryStorage::new();
    let mut bench = start(&storage);
    let mut delivery = bench.send(vec![failed("u1", "j")]).await;
    storage.fail(Some(StoreError::Unavailable("the disk is full".into())));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(bench.metrics.try_recv().is_err());
    assert!(poll!(&mut delivery).is_pending());
    assert_eq!(
        bench.health.watch().borrow()["job_metrics"],
        Status::RecoverableError("cannot use the store: the disk is full".into())
    );
    storage.fail(None);
    let (_, ack) = bench.next().await;
    assert_eq!(bench.health.watch().borrow()["job_metrics"], Status::Ok);
    assert_eq!(stored(&storage), 1);
    ack.delivered();
    assert_eq!(delivery.await, Outcome::Delivered);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_nothing_is_decided_before_the_producers_end() {
    let storage = MemoryStorage::new();
    storage.fail(Some(StoreError::Unavailable("the disk is full".into())));
    let bench = start(&storage);
    let mut waits = bench.send(vec![failed("u1", "j")]).await;
    bench.shutdown.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(
        poll!(&mut waits).is_pending(),
        "a receiver may not know of the shutdown"
    );
    drop(bench.events);
    assert!(matches!(waits.await, Outcome::Deferred(_)));
    bench.task.await.unwrap().unwrap();
}

fn elector() -> ComponentId {
    id("k8s_leader_elector")
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_no_longer_leads_defers_and_the_next_one_goes_on_in_other_seconds() {
    let storage = MemoryStorage::new();
    let (lead_a, a) = watch::channel(true);
    let (lead_b, b) = watch::channel(false);
    let a = storage.replica(elector(), Leadership(a));
    let b = storage.replica(elector(), Leadership(b));
    // The first one's clock is ahead: its seconds must stay its own.
    let mut first = start_ahead(&a, SignedDuration::from_secs(5));
    let mut second = start(&b);

    let mut sent = first.send(vec![failed("u1", "j")]).await;
    let mut follows = second.send(vec![failed("u1", "j"), failed("u2", "j")]).await;
    let (before, ack) = first.next().await;
    assert!(second.metrics.try_recv().is_err(), "it does not lead");

    let mut late = first.send(vec![failed("u3", "j")]).await;
    lead_a.send_replace(false);
    lead_b.send_replace(true);
    let (again, again_ack) = second.next().await;
    assert_eq!(again, before);
    // The old leader's answer arrives late; it leaves the windows that it had not stored to the new leader.
    assert!(poll!(&mut sent).is_pending());
    ack.delivered();
    assert_eq!(sent.await, Outcome::Delivered);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(matches!(poll!(&mut late), std::task::Poll::Ready(Outcome::Deferred(_))));
    assert!(first.metrics.try_recv().is_err());

    let (new, new_ack) = second.next().await;
    assert_eq!(ends(&new).len(), 1);
    assert!(ends(&new).is_disjoint(&ends(&before)), "{new:?}");
    assert!(poll!(&mut follows).is_pending());
    again_ack.delivered();
    new_ack.delivered();
    assert_eq!(follows.await, Outcome::Delivered);

    // A replica that never leads returns the events it received.
    let idle = first.send(vec![failed("u4", "j")]).await;
    first.shutdown.cancel();
    drop(first.events);
    assert!(matches!(idle.await, Outcome::Deferred(_)));
    first.task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_full_window_ends_early_but_never_twice_in_a_second() {
    let mut bench = Bench::start();
    let jobs = |range: std::ops::Range<u32>| range.map(|n| failed(&format!("u{n}"), "j")).collect::<Vec<_>>();
    let mut ends_seen = BTreeSet::new();
    let mut total = 0;
    let mut deliveries = Vec::new();
    for n in 0..10 {
        deliveries.push(bench.send(jobs(n * 500..(n + 1) * 500)).await);
    }
    while total < 5000 {
        let (metrics, ack) = bench.next().await;
        ack.delivered();
        assert!(ends_seen.insert(ends(&metrics)), "a second for each window");
        total += counts(&metrics).values().sum::<i64>();
    }
    assert_eq!(total, 5000);
    for delivery in deliveries {
        assert_eq!(delivery.await, Outcome::Delivered);
    }
    assert_eq!(ends_seen.len(), 3, "2000, 2000 and the rest");
}

#[tokio::test(start_paused = true)]
async fn a_small_store_is_never_overfilled() {
    const CAPACITY: usize = 160 * 1024;
    let storage = MemoryStorage::new().with_capacity(CAPACITY);
    let mut bench = start(&storage);
    let mut total = 0;
    for round in 0..100 {
        let jobs = (0..125).map(|n| {
            let name = format!("job-{round}-{n}-{}", round * 7919 + n * 104_729);
            failed(&format!("00000000-0000-0000-{round:04x}-{n:012x}"), &name)
        });
        let _delivery = bench.send(jobs.collect()).await;
        // Acknowledged late: windows pile up in the store.
        let mut held: Vec<Batch> = Vec::new();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            while let Some(Some(batch)) = bench.metrics.recv().now_or_never() {
                held.push(batch);
            }
            let content = storage.content(Kind::Connector, &id("job_metrics"));
            let size: usize = content.values().map(|value| value.len()).sum();
            assert!(size <= CAPACITY, "{size}");
        }
        for batch in held {
            let Payload::Metrics(metrics) = &*batch.payload else {
                panic!()
            };
            total += counts(metrics).values().sum::<i64>();
            batch.ack.delivered();
        }
    }
    assert_eq!(total, 12_500);
}

/// The seconds in which the points of failures end.
fn ends(metrics: &[ResourceMetrics]) -> BTreeSet<u64> {
    counts(metrics).into_keys().map(|(_, end)| end).collect()
}

/// Failures by series and second.
fn counts(metrics: &[ResourceMetrics]) -> BTreeMap<(String, u64), i64> {
    let mut counts = BTreeMap::new();
    for resource in metrics {
        let owner = format!("{:?}", resource.resource);
        for metric in resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            let Some(Data::Sum(sum)) = &metric.data else { continue };
            if metric.name != "k8s.job.failures" {
                continue;
            }
            assert_eq!(sum.aggregation_temporality, AggregationTemporality::Delta as i32);
            for point in &sum.data_points {
                let Some(Value::AsInt(value)) = point.value else {
                    panic!()
                };
                let series = format!("{owner} {:?}", point.attributes);
                counts.insert((series, point.time_unix_nano), value);
            }
        }
    }
    counts
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many Jobs end.
    End(u8),
    Wait(u8),
    /// Points in flight arrive and are acknowledged.
    Arrive,
    /// Points in flight arrive; the acknowledgement is lost.
    ArriveUnheard,
    /// The process is killed and started again.
    Kill,
    /// The other replica takes over.
    TakeOver,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1u8..20).prop_map(Step::End),
        4 => (0u8..15).prop_map(Step::Wait),
        4 => Just(Step::Arrive),
        2 => Just(Step::ArriveUnheard),
        2 => Just(Step::Kill),
        2 => Just(Step::TakeOver),
    ];
    prop::collection::vec(step, 1..60)
}

/// Two replicas, a store, a backend that keeps the last point of each series and second, and a receiver that sends each
/// event until it is delivered.
struct Replicas {
    storage: MemoryStorage,
    leads: [watch::Sender<bool>; 2],
    replicas: [Bench; 2],
    leader: usize,
    ended: u32,
    undelivered: BTreeMap<u32, Option<Delivery>>,
    backend: BTreeMap<(String, u64), i64>,
}

impl Replicas {
    fn start() -> Replicas {
        let storage = MemoryStorage::new();
        let leads = [watch::Sender::new(true), watch::Sender::new(false)];
        let replicas = [0, 1].map(|n| Replicas::replica(&storage, &leads, n));
        Replicas {
            storage,
            leads,
            replicas,
            leader: 0,
            ended: 0,
            undelivered: BTreeMap::new(),
            backend: BTreeMap::new(),
        }
    }

    fn replica(storage: &MemoryStorage, leads: &[watch::Sender<bool>; 2], n: usize) -> Bench {
        let storage = storage.replica(elector(), Leadership(leads[n].subscribe()));
        start_ahead(&storage, SignedDuration::from_secs(3 * n as i64))
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::End(count) => {
                for _ in 0..count {
                    self.ended += 1;
                    self.undelivered.insert(self.ended, None);
                }
            }
            Step::Wait(seconds) => tokio::time::sleep(Duration::from_secs(seconds.into())).await,
            Step::Arrive | Step::ArriveUnheard => {
                for n in [0, 1] {
                    while let Some(Some(batch)) = self.replicas[n].metrics.recv().now_or_never() {
                        let Payload::Metrics(metrics) = &*batch.payload else {
                            panic!()
                        };
                        for (key, value) in counts(metrics) {
                            let before = self.backend.insert(key.clone(), value);
                            assert!(
                                before.is_none_or(|before| before == value),
                                "{key:?} was {before:?}, is {value}"
                            );
                        }
                        if matches!(step, Step::Arrive) {
                            batch.ack.delivered();
                        } else {
                            // Lost with the process that waits for it.
                            std::mem::forget(batch.ack);
                        }
                    }
                }
                if matches!(step, Step::ArriveUnheard) {
                    self.kill(0);
                    self.kill(1);
                }
            }
            Step::Kill => self.kill(self.leader),
            Step::TakeOver => {
                self.leads[self.leader].send_replace(false);
                self.leader = 1 - self.leader;
                self.leads[self.leader].send_replace(true);
            }
        }
        yield_now().await;
        self.receive().await;
    }

    fn kill(&mut self, n: usize) {
        let new = Replicas::replica(&self.storage, &self.leads, n);
        kill(std::mem::replace(&mut self.replicas[n], new));
        self.undelivered.values_mut().for_each(|delivery| *delivery = None);
    }

    /// The part of the receiver: sends undelivered events, and keeps deferred ones.
    async fn receive(&mut self) {
        for uid in self.undelivered.keys().copied().collect::<Vec<_>>() {
            let Some(delivery) = self.undelivered.get_mut(&uid) else {
                continue;
            };
            match delivery.as_mut().map(FutureExt::now_or_never) {
                Some(None) => continue,
                Some(Some(Outcome::Delivered)) => {
                    self.undelivered.remove(&uid);
                    continue;
                }
                Some(Some(_)) | None => {}
            }
            if self.replicas[self.leader].events.capacity() > 0 {
                let sent = self.replicas[self.leader]
                    .send(vec![failed(&format!("u{uid}"), "j")])
                    .await;
                self.undelivered.insert(uid, Some(sent));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_job_is_counted_once_whatever_happens(script in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let total = runtime.block_on(async {
            let mut world = Replicas::start();
            for step in script {
                world.step(step).await;
            }
            for _ in 0..20 {
                world.step(Step::Wait(11)).await;
                world.step(Step::Arrive).await;
            }
            prop_assert_eq!(world.undelivered.len(), 0);
            Ok((world.ended, world.backend.values().sum::<i64>()))
        });
        let (ended, counted) = total?;
        prop_assert_eq!(i64::from(ended), counted);
    }
}
