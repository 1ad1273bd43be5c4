//! The state and the series of a CronJob.

use super::encode::Points;
use super::families::*;
use job_schedule::Schedule;
use job_watch::model;

/// The year 1 of Go: kube-state-metrics reports it for a schedule without a slot within five years, such as 30 February.
const NO_SLOT: i64 = -62_135_596_800;

/// The state of a CronJob. Times are seconds since 1970.
#[derive(Debug, PartialEq)]
pub(super) struct CronJobState {
    version: Option<i64>,
    created: Option<i64>,
    schedule: Box<str>,
    concurrency_policy: Box<str>,
    time_zone: Option<Box<str>>,
    suspend: Option<bool>,
    deadline: Option<i64>,
    kept_successful: Option<i32>,
    kept_failed: Option<i32>,
    active: usize,
    last_schedule: Option<i64>,
    last_success: Option<i64>,
    next_schedule: Option<i64>,
    is_schedule_invalid: bool,
}

impl CronJobState {
    pub(super) fn of(cronjob: &model::CronJob) -> Self {
        let model::CronJob { metadata, spec, status } = cronjob;
        let schedule = schedule(cronjob);
        CronJobState {
            version: metadata.resource_version.parse().ok(),
            created: metadata.creation_timestamp.map(|time| time.as_second()),
            schedule: spec.schedule.clone().unwrap_or_default(),
            concurrency_policy: spec.concurrency_policy.clone().unwrap_or_default(),
            time_zone: spec.time_zone.clone(),
            suspend: spec.suspend,
            deadline: spec.starting_deadline_seconds,
            kept_successful: spec.successful_jobs_history_limit,
            kept_failed: spec.failed_jobs_history_limit,
            active: status.active.len(),
            last_schedule: status.last_schedule_time.map(|time| time.as_second()),
            last_success: status.last_successful_time.map(|time| time.as_second()),
            next_schedule: schedule.as_ref().and_then(|schedule| next_schedule(cronjob, schedule)),
            is_schedule_invalid: schedule.is_none(),
        }
    }

    pub(super) fn points(&self, points: &mut Points) {
        let labels = [
            ("schedule", &*self.schedule),
            ("concurrency_policy", &*self.concurrency_policy),
            // The time zone of the controller's machine.
            ("timezone", self.time_zone.as_deref().unwrap_or("local")),
        ];
        points.add(CRONJOB_INFO, &labels, 1);
        points.known(CRONJOB_CREATED, self.created);
        points.add(CRONJOB_ACTIVE, &[], i64::try_from(self.active).unwrap_or(i64::MAX));
        points.known(CRONJOB_LAST_SCHEDULE, self.last_schedule);
        points.known(CRONJOB_LAST_SUCCESS, self.last_success);
        points.known(CRONJOB_SUSPEND, self.suspend.map(i64::from));
        points.known(CRONJOB_DEADLINE, self.deadline);
        points.known(CRONJOB_NEXT_SCHEDULE, self.next_schedule);
        points.known(CRONJOB_INVALID, self.is_schedule_invalid.then_some(1));
        points.known(CRONJOB_VERSION, self.version);
        points.known(CRONJOB_KEPT_SUCCESSFUL, self.kept_successful.map(i64::from));
        points.known(CRONJOB_KEPT_FAILED, self.kept_failed.map(i64::from));
    }
}

/// `None` if the schedule is invalid. kube-state-metrics puts the time zone before any schedule, the CronJob controller only before
/// those without `TZ`.
fn schedule(cronjob: &model::CronJob) -> Option<Schedule> {
    let spec = &cronjob.spec;
    let schedule = spec.schedule.as_deref().unwrap_or_default();
    match &spec.time_zone {
        Some(zone) => Schedule::parse(&format!("CRON_TZ={zone} {schedule}"), None).ok(),
        None => Schedule::parse(schedule, None).ok(),
    }
}

fn next_schedule(cronjob: &model::CronJob, schedule: &Schedule) -> Option<i64> {
    if cronjob.spec.suspend == Some(true) {
        return None;
    }
    let after = cronjob
        .status
        .last_schedule_time
        .or(cronjob.metadata.creation_timestamp)?;
    Some(schedule.next(after).map_or(NO_SLOT, |slot| slot.as_second()))
}
