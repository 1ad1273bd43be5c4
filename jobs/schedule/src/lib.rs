//! Schedules of CronJobs, evaluated as the CronJob controller does: `robfig/cron` v3, `ParseStandard`, in a time zone.
//!
//! Pure: no I/O and no clock.

use jiff::Timestamp;

/// A schedule that cannot be evaluated. The text names the field, what was found and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSchedule(pub String);

/// A schedule in its time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {}

impl Schedule {
    /// Parses `spec.schedule` and `spec.timeZone`. Without a time zone the schedule is in UTC, the zone of the controller in
    /// nearly every cluster.
    ///
    /// # Errors
    /// If the controller could not evaluate the schedule either.
    pub fn parse(schedule: &str, time_zone: Option<&str>) -> Result<Schedule, InvalidSchedule> {
        let _ = (schedule, time_zone);
        Err(InvalidSchedule("not evaluated yet".into()))
    }

    /// The first slot after `time`, in whole seconds; `None` if there is none within five years.
    pub fn next(&self, time: Timestamp) -> Option<Timestamp> {
        let _ = time;
        None
    }
}
