//! The end of a run: the faults end and the oracle checks the data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::collector::Reloads;
use crate::cron::AWAY;
use crate::environment::Environment;
use crate::notices::NoticeProblem;
use crate::oracle::{Oracle, Problem, Traffic};
use crate::play::{PATIENCE, Play};
use crate::script::Script;

/// How often the watches are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Which run it was.
    pub name: String,
    /// How many Jobs there were.
    pub jobs: usize,
    /// How many of them had a verdict.
    pub decided: usize,
    /// Reported stalls, recoveries, and missed slots.
    pub notices: [i64; 3],
    /// Faults by kind.
    pub faults: BTreeMap<String, usize>,
    /// The reloads in the logs.
    pub reloads: Reloads,
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
    /// How late the simulated cluster was at most: a slow machine delays its changes.
    pub late: Duration,
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
            Problem::Notice(
                NoticeProblem::StallLost(..) | NoticeProblem::RecoveryLost(..) | NoticeProblem::SlotLost(..),
            ) => 1,
            _ => 0,
        };
        self.problems.iter().map(lost).sum()
    }

    /// How many Jobs and slots are counted more than once.
    pub(crate) fn duplicates(&self) -> i64 {
        let twice = |problem: &Problem| match problem {
            Problem::CountedTwice(_, _, jobs) => *jobs,
            Problem::Notice(NoticeProblem::SlotReportedTwice(..) | NoticeProblem::Changed(_)) => 1,
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
            "{}: {} Jobs, {} decided; {} stalls, {} recoveries, {} missed runs; {faults} faults; reloads: {} applied, {} refused; lost {}, duplicates {}; \
             sent again: {} events, {} points; refused by the backend: {}; ",
            self.name,
            self.jobs,
            self.decided,
            self.notices[0],
            self.notices[1],
            self.notices[2],
            self.reloads.applied,
            self.reloads.refused,
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
            "peak RSS {:.1} MiB; the cluster was {:.1} s late at most; {:.1} s",
            self.memory as f64 / 1_048_576.0,
            self.late.as_secs_f64(),
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
    let fresh = play
        .until(&mut environment, PATIENCE, |oracle| oracle.has(&uid, &owner))
        .await
        .then(|| created.elapsed());
    if fresh.is_none() {
        complaints.push(format!(
            "a Job that failed after the faults did not come through in {patience:?}"
        ));
    }
    if play.has_cronjobs() {
        // A run that is missed while a watch is away cannot be proven.
        let patience = Instant::now() + PATIENCE;
        while !environment.is_watched() && Instant::now() < patience {
            play.until(&mut environment, LOOK, |_| false).await;
        }
        play.miss_runs_again();
        // The slots are known once the next run starts.
        play.until(&mut environment, AWAY + Duration::from_secs(2), |_| false)
            .await;
    }
    play.until(&mut environment, patience, |oracle| oracle.notices.is_complete())
        .await;
    play.release_all(&mut environment).await;
    play.until(&mut environment, patience, Oracle::is_complete).await;
    let memory = environment.peak_memory();
    complaints.extend(environment.stop(PATIENCE).await.err());
    let reloads = environment.reloads();
    complaints.extend(reloads.failed.iter().cloned());
    if reloads.applied == 0 && script.has_reloads() {
        complaints.push("no reload was applied".into());
    }
    let problems: Vec<Problem> = environment.oracle.problems().into_iter().collect();
    Outcome {
        name: name.to_owned(),
        jobs: play.born(),
        decided: environment.oracle.decided(),
        notices: environment.oracle.notices.reported(),
        faults: script.kinds(),
        reloads,
        traffic: environment.oracle.traffic(),
        story: problems
            .iter()
            .filter_map(|problem| play.story(problem))
            .take(20)
            .collect::<BTreeSet<String>>()
            .into_iter()
            .chain([script.to_string(), environment.logs()])
            .collect(),
        problems,
        complaints,
        fresh,
        memory,
        late: environment.oracle.notices.latest(),
        took: begin.elapsed(),
    }
}
