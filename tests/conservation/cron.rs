//! CronJobs and their controller, which is away for a while, or finds the run before active.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use simulator::{Ending, GeneratedCronJob, Obstacle};

use crate::environment::Environment;
use crate::oracle::End;
use crate::play::{Entry, Play};

/// The distance of two slots, seconds.
const EVERY: i64 = 2;
/// How long after a slot the controller synchronizes.
const DELAY: Duration = Duration::from_millis(60);

/// How long runs are missed after the faults.
pub(crate) const AWAY: Duration = Duration::from_secs(5);

/// A CronJob of a run.
struct CronJob {
    object: GeneratedCronJob,
    /// The slot before its first one: its creation. Seconds since 1970.
    created: i64,
    /// The last slot whose run started.
    last: i64,
    /// The slots for which the run before was active.
    skipped: BTreeSet<i64>,
    /// The run before is active until then.
    active_until: Duration,
    /// When the controller is away.
    outages: Vec<(Duration, Duration)>,
    /// True if one run at a time is allowed: some take longer than a slot until this time.
    long_until: Option<Duration>,
    chronicle: String,
}

impl CronJob {
    /// Why the run of a slot may be missed. A slow machine delays the controller too, and it then skips slots silently.
    fn reasons(&self, slot: i64) -> &'static [&'static str] {
        match self.long_until {
            _ if self.skipped.contains(&slot) => &["ConcurrencyForbidden", "Unknown"],
            Some(_) => &["ConcurrencyForbidden", "ControllerLate", "Unknown"],
            None => &["ControllerLate", "Unknown"],
        }
    }
}

/// The CronJobs of a run.
#[derive(Default)]
pub(crate) struct CronJobs {
    all: Vec<CronJob>,
    ended: bool,
    /// The missed slots that have to be reported. Earlier ones may lie in a gap of the watches, and then the Job of a slot may
    /// have been created and deleted unobserved.
    certain: Option<Range<i64>>,
}

impl CronJobs {
    /// The history of a CronJob, to find a lost slot.
    pub(crate) fn story(&self, uid: &str) -> Option<String> {
        let cronjob = self.all.iter().find(|cronjob| cronjob.object.uid() == uid)?;
        Some(format!("{uid}: {}{}\n", cronjob.object.name(), cronjob.chronicle))
    }

    /// From the next slot on no run is due.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }
}

impl Play {
    /// Creates two CronJobs: one whose controller is away during `over`, and one with runs that take longer than a slot.
    pub(crate) fn plan_cronjobs(&mut self, over: Duration, environment: &mut Environment) {
        for (name, forbids) in [("unattended", false), ("forbidding", true)] {
            let now = Timestamp::now();
            let policy = if forbids { "Forbid" } else { "Allow" };
            let object = self.lives.cron_job_with(name, &format!("@every {EVERY}s"), policy, now);
            self.play(environment, object.created());
            let mut outages = Vec::new();
            for part in [0, 1].iter().filter(|_| !forbids) {
                let from = over / 2 * *part + over.mul_f64((self.dice.bits() % 1000) as f64 / 5000.0);
                outages.push((from, from + Duration::from_millis(2500 + self.dice.bits() % 2500)));
            }
            let index = self.cronjobs.all.len();
            for (_, end) in &outages {
                self.plan(*end, Entry::Sync(index, false));
            }
            let created = now.as_second();
            self.cronjobs.all.push(CronJob {
                object,
                created,
                last: created,
                skipped: BTreeSet::new(),
                active_until: Duration::ZERO,
                outages,
                long_until: forbids.then_some(over),
                chronicle: format!(", created at {created}"),
            });
            self.plan_sync(index);
        }
    }

    /// True if the run has CronJobs.
    pub(crate) fn has_cronjobs(&self) -> bool {
        !self.cronjobs.all.is_empty()
    }

    /// All faults are over and runs are missed once more.
    pub(crate) fn miss_runs_again(&mut self) {
        let now = self.begin.elapsed();
        let until = now + AWAY;
        let since = Timestamp::now().as_second();
        self.cronjobs.certain = Some(since + 1..since + AWAY.as_secs() as i64);
        for index in 0..self.cronjobs.all.len() {
            let cronjob = &mut self.cronjobs.all[index];
            match &mut cronjob.long_until {
                Some(long_until) => *long_until = until,
                None => cronjob.outages.push((now, until)),
            }
            self.plan(until, Entry::Sync(index, false));
        }
    }

