//! Jobs that meet an obstacle: some move again soon, some during the faults, and some after them.

use std::time::Duration;

use jiff::Timestamp;
use simulator::{Ending, Obstacle, StuckJob};

use crate::environment::Environment;
use crate::oracle::End;
use crate::play::{Entry, Play};

/// A Job that will meet an obstacle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedJob {
    obstacle: Obstacle,
    end: StuckEnd,
    /// How long the obstacle lasts; without end if it is missing.
    lasts: Option<Duration>,
}

/// The end of a Job that met an obstacle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StuckEnd {
    Succeeds,
    Fails,
    /// It is deleted while it makes no progress.
    Deleted,
}

/// A Job that makes no progress.
pub(crate) struct ReleasableJob {
    job: StuckJob,
    end: StuckEnd,
    /// The outcome if it is released.
    outcome: End,
    created: Duration,
    is_released: bool,
}

impl Play {
    /// Plans this many Jobs that meet an obstacle, spread over a time.
    pub(crate) fn plan_obstacles(&mut self, jobs: usize, over: Duration) {
        let ms = Duration::from_millis;
        for job in 0..jobs {
            let at = over.mul_f64((self.dice.bits() % 10_000) as f64 / 10_000.0);
            let planned = PlannedJob {
                obstacle: Obstacle::ALL[job % Obstacle::ALL.len()],
                end: [StuckEnd::Succeeds, StuckEnd::Fails, StuckEnd::Deleted][(self.dice.bits() % 3) as usize],
                lasts: match self.dice.bits() % 3 {
                    0 => Some(ms(100 + self.dice.bits() % 800)),
                    1 => Some(ms(7000 + self.dice.bits() % 5000)),
                    _ => None,
                },
            };
            self.plan(at, Entry::Obstacle(planned));
        }
    }

    /// Creates a Job that meets an obstacle.
    pub(crate) fn obstruct(&mut self, planned: PlannedJob, environment: &mut Environment) {
        let PlannedJob { obstacle, end, lasts } = planned;
        let name = self.name();
        let (ending, outcome) = match end {
            StuckEnd::Succeeds => (Ending::Succeeded, End::Succeeded),
            StuckEnd::Fails => (Ending::Failed, End::Failed),
            StuckEnd::Deleted => (Ending::Succeeded, End::Undecided),
        };
        let now = Timestamp::now();
        let job = self.lives.job(&name, ending, None, now);
        let job = self.lives.stuck(job, obstacle, now);
        let created = self.begin.elapsed();
        // No outcome is expected while it makes no progress.
        self.admit_with(job.job.clone(), &name, End::Undecided, environment);
        environment.oracle.notices.stuck(&job.job.uid, obstacle);
        if let Some(lasts) = lasts {
            self.plan(created + job.stuck_at + lasts, Entry::Release(self.stuck.len()));
        }
        self.stuck.push(ReleasableJob {
            job,
            end,
            outcome,
            created,
            is_released: false,
        });
    }

    /// The obstacle is gone, or the Job is deleted.
    pub(crate) fn release(&mut self, index: usize, environment: &mut Environment) {
        let now = self.begin.elapsed();
        let Some(stuck) = self.stuck.get_mut(index).filter(|stuck| !stuck.is_released) else {
            return;
        };
        stuck.is_released = true;
        let after = now.saturating_sub(stuck.created);
        let steps = match stuck.end {
            StuckEnd::Succeeds | StuckEnd::Fails => stuck.job.release(after),
            StuckEnd::Deleted => stuck.job.delete(after),
        };
        let created = stuck.created;
        environment
            .oracle
            .job(&stuck.job.job.uid, &stuck.job.job.name, stuck.outcome);
        let lasted = after.saturating_sub(stuck.job.stuck_at);
        let is_gone = stuck.end == StuckEnd::Deleted && !self.is_healed;
        environment.oracle.notices.released(&stuck.job.job.uid, lasted, is_gone);
        self.note(index, "released");
        for step in steps {
            self.plan(created + step.at, Entry::Move(index, Box::new(step)));
        }
    }

    /// A released Job changed. On a slow machine that is later than planned, and so is the end of its stall.
    pub(crate) fn moved(&mut self, index: usize, environment: &mut Environment) {
        let now = self.begin.elapsed();
        if let Some(stuck) = self.stuck.get(index) {
            let lasted = now.saturating_sub(stuck.created + stuck.job.stuck_at);
            environment.oracle.notices.moved(&stuck.job.job.uid, lasted);
            self.note(index, "changed");
        }
    }

    fn note(&mut self, index: usize, what: &str) {
        let now = self.begin.elapsed().as_secs_f64();
        let uid = self.stuck.get(index).map(|stuck| stuck.job.job.uid.clone());
        if let Some(story) = uid.and_then(|uid| self.chronicle.get_mut(&uid)) {
            *story += &format!(", {what} at {now:.3} s");
        }
    }

    /// Releases every Job, ends the CronJobs and plays until they have ended.
    pub(crate) async fn release_all(&mut self, environment: &mut Environment) {
        self.is_healed = true;
        for index in 0..self.stuck.len() {
            self.release(index, environment);
        }
        self.cronjobs.end();
        self.go(environment).await;
    }
}
