//! The process crashes at any moment and restarts: acknowledged data arrives, in order and unchanged.
//!
//! Every operation of the store and every attempt has two steps, one before it takes effect and one after, and the
//! process crashes at one of them. The producer acts as a receiver does: it sends data that was not acknowledged again
//! after the restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;

use super::*;
use collector_runtime::storage::{Change, Store};

/// Numbers from a seed (SplitMix64).
#[derive(Clone)]
struct Dice(Arc<AtomicU64>);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(Arc::new(AtomicU64::new(seed)))
    }

    fn below(&self, limit: u64) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The number of steps after which the process crashes.
#[derive(Clone)]
struct Fate {
    left: Arc<AtomicU64>,
    dead: CancellationToken,
}

impl Fate {
    fn after(steps: u64) -> Self {
        Fate {
            left: Arc::new(AtomicU64::new(steps)),
            dead: CancellationToken::new(),
        }
    }

    async fn step(&self) {
        if self.left.load(Ordering::Relaxed) == 0 {
            self.dead.cancel();
            std::future::pending().await
        }
        self.left.fetch_sub(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

/// A store with random failures, in a process that crashes.
#[derive(Clone)]
struct Mortal<T> {
    inner: T,
    fate: Fate,
    dice: Dice,
}

impl Storage for Mortal<MemoryStorage> {
    fn open(&self, kind: Kind, id: &ComponentId) -> BoxFuture<'_, Result<Arc<dyn Store>, StoreError>> {
        let id = id.clone();
        Box::pin(async move {
            let store = Mortal {
                inner: self.inner.open(kind, &id).await?,
                fate: self.fate.clone(),
                dice: self.dice.clone(),
            };
            Ok(Arc::new(store) as Arc<dyn Store>)
        })
    }

    fn leader_elector(&self) -> Option<&ComponentId> {
        None
    }

    fn capacity(&self) -> Option<usize> {
        None
    }
}

impl Mortal<Arc<dyn Store>> {
    async fn around<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.fate.step().await;
        let full = || StoreError::Unavailable("no space left on device".into());
        let fails = self.dice.below(10);
        if fails == 0 {
            return Err(full());
        }
        let done = work.await;
        self.fate.step().await;
        // It was applied, and the answer got lost.
        if fails == 1 { Err(full()) } else { done }
    }
}

impl Store for Mortal<Arc<dyn Store>> {
    fn claim(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.around(async { self.inner.claim().await }))
    }

    fn keys(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        let prefix = prefix.to_owned();
        Box::pin(async move { self.around(async { self.inner.keys(&prefix).await }).await })
    }

    fn get(&self, key: &str) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        let key = key.to_owned();
        Box::pin(async move { self.around(async { self.inner.get(&key).await }).await })
    }

    fn apply(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<(), StoreError>> {
        // Only when it is awaited: the store in memory does its work when it is called.
        Box::pin(self.around(async { self.inner.apply(changes).await }))
    }
}

/// A destination that records requests across all restarts; no two new requests have the same bytes.
#[derive(Clone)]
struct Backend {
    fate: Fate,
    dice: Dice,
    cuts: bool,
    made: Arc<AtomicU64>,
    /// The names and the body of every attempt; true if it was accepted.
    attempts: Arc<Mutex<Vec<(String, Bytes, bool)>>>,
}

impl Destination for Backend {
    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String> {
        let mut payload = Arc::unwrap_or_clone(payload);
        if let Payload::Logs(resources) = &mut payload {
            resources[0].schema_url = self.made.fetch_add(1, Ordering::Relaxed).to_string();
        }
        let body = encoded(&payload);
        Ok(vec![Request::new(&payload, "proto", "", body)])
    }

    fn unpack(&self, request: &Request) -> Result<Payload, String> {
        Scripted::new([]).unpack(request)
    }

    async fn export(&self, request: &Request) -> SendOutcome {
        self.fate.step().await;
        let roll = self.dice.below(8);
        let too_large = self.cuts && roll == 3 && request.items > 1;
        let taken = !too_large && !matches!(roll, 0 | 1);
        let attempt = (names(request), request.body.clone(), taken);
        self.attempts.lock().unwrap().push(attempt);
        self.fate.step().await;
        match roll {
            _ if too_large => SendOutcome::TooLarge("HTTP 413".into()),
            0 => busy(),
            1 => SendOutcome::Misconfigured("HTTP 403".into()),
            // It was accepted, and the answer got lost.
            2 => busy(),
            _ => SendOutcome::Accepted,
        }
    }
}

const BATCHES: usize = 12;

/// The names in a batch.
fn batch(number: usize) -> Vec<String> {
    (0..1 + number % 3).map(|item| format!("{number:02}{item}")).collect()
}

