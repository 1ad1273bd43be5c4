//! A run: Jobs are played while the script injects faults.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use simulator::{ChangeType, Ending, GeneratedJob, Ids, JobGenerator, Player, Resource, TimelineStep};
use tokio::time::Instant;

use crate::cron::CronJobs;
use crate::environment::Environment;
use crate::oracle::{End, Oracle, Problem};
use crate::script::{Action, Script};
use crate::stuck::{PlannedJob, ReleasableJob};

/// The namespace of the Jobs.
pub(crate) const NAMESPACE: &str = "work";
/// How much faster than a real cluster this one is.
const PACE: u32 = 20;
/// How long the backend may take to receive everything once the faults are over: only a loss takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Creates Jobs and plays them.
pub(crate) struct Play {
    pub(crate) lives: JobGenerator,
    pub(crate) dice: Ids,
    pub(crate) begin: Instant,
    agenda: BTreeMap<(Duration, u64), Entry>,
    number: u64,
    /// How many entries there are except the synchronizations of CronJobs, which follow each other without end.
    finite: usize,
    /// Jobs that make no progress.
    pub(crate) stuck: Vec<ReleasableJob>,
    /// True once all faults are over.
    pub(crate) is_healed: bool,
    /// CronJobs whose runs are missed.
    pub(crate) cronjobs: CronJobs,
    born: usize,
    /// The times when each Job was created and ended, to find a lost one.
    pub(crate) chronicle: HashMap<String, String>,
}

pub(crate) enum Entry {
    /// A Job that any seed could have is created.
    Birth,
    /// A Job that fails and is deleted at once.
    Failure,
    /// A Job changes: its UID.
    Step(String, Box<TimelineStep>),
    /// A Job that was released changes.
    Move(usize, Box<TimelineStep>),
    Act(Action),
    /// A Job that meets an obstacle is created.
    Obstacle(PlannedJob),
    /// A Job that makes no progress is released.
    Release(usize),
    /// The controller synchronizes a CronJob, because of a slot or something else.
    Sync(usize, bool),
}

impl Play {
    /// Begins now.
    pub(crate) fn new(seed: u64, environment: &Environment) -> Play {
        let lives = JobGenerator::new(NAMESPACE, PACE, Timestamp::now(), Ids::new(seed));
        Player::new(environment.simulator.store().clone(), vec![lives.cron_job()]).play_all();
        Play {
            lives,
            dice: Ids::new(!seed),
            begin: Instant::now(),
            agenda: BTreeMap::new(),
            number: 0,
            finite: 0,
            stuck: Vec::new(),
            is_healed: false,
            cronjobs: CronJobs::default(),
            born: 0,
            chronicle: HashMap::new(),
        }
    }

    /// Plans this many Jobs of all kinds, spread over a time.
    pub(crate) fn plan_jobs(&mut self, jobs: u32, over: Duration) {
        for _ in 0..jobs {
            let at = over.mul_f64((self.dice.bits() % 10_000) as f64 / 10_000.0);
            self.plan(at, Entry::Birth);
        }
    }

    /// Plans this many Jobs that fail and are deleted at once, evenly over a time.
    pub(crate) fn plan_failures(&mut self, jobs: u32, over: Duration) {
        for job in 0..jobs {
            self.plan(over * job / jobs, Entry::Failure);
        }
    }

    /// Plans the faults.
    pub(crate) fn plan_script(&mut self, script: &Script) {
        for (at, action) in &script.0 {
            self.plan(*at, Entry::Act(action.clone()));
        }
    }

    /// The Jobs by UID.
    pub(crate) fn story(&self, problem: &Problem) -> Option<String> {
        let uid = match problem {
            Problem::EventLost(uid) | Problem::WrongOutcome(uid, _) => Some(&**uid),
            Problem::Notice(problem) => problem.job(),
            _ => None,
        };
        if let Some(uid) = uid {
            return Some(format!("{uid}: {}\n", self.chronicle.get(uid)?));
        }
        match problem {
            Problem::Notice(problem) => self.cronjobs.story(problem.cronjob()?),
            _ => None,
        }
    }

    /// How many Jobs there were.
    pub(crate) fn born(&self) -> usize {
        self.born
    }

    pub(crate) fn plan(&mut self, at: Duration, entry: Entry) {
        self.number += 1;
        self.finite += usize::from(!matches!(entry, Entry::Sync(..)));
        self.agenda.insert((at, self.number), entry);
    }

    /// Plays until nothing but CronJobs is planned any more.
    pub(crate) async fn go(&mut self, environment: &mut Environment) {
        while self.finite > 0 {
            self.next(environment).await;
        }
    }

