//! Invariants of the events about stalled Jobs and missed runs. Pure: compares the obstacles and the slots of a run with the
//! events that arrived.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use simulator::Obstacle;
use simulator::otlp_intake::ReceivedRecord;

/// How long a stall lasts before it is reported.
pub(crate) const AFTER: Duration = Duration::from_secs(8);
/// How late a run may start.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// Times in objects are whole seconds.
const ROUNDING: Duration = Duration::from_secs(1);
/// The longest life of a Job without an obstacle whose changes are in time.
const LIFE: Duration = Duration::from_secs(2);

/// An event that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoticeEvent {
    /// `k8s.job.stalled`: the Job's UID and the cause.
    Stalled { uid: String, cause: String },
    /// `k8s.job.recovered`: the Job's UID and the causes.
    Recovered { uid: String, causes: String },
    /// `k8s.cronjob.missed`.
    Missed(MissedSlots),
}

/// The content of `k8s.cronjob.missed`. Slots are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissedSlots {
    pub(crate) uid: String,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: i64,
    pub(crate) reason: String,
}

impl NoticeEvent {
    /// The event of a record; `None` if it is another one.
    pub(crate) fn read(record: &ReceivedRecord) -> Option<NoticeEvent> {
        let text = |key: &str| {
            let value = record.attributes.get(key).and_then(|value| value.as_str());
            value.unwrap_or_default().to_owned()
        };
        let slot = |key: &str| text(key).parse().map_or(0, jiff::Timestamp::as_second);
        let (uid, cause) = (text("k8s.job.uid"), text("k8s.job.stall.cause"));
        Some(match &*record.event_name {
            "k8s.job.stalled" => NoticeEvent::Stalled { uid, cause },
            "k8s.job.recovered" => NoticeEvent::Recovered { uid, causes: cause },
            "k8s.cronjob.missed" => NoticeEvent::Missed(MissedSlots {
                uid: text("k8s.cronjob.uid"),
                first: slot("k8s.cronjob.scheduled_time"),
                last: slot("k8s.cronjob.missed.last_scheduled_time"),
                count: record.attributes.get("k8s.cronjob.missed.count")?.as_i64()?,
                reason: text("k8s.cronjob.missed.reason"),
            }),
            _ => return None,
        })
    }
}

/// A violation of an invariant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NoticeProblem {
    /// No event of a stall that lasted.
    StallLost(String, String),
    /// No event of a recovery from a reported stall.
    RecoveryLost(String),
    /// A stall was reported of a Job that moved, or a recovery of one that did not: the event's id.
    FalseAlarm(String),
    /// A missed slot that no event reports: CronJob, slot.
    SlotLost(String, i64),
    /// Slots of a CronJob that two events report: CronJob, the first slot of both.
    SlotReportedTwice(String, i64, i64),
    /// An event with another number of slots than were missed: CronJob, first and last slot, number in the event.
    WrongSlots(String, i64, i64, i64),
    /// A reason that the events of the cluster contradict: CronJob, first slot, reason.
    WrongReason(String, i64, String),
    /// The same id with another content: the id.
    Changed(String),
    /// An id that does not belong to the content: the id.
    WrongId(String),
}

impl NoticeProblem {
    /// The UID of the Job that it is about.
    pub(crate) fn job(&self) -> Option<&str> {
        match self {
            NoticeProblem::StallLost(uid, _) | NoticeProblem::RecoveryLost(uid) => Some(uid),
            NoticeProblem::FalseAlarm(id) => id.split('/').next(),
            _ => None,
        }
    }

    /// The UID of the CronJob that it is about.
    pub(crate) fn cronjob(&self) -> Option<&str> {
        match self {
            NoticeProblem::SlotLost(uid, _)
            | NoticeProblem::SlotReportedTwice(uid, ..)
            | NoticeProblem::WrongSlots(uid, ..)
            | NoticeProblem::WrongReason(uid, ..) => Some(uid),
            NoticeProblem::Changed(id) | NoticeProblem::WrongId(id) => id.split('/').next(),
            _ => None,
        }
    }
}

