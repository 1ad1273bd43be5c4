use std::collections::VecDeque;

use futures_util::future::{BoxFuture, FutureExt};

use super::*;
use crate::health::Health;
use crate::storage::Leadership;
use crate::storage::memory::MemoryStorage;

#[test]
fn each_operation_and_error_has_one_next_step() {
    let reason = || "reason".to_owned();
    let (unavailable, fenced, permanent) = (StoreError::Unavailable, StoreError::Fenced, StoreError::Permanent);
    let retry = || Step::Retry(reason());
    let end = |error: fn(String) -> ClaimError| Step::End(error(reason()));
    let table = [
        (Operation::Claim, false, unavailable(reason()), retry()),
        (Operation::Claim, false, fenced(reason()), end(ClaimError::Fenced)),
        (Operation::Claim, false, permanent(reason()), end(ClaimError::Permanent)),
        (Operation::Claim, true, unavailable(reason()), retry()),
        (Operation::Claim, true, fenced(reason()), Step::WaitForTurn),
        (Operation::Claim, true, permanent(reason()), end(ClaimError::Permanent)),
        (Operation::Read, false, unavailable(reason()), retry()),
        (Operation::Read, false, fenced(reason()), end(ClaimError::Fenced)),
        (Operation::Read, false, permanent(reason()), end(ClaimError::Permanent)),
        (Operation::Read, true, unavailable(reason()), retry()),
        (Operation::Read, true, fenced(reason()), end(ClaimError::Lost)),
        (Operation::Read, true, permanent(reason()), end(ClaimError::Permanent)),
        (Operation::Write, false, unavailable(reason()), retry()),
        (Operation::Write, false, fenced(reason()), end(ClaimError::Fenced)),
        (Operation::Write, false, permanent(reason()), end(ClaimError::Permanent)),
        (Operation::Write, true, unavailable(reason()), retry()),
        (Operation::Write, true, fenced(reason()), end(ClaimError::Lost)),
        (Operation::Write, true, permanent(reason()), end(ClaimError::Permanent)),
    ];
    for (operation, is_shared, error, expected) in table {
        let row = format!("{operation:?} {is_shared} {error:?}");
        assert_eq!(next_step(operation, is_shared, error), expected, "{row}");
    }
}

/// A store in memory whose next operations fail, before or after they take effect.
struct Flaky {
    storage: MemoryStorage,
    failures: Arc<Mutex<VecDeque<Failure>>>,
    elector: Option<ComponentId>,
}

#[derive(Clone)]
enum Failure {
    Before(StoreError),
    /// The operation takes effect, and only its answer is lost.
    AnswerLost,
}

struct FlakyStore {
    store: Arc<dyn Store>,
    failures: Arc<Mutex<VecDeque<Failure>>>,
}

impl FlakyStore {
    async fn run<T>(&self, operation: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let failure = self.failures.lock().unwrap().pop_front();
        match failure {
            Some(Failure::Before(error)) => Err(error),
            Some(Failure::AnswerLost) => {
                operation.await?;
                Err(StoreError::Unavailable("connection reset".into()))
            }
            None => operation.await,
        }
    }
}

impl Store for FlakyStore {
    fn claim(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run(self.store.claim()).boxed()
    }

    fn keys(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        let keys = self.store.keys(prefix);
        self.run(keys).boxed()
    }

    fn get(&self, key: &str) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        let value = self.store.get(key);
        self.run(value).boxed()
    }

    fn apply(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.run(async { self.store.apply(changes).await }).await }.boxed()
    }
}

impl Storage for Flaky {
    fn open(&self, kind: Kind, id: &ComponentId) -> BoxFuture<'_, Result<Arc<dyn Store>, StoreError>> {
        let id = id.clone();
        Box::pin(async move {
            let store = FlakyStore {
                store: self.storage.open(kind, &id).await?,
                failures: Arc::clone(&self.failures),
            };
            Ok(Arc::new(store) as Arc<dyn Store>)
        })
    }

    fn leader_elector(&self) -> Option<&ComponentId> {
        self.elector.as_ref()
    }

    fn capacity(&self) -> Option<usize> {
        None
    }
}

fn id() -> ComponentId {
    collector_config::component_id("a").unwrap()
}

fn unavailable() -> Failure {
    Failure::Before(StoreError::Unavailable("timeout".into()))
}

fn set(value: &'static str) -> Vec<Change> {
    vec![Change::Set("k".into(), Bytes::from_static(value.as_bytes()))]
}

struct Bench {
    storage: MemoryStorage,
    failures: Arc<Mutex<VecDeque<Failure>>>,
    health: Health,
    claimed: Claimed,
}

