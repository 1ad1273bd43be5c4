//! A run: Jobs are played while the script injects faults; then the faults end and the oracle checks the data.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use simulator::{ChangeType, Ending, GeneratedJob, Ids, JobGenerator, Player, Resource, TimelineStep};
use tokio::time::Instant;

use crate::environment::Environment;
use crate::oracle::{End, Oracle, Problem, Traffic};
use crate::script::{Action, Script};

/// The namespace of the Jobs.
pub(crate) const NAMESPACE: &str = "work";
/// How much faster than a real cluster this one is.
const PACE: u32 = 20;
/// How long the backend may take to receive everything once the faults are over: only a loss takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Creates Jobs and plays them.
pub(crate) struct Play {
    lives: JobGenerator,
    dice: Ids,
    begin: Instant,
    agenda: BTreeMap<(Duration, u64), Entry>,
    number: u64,
    born: usize,
    /// The times when each Job was created and ended, to find a lost one.
    chronicle: HashMap<String, String>,
}

enum Entry {
    /// A Job that any seed could have is created.
    Birth,
    /// A Job that fails and is deleted at once.
    Failure,
    Step(Box<TimelineStep>),
    Act(Action),
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
    fn story(&self, problem: &Problem) -> Option<String> {
        match problem {
            Problem::EventLost(uid) => Some(format!("{uid}: {}\n", self.chronicle.get(uid)?)),
            _ => None,
        }
    }

    /// How many Jobs there were.
    pub(crate) fn born(&self) -> usize {
        self.born
    }

    fn plan(&mut self, at: Duration, entry: Entry) {
        self.number += 1;
        self.agenda.insert((at, self.number), entry);
    }

    /// Plays until nothing is planned any more.
    pub(crate) async fn go(&mut self, environment: &mut Environment) {
        while let Some(((at, _), entry)) = self.agenda.pop_first() {
            tokio::time::sleep_until(self.begin + at).await;
            match entry {
                Entry::Birth => self.birth(environment),
                Entry::Failure => {
                    let name = self.name();
                    let life = self.lives.job(&name, Ending::Failed, Some(0), Timestamp::now());
                    self.admit(&life, &name, environment);
                }
                Entry::Step(step) => Player::new(environment.simulator.store().clone(), vec![*step]).play_all(),
                Entry::Act(action) => environment.act(&action).await,
            }
        }
    }

    /// A Job fails; its UID and owner.
    pub(crate) async fn fail_one(&mut self, environment: &mut Environment) -> (String, String) {
        let name = self.name();
        let life = self.lives.job(&name, Ending::Failed, Some(0), Timestamp::now());
        self.admit(&life, &name, environment);
        self.go(environment).await;
        (life.uid, name)
    }

    fn name(&mut self) -> String {
        self.born += 1;
        format!("job-{}", self.born)
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
            self.admit(&life, "recurring", environment);
        } else {
            let life = self.lives.job(&name, fate, ttl, Timestamp::now());
            self.admit(&life, &name, environment);
        }
    }

    fn admit(&mut self, life: &GeneratedJob, owner: &str, environment: &mut Environment) {
        let end = match life.ending {
            Ending::Failed | Ending::RetriesExhausted | Ending::DeadlineExceeded => End::Failed,
            Ending::Succeeded | Ending::SucceededAfterRetry => End::Succeeded,
            Ending::Deleted => End::Undecided,
        };
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
        for step in &life.steps {
            self.plan(now + step.at, Entry::Step(Box::new(step.clone())));
        }
    }
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Which run it was.
    pub name: String,
    /// How many Jobs there were.
    pub jobs: usize,
    /// How many of them had a verdict.
    pub decided: usize,
    /// Faults by kind.
    pub faults: BTreeMap<String, usize>,
    /// Data that arrived twice or was rejected.
    pub traffic: Traffic,
    /// The findings of the oracle.
    pub problems: Vec<Problem>,
    /// Other problems.
    pub complaints: Vec<String>,
    /// How long a Job after the faults took until it was counted, from its creation on.
    pub fresh: Option<Duration>,
    /// The most memory a collector had, in bytes.
    pub memory: u64,
    /// How long the run took.
    pub took: Duration,
    /// The script and the logs, for analysis.
    pub story: String,
}

impl Outcome {
    /// True if no problem was found.
    pub(crate) fn holds(&self) -> bool {
        self.problems.is_empty() && self.complaints.is_empty()
    }

    /// How many events and counts are missing.
    pub(crate) fn losses(&self) -> i64 {
        let lost = |problem: &Problem| match problem {
            Problem::EventLost(_) => 1,
            Problem::CountLost(_, _, jobs) => *jobs,
            _ => 0,
        };
        self.problems.iter().map(lost).sum()
    }

    /// How many Jobs are counted more than once.
    pub(crate) fn duplicates(&self) -> i64 {
        let twice = |problem: &Problem| match problem {
            Problem::CountedTwice(_, _, jobs) => *jobs,
            _ => 0,
        };
        self.problems.iter().map(twice).sum()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: usize = self.faults.values().sum();
        write!(
            f,
            "{}: {} Jobs, {} decided; {faults} faults; lost {}, duplicates {}; sent again: {} events, {} points; \
             refused by the backend: {}; ",
            self.name,
            self.jobs,
            self.decided,
            self.losses(),
            self.duplicates(),
            self.traffic.events_again,
            self.traffic.points_again,
            self.traffic.refused,
        )?;
        match self.fresh {
            Some(time) => write!(f, "a new Job after {:.1} s; ", time.as_secs_f64())?,
            None => write!(f, "a new Job never came; ")?,
        }
        write!(
            f,
            "peak RSS {:.1} MiB; {:.1} s",
            self.memory as f64 / 1_048_576.0,
            self.took.as_secs_f64()
        )
    }
}

/// After the faults: all faults end, a new Job is reported, everything arrives, the collectors stop, and the oracle
/// decides. `patience`: how long to wait for missing data.
pub(crate) async fn conclude(
    name: &str,
    begin: Instant,
    mut environment: Environment,
    mut play: Play,
    script: &Script,
    patience: Duration,
) -> Outcome {
    environment.heal().await;
    let mut complaints = Vec::new();
    for (replica, collector) in environment.collectors.iter_mut().enumerate() {
        if collector.is_dead() {
            complaints.push(format!("replica {replica} ended by itself"));
        }
    }
    let created = Instant::now();
    let (uid, owner) = play.fail_one(&mut environment).await;
    let fresh = environment
        .until(PATIENCE, |oracle| oracle.has(&uid, &owner))
        .await
        .then(|| created.elapsed());
    if fresh.is_none() {
        complaints.push(format!(
            "a Job that failed after the faults did not come through in {patience:?}"
        ));
    }
    environment.until(patience, Oracle::is_complete).await;
    let memory = environment.peak_memory();
    complaints.extend(environment.stop(PATIENCE).await.err());
    let problems: Vec<Problem> = environment.oracle.problems().into_iter().collect();
    Outcome {
        name: name.to_owned(),
        jobs: play.born(),
        decided: environment.oracle.decided(),
        faults: script.kinds(),
        traffic: environment.oracle.traffic(),
        story: problems
            .iter()
            .take(20)
            .filter_map(|problem| play.story(problem))
            .chain([script.to_string(), environment.logs()])
            .collect(),
        problems,
        complaints,
        fresh,
        memory,
        took: begin.elapsed(),
    }
}