impl fmt::Display for NoticeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoticeProblem::StallLost(uid, cause) => write!(f, "no event of the stall of Job {uid} ({cause})"),
            NoticeProblem::RecoveryLost(uid) => write!(f, "no event of the recovery of Job {uid}"),
            NoticeProblem::FalseAlarm(id) => write!(f, "{id} is false"),
            NoticeProblem::SlotLost(uid, slot) => write!(f, "slot {slot} of CronJob {uid} was missed and not reported"),
            NoticeProblem::SlotReportedTwice(uid, first, other) => {
                write!(f, "events of slots {first} and {other} of CronJob {uid} overlap")
            }
            NoticeProblem::WrongSlots(uid, first, last, count) => {
                write!(f, "CronJob {uid} did not miss {count} slots from {first} to {last}")
            }
            NoticeProblem::WrongReason(uid, first, reason) => {
                write!(f, "slot {first} of CronJob {uid} was not missed because of {reason}")
            }
            NoticeProblem::Changed(id) => write!(f, "{id} was sent again with another content"),
            NoticeProblem::WrongId(id) => write!(f, "an event has the id {id}"),
        }
    }
}

/// A Job with an obstacle, or whose attempts fail.
#[derive(Clone, Copy, Debug)]
struct Stuck {
    cause: Option<&'static str>,
    /// How long it lasted; `None` while it lasts.
    lasted: Option<Duration>,
    /// True if the Job was deleted while no process may have watched: nothing shows its name any more.
    is_gone: bool,
}

impl Stuck {
    /// True if the stall has to be reported.
    fn must_be_reported(self) -> bool {
        self.lasted.is_none() && self.cause.is_some()
    }

    /// True if the stall may be reported.
    fn may_be_reported(self) -> bool {
        let is_long = self.lasted.is_none_or(|lasted| lasted + ROUNDING >= AFTER);
        is_long && self.cause.is_some()
    }
}

/// A slot whose run did not start in time.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// True if it has to be reported.
    is_certain: bool,
    /// The reasons that fit.
    reasons: &'static [&'static str],
}

/// The missed slots of a CronJob, by time.
type Slots = BTreeMap<i64, Slot>;

/// The obstacles and slots of a run, and the events that arrived about them.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    stuck: HashMap<String, Stuck>,
    /// How late the last changes of Jobs were, if by a second or more.
    late: HashMap<String, Duration>,
    slots: HashMap<String, Slots>,
    /// By id.
    events: BTreeMap<String, NoticeEvent>,
    problems: BTreeSet<NoticeProblem>,
}

impl Notices {
    /// A Job met an obstacle.
    pub(crate) fn stuck(&mut self, uid: &str, obstacle: Obstacle) {
        let stuck = Stuck {
            cause: cause_of(obstacle),
            lasted: None,
            is_gone: false,
        };
        self.stuck.insert(uid.to_owned(), stuck);
    }

    /// The attempts of a Job fail in a row, for about as long as a stall that is reported.
    pub(crate) fn fails(&mut self, uid: &str) {
        let stuck = Stuck {
            cause: Some("NonZeroExit"),
            lasted: Some(AFTER),
            is_gone: true,
        };
        self.stuck.insert(uid.to_owned(), stuck);
    }

    /// The obstacle is gone, or the Job. `is_gone`: the Job, perhaps while no process watched.
    pub(crate) fn released(&mut self, uid: &str, lasted: Duration, is_gone: bool) {
        if let Some(stuck) = self.stuck.get_mut(uid) {
            stuck.lasted = Some(lasted);
            stuck.is_gone = is_gone;
        }
    }

    /// A released Job changed when its stall had lasted this long.
    pub(crate) fn moved(&mut self, uid: &str, lasted: Duration) {
        if let Some(stuck) = self.stuck.get_mut(uid) {
            stuck.lasted = stuck.lasted.max(Some(lasted));
        }
    }