/// Runs until the process crashes, or until everything has been sent; returns the delivered batches.
async fn live(backend: &Backend, storage: &MemoryStorage, todo: &BTreeSet<usize>, fate: &Fate) -> BTreeSet<usize> {
    let health = Health::new();
    let running = Running {
        shutdown: CancellationToken::new(),
        health: health.reporter(id()),
        succession: Default::default(),
    };
    let retry = RetrySettings {
        max_elapsed_time: collector_config::Duration::from_secs(0),
        ..RetrySettings::default()
    };
    let queue = QueueSettings {
        num_consumers: 1,
        queue_size: 2,
        ..QueueSettings::default()
    };
    let backend = Backend {
        fate: fate.clone(),
        ..backend.clone()
    };
    let stored = Mortal {
        inner: storage.clone(),
        fate: fate.clone(),
        dice: backend.dice.clone(),
    };
    let meter = opentelemetry::global::meter("test");
    let sender = Sender::new(backend, id(), retry, queue, meter)
        .with_random(|| 0.5)
        .with_storage(Some(Arc::new(stored)));
    let (input, inbox) = mpsc::channel(1);
    let run = tokio::spawn(sender.run(inbox.into(), running));
    let abort = run.abort_handle();
    let death = async {
        fate.dead.cancelled().await;
        abort.abort();
    };
    let mut deliveries = Vec::new();
    let produce = async {
        for number in todo {
            let names = batch(*number);
            let (ack, delivery) = Ack::new();
            let payload = named(&names.iter().map(String::as_str).collect::<Vec<_>>());
            deliveries.push((*number, delivery));
            if input.send(Batch::new(payload, ack)).await.is_err() {
                return;
            }
        }
        drop(input);
        // The end, or the crash.
        let _ = run.await;
    };
    let both = futures_util::future::select(Box::pin(produce), Box::pin(death));
    let ended = both.await;
    drop(ended);
    settle().await;
    let mut delivered = BTreeSet::new();
    for (number, delivery) in deliveries {
        if delivery.await == Outcome::Delivered {
            delivered.insert(number);
        }
    }
    delivered
}

/// Crashes after this many steps, restarts, crashes again, and then runs to the end.
async fn check(seed: u64, steps: u64, cuts: bool) -> bool {
    let case = format!("seed {seed}, dies at step {steps}, cuts {cuts}");
    let storage = MemoryStorage::new();
    let dice = Dice::new(seed);
    let backend = Backend {
        fate: Fate::after(u64::MAX),
        dice: dice.clone(),
        cuts,
        made: Arc::default(),
        attempts: Arc::default(),
    };
    let mut todo: BTreeSet<usize> = (0..BATCHES).collect();
    let mut submitted: BTreeMap<usize, usize> = BTreeMap::new();
    let mut died = false;
    for steps in [steps, dice.below(60), u64::MAX] {
        for number in &todo {
            *submitted.entry(*number).or_default() += 1;
        }
        let fate = Fate::after(steps);
        let delivered = live(&backend, &storage, &todo, &fate).await;
        died |= fate.dead.is_cancelled() && steps != u64::MAX;
        todo.retain(|number| !delivered.contains(number));
    }
    assert_eq!(todo, BTreeSet::new(), "{case}: not delivered in the end");
    assert!(
        storage.content(Kind::Exporter, &id()).is_empty(),
        "{case}: the store is not empty"
    );

    let attempts = backend.attempts.lock().unwrap().clone();
    let mut first: Vec<String> = Vec::new();
    for name in attempts
        .iter()
        .filter(|(.., taken)| *taken)
        .flat_map(|(names, ..)| names.split(' '))
    {
        if !first.iter().any(|seen| seen == name) {
            first.push(name.to_owned());
        }
    }
    let all: Vec<String> = (0..BATCHES).flat_map(batch).collect();
    assert_eq!(first, all, "{case}: lost, or in another order");
    if !cuts {
        for (number, times) in submitted {
            let whole = batch(number).join(" ");
            let of_it = attempts.iter().filter(|(names, ..)| *names == whole);
            let bodies: BTreeSet<&Bytes> = of_it.map(|(_, body, _)| body).collect();
            assert!(
                bodies.len() <= times,
                "{case}: {whole} was sent in more forms than it was made"
            );
        }
    }
    died
}

#[tokio::test(start_paused = true)]
async fn delivered_batches_survive_crashes_in_order() {
    let mut died = 0;
    for seed in 0..8 {
        for steps in 0..100 {
            died += u32::from(check(seed, steps, false).await);
            died += u32::from(check(seed, steps, true).await);
        }
    }
    assert!(died > 1500, "only {died} deaths");
}
