//! The overview: what fails, what is stalled, what did not start.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::views::{EventKind, Filter, Listed, Owner, Shortened, Snapshot, Stall, Timeline, stalls};

/// The most entries of each list. With texts of the usual length a page of them is below 200 KiB.
const MOST: usize = 100;
/// The time that missed runs and totals look back, unless the filter has `since`.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// The state of all Jobs, as far as the kept events show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overview {
    /// The time of this view.
    pub now: Timestamp,
    /// Groups of failed runs of owners that are failing, by owner and cause, newest first.
    pub failing: Shortened<FailingGroup>,
    /// Jobs that make no progress, latest first.
    pub stalled: Shortened<Stall>,
    /// Runs that did not start, by owner and reason, newest first.
    pub missed: Shortened<MissedGroup>,
    /// The last 24 hours.
    pub timeline: Timeline,
    /// Counts.
    pub totals: Totals,
}

/// Failed runs of one owner for one cause, since its last run that succeeded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailingGroup {
    /// The namespace; empty if unknown.
    pub namespace: Box<str>,
    /// The owner.
    pub owner: Owner,
    /// The cause; empty if it was not judged.
    pub cause: Box<str>,
    /// The category of the cause.
    pub category: Box<str>,
    /// The number of runs in the group.
    pub runs: usize,
    /// The time of the first of them.
    pub first: Timestamp,
    /// The latest of them.
    pub latest: Listed,
    /// The next run of the CronJob, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Timestamp>,
}

/// Runs of one CronJob that did not start for one reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MissedGroup {
    /// The namespace; empty if unknown.
    pub namespace: Box<str>,
    /// The CronJob.
    pub owner: Owner,
    /// The reason.
    pub reason: Box<str>,
    /// The number of runs.
    pub runs: u64,
    /// The time of the first event.
    pub first: Timestamp,
    /// The latest event.
    pub latest: Listed,
    /// The next run of the CronJob, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Timestamp>,
}

/// Counts of the events that match the filter. Those of a window look back 24 hours, or to `since` of the filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// All kept events, whatever the filter.
    pub kept: usize,
    /// Kept events that match the filter.
    pub matching: usize,
    /// The beginning of the window.
    pub window_start: Timestamp,
    /// Jobs that failed, in the window.
    pub failed: u64,
    /// Jobs that succeeded, in the window.
    pub succeeded: u64,
    /// Jobs that were deleted or replaced before they were decided, in the window.
    pub deleted: u64,
    /// Stalls that were reported, in the window.
    pub stalled: u64,
    /// Runs that did not start, in the window.
    pub missed: u64,
    /// Owners that are failing now.
    pub failing_owners: usize,
    /// The time of the oldest kept event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
}

/// An owner within a cluster.
pub(crate) type OwnerKey<'a> = (&'a str, &'a str, &'a str);

pub(crate) fn owner_key(event: &Listed) -> OwnerKey<'_> {
    (&event.namespace, &event.owner.kind, &event.owner.name)
}

/// The overview.
pub(crate) fn overview(snapshot: Snapshot<'_>, filter: &Filter) -> Overview {
    let newest = snapshot.events.newest();
    let now = snapshot.now;
    let matching: Vec<&Listed> = newest
        .iter()
        .copied()
        .filter(|event| filter.matches(event, now))
        .collect();
    let from = filter.earliest(now);
    let from = from.unwrap_or_else(|| now.saturating_sub(WINDOW).unwrap_or(Timestamp::MIN));
    let mut timeline = Timeline::new(now);
    matching.iter().for_each(|event| timeline.add(event));
    let failing = failing(snapshot, &newest, filter);
    let open = stalls::open(snapshot, &newest).into_iter();
    let stalled = open.filter(|event| filter.matches(event, now));
    let stalled = stalled.map(|event| Stall::new(event, now)).collect();
    let in_window = || matching.iter().copied().filter(|event| event.time >= from);
    let mut totals = totals(in_window(), from);
    totals.kept = newest.len();
    totals.matching = matching.len();
    totals.oldest = newest.last().map(|event| event.time);
    let mut owners: Vec<_> = failing.iter().map(|group| owner_key(&group.latest)).collect();
    owners.sort_unstable();
    owners.dedup();
    totals.failing_owners = owners.len();
    Overview {
        now,
        stalled: Shortened::new(stalled, MOST),
        missed: Shortened::new(missed(snapshot, in_window()), MOST),
        timeline,
        totals,
        failing: Shortened::new(failing, MOST),
    }
}

/// The groups of failing owners that have an event which matches.
///
/// `newest` has all events: the latest run decides about its owner even if the filter does not show it.
fn failing(snapshot: Snapshot<'_>, newest: &[&Listed], filter: &Filter) -> Vec<FailingGroup> {
    let mut is_recovered: HashMap<OwnerKey<'_>, bool> = HashMap::new();
    let mut groups: BTreeMap<(OwnerKey<'_>, &str), (FailingGroup, bool)> = BTreeMap::new();
    for event in newest.iter().filter(|event| event.event == EventKind::Finished) {
        let key = owner_key(event);
        let is_recovered = is_recovered.entry(key).or_default();
        match &*event.outcome {
            "Succeeded" => *is_recovered = true,
            "Failed" if !*is_recovered => {
                let (group, is_shown) = groups.entry((key, &event.cause)).or_insert_with(|| {
                    let group = FailingGroup {
                        namespace: event.namespace.clone(),
                        owner: event.owner.clone(),
                        cause: event.cause.clone(),
                        category: event.category.clone(),
                        runs: 0,
                        first: event.time,
                        latest: Listed::clone(event),
                        next_run: snapshot.gauges.next_run(event, snapshot.now),
                    };
                    (group, false)
                });
                group.runs += 1;
                group.first = event.time;
                *is_shown |= filter.matches(event, snapshot.now);
            }
            _ => {}
        }
    }
    let shown = groups.into_values().filter(|(_, is_shown)| *is_shown);
    let mut shown: Vec<FailingGroup> = shown.map(|(group, _)| group).collect();
    shown.sort_by_key(|group| std::cmp::Reverse(group.latest.time));
    shown
}

fn missed<'a>(snapshot: Snapshot<'_>, newest: impl Iterator<Item = &'a Listed>) -> Vec<MissedGroup> {
    let mut groups: Vec<MissedGroup> = Vec::new();
    let mut places: HashMap<(OwnerKey<'a>, &'a str), usize> = HashMap::new();
    for event in newest.filter(|event| event.event == EventKind::Missed) {
        let place = *places.entry((owner_key(event), &*event.reason)).or_insert_with(|| {
            groups.push(MissedGroup {
                namespace: event.namespace.clone(),
                owner: event.owner.clone(),
                reason: event.reason.clone(),
                runs: 0,
                first: event.time,
                latest: event.clone(),
                next_run: snapshot.gauges.next_run(event, snapshot.now),
            });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.runs += event.missed_runs;
            group.first = event.time;
        }
    }
    groups
}

fn totals<'a>(events: impl Iterator<Item = &'a Listed>, window_start: Timestamp) -> Totals {
    let mut totals = Totals {
        window_start,
        ..Totals::default()
    };
    for event in events {
        match (event.event, &*event.outcome) {
            (EventKind::Finished, "Failed") => totals.failed += 1,
            (EventKind::Finished, "Succeeded") => totals.succeeded += 1,
            (EventKind::Finished, _) => totals.deleted += 1,
            (EventKind::Stalled, _) => totals.stalled += 1,
            (EventKind::Missed, _) => totals.missed += event.missed_runs,
            (EventKind::Recovered, _) => {}
        }
    }
    totals
}
