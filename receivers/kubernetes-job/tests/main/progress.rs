//! Any faults in any order: the watch recovers, never in a hot loop, and skips no version.

use std::time::Duration;

use job_watch::WatchError;
use job_watch::decode::list_page;
use job_watch::model::{Job, Watched};
use job_watch::watch::listing::ONE_PIECE;
use job_watch::watch::machine::{Machine, Phase};
use proptest::prelude::*;
use serde_json::json;

/// The shortest time between two watches that failed at once.
const LEAST: Duration = Duration::from_millis(400);
/// The longest delay: that of a server with a `Retry-After` above the respected limit.
const MOST: Duration = Duration::from_secs(120);

/// The effect of the server and the network on one request.
#[derive(Clone, Debug)]
enum Fate {
    /// The request is refused, or the connection is, or there is no answer.
    Fails(WatchError),
    /// A list has one more page; a watch delivers this many changes, and then ends after this many milliseconds.
    Works(u64, u64),
    /// A watch delivers this many changes before this fault.
    Breaks(u64, WatchError),
}

#[derive(Clone, Debug)]
struct Step {
    /// This many changes happen in the cluster first.
    changes: u64,
    /// The server then forgets all changes but this many.
    kept: Option<u64>,
    fate: Fate,
    jitter: f64,
}

