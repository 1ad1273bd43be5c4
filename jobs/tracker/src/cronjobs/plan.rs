//! The schedule of a CronJob, parsed once for all CronJobs with the same text and time zone.

use std::hash::{Hash, Hasher};

use jiff::Timestamp;
use job_event::Uid;
use job_schedule::Schedule;

/// The shortest distance by which [`Plan::latest`] looks back, seconds.
const LOOK_BACK: i64 = 60;
/// The longest, about ten years: twice as far as the controller looks ahead.
const LONGEST_LOOK_BACK: i64 = 330_000_000;

/// A schedule in its time zone. Times are seconds since 1970.
#[derive(Debug)]
pub(crate) struct Plan {
    /// `spec.schedule`.
    pub(crate) text: Box<str>,
    /// `spec.timeZone`.
    pub(crate) time_zone: Option<Box<str>>,
    schedule: Result<Schedule, Box<str>>,
    /// The distance of two slots of `@every`, whose slots depend on the one before.
    every: Option<i64>,
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.time_zone) == (&other.text, &other.time_zone)
    }
}

impl Eq for Plan {}

impl Hash for Plan {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.text, &self.time_zone).hash(state);
    }
}

impl Plan {
    /// Parses a schedule.
    pub(crate) fn new(text: &str, time_zone: Option<&str>) -> Plan {
        let schedule = Schedule::parse(text, time_zone).map_err(|problem| Box::from(problem.0));
        Plan {
            text: text.into(),
            time_zone: time_zone.map(Box::from),
            every: schedule
                .as_ref()
                .ok()
                .and_then(Schedule::every)
                .map(|every| every.as_secs()),
            schedule,
        }
    }

    /// True if it is that schedule in that time zone.
    pub(crate) fn is(&self, text: &str, time_zone: Option<&str>) -> bool {
        &*self.text == text && self.time_zone.as_deref() == time_zone
    }

    /// The first slot after `time`.
    pub(crate) fn next(&self, time: i64) -> Option<i64> {
        let schedule = self.schedule.as_ref().ok()?;
        let time = Timestamp::from_second(time).ok()?;
        schedule
            .next(time)
            .map(Timestamp::as_second)
            .filter(|next| *next > time.as_second())
    }

    /// Why it has no slot after `now`; `None` if it has one.
    pub(crate) fn problem(&self, now: i64) -> Option<&str> {
        match &self.schedule {
            Err(problem) => Some(problem),
            Ok(_) if self.next(now).is_none() => Some("the schedule has no slot within five years"),
            Ok(_) => None,
        }
    }

    /// True if it can be parsed.
    pub(crate) fn is_valid(&self) -> bool {
        self.schedule.is_ok()
    }

    /// A number above 0 that is equal for equal schedules.
    pub(crate) fn fingerprint(&self) -> u16 {
        let zone = self.time_zone.as_deref().unwrap_or_default();
        let hash = Uid::new(&format!("{zone} {}", self.text)).short();
        u16::try_from(hash % 65_535).unwrap_or(0) + 1
    }

    /// False if no slot is at `time`. With `@every`, the slots follow each other from `base` on.
    pub(crate) fn is_slot(&self, time: i64, base: i64) -> bool {
        match self.every {
            Some(every) => (time - base).rem_euclid(every) == 0,
            None => self.next(time - 1) == Some(time),
        }
    }

    /// True if each slot depends on the one before.
    pub(crate) fn is_relative(&self) -> bool {
        self.every.is_some()
    }

    /// The latest slot at or before `time`; with `@every`, of those that follow `base`.
    pub(crate) fn latest(&self, time: i64, base: i64) -> Option<i64> {
        if let Some(every) = self.every {
            let slot = time - (time - base).rem_euclid(every);
            return (slot > base).then_some(slot);
        }
        let mut back = LOOK_BACK;
        while back < LONGEST_LOOK_BACK {
            let first = self.next(time - back);
            if first.is_some_and(|slot| slot <= time) {
                return std::iter::successors(first, |slot| self.next(*slot))
                    .take_while(|slot| *slot <= time)
                    .last();
            }
            back *= 2;
        }
        None
    }

    /// The time after which slots count if those up to `time` do not; with `@every`, a slot that follows `base`.
    pub(crate) fn aligned(&self, time: i64, base: i64) -> i64 {
        match self.every {
            Some(every) => time - (time - base).rem_euclid(every),
            None => time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_latest_slot() {
        let plan = Plan::new("30 2 * * *", Some("UTC"));
        let day = 86_400;
        let slot = 20_000 * day + 9000;
        assert_eq!(plan.latest(slot + 100_000 - day, 0), Some(slot));
        assert_eq!(plan.latest(slot, 0), Some(slot));
        assert_eq!(plan.latest(slot - 1, 0), Some(slot - day));
        assert!(plan.is_slot(slot, 0) && !plan.is_slot(slot + 1, 0));
        let leap = Plan::new("0 0 29 2 *", None);
        assert_eq!(leap.latest(1_850_000_000, 0), Some(1_835_395_200));
    }

    #[test]
    fn slots_of_every_follow_each_other() {
        let plan = Plan::new("@every 90s", None);
        assert_eq!(plan.next(1000), Some(1090));
        assert_eq!(plan.latest(1269, 1000), Some(1180));
        assert_eq!(plan.latest(1089, 1000), None);
        assert!(plan.is_slot(1180, 1000) && !plan.is_slot(1181, 1000));
        assert_eq!(plan.aligned(1269, 1000), 1180);
        assert_eq!(Plan::new("* * * * *", None).aligned(1269, 1000), 1269);
    }

    #[test]
    fn a_schedule_without_slots_has_a_problem() {
        assert_eq!(Plan::new("* * * * *", Some("UTC")).problem(0), None);
        assert!(Plan::new("* * * *", None).problem(0).is_some());
        assert!(Plan::new("0 0 30 2 *", None).problem(0).is_some());
    }
}
