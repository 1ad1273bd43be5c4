//! One CronJob, and the tracker that watches it.

use bytes::Bytes;
use job_event::Notice;
use job_event::notice::MissReason;
use job_tracker::checkpoint::Checkpoint;
use job_tracker::outbox::AckEvent;
use job_tracker::{MissedRunSettings, Tracker, TrackerSettings};
use job_watch::{Kind, Object, Observation, Source};

use crate::year::cluster::{CronJob, Run};
use crate::year::objects::{self, Said, at};

/// 2026-11-28T12:00:00Z: times in the tests are seconds since then.
pub(crate) const BASE: i64 = 1_795_867_200;

pub(crate) struct Case {
    pub(crate) tracker: Tracker,
    pub(crate) cronjob: CronJob,
    pub(crate) runs: Vec<Run>,
    said: Vec<Said>,
    /// The reason, the first slot and the number of slots of each notice.
    pub(crate) missed: Vec<(MissReason, i64, u64)>,
    pub(crate) messages: Vec<String>,
    pub(crate) acknowledges: bool,
}

fn tracker() -> Tracker {
    Tracker::new(TrackerSettings::default())
}

fn source(kind: Kind) -> Source {
    Source { kind, scope: 0 }
}

impl Case {
    /// A CronJob with this schedule that is created at 0, while it is watched.
    pub(crate) fn new(schedule: &str) -> Case {
        Case::with(schedule, |_| {})
    }

    pub(crate) fn with(schedule: &str, change: impl FnOnce(&mut CronJob)) -> Case {
        let mut cronjob = CronJob::new(0, schedule, None, BASE);
        change(&mut cronjob);
        let mut case = Case {
            tracker: tracker(),
            cronjob,
            runs: Vec::new(),
            said: Vec::new(),
            missed: Vec::new(),
            messages: Vec::new(),
            acknowledges: true,
        };
        case.put(0);
        case
    }

    fn observe(&mut self, kind: Kind, observation: Observation, now: i64) {
        self.tracker.apply(source(kind), observation, at(BASE + now));
    }

    /// The CronJob as it is now.
    pub(crate) fn put(&mut self, now: i64) {
        let object = objects::cronjob(&self.cronjob);
        self.observe(Kind::CronJobs, Observation::Changed(object), now);
    }

    /// It has this annotation `k8s-job-collector/missed-runs`.
    pub(crate) fn annotate(&mut self, value: &str, now: i64) {
        let mut object = objects::cronjob(&self.cronjob);
        if let Object::CronJob(cronjob) = &mut object {
            cronjob.metadata.annotations.missed_runs = Some(value.into());
        }
        self.observe(Kind::CronJobs, Observation::Changed(object), now);
    }

    /// Its spec changes.
    pub(crate) fn change(&mut self, now: i64, change: impl FnOnce(&mut CronJob)) {
        change(&mut self.cronjob);
        self.cronjob.generation += 1;
        self.put(now);
    }

    /// The controller starts the run of a slot.
    pub(crate) fn start(&mut self, slot: i64, now: i64) {
        self.runs.push(Run {
            owner: 0,
            slot: BASE + slot,
            created: BASE + now,
            ended: None,
            fails: false,
        });
        self.put_run(self.runs.len() - 1, now);
        self.say("SuccessfulCreate", "Created job", now);
        self.cronjob.last_scheduled = Some(BASE + slot);
        self.cronjob.active = vec![1];
        self.put(now);
    }

    fn put_run(&mut self, number: usize, now: i64) {
        let object = objects::job(&self.runs[number], &self.cronjob, number as u64);
        self.observe(Kind::Jobs, Observation::Changed(object), now);
    }

    /// The last run ends.
    pub(crate) fn end(&mut self, now: i64, fails: bool) {
        let last = self.runs.len() - 1;
        (self.runs[last].ended, self.runs[last].fails) = (Some(BASE + now), fails);
        self.put_run(last, now);
        self.cronjob.active.clear();
        if !fails {
            self.cronjob.last_success = Some(BASE + now);
        }
        self.put(now);
    }

