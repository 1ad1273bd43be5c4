//! A simulated year of 200 CronJobs: the controller is down at times, the collector restarts, watches are interrupted, Events are
//! dropped, CronJobs are suspended and changed. Every missed slot that can be proven is reported once, with the right reason,
//! and no other.

pub(crate) mod cluster;
mod collector;
pub(crate) mod objects;
mod oracle;
mod random;

use std::collections::{BTreeSet, HashSet};

use self::cluster::{Cluster, CronJob, Step};
use self::collector::Collector;
use self::oracle::Oracle;
use self::random::Random;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;
const CRONJOBS: usize = 200;

/// Schedules with their time zone and how long a CronJob with them exists, days.
const SCHEDULES: &[(&str, Option<&str>, i64)] = &[
    ("* * * * *", None, 1),
    ("*/5 * * * *", Some("Europe/Berlin"), 1),
    ("@every 7m", None, 1),
    ("@every 100m", None, 10),
    ("@hourly", None, 6),
    ("20 * * * *", Some("Asia/Kolkata"), 6),
    ("0 */6 * * *", Some("America/New_York"), 60),
    ("0,1,2 3 * * *", None, 50),
    ("30 2 * * *", Some("Europe/Berlin"), 365),
    ("30 1 * * *", Some("America/New_York"), 365),
    ("15 4 * * *", None, 365),
    ("@daily", Some("Australia/Lord_Howe"), 365),
    ("45 23 * * 1-5", Some("America/Sao_Paulo"), 365),
    ("0 9-17/2 * * MON-FRI", Some("Europe/London"), 30),
    ("17 4 1,15 * FRI", None, 365),
    ("@weekly", Some("Africa/Casablanca"), 365),
    ("@monthly", None, 365),
    ("0 0 29 2 *", None, 365),
    ("0 0 30 2 *", None, 365),
];

/// The disturbances of the cluster and the collector, with the mean time between two of them and the longest time that each lasts.
const CHAOS: &[(u32, i64, i64)] = &[
    (CONTROLLER, 5 * DAY, 9 * HOUR),
    (COLLECTOR, 4 * DAY, 5 * HOUR),
    (WATCH, 3 * DAY, HOUR),
    (WATCH + 1, 3 * DAY, HOUR),
    (WATCH + 2, 3 * DAY, HOUR),
    (QUOTA, 9 * DAY, 5 * HOUR),
    (BACKEND, 8 * DAY, 3 * HOUR),
    (SUSPEND, 12 * HOUR, 3 * DAY),
    (RESCHEDULE, 2 * DAY, 1),
    (IMAGE, DAY, 1),
];
const CONTROLLER: u32 = 0;
const COLLECTOR: u32 = 1;
const WATCH: u32 = 2;
const QUOTA: u32 = 5;
const BACKEND: u32 = 6;
const SUSPEND: u32 = 7;
const RESCHEDULE: u32 = 8;
const IMAGE: u32 = 9;
/// Added when a disturbance ends.
const OVER: u32 = 100;
/// Added to the number of a CronJob that is resumed, deleted, or created.
const RESUME: u32 = 1000;
const DELETE: u32 = 2000;

struct Year {
    random: Random,
    cluster: Cluster,
    collector: Collector,
    oracle: Oracle,
    /// The next slot of each CronJob.
    expected: Vec<Option<i64>>,
    /// CronJobs whose spec changed since it was last stored, and since the watch of CronJobs was interrupted.
    unsaved: HashSet<usize>,
    unseen: BTreeSet<usize>,
    was_undisturbed: bool,
}

impl Year {
    fn new(seed: u64) -> Year {
        let mut year = Year {
            random: Random::new(seed),
            cluster: Cluster::default(),
            collector: Collector::new(),
            oracle: Oracle::default(),
            expected: Vec::new(),
            unsaved: HashSet::new(),
            unseen: BTreeSet::new(),
            was_undisturbed: false,
        };
        year.collector.start(&year.cluster, START);
        year.oracle.jobs_since = START;
        for number in 0..CRONJOBS {
            year.create(number);
        }
        for (kind, mean, _) in CHAOS {
            let first = START + year.random.below(2 * mean);
            year.cluster.at(first, Step::Chaos(*kind));
        }
        year.cluster.at(START + HOUR, Step::Check);
        year
    }