    /// Plans the synchronization after the next slot.
    fn plan_sync(&mut self, index: usize) {
        let cronjob = &self.cronjobs.all[index];
        let now = Timestamp::now();
        let passed = (now.as_second() - cronjob.created).div_euclid(EVERY);
        let next = Timestamp::from_second(cronjob.created + (passed + 1) * EVERY).unwrap_or(now);
        let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
        self.plan(self.begin.elapsed() + wait + DELAY, Entry::Sync(index, true));
    }

    /// The controller synchronizes a CronJob: it starts the run of the latest slot, unless that has been done. `is_tick`:
    /// because of a slot.
    pub(crate) fn sync(&mut self, index: usize, is_tick: bool, environment: &mut Environment) {
        let (now, at) = (Timestamp::now(), self.begin.elapsed());
        let cronjob = &mut self.cronjobs.all[index];
        let slot = now.as_second() - (now.as_second() - cronjob.created).rem_euclid(EVERY);
        let is_away = cronjob.outages.iter().any(|(from, to)| (*from..*to).contains(&at));
        if slot > cronjob.last && !is_away {
            if cronjob.long_until.is_some() && at < cronjob.active_until {
                if cronjob.skipped.insert(slot) {
                    cronjob.chronicle += &format!(", {slot} skipped at {:.3} s", at.as_secs_f64());
                    let event = self.lives.skipped(&mut cronjob.object, now);
                    self.play(environment, event);
                }
            } else {
                self.start(index, slot, environment);
            }
        }
        if !is_tick {
            return;
        }
        let cronjob = &self.cronjobs.all[index];
        if self.cronjobs.ended && cronjob.last == slot {
            self.play(environment, cronjob.object.deleted());
        } else {
            self.plan_sync(index);
        }
    }

    /// Starts the run of a slot; earlier ones that did not start are missed.
    fn start(&mut self, index: usize, slot: i64, environment: &mut Environment) {
        let (now, at) = (Timestamp::now(), self.begin.elapsed());
        let cronjob = &mut self.cronjobs.all[index];
        let (uid, owner) = (cronjob.object.uid().to_owned(), cronjob.object.name().to_owned());
        let notices = &mut environment.oracle.notices;
        for missed in (cronjob.last + EVERY..slot).step_by(EVERY as usize) {
            let is_certain = self
                .cronjobs
                .certain
                .as_ref()
                .is_some_and(|slots| slots.contains(&missed));
            notices.missed(&uid, missed, is_certain, cronjob.reasons(missed));
        }
        let scheduled_at = Timestamp::from_second(slot).unwrap_or(now);
        let late = now.duration_since(scheduled_at);
        let late = Duration::try_from(late).unwrap_or_default();
        notices.started(&uid, slot, late, cronjob.reasons(slot));
        cronjob.last = slot;
        cronjob.chronicle += &format!(", {slot} started at {:.3} s", at.as_secs_f64());
        let job = self
            .lives
            .run_for(&cronjob.object, scheduled_at, Ending::Succeeded, now);
        let scheduled = cronjob.object.scheduled(scheduled_at, &job);
        // The last step of a run is its end.
        let takes = job.steps.last().map_or(Duration::ZERO, |step| step.at);
        let is_long = cronjob.long_until.is_some_and(|until| at < until) && self.dice.bits().is_multiple_of(2);
        let lasts = Duration::from_millis(if is_long { 3000 + self.dice.bits() % 3000 } else { 0 });
        self.cronjobs.all[index].active_until = at + takes + lasts;
        let job = match is_long {
            true => {
                let job = self.lives.stuck(job, Obstacle::RunsLong, now);
                let rest = job.release(job.stuck_at + lasts);
                for step in rest {
                    self.plan(at + step.at, Entry::Step(job.job.uid.clone(), Box::new(step)));
                }
                self.plan(at + takes + lasts, Entry::Sync(index, false));
                job.job
            }
            false => job,
        };
        self.admit_with(job.clone(), &owner, End::Succeeded, environment);
        self.play(environment, scheduled);
        let event = self.lives.started(&self.cronjobs.all[index].object, &job, now);
        self.play(environment, event);
    }
}
