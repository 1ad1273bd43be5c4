//! The tracker as the receiver runs it: watches with interruptions, a store, acknowledgements, restarts.

use bytes::Bytes;
use job_event::notice::MissedRuns;
use job_event::{Notice, Uid};
use job_tracker::checkpoint::Checkpoint;
use job_tracker::outbox::AckEvent;
use job_tracker::{StallSettings, Tracker, TrackerSettings};
use job_watch::{Kind, Observation, Source};

use super::cluster::Cluster;
use super::objects::at;

pub(crate) const KINDS: [Kind; 3] = [Kind::CronJobs, Kind::Jobs, Kind::CronJobEvents];
/// How many reported Jobs the checkpoint lists.
const TOMBSTONES: usize = 100;

pub(crate) struct Collector {
    tracker: Option<Tracker>,
    stored: Option<Bytes>,
    /// The changes that an interrupted watch has not delivered; `None` while it works.
    interrupted: [Option<Vec<Observation>>; 3],
    /// Events that the backend has not acknowledged.
    unacknowledged: Vec<Uid>,
    pub(crate) backend_is_down: bool,
    /// Missed runs that the backend has received, repetitions included.
    pub(crate) received: Vec<MissedRuns>,
}

impl Collector {
    pub(crate) fn new() -> Collector {
        Collector {
            tracker: None,
            stored: None,
            interrupted: [None, None, None],
            unacknowledged: Vec::new(),
            backend_is_down: false,
            received: Vec::new(),
        }
    }

    pub(crate) fn is_interrupted(&self, kind: usize) -> bool {
        self.tracker.is_none() || self.interrupted[kind].is_some()
    }

    /// True if it runs, all watches work, and the backend acknowledges.
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.tracker.is_some() && self.interrupted.iter().all(Option::is_none) && !self.backend_is_down
    }

    /// Starts from the stored checkpoint and lists everything.
    pub(crate) fn start(&mut self, cluster: &Cluster, now: i64) {
        let mut tracker = Tracker::new(TrackerSettings {
            stalls: StallSettings {
                enabled: false,
                ..Default::default()
            },
            ..Default::default()
        });
        let checkpoint = match &self.stored {
            Some(stored) => Checkpoint::decode(stored.clone(), TOMBSTONES).unwrap(),
            None => Checkpoint::new(TOMBSTONES),
        };
        tracker.restore(checkpoint, Vec::new());
        tracker.outbox().announce_notices();
        tracker.begin(at(now));
        self.tracker = Some(tracker);
        self.interrupted = [None, None, None];
        for kind in KINDS {
            self.list(cluster, kind, now);
        }
    }

    /// The process is killed. State that was not stored is lost.
    pub(crate) fn kill(&mut self) {
        self.tracker = None;
        self.unacknowledged.clear();
    }

    fn list(&mut self, cluster: &Cluster, kind: Kind, now: i64) {
        let Some(tracker) = &mut self.tracker else { return };
        let source = Source { kind, scope: 0 };
        tracker.apply(source, Observation::ListBegins, at(now));
        for object in cluster.list(kind, now) {
            tracker.apply(source, Observation::Listed(object), at(now));
        }
        tracker.apply(source, Observation::ListEnds, at(now));
    }

    pub(crate) fn interrupt(&mut self, kind: usize) {
        self.interrupted[kind].get_or_insert_default();
    }

    /// A watch works again: it resumes, or it lists everything.
    pub(crate) fn reconnect(&mut self, cluster: &Cluster, kind: usize, relists: bool, now: i64) {
        let Some(missing) = self.interrupted[kind].take() else {
            return;
        };
        if relists {
            return self.list(cluster, KINDS[kind], now);
        }
        let source = Source {
            kind: KINDS[kind],
            scope: 0,
        };
        let Some(tracker) = &mut self.tracker else { return };
        for observation in missing {
            tracker.apply(source, observation, at(now));
        }
    }

    /// Delivers the changes of the cluster, and lets the tracker decide at `now`.
    pub(crate) fn run(&mut self, cluster: &mut Cluster, now: i64) {
        for (kind, observation) in cluster.changes.drain(..) {
            let Some(tracker) = &mut self.tracker else { continue };
            let number = KINDS.iter().position(|known| *known == kind).unwrap();
            match &mut self.interrupted[number] {
                Some(missing) => missing.push(observation),
                None => tracker.apply(Source { kind, scope: 0 }, observation, at(now)),
            }
        }
        let Some(tracker) = &mut self.tracker else { return };
        for (kind, interrupted) in KINDS.into_iter().zip(&self.interrupted) {
            if interrupted.is_none() {
                tracker.watched(Source { kind, scope: 0 }, at(now));
            }
        }
        while let Some(evidence) = tracker.poll(at(now)) {
            let uid = Uid::new(&evidence.job.uid);
            tracker.outbox().apply(&uid, AckEvent::Acknowledged);
        }
        self.send(now);
        while self.tracker.as_ref().is_some_and(Tracker::waits_for_store) {
            self.save(now);
            self.send(now);
        }
    }

    fn send(&mut self, now: i64) {
        let Some(tracker) = &mut self.tracker else { return };
        while let Some(notice) = tracker.next_notice(at(now)) {
            let key = notice.key();
            if let Notice::Missed(missed) = notice {
                self.received.push(*missed);
            }
            match self.backend_is_down {
                true => self.unacknowledged.push(key),
                false => tracker.outbox().apply(&key, AckEvent::Acknowledged),
            }
        }
    }

    pub(crate) fn acknowledge(&mut self) {
        let Some(tracker) = &mut self.tracker else { return };
        for key in self.unacknowledged.drain(..) {
            tracker.outbox().apply(&key, AckEvent::Acknowledged);
        }
    }

    pub(crate) fn save(&mut self, now: i64) {
        if let Some(tracker) = &mut self.tracker {
            self.stored = Some(tracker.outbox().encode(at(now)));
            tracker.outbox().written();
        }
    }
}