    /// A CronJob that begins some time in the year.
    fn create(&mut self, number: usize) {
        let (text, zone, days) = *self.random.pick(SCHEDULES);
        let begins = START + 1 + self.random.below((365 - days).max(1) * DAY);
        let mut cronjob = CronJob::new(number, text, zone, begins);
        cronjob.exists = false;
        cronjob.policy = self.random.pick::<&str>(&["Allow", "Forbid", "Replace"]);
        let is_relative = text.starts_with("@every");
        if !is_relative && self.random.one_in(3) {
            cronjob.deadline = Some(*self.random.pick(&[10, 30, 200, 7200]));
        }
        cronjob.limits = *self.random.pick(&[(3, 1), (0, 0), (1, 1)]);
        if self.random.one_in(3) {
            cronjob.longest = *self.random.pick(&[5 * MINUTE, 3 * HOUR]);
        }
        self.oracle.created(&cronjob.uid, number);
        self.cluster.cronjobs.push(cronjob);
        self.expected.push(None);
        self.cluster.at(begins, Step::Chaos(DELETE + 1000 + number as u32));
        if days < 365 {
            self.cluster
                .at(begins + days * DAY, Step::Chaos(DELETE + number as u32));
        }
    }

    fn run(&mut self) {
        let mut now = START;
        while let Some((at, step)) = self.cluster.agenda.pop_first() {
            if at > now {
                self.settle(now);
                now = at;
            }
            if now > START + 365 * DAY {
                break;
            }
            self.step(step, now);
        }
    }

    /// Everything that happened at `now` is delivered, and decided.
    fn settle(&mut self, now: i64) {
        self.oracle.observe(&mut self.cluster);
        self.collector.run(&mut self.cluster, now);
        let is_undisturbed = self.collector.is_undisturbed();
        if is_undisturbed != self.was_undisturbed {
            self.oracle.undisturbed = if is_undisturbed { now } else { i64::MAX };
            self.was_undisturbed = is_undisturbed;
        }
        let received = std::mem::take(&mut self.collector.received);
        self.oracle.receive(received, &self.cluster);
    }

    fn step(&mut self, step: Step, now: i64) {
        match step {
            Step::Slot(number) => self.slot(number, now),
            Step::Sync(number) => self.cluster.sync(number, now, &mut self.random),
            Step::JobEnds(job) => self.cluster.job_ends(job, now),
            Step::Check => {
                self.settle(now);
                self.oracle.check(&self.cluster, now, self.was_undisturbed, None);
                if !self.collector.is_interrupted(0) {
                    self.unsaved.clear();
                    self.collector.save(now);
                }
                self.cluster.at(now + HOUR, Step::Check);
            }
            Step::Chaos(kind) => self.chaos(kind, now),
        }
    }

    fn slot(&mut self, number: usize, now: i64) {
        let cronjob = &self.cluster.cronjobs[number];
        if !cronjob.exists || cronjob.is_suspended || self.expected[number] != Some(now) {
            return;
        }
        self.oracle.due(number, now, cronjob);
        self.expect(number, now);
        let delay = self.random.below(3);
        self.cluster.at(now + delay, Step::Sync(number));
    }

    fn expect(&mut self, number: usize, after: i64) {
        self.expected[number] = self.cluster.cronjobs[number].next(after);
        if let Some(next) = self.expected[number] {
            self.cluster.at(next, Step::Slot(number));
        }
    }

    /// The spec of a CronJob changes.
    fn change(&mut self, number: usize, now: i64, change: impl FnOnce(&mut CronJob)) {
        change(&mut self.cluster.cronjobs[number]);
        self.cluster.cronjobs[number].generation += 1;
        self.unsaved.insert(number);
        if self.collector.is_interrupted(0) {
            self.unseen.insert(number);
        }
        self.cluster.put(number);
        self.cluster.at(now, Step::Sync(number));
    }

    /// The open slots of a CronJob are checked, and do not count from now on.
    fn breaks(&mut self, number: usize, now: i64) {
        self.settle(now);
        self.oracle
            .check(&self.cluster, now, self.was_undisturbed, Some(number));
        self.oracle.spec_changes(number);
    }

