//! The families: the names of kube-state-metrics, with help texts of our own.

/// The name and the help text of a family.
pub(crate) type Family = (&'static str, &'static str);

pub(crate) const JOB_INFO: Family = ("kube_job_info", "An existing Job.");
pub(crate) const JOB_CREATED: Family = ("kube_job_created", "Creation time of the Job, seconds since 1970.");
pub(crate) const JOB_OWNER: Family = ("kube_job_owner", "The owner of the Job.");
pub(crate) const JOB_PARALLELISM: Family = ("kube_job_spec_parallelism", "Maximum number of Pods that run at once.");
pub(crate) const JOB_COMPLETIONS: Family = ("kube_job_spec_completions", "Number of Pods that must succeed.");
pub(crate) const JOB_DEADLINE: Family = (
    "kube_job_spec_active_deadline_seconds",
    "Maximum duration of the Job, seconds.",
);
pub(crate) const JOB_ACTIVE: Family = ("kube_job_status_active", "Number of pending and running Pods.");
pub(crate) const JOB_READY: Family = ("kube_job_status_ready", "Number of ready Pods.");
pub(crate) const JOB_SUCCEEDED: Family = ("kube_job_status_succeeded", "Number of succeeded Pods.");
pub(crate) const JOB_STATUS_FAILED: Family = (
    "kube_job_status_failed",
    "With a reason: 1 if the Job failed for it, else 0. Without: number of failed Pods of a Job that has not failed.",
);
pub(crate) const JOB_SUSPENDED: Family = ("kube_job_status_suspended", "1 if the Job is suspended.");
pub(crate) const JOB_START: Family = (
    "kube_job_status_start_time",
    "Start time of the Job, seconds since 1970.",
);
pub(crate) const JOB_COMPLETION: Family = (
    "kube_job_status_completion_time",
    "Completion time of the Job, seconds since 1970.",
);
pub(crate) const JOB_COMPLETE: Family = ("kube_job_complete", "The condition Complete.");
pub(crate) const JOB_FAILED: Family = ("kube_job_failed", "The condition Failed.");

pub(crate) const CRONJOB_INFO: Family = ("kube_cronjob_info", "An existing CronJob.");
pub(crate) const CRONJOB_CREATED: Family = (
    "kube_cronjob_created",
    "Creation time of the CronJob, seconds since 1970.",
);
pub(crate) const CRONJOB_ACTIVE: Family = ("kube_cronjob_status_active", "Number of running Jobs of the CronJob.");
pub(crate) const CRONJOB_LAST_SCHEDULE: Family = (
    "kube_cronjob_status_last_schedule_time",
    "Time of the last scheduled Job, seconds since 1970.",
);
pub(crate) const CRONJOB_LAST_SUCCESS: Family = (
    "kube_cronjob_status_last_successful_time",
    "Time of the last completed Job, seconds since 1970.",
);
pub(crate) const CRONJOB_SUSPEND: Family = ("kube_cronjob_spec_suspend", "1 if the CronJob is suspended.");
pub(crate) const CRONJOB_DEADLINE: Family = (
    "kube_cronjob_spec_starting_deadline_seconds",
    "Maximum delay of the start of a Job, seconds.",
);
pub(crate) const CRONJOB_NEXT_SCHEDULE: Family = (
    "kube_cronjob_next_schedule_time",
    "Time of the first slot after the last scheduled Job or the creation, seconds since 1970. Earlier than now if a run is due.",
);
pub(crate) const CRONJOB_INVALID: Family = (
    "kube_cronjob_schedule_invalid",
    "1 if the schedule or its time zone is invalid.",
);
pub(crate) const CRONJOB_VERSION: Family = (
    "kube_cronjob_metadata_resource_version",
    "Resource version of the CronJob.",
);
pub(crate) const CRONJOB_KEPT_SUCCESSFUL: Family = (
    "kube_cronjob_spec_successful_job_history_limit",
    "Number of completed Jobs to keep.",
);
pub(crate) const CRONJOB_KEPT_FAILED: Family = (
    "kube_cronjob_spec_failed_job_history_limit",
    "Number of failed Jobs to keep.",
);

/// All families.
pub const FAMILIES: [Family; 27] = [
    JOB_INFO,
    JOB_CREATED,
    JOB_OWNER,
    JOB_PARALLELISM,
    JOB_COMPLETIONS,
    JOB_DEADLINE,
    JOB_ACTIVE,
    JOB_READY,
    JOB_SUCCEEDED,
    JOB_STATUS_FAILED,
    JOB_SUSPENDED,
    JOB_START,
    JOB_COMPLETION,
    JOB_COMPLETE,
    JOB_FAILED,
    CRONJOB_INFO,
    CRONJOB_CREATED,
    CRONJOB_ACTIVE,
    CRONJOB_LAST_SCHEDULE,
    CRONJOB_LAST_SUCCESS,
    CRONJOB_SUSPEND,
    CRONJOB_DEADLINE,
    CRONJOB_NEXT_SCHEDULE,
    CRONJOB_INVALID,
    CRONJOB_VERSION,
    CRONJOB_KEPT_SUCCESSFUL,
    CRONJOB_KEPT_FAILED,
];
