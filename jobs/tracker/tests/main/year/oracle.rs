//! The expected reports: every missed slot that can be proven, once, with the right reason, and nothing else.

use std::collections::{BTreeMap, HashMap};

use job_event::notice::{MissReason, MissedRuns};

use super::cluster::{Act, Cluster, CronJob};

/// How long everything must have worked until each missed slot is reported.
pub(crate) const SETTLED: i64 = 600;

/// A slot that was due.
#[derive(Debug, Default)]
struct Slot {
    created: Option<i64>,
    /// When the controller said that it is forbidden, and that its Job cannot be created.
    forbidden: Option<i64>,
    failed: Option<i64>,
    /// True if a run was active when it began.
    overlaps: bool,
    /// True if it need not be reported.
    is_uncertain: bool,
    reported: bool,
}

#[derive(Default)]
pub(crate) struct Oracle {
    slots: BTreeMap<(usize, i64), Slot>,
    /// Slots that may be missed.
    open: Vec<(usize, i64)>,
    by_uid: HashMap<String, usize>,
    /// The first report with each identity.
    reports: HashMap<String, MissedRuns>,
    /// No Job was created and removed unobserved since.
    pub(crate) jobs_since: i64,
    /// Everything works since.
    pub(crate) undisturbed: i64,
    /// When the controller last acted after more than 100 slots.
    too_many: HashMap<usize, i64>,
    pub(crate) missed: BTreeMap<&'static str, u64>,
    pub(crate) started: u64,
    pub(crate) uncertain: u64,
    pub(crate) invalid: BTreeMap<usize, u64>,
}

impl Oracle {
    pub(crate) fn created(&mut self, uid: &str, number: usize) {
        self.by_uid.insert(uid.into(), number);
    }

    /// A slot begins.
    pub(crate) fn due(&mut self, number: usize, slot: i64, cronjob: &CronJob) {
        let entry = self.slots.entry((number, slot)).or_default();
        entry.overlaps = cronjob.policy == "Forbid" && !cronjob.active.is_empty();
        self.open.push((number, slot));
    }

    /// The acts of the controller since the last call.
    pub(crate) fn observe(&mut self, cluster: &mut Cluster) {
        for (number, slot, act, now) in cluster.acts.drain(..) {
            if act == Act::TooMany {
                self.too_many.insert(number, now);
            }
            let Some(slot) = self.slots.get_mut(&(number, slot)) else {
                continue;
            };
            let time = match act {
                Act::Started => &mut slot.created,
                Act::Forbidden => &mut slot.forbidden,
                Act::Failed => &mut slot.failed,
                Act::TooMany => continue,
            };
            time.get_or_insert(now);
        }
    }

