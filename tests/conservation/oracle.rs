//! Invariants at the backend. Pure: compares the Jobs of a run with the data that arrived, and lists the differences.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::notices::{NoticeEvent, NoticeProblem, Notices};

/// The metric that counts Jobs that failed.
pub(crate) const FAILURES: &str = "k8s.job.failures";
/// The metric that counts Jobs that completed.
pub(crate) const COMPLETIONS: &str = "k8s.job.completions";
/// The metric that counts missed runs.
pub(crate) const MISSED: &str = "k8s.cronjob.missed_runs";

/// The outcome of a Job, from the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It failed.
    Failed,
    /// It completed.
    Succeeded,
    /// It was deleted before it had a verdict: there may be an event of it, and nothing is counted.
    Undecided,
}

impl End {
    fn counter(self) -> Option<&'static str> {
        match self {
            End::Failed => Some(FAILURES),
            End::Succeeded => Some(COMPLETIONS),
            End::Undecided => None,
        }
    }
}

/// An event that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// `log.record.uid`, by which a backend knows events that it got twice.
    pub id: String,
    /// The UID of the Job.
    pub uid: String,
    /// The outcome in the event.
    pub outcome: String,
}

/// A point of a delta metric that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// The metric.
    pub metric: String,
    /// The Job or CronJob it is about.
    pub owner: String,
    /// Everything that makes the series, the metric included.
    pub series: String,
    /// The second it is for.
    pub second: u64,
    /// The whole content.
    pub content: String,
    /// How many Jobs it counts, if it counts Jobs.
    pub count: i64,
}

/// The result of a sent item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The backend accepted it.
    Taken,
    /// The backend refused it permanently, so it is missing there, and only the backend lost it.
    Refused,
}

/// A violation of an invariant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Problem {
    /// No event of a Job that was decided.
    EventLost(String),
    /// Jobs of an owner that no point counts: metric, owner, how many.
    CountLost(String, String, i64),
    /// An owner with more counts than Jobs: metric, owner, the excess.
    CountedTwice(String, String, i64),
    /// An event of a Job that never existed.
    EventUnknown(String),
    /// An event whose id is not the UID of its Job: id, UID.
    WrongId(String, String),
    /// The event contradicts the controller: UID, outcome in the event.
    WrongOutcome(String, String),
    /// Two different points in one second of a series, of which a backend keeps the last: series, second, both.
    Overwritten(String, u64, String, String),
    /// About a stalled Job or a missed run.
    Notice(NoticeProblem),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::EventLost(uid) => write!(f, "no event of Job {uid}"),
            Problem::CountLost(metric, owner, missing) => write!(f, "{metric} of {owner} is {missing} too low"),
            Problem::CountedTwice(metric, owner, over) => write!(f, "{metric} of {owner} is {over} too high"),
            Problem::EventUnknown(uid) => write!(f, "an event of Job {uid}, which never was"),
            Problem::WrongId(id, uid) => write!(f, "the event of Job {uid} has the id {id}"),
            Problem::WrongOutcome(uid, outcome) => write!(f, "the event of Job {uid} says {outcome}"),
            Problem::Overwritten(series, second, before, after) => {
                write!(f, "{series} at second {second}: {before} was overwritten by {after}")
            }
            Problem::Notice(problem) => problem.fmt(f),
        }
    }
}

/// How much arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Events that were accepted before.
    pub events_again: usize,
    /// Points that were accepted before, and are the same.
    pub points_again: usize,
    /// Events and points refused for good.
    pub refused: usize,
}

/// The Jobs of a run, and the data that arrived about them.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    jobs: HashMap<String, End>,
    /// Decided Jobs without an event.
    without_event: BTreeSet<String>,
    /// Metric and owner, and how many Jobs are still to be counted; no entry means none.
    owed: BTreeMap<(String, String), i64>,
    /// Events by id; true if accepted.
    events: HashMap<String, Fate>,
    /// Points by series and second.
    places: HashMap<(String, u64), (String, Fate)>,
    wrong: BTreeSet<Problem>,
    traffic: Traffic,
    /// The owners of runs, by the runs' own names.
    runs: HashMap<String, String>,
    /// Stalled Jobs and missed runs.
    pub notices: Notices,
}

impl Oracle {
    /// A CronJob's run may be counted under its own name: of a run that was created and deleted unobserved only Events
    /// are left, and in this environment, where a day is short, names do not contain slots. Either way it is counted
    /// once.
    pub(crate) fn run(&mut self, name: &str, owner: &str) {
        self.runs.insert(name.to_owned(), owner.to_owned());
    }