    /// The controller writes an Event.
    pub(crate) fn say(&mut self, reason: &'static str, message: &str, now: i64) {
        let same = |said: &&mut Said| said.reason == reason && said.message == message;
        let said = match self.said.iter_mut().find(same) {
            Some(said) => {
                (said.last, said.count) = (BASE + now, said.count + 1);
                said.clone()
            }
            None => {
                let said = Said {
                    about: 0,
                    reason,
                    message: message.into(),
                    first: BASE + now,
                    last: BASE + now,
                    count: 1,
                };
                self.said.push(said.clone());
                said
            }
        };
        let object = objects::event(&said, &self.cronjob);
        self.observe(Kind::CronJobEvents, Observation::Changed(object), now);
    }

    /// Everything until then is delivered, and decided.
    pub(crate) fn until(&mut self, now: i64) {
        self.tracker.watched_until(at(BASE + now));
        self.decide(now);
    }

    /// Decides with the proof that exists.
    pub(crate) fn decide(&mut self, now: i64) {
        while let Some(notice) = self.tracker.next_notice(at(BASE + now)) {
            if self.acknowledges {
                self.tracker.outbox().apply(&notice.key(), AckEvent::Acknowledged);
            }
            if let Notice::Missed(missed) = notice {
                let first = missed.first.as_second() - BASE;
                self.missed.push((missed.reason, first, missed.count));
                self.messages.push(missed.message);
            }
        }
    }

    /// The watch of a kind is proven until then.
    pub(crate) fn watched(&mut self, kind: Kind, until: i64) {
        self.tracker.watched(source(kind), at(BASE + until));
    }

    pub(crate) fn list(&mut self, kind: Kind, now: i64) {
        self.observe(kind, Observation::ListBegins, now);
        let listed = match kind {
            Kind::CronJobs => vec![objects::cronjob(&self.cronjob)],
            Kind::Jobs => {
                let runs = self.runs.iter().enumerate();
                let runs = runs.map(|(number, run)| objects::job(run, &self.cronjob, number as u64));
                runs.collect()
            }
            _ => self
                .said
                .iter()
                .map(|said| objects::event(said, &self.cronjob))
                .collect(),
        };
        for object in listed {
            self.observe(kind, Observation::Listed(object), now);
        }
        self.observe(kind, Observation::ListEnds, now);
    }

    pub(crate) fn stored(&mut self, now: i64) -> Bytes {
        let stored = self.tracker.outbox().encode(at(BASE + now));
        self.tracker.outbox().written();
        stored
    }

    /// Another process resumes from `stored`, and lists everything.
    pub(crate) fn restart(&mut self, stored: Bytes, now: i64) {
        self.tracker = tracker();
        self.tracker
            .restore(Checkpoint::decode(stored, 100).unwrap(), Vec::new());
        self.tracker.begin(at(BASE + now));
        for kind in [Kind::CronJobs, Kind::Jobs, Kind::CronJobEvents] {
            self.list(kind, now);
        }
    }

    /// Another process without a checkpoint.
    pub(crate) fn first_start(&mut self, now: i64) {
        self.restart(Case::new("@yearly").tracker_without_marks(now), now);
    }

    fn tracker_without_marks(mut self, now: i64) -> Bytes {
        self.tracker = tracker();
        self.stored(now)
    }

    /// Events cannot be read.
    pub(crate) fn forbid_events(&mut self) {
        self.observe(Kind::CronJobEvents, Observation::Forbidden, 0);
    }

    pub(crate) fn delete(&mut self, now: i64) {
        let object = objects::cronjob(&self.cronjob);
        self.observe(Kind::CronJobs, Observation::Deleted(object), now);
    }

    pub(crate) fn settings(&mut self, missed: MissedRunSettings) {
        self.tracker = Tracker::new(TrackerSettings {
            missed,
            ..TrackerSettings::default()
        });
        self.put(0);
    }
}