    /// The open slots of a CronJob need not be reported: its spec changed before they were decided.
    pub(crate) fn spec_changes(&mut self, number: usize) {
        let open = self.open.iter().filter(|(of, _)| *of == number);
        for key in open {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.is_uncertain = true;
            }
        }
    }

    /// Events that the backend received.
    pub(crate) fn receive(&mut self, received: Vec<MissedRuns>, cluster: &Cluster) {
        for missed in received {
            let uid = &*missed.cronjob.cronjob.as_ref().unwrap().uid;
            let identity = format!("{uid}/{}", missed.first);
            if let Some(first) = self.reports.get(&identity) {
                let same = |runs: &MissedRuns| (runs.last, runs.count, runs.reason);
                assert_eq!(same(first), same(&missed), "sent again as it was: {identity}");
                continue;
            }
            let number = self.by_uid[uid];
            *self.missed.entry(missed.reason.as_str()).or_default() += missed.count;
            match missed.reason {
                MissReason::InvalidSchedule => *self.invalid.entry(number).or_default() += 1,
                _ => self.check_report(number, &missed, &cluster.cronjobs[number]),
            }
            self.reports.insert(identity, missed);
        }
    }

    fn check_report(&mut self, number: usize, missed: &MissedRuns, cronjob: &CronJob) {
        let (first, last) = (missed.first.as_second(), missed.last.as_second());
        let (undisturbed, too_many) = (self.undisturbed, self.too_many.get(&number).copied().unwrap_or(0));
        let in_time = |slot: i64, of: &Slot| of.created.is_some_and(|at| at <= slot + cronjob.grace());
        let mut count = 0;
        let mut checked = 0;
        for ((_, slot), of) in self.slots.range_mut((number, first)..=(number, last)) {
            if in_time(*slot, of) {
                assert!(
                    *slot != first && *slot != last,
                    "started in time: {} {slot}",
                    cronjob.name
                );
                continue;
            }
            assert!(!of.reported, "reported twice: {} {slot}", cronjob.name);
            of.reported = true;
            count += 1;
            let is_strict = *slot > undisturbed && missed.count == 1;
            let allowed = allowed(*slot, of, cronjob, is_strict, too_many, missed.count);
            if !allowed.contains(&missed.reason) {
                checked += 1;
                assert!(
                    missed.count > 1,
                    "{} {} {slot}: {:?}, expected one of {allowed:?}; {of:?} {cronjob:?} undisturbed since {undisturbed}",
                    cronjob.name,
                    cronjob.text,
                    missed.reason
                );
            }
        }
        assert!(checked == 0, "{} of {count} have another reason: {missed:?}", checked);
        assert!(
            count >= missed.count && missed.count > 0,
            "{count} were missed: {missed:?}"
        );
    }

    /// Every slot that is missed and certain is reported. `number` limits it to one CronJob.
    pub(crate) fn check(&mut self, cluster: &Cluster, now: i64, is_undisturbed: bool, number: Option<usize>) {
        let until = if is_undisturbed { now - SETTLED } else { i64::MIN };
        let (jobs_since, undisturbed) = (self.jobs_since, self.undisturbed);
        let (slots, mut started, mut uncertain) = (&mut self.slots, 0, 0);
        self.open.retain(|key| {
            let (of, slot) = *key;
            let Some(state) = slots.get(key) else { return false };
            let cronjob = &cluster.cronjobs[of];
            if state.created.is_some_and(|at| at <= slot + cronjob.grace()) {
                started += 1;
                return false;
            }
            if state.reported {
                return false;
            }
            if slot + cronjob.grace() > until || undisturbed > until || number.is_some_and(|number| number != of) {
                return true;
            }
            let is_observed = slot >= jobs_since || Some(slot) > cronjob.last_scheduled;
            assert!(
                state.is_uncertain || !is_observed,
                "missed and not reported: {} {} {slot}: {state:?} {cronjob:?} at {now}, undisturbed since {undisturbed}",
                cronjob.name, cronjob.text
            );
            uncertain += 1;
            false
        });
        self.started += started;
        self.uncertain += uncertain;
    }
}

/// The reasons that are true for a missed slot. Only one of them if nothing was disturbed.
fn allowed(slot: i64, of: &Slot, cronjob: &CronJob, is_strict: bool, too_many: i64, count: u64) -> Vec<MissReason> {
    use MissReason::{ConcurrencyForbidden, ControllerLate, StartingDeadlineExceeded, TooManyMissedTimes, Unknown};
    let ends = slot + cronjob.grace();
    let within = |time: Option<i64>| time.is_some_and(|time| time <= ends);
    let is_short = cronjob.deadline.is_some_and(|deadline| deadline <= 60);
    let mut allowed = Vec::new();
    if within(of.forbidden) || of.overlaps {
        allowed.push(ConcurrencyForbidden);
        if is_strict && within(of.forbidden) {
            return allowed;
        }
    }
    if !within(of.forbidden) && !within(of.failed) {
        if !is_short {
            allowed.push(ControllerLate);
        }
        if too_many >= slot || count > 100 {
            allowed.push(TooManyMissedTimes);
        }
    }
    if is_short {
        allowed.push(StartingDeadlineExceeded);
    }
    if !is_strict || !is_short || within(of.failed) {
        allowed.push(Unknown);
    }
    if is_strict && within(of.failed) {
        allowed.retain(|reason| matches!(reason, Unknown | StartingDeadlineExceeded));
    }
    allowed
}