    /// Plays for at most this long until the oracle confirms the condition; returns true if it did.
    pub(crate) async fn until(
        &mut self,
        environment: &mut Environment,
        patience: Duration,
        so: impl Fn(&Oracle) -> bool,
    ) -> bool {
        let end = self.begin.elapsed() + patience;
        loop {
            let next = self.agenda.keys().next().map_or(end, |(at, _)| *at);
            let wait = next.min(end).saturating_sub(self.begin.elapsed());
            if environment.until(wait, &so).await {
                return true;
            }
            if next >= end {
                return false;
            }
            self.next(environment).await;
        }
    }

    /// Waits for the next entry and plays it.
    async fn next(&mut self, environment: &mut Environment) {
        let Some(((at, _), entry)) = self.agenda.pop_first() else {
            return;
        };
        self.finite -= usize::from(!matches!(entry, Entry::Sync(..)));
        tokio::time::sleep_until(self.begin + at).await;
        match entry {
            Entry::Birth => self.birth(environment),
            Entry::Failure => {
                let name = self.name();
                let life = self.lives.job(&name, Ending::Failed, Some(0), Timestamp::now());
                self.admit(life, &name, environment);
            }
            Entry::Step(uid, step) => {
                self.play(environment, *step);
                // On a slow machine that is later than the times in the object say.
                let late = self.begin.elapsed().saturating_sub(at);
                environment.oracle.notices.late(&uid, late);
            }
            Entry::Move(stuck, step) => {
                self.play(environment, *step);
                self.moved(stuck, environment);
            }
            Entry::Act(action) => environment.act(&action).await,
            Entry::Obstacle(planned) => self.obstruct(planned, environment),
            Entry::Release(stuck) => self.release(stuck, environment),
            Entry::Sync(cronjob, is_tick) => self.sync(cronjob, is_tick, environment),
        }
    }

    /// Plays a step at once.
    pub(crate) fn play(&self, environment: &Environment, step: TimelineStep) {
        Player::new(environment.simulator.store().clone(), vec![step]).play_all();
    }

    /// A Job fails; its UID and owner.
    pub(crate) async fn fail_one(&mut self, environment: &mut Environment) -> (String, String) {
        let name = self.name();
        let life = self.lives.job(&name, Ending::Failed, Some(0), Timestamp::now());
        let uid = life.uid.clone();
        self.admit(life, &name, environment);
        self.go(environment).await;
        (uid, name)
    }

    /// The name of the next Job.
    pub(crate) fn name(&self) -> String {
        format!("job-{}", self.born + 1)
    }

    fn birth(&mut self, environment: &mut Environment) {
        let fate = match self.dice.bits() % 12 {
            0..=4 => Ending::Failed,
            5 => Ending::RetriesExhausted,
            6 => Ending::DeadlineExceeded,
            7..=9 => Ending::Succeeded,
            10 => Ending::SucceededAfterRetry,
            _ => Ending::Deleted,
        };
        let ttl = [Some(0), Some(0), Some(20), None][(self.dice.bits() % 4) as usize];
        let name = self.name();
        if self.dice.bits().is_multiple_of(5) {
            let life = self.lives.run(&name, fate, ttl, Timestamp::now());
            self.admit(life, "recurring", environment);
        } else {
            let life = self.lives.job(&name, fate, ttl, Timestamp::now());
            self.admit(life, &name, environment);
        }
    }

    /// Adds a Job to the oracle, and plays it from now on.
    pub(crate) fn admit(&mut self, life: GeneratedJob, owner: &str, environment: &mut Environment) {
        let end = match life.ending {
            Ending::Failed | Ending::RetriesExhausted | Ending::DeadlineExceeded => End::Failed,
            Ending::Succeeded | Ending::SucceededAfterRetry => End::Succeeded,
            Ending::Deleted => End::Undecided,
        };
        if life.ending == Ending::RetriesExhausted {
            environment.oracle.notices.fails(&life.uid);
        }
        self.admit_with(life, owner, end, environment);
    }

    /// The same, with this outcome.
    pub(crate) fn admit_with(&mut self, life: GeneratedJob, owner: &str, end: End, environment: &mut Environment) {
        self.born += 1;
        if life.name != owner {
            environment.oracle.run(&life.name, owner);
        }
        environment.oracle.job(&life.uid, owner, end);
        let now = self.begin.elapsed();
        let deleted = life
            .steps
            .iter()
            .rfind(|s| (s.resource, s.change) == (Resource::Jobs, ChangeType::Deleted));
        let seconds = |at: Duration| format!("{:.3} s", (now + at).as_secs_f64());
        self.chronicle.insert(
            life.uid.clone(),
            format!(
                "{} ({:?}), created at {}, deleted at {}",
                life.name,
                life.ending,
                seconds(Duration::ZERO),
                deleted.map_or("no time".into(), |step| seconds(step.at)),
            ),
        );
        for step in life.steps {
            self.plan(now + step.at, Entry::Step(life.uid.clone(), Box::new(step)));
        }
    }
}