    /// A Job exists.
    pub(crate) fn job(&mut self, uid: &str, owner: &str, end: End) {
        self.jobs.insert(uid.to_owned(), end);
        if let Some(counter) = end.counter() {
            self.without_event.insert(uid.to_owned());
            self.owe(counter, owner, 1);
        }
    }

    /// An event arrived.
    pub(crate) fn event(&mut self, event: Event, fate: Fate) {
        let Event { id, uid, outcome } = event;
        self.count_event(&id, fate);
        let problem = match self.jobs.get(&uid) {
            None => Some(Problem::EventUnknown(uid.clone())),
            Some(_) if id != uid => Some(Problem::WrongId(id, uid.clone())),
            Some(End::Failed) if outcome != "Failed" => Some(Problem::WrongOutcome(uid.clone(), outcome)),
            Some(End::Succeeded) if outcome != "Succeeded" => Some(Problem::WrongOutcome(uid.clone(), outcome)),
            Some(End::Undecided) if matches!(&*outcome, "Failed" | "Succeeded") => {
                Some(Problem::WrongOutcome(uid.clone(), outcome))
            }
            Some(_) => None,
        };
        self.wrong.extend(problem);
        self.without_event.remove(&uid);
    }

    /// An event about an unfinished Job, or missed runs of the owner, arrived.
    pub(crate) fn notice(&mut self, id: &str, owner: &str, event: NoticeEvent, fate: Fate) {
        self.count_event(id, fate);
        let missed = match &event {
            NoticeEvent::Missed(missed) => missed.count,
            NoticeEvent::Stalled { .. } | NoticeEvent::Recovered { .. } => 0,
        };
        if self.notices.event(id, event) {
            self.owe(MISSED, owner, missed);
        }
    }

    fn count_event(&mut self, id: &str, fate: Fate) {
        if fate == Fate::Refused {
            self.traffic.refused += 1;
        }
        let known = self.events.get(id).copied();
        if known == Some(Fate::Taken) && fate == Fate::Taken {
            self.traffic.events_again += 1;
        }
        if known != Some(Fate::Taken) {
            self.events.insert(id.to_owned(), fate);
        }
    }

    /// A point of a delta metric arrived.
    pub(crate) fn point(&mut self, point: Point, fate: Fate) {
        if fate == Fate::Refused {
            self.traffic.refused += 1;
        }
        let place = (point.series, point.second);
        match self.places.get_mut(&place) {
            Some((content, _)) if *content != point.content => {
                let (series, second) = place;
                let problem = Problem::Overwritten(series, second, content.clone(), point.content);
                self.wrong.insert(problem);
            }
            Some((_, known)) => {
                if (*known, fate) == (Fate::Taken, Fate::Taken) {
                    self.traffic.points_again += 1;
                } else if fate == Fate::Taken {
                    *known = fate;
                }
            }
            None => {
                self.places.insert(place, (point.content, fate));
                if matches!(&*point.metric, FAILURES | COMPLETIONS | MISSED) {
                    self.owe(&point.metric, &point.owner, -point.count);
                }
            }
        }
    }

    fn owe(&mut self, metric: &str, owner: &str, jobs: i64) {
        let owner = self.runs.get(owner).map_or(owner, String::as_str);
        let key = (metric.to_owned(), owner.to_owned());
        let owed = self.owed.entry(key.clone()).or_default();
        *owed += jobs;
        if *owed == 0 {
            self.owed.remove(&key);
        }
    }

    /// True if all expected data arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.without_event.is_empty() && self.owed.values().all(|owed| *owed < 0) && self.notices.is_complete()
    }

    /// True if the event of this Job and all counts of its owner arrived.
    pub(crate) fn has(&self, uid: &str, owner: &str) -> bool {
        let counted = |metric: &str| !self.owed.contains_key(&(metric.to_owned(), owner.to_owned()));
        !self.without_event.contains(uid) && counted(FAILURES) && counted(COMPLETIONS)
    }

    /// How many Jobs have a verdict.
    pub(crate) fn decided(&self) -> usize {
        self.jobs.values().filter(|end| end.counter().is_some()).count()
    }

    /// How much arrived.
    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// The differences.
    pub(crate) fn problems(&self) -> BTreeSet<Problem> {
        let mut problems = self.wrong.clone();
        problems.extend(self.without_event.iter().cloned().map(Problem::EventLost));
        problems.extend(self.notices.problems().into_iter().map(Problem::Notice));
        problems.extend(self.owed.iter().map(|((metric, owner), owed)| {
            if *owed > 0 {
                Problem::CountLost(metric.clone(), owner.clone(), *owed)
            } else {
                Problem::CountedTwice(metric.clone(), owner.clone(), -owed)
            }
        }));
        problems
    }
}

#[cfg(test)]
#[path = "oracle_tests.rs"]
mod tests;