    fn chaos(&mut self, kind: u32, now: i64) {
        if let Some((_, mean, longest)) = CHAOS.iter().find(|(known, ..)| *known == kind) {
            let next = now + longest + self.random.below(2 * mean);
            self.cluster.at(next, Step::Chaos(kind));
            let lasts = 1 + self.random.below(*longest);
            self.begins(kind, now, lasts);
        } else if kind < RESUME {
            self.ends(kind - OVER, now);
        } else if kind < DELETE {
            let number = (kind - RESUME) as usize;
            self.breaks(number, now);
            self.change(number, now, |cronjob| cronjob.is_suspended = false);
            self.expect(number, now);
        } else if kind < DELETE + 1000 {
            let number = (kind - DELETE) as usize;
            self.breaks(number, now);
            self.cluster.delete(number);
        } else {
            let number = (kind - DELETE - 1000) as usize;
            self.cluster.cronjobs[number].exists = true;
            self.cluster.put(number);
            self.cluster.at(now, Step::Sync(number));
            if self.collector.is_interrupted(0) {
                self.unseen.insert(number);
            }
            self.expect(number, now);
        }
    }

    fn begins(&mut self, kind: u32, now: i64, lasts: i64) {
        let candidate = usize::try_from(self.random.below(CRONJOBS as i64)).unwrap();
        let cronjob = &self.cluster.cronjobs[candidate];
        let may_change = cronjob.exists && !cronjob.is_suspended && !cronjob.text.starts_with("@every");
        match kind {
            CONTROLLER => self.cluster.controller_is_down = true,
            COLLECTOR => self.collector.kill(),
            QUOTA => self.cluster.has_quota = true,
            BACKEND => self.collector.backend_is_down = true,
            SUSPEND if may_change => {
                self.breaks(candidate, now);
                self.change(candidate, now, |cronjob| cronjob.is_suspended = true);
                return self.cluster.at(now + lasts, Step::Chaos(RESUME + candidate as u32));
            }
            RESCHEDULE if may_change => {
                self.breaks(candidate, now);
                let minute = self.random.below(60);
                let text = format!("{minute} {} * * *", self.random.below(24));
                self.change(candidate, now, |cronjob| {
                    cronjob.schedule = job_schedule::Schedule::parse(&text, cronjob.zone).unwrap();
                    cronjob.text = text;
                });
                return self.expect(candidate, now);
            }
            IMAGE if cronjob.exists => return self.change(candidate, now, |_| {}),
            SUSPEND | RESCHEDULE | IMAGE => return,
            watch => self.collector.interrupt((watch - WATCH) as usize),
        }
        self.cluster.at(now + lasts, Step::Chaos(OVER + kind));
    }

    fn ends(&mut self, kind: u32, now: i64) {
        match kind {
            CONTROLLER => {
                self.cluster.controller_is_down = false;
                for number in 0..CRONJOBS {
                    let delay = self.random.below(3);
                    self.cluster.at(now + delay, Step::Sync(number));
                }
            }
            COLLECTOR => {
                self.collector.start(&self.cluster, now);
                self.cluster.changes.clear();
                self.oracle.jobs_since = now;
                for number in self
                    .unsaved
                    .drain()
                    .chain(std::mem::take(&mut self.unseen))
                    .collect::<Vec<_>>()
                {
                    self.oracle.spec_changes(number);
                }
            }
            QUOTA => self.cluster.has_quota = false,
            BACKEND => {
                self.collector.backend_is_down = false;
                self.collector.acknowledge();
            }
            watch => {
                let watch = (watch - WATCH) as usize;
                let relists = self.random.one_in(2);
                if watch == 1 && relists && self.collector.is_interrupted(1) {
                    self.oracle.jobs_since = now;
                }
                self.settle(now);
                self.collector.reconnect(&self.cluster, watch, relists, now);
                if watch == 0 {
                    for number in std::mem::take(&mut self.unseen) {
                        self.oracle.spec_changes(number);
                    }
                }
            }
        }
    }
}

fn simulate(seed: u64) {
    eprintln!("seed {seed}");
    let mut year = Year::new(seed);
    year.run();
    let Oracle {
        missed,
        started,
        uncertain,
        invalid,
        ..
    } = &year.oracle;
    eprintln!("started {started}, missed {missed:?}, uncertain {uncertain}");
    assert!(*started > 10_000, "{started}");
    assert!(invalid.values().all(|reports| *reports == 1), "{invalid:?}");
    let least = [
        ("ControllerLate", 100),
        ("ConcurrencyForbidden", 100),
        ("StartingDeadlineExceeded", 100),
        ("Unknown", 50),
        ("InvalidSchedule", 1),
    ];
    for (reason, count) in least {
        assert!(
            missed.get(reason).is_some_and(|missed| *missed >= count),
            "{reason}: {missed:?}"
        );
    }
}

#[test]
fn a_year_of_cronjobs_misses_no_missed_run() {
    for seed in [1, 2] {
        simulate(seed);
    }
}