async fn bench(is_shared: bool) -> Bench {
    let storage = MemoryStorage::new();
    let failures: Arc<Mutex<VecDeque<Failure>>> = Arc::default();
    let flaky = Flaky {
        storage: storage.clone(),
        failures: Arc::clone(&failures),
        elector: is_shared.then(id),
    };
    let health = Health::new();
    let reporter = health.reporter("connectors::a");
    reporter.report(Status::Ok);
    let claimed = Claimed::open(&flaky, Kind::Connector, &id()).await.unwrap();
    Bench {
        storage,
        failures,
        health,
        claimed: claimed.with_health(&reporter),
    }
}

impl Bench {
    fn fail(&self, failures: impl IntoIterator<Item = Failure>) {
        self.failures.lock().unwrap().extend(failures);
    }

    fn stored(&self) -> Option<Bytes> {
        self.storage.content(Kind::Connector, &id()).remove("k")
    }

    fn status(&self) -> Status {
        self.health.watch().borrow()[&"connectors::a"].clone()
    }

    async fn claim_by_another(&self) -> Arc<dyn Store> {
        let other = self.storage.open(Kind::Connector, &id()).await.unwrap();
        other.claim().await.unwrap();
        other
    }
}

#[tokio::test(start_paused = true)]
async fn retries_until_the_store_is_available_and_reports_it() {
    let bench = bench(false).await;
    bench.claimed.claim().await.unwrap();
    bench.fail([unavailable(), unavailable(), unavailable()]);
    let begin = Instant::now();
    let mut write = std::pin::pin!(bench.claimed.apply(set("1")));
    assert!(futures_util::poll!(&mut write).is_pending());
    assert_eq!(
        bench.status(),
        Status::RecoverableError("cannot use the store: timeout".into())
    );
    assert_eq!(bench.stored(), None);
    write.await.unwrap();
    assert_eq!(begin.elapsed(), Duration::from_millis(100 + 200 + 400));
    assert_eq!((bench.status(), bench.stored()), (Status::Ok, Some("1".into())));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_is_applied_once() {
    let bench = bench(false).await;
    bench.claimed.claim().await.unwrap();
    bench.fail([Failure::AnswerLost]);
    bench.claimed.apply(set("1")).await.unwrap();
    assert_eq!(bench.stored(), Some("1".into()));
    assert_eq!(bench.claimed.keys("").await.unwrap(), ["k"]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_lost_to_a_successor_ends_the_write() {
    for (is_shared, expected) in [
        (true, ClaimError::Lost as fn(String) -> ClaimError),
        (false, ClaimError::Fenced),
    ] {
        let bench = bench(is_shared).await;
        bench.claimed.claim().await.unwrap();
        bench.fail([unavailable()]);
        let mut write = std::pin::pin!(bench.claimed.apply(set("old")));
        assert!(futures_util::poll!(&mut write).is_pending());
        let successor = bench.claim_by_another().await;
        successor.apply(set("new")).await.unwrap();
        let reason = "another replica has claimed the store".to_owned();
        let ended = tokio::time::timeout(Duration::from_secs(60), write).await;
        assert_eq!(ended.expect("the write ends"), Err(expected(reason)));
        assert_eq!(bench.stored(), Some("new".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn waits_for_its_turn_and_reads_what_the_successor_wrote() {
    let bench = bench(true).await;
    bench.fail([
        Failure::Before(StoreError::Fenced("claimed by b".into())),
        unavailable(),
    ]);
    bench.claim_by_another().await.apply(set("1")).await.unwrap();
    assert_eq!(bench.claimed.peek("k").await, None, "the first failure ends a look");
    bench.claimed.claim().await.unwrap();
    assert_eq!(bench.claimed.get("k").await.unwrap(), Some("1".into()));
    bench.claimed.apply(set("2")).await.unwrap();
    assert_eq!(bench.claimed.peek("k").await, Some("2".into()));
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_is_not_retried() {
    let bench = bench(false).await;
    bench.claimed.claim().await.unwrap();
    bench.fail([Failure::Before(StoreError::Permanent("too large".into()))]);
    let refused = bench.claimed.apply(set("1")).await;
    assert_eq!(refused, Err(ClaimError::Permanent("too large".into())));
    assert_eq!((bench.stored(), bench.status()), (None, Status::Ok));
}

#[tokio::test(start_paused = true)]
async fn a_claim_waits_until_this_replica_leads() {
    let (leads, watch) = tokio::sync::watch::channel(false);
    let storage = MemoryStorage::new().replica(id(), Leadership(watch));
    let claimed = Claimed::open(&storage, Kind::Connector, &id()).await.unwrap();
    assert!(claimed.is_shared());
    let mut claim = std::pin::pin!(claimed.claim());
    assert!(futures_util::poll!(&mut claim).is_pending());
    leads.send_replace(true);
    claim.await.unwrap();
    claimed.apply(set("1")).await.unwrap();
}
