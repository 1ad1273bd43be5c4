//! One owner: its runs, its causes, its next run.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::store::read::comparable;
use crate::views::{EventKind, Listed, Owner, Shortened, Snapshot, Stall, owner_key, stalls};

/// The most runs and missed runs that are shown.
const MOST: usize = 200;

/// One owner of Jobs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OwnerView {
    /// The time of this view.
    pub now: Timestamp,
    /// The namespace; empty if unknown.
    pub namespace: Box<str>,
    /// The owner.
    pub owner: Owner,
    /// True while the latest run that was decided failed.
    pub is_failing: bool,
    /// The number of failed runs since the last one that succeeded: from the gauge if it is known, else from the kept events.
    pub consecutive_failures: u64,
    /// The next run of a CronJob, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Timestamp>,
    /// True if the CronJob is suspended; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_suspended: Option<bool>,
    /// The time of the last run that succeeded, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// The number of active Pods, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_pods: Option<u64>,
    /// Finished runs, newest first.
    pub runs: Shortened<OwnerRun>,
    /// The causes of the kept failed runs, most frequent first.
    pub causes: Vec<CauseCount>,
    /// Jobs that make no progress.
    pub stalled: Vec<Stall>,
    /// Events of missed runs, newest first.
    pub missed: Shortened<Listed>,
}

/// One finished run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OwnerRun {
    /// The Job's name.
    pub name: Box<str>,
    /// The Job's UID.
    pub uid: Box<str>,
    /// `Succeeded`, `Failed`, `Deleted`, `Replaced`.
    pub outcome: Box<str>,
    /// The cause of a failure.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub cause: Box<str>,
    /// The reason of the verdict.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: Box<str>,
    /// The start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// The time of the event: the verdict or the deletion.
    pub time: Timestamp,
    /// From start to verdict, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// The number of finished attempts, at most 100.
    pub attempt_count: u32,
    /// The sentence.
    pub summary: Box<str>,
}

/// How many kept runs failed for a cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CauseCount {
    /// The cause; empty if it was not judged.
    pub cause: Box<str>,
    /// The category.
    pub category: Box<str>,
    /// The number of runs.
    pub runs: usize,
    /// The time of the latest of them.
    pub latest: Timestamp,
}

/// The owner; `None` if no event of it is kept.
pub(crate) fn owner(snapshot: Snapshot<'_>, namespace: &str, kind: &str, name: &str) -> Option<OwnerView> {
    let newest = snapshot.events.newest();
    let key = [namespace, kind, name].map(comparable);
    let [namespace, kind, name] = key.each_ref().map(|part| &**part);
    let of_owner: Vec<&Listed> = newest
        .into_iter()
        .filter(|event| owner_key(event) == (namespace, kind, name))
        .collect();
    let latest = of_owner.first()?;
    let finished = || of_owner.iter().filter(|event| event.event == EventKind::Finished);
    let mut decided = finished().filter(|event| matches!(&*event.outcome, "Failed" | "Succeeded"));
    let is_failing = decided.clone().next().is_some_and(|event| &*event.outcome == "Failed");
    let since_success = decided.clone().take_while(|event| &*event.outcome == "Failed").count();
    let last_success = decided
        .find(|event| &*event.outcome == "Succeeded")
        .map(|event| event.time);
    let gauges = snapshot.gauges.of(latest, snapshot.now);
    let missed = of_owner.iter().filter(|event| event.event == EventKind::Missed);
    let missed = missed.map(|event| Listed::clone(event)).collect();
    let stalled = stalls::open(snapshot, &of_owner).into_iter();
    Some(OwnerView {
        now: snapshot.now,
        namespace: latest.namespace.clone(),
        owner: latest.owner.clone(),
        is_failing,
        consecutive_failures: gauges
            .and_then(|gauges| gauges.consecutive_failures)
            .unwrap_or(since_success as u64),
        next_run: snapshot.gauges.next_run(latest, snapshot.now),
        is_suspended: gauges.and_then(|gauges| gauges.is_suspended),
        last_success: gauges.and_then(|gauges| gauges.last_success).max(last_success),
        active_pods: gauges.and_then(|gauges| gauges.active_pods),
        causes: causes(finished()),
        stalled: stalled.map(|event| Stall::new(event, snapshot.now)).collect(),
        missed: Shortened::new(missed, MOST),
        runs: Shortened::new(finished().map(|event| OwnerRun::new(event)).collect(), MOST),
    })
}

fn causes<'a>(newest: impl Iterator<Item = &'a &'a Listed>) -> Vec<CauseCount> {
    let mut counts: HashMap<&str, CauseCount> = HashMap::new();
    for event in newest.filter(|event| &*event.outcome == "Failed") {
        let count = counts.entry(&event.cause).or_insert_with(|| CauseCount {
            cause: event.cause.clone(),
            category: event.category.clone(),
            runs: 0,
            latest: event.time,
        });
        count.runs += 1;
    }
    let mut counts: Vec<CauseCount> = counts.into_values().collect();
    counts.sort_by(|a, b| (b.runs, b.latest, &a.cause).cmp(&(a.runs, a.latest, &b.cause)));
    counts
}

impl OwnerRun {
    fn new(event: &Listed) -> Self {
        OwnerRun {
            name: event.name.clone(),
            uid: event.uid.clone(),
            outcome: event.outcome.clone(),
            cause: event.cause.clone(),
            reason: event.reason.clone(),
            start_time: event.start_time,
            time: event.time,
            duration: event.duration,
            attempt_count: event.attempt_count,
            summary: event.summary.clone(),
        }
    }
}