    /// A change of a Job came this much later than the times in its objects say.
    pub(crate) fn late(&mut self, uid: &str, late: Duration) {
        if late >= ROUNDING {
            let latest = self.late.entry(uid.to_owned()).or_default();
            *latest = late.max(*latest);
        }
    }

    /// How late changes were at most.
    pub(crate) fn latest(&self) -> Duration {
        self.late.values().max().copied().unwrap_or_default()
    }

    /// True if a Job made no progress for as long as a stall, because the machine was slow.
    fn was_delayed(&self, uid: &str) -> bool {
        let late = self.late.get(uid).copied().unwrap_or_default();
        late + LIFE + ROUNDING >= AFTER
    }

    /// A run started, this much later than its slot. `reasons`: those that fit if that is too late.
    pub(crate) fn started(&mut self, uid: &str, slot: i64, late: Duration, reasons: &'static [&'static str]) {
        if late + ROUNDING >= GRACE {
            self.missed(uid, slot, false, reasons);
        }
    }

    /// A run is never started. `is_certain`: that has to be reported, with one of the reasons.
    pub(crate) fn missed(&mut self, uid: &str, slot: i64, is_certain: bool, reasons: &'static [&'static str]) {
        let slots = self.slots.entry(uid.to_owned()).or_default();
        slots.insert(slot, Slot { is_certain, reasons });
    }

    /// An event arrived; true if its id is new.
    pub(crate) fn event(&mut self, id: &str, event: NoticeEvent) -> bool {
        let expected = match &event {
            NoticeEvent::Stalled { uid, cause } => format!("{uid}/stalled/{cause}"),
            NoticeEvent::Recovered { uid, causes } => format!("{uid}/recovered/{}", causes.replace(',', "+")),
            NoticeEvent::Missed(missed) => format!("{}/missed/{}", missed.uid, time(missed.first)),
        };
        if expected != id {
            self.problems.insert(NoticeProblem::WrongId(id.to_owned()));
        }
        match self.events.get(id) {
            Some(known) if *known != event => {
                self.problems.insert(NoticeProblem::Changed(id.to_owned()));
                false
            }
            Some(_) => false,
            None => {
                self.events.insert(id.to_owned(), event);
                true
            }
        }
    }

    /// How many stalls and recoveries were reported, and how many missed slots.
    pub(crate) fn reported(&self) -> [i64; 3] {
        let mut reported = [0; 3];
        for event in self.events.values() {
            match event {
                NoticeEvent::Stalled { .. } => reported[0] += 1,
                NoticeEvent::Recovered { .. } => reported[1] += 1,
                NoticeEvent::Missed(missed) => reported[2] += missed.count,
            }
        }
        reported
    }

    /// True if no event is missing.
    pub(crate) fn is_complete(&self) -> bool {
        let is_loss = |problem: &NoticeProblem| {
            matches!(
                problem,
                NoticeProblem::StallLost(..) | NoticeProblem::RecoveryLost(..) | NoticeProblem::SlotLost(..)
            )
        };
        !self.problems().iter().any(is_loss)
    }

    /// The differences.
    pub(crate) fn problems(&self) -> BTreeSet<NoticeProblem> {
        let mut problems = self.problems.clone();
        self.compare_stalls(&mut problems);
        self.compare_slots(&mut problems);
        problems
    }

    fn compare_stalls(&self, problems: &mut BTreeSet<NoticeProblem>) {
        let mut stalled: HashSet<&str> = HashSet::new();
        let mut recovered: HashSet<&str> = HashSet::new();
        for (id, event) in &self.events {
            let is_true = match event {
                NoticeEvent::Stalled { uid, cause } => {
                    stalled.insert(uid);
                    let is_true = |stuck: &Stuck| stuck.may_be_reported() && stuck.cause == Some(cause);
                    self.stuck.get(uid).is_some_and(is_true) || self.was_delayed(uid)
                }
                // Also of a stall whose event was about to be sent when the process was killed.
                NoticeEvent::Recovered { uid, causes } => {
                    recovered.insert(uid);
                    let is_true = |stuck: &Stuck| {
                        stuck.may_be_reported() && stuck.lasted.is_some() && stuck.cause == Some(causes)
                    };
                    self.stuck.get(uid).is_some_and(is_true) || self.was_delayed(uid)
                }
                NoticeEvent::Missed(_) => continue,
            };
            if !is_true {
                problems.insert(NoticeProblem::FalseAlarm(id.clone()));
            }
        }
        for (uid, stuck) in &self.stuck {
            let is_reported = stalled.contains(&**uid);
            if stuck.must_be_reported() && !is_reported {
                problems.insert(NoticeProblem::StallLost(
                    uid.clone(),
                    stuck.cause.unwrap_or_default().to_owned(),
                ));
            }
            let is_over = stuck.lasted.is_some() && !stuck.is_gone;
            if is_over && is_reported && !recovered.contains(&**uid) {
                problems.insert(NoticeProblem::RecoveryLost(uid.clone()));
            }
        }
    }

    fn compare_slots(&self, problems: &mut BTreeSet<NoticeProblem>) {
        let mut by_cronjob: BTreeMap<&str, Vec<&MissedSlots>> = BTreeMap::new();
        for event in self.events.values() {
            if let NoticeEvent::Missed(missed) = event {
                by_cronjob.entry(&missed.uid).or_default().push(missed);
            }
        }
        let none = Slots::default();
        for (uid, events) in &mut by_cronjob {
            events.sort_by_key(|event| event.first);
            let slots = self.slots.get(*uid).unwrap_or(&none);
            for event in &*events {
                let missed = || slots.range(event.first..=event.last.max(event.first));
                let all = missed().count() as i64;
                let certain = missed().filter(|(_, slot)| slot.is_certain).count() as i64;
                if !(certain..=all).contains(&event.count) || !slots.contains_key(&event.first) {
                    let problem = NoticeProblem::WrongSlots((*uid).to_owned(), event.first, event.last, event.count);
                    problems.insert(problem);
                }
                let reasons = slots.get(&event.first).map(|slot| slot.reasons);
                if reasons.is_some_and(|reasons| !reasons.contains(&&*event.reason)) {
                    let reason = event.reason.clone();
                    problems.insert(NoticeProblem::WrongReason((*uid).to_owned(), event.first, reason));
                }
            }
            for two in events.windows(2).filter(|two| two[1].first <= two[0].last) {
                let problem = NoticeProblem::SlotReportedTwice((*uid).to_owned(), two[0].first, two[1].first);
                problems.insert(problem);
            }
        }
        for (uid, slots) in &self.slots {
            let events = by_cronjob.get(&**uid).map(Vec::as_slice).unwrap_or_default();
            let is_reported = |slot: i64| events.iter().any(|event| (event.first..=event.last).contains(&slot));
            let certain = slots.iter().filter(|(_, slot)| slot.is_certain);
            for (slot, _) in certain.filter(|(slot, _)| !is_reported(**slot)) {
                problems.insert(NoticeProblem::SlotLost(uid.clone(), *slot));
            }
        }
    }
}

/// The cause of a stall.
fn cause_of(obstacle: Obstacle) -> Option<&'static str> {
    match obstacle {
        Obstacle::Quota => Some("QuotaExceeded"),
        Obstacle::Unschedulable => Some("Unschedulable"),
        Obstacle::ImagePull => Some("ImagePull"),
        Obstacle::MissingConfigMap => Some("ContainerConfig"),
        Obstacle::RunsLong => None,
    }
}

fn time(second: i64) -> String {
    jiff::Timestamp::from_second(second).unwrap_or_default().to_string()
}

#[cfg(test)]
#[path = "notices_tests.rs"]
mod tests;