fn failure() -> impl Strategy<Value = WatchError> {
    let codes = prop::sample::select(vec![400u16, 401, 403, 404, 410, 429, 500, 503, 504]);
    let status = (codes, any::<bool>(), prop::option::of(0..100_000u64)).prop_map(|(code, in_band, seconds)| {
        let retry_after = seconds.map(Duration::from_secs);
        let message = "m".into();
        WatchError::Status {
            code,
            message,
            retry_after,
            in_band,
        }
    });
    prop_oneof![
        4 => status,
        1 => Just(WatchError::Connection("reset".into())),
        1 => Just(WatchError::Silence(Duration::from_secs(60))),
        1 => Just(WatchError::Slow(Duration::from_secs(300))),
        1 => Just(WatchError::Cut),
        1 => Just(WatchError::Unreadable("not JSON".into())),
        1 => Just(WatchError::BadList("a Status".into())),
        1 => Just(WatchError::TooLarge(1)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        failure().prop_map(Fate::Fails),
        (0..4u64, 0..20_000u64).prop_map(|(changes, lived)| Fate::Works(changes, lived)),
        (0..4u64, failure()).prop_map(|(changes, failure)| Fate::Breaks(changes, failure)),
    ];
    (0..4u64, prop::option::weighted(0.2, 0..6u64), fate, 0.0..1.0).prop_map(|(changes, kept, fate, jitter)| Step {
        changes,
        kept,
        fate,
        jitter,
    })
}

/// A server with a log of changes, and a client that follows it.
struct Cluster {
    machine: Machine,
    /// The server's version, and the oldest one after which it can still watch.
    now: u64,
    floor: u64,
    /// The version of the list that is being read.
    listing: u64,
    /// How many pages were read.
    pages: u64,
    /// The version up to which the client has all changes; `None` before the first list.
    known: Option<u64>,
    /// Since the beginning.
    elapsed: Duration,
    /// The server streams lists.
    streams: bool,
}

impl Cluster {
    fn new(streams: bool) -> Cluster {
        Cluster {
            machine: Machine::new(),
            now: 10,
            floor: 1,
            listing: 0,
            pages: 0,
            known: None,
            elapsed: Duration::ZERO,
            streams,
        }
    }

    fn expired(in_band: bool) -> WatchError {
        let (message, retry_after) = ("too old".into(), None);
        WatchError::Status {
            code: 410,
            message,
            retry_after,
            in_band,
        }
    }

    fn fail(&mut self, failure: &WatchError, jitter: f64) {
        let retry = self.machine.failed(failure, jitter);
        assert!((LEAST..=MOST).contains(&retry.after), "{failure}: {retry:?}");
        let lists = *self.machine.phase() == Phase::List;
        assert_eq!(retry.relists, lists, "{failure}");
        self.elapsed += retry.after;
    }

    fn step(&mut self, step: &Step) {
        self.now += step.changes;
        if let Some(kept) = step.kept {
            self.floor = self.floor.max(self.now.saturating_sub(kept));
        }
        match self.machine.phase().clone() {
            Phase::Stream { .. } => panic!("a stream is read in one step"),
            Phase::List if self.streams && self.machine.may_stream() => self.stream(step),
            Phase::List => {
                let listing = self.machine.listing();
                let (token, limited) = (listing.token().to_owned(), listing.limit() != ONE_PIECE);
                self.list(&token, limited, step);
            }
            Phase::Watch { version } => {
                let before = self.elapsed;
                self.watch(version.parse().unwrap(), step);
                assert!(self.elapsed - before >= LEAST, "a hot loop");
            }
        }
    }

    fn stream(&mut self, step: &Step) {
        self.machine.stream_begins();
        match &step.fate {
            Fate::Fails(failure) => self.fail(failure, step.jitter),
            Fate::Breaks(objects, failure) => {
                let begins = (0..*objects).filter(|_| self.machine.stream_received()).count();
                assert_eq!(begins, usize::from(*objects > 0));
                self.fail(failure, step.jitter);
            }
            // It refuses the stream.
            Fate::Works(3, _) => {
                self.machine.read_pages();
                assert!(!self.machine.may_stream());
            }
            Fate::Works(..) => {
                assert_eq!(self.machine.stream_complete(&self.now.to_string()), Ok(()));
                self.known = Some(self.now);
            }
        }
    }

    fn list(&mut self, token: &str, limited: bool, step: &Step) {
        let more = match &step.fate {
            Fate::Fails(failure) | Fate::Breaks(_, failure) => return self.fail(failure, step.jitter),
            Fate::Works(more, _) => limited && *more > 0,
        };
        if token.is_empty() {
            self.listing = self.now;
        } else if self.listing < self.floor {
            return self.fail(&Cluster::expired(false), step.jitter);
        }
        // Each page has a token of its own, and an object.
        self.pages += 1;
        let metadata = match more {
            true => json!({"resourceVersion": self.listing.to_string(), "continue": self.pages.to_string()}),
            false => json!({"resourceVersion": self.listing.to_string()}),
        };
        let body = json!({"kind": "JobList", "apiVersion": "batch/v1", "metadata": metadata, "items": [1]}).to_string();
        let complete = self.machine.page_read(&list_page(&body, Job::TYPE).unwrap());
        assert_eq!(complete, Ok(!more));
        if !more {
            self.known = Some(self.listing);
        }
    }

    fn watch(&mut self, from: u64, step: &Step) {
        assert_eq!(
            Some(from),
            self.known,
            "a watch begins after what is known, no earlier and no later"
        );
        if let Fate::Fails(failure) = &step.fate {
            return self.fail(failure, step.jitter);
        }
        if from < self.floor {
            return self.fail(&Cluster::expired(true), step.jitter);
        }
        let (Fate::Works(changes, _) | Fate::Breaks(changes, _)) = step.fate else {
            unreachable!()
        };
        let upto = self.now.min(from + changes);
        for version in from + 1..=upto {
            self.known = Some(version);
            self.machine.progressed(&version.to_string());
        }
        match &step.fate {
            Fate::Works(_, lived) => {
                let lived = Duration::from_millis(*lived);
                self.elapsed += lived;
                match self.machine.watch_ended(lived, upto > from, step.jitter) {
                    Ok(pause) => self.elapsed += pause,
                    Err(failure) => self.fail(&failure, step.jitter),
                }
            }
            Fate::Breaks(_, failure) | Fate::Fails(failure) => self.fail(failure, step.jitter),
        }
    }

    /// No further faults; changes that the server has forgotten stay forgotten.
    fn heals(&mut self) {
        // A page that has expired, a watch that has: each leads to a list, which leads to a watch.
        for _ in 0..6 {
            let healthy = Step {
                changes: 0,
                kept: None,
                fate: Fate::Works(0, 10_000),
                jitter: 0.5,
            };
            self.step(&healthy);
        }
        let deliver = Step {
            changes: 1,
            kept: None,
            fate: Fate::Works(u64::MAX / 2, 10_000),
            jitter: 0.5,
        };
        self.step(&deliver);
        assert_eq!(self.known, Some(self.now), "it does not follow: {:?}", self.machine);
        assert_eq!(self.machine.failures(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn resumes_after_any_failures_and_skips_nothing(
        streams in any::<bool>(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut cluster = Cluster::new(streams);
        for step in &steps {
            cluster.step(step);
        }
        cluster.heals();
    }
}
