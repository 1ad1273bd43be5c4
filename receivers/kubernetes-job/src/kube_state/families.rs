//! The families: names as in kube-state-metrics, help in our words.

/// A family's name and what it means.
pub type Family = (&'static str, &'static str);

pub const JOB_INFO: Family = ("kube_job_info", "A Job that exists.");
pub const JOB_CREATED: Family = ("kube_job_created", "When the Job was created, seconds since 1970.");
pub const JOB_OWNER: Family = ("kube_job_owner", "Whom the Job belongs to.");
pub const JOB_PARALLELISM: Family = ("kube_job_spec_parallelism", "How many Pods may run at once.");
pub const JOB_COMPLETIONS: Family = ("kube_job_spec_completions", "How many Pods must succeed.");
pub const JOB_DEADLINE: Family = (
    "kube_job_spec_active_deadline_seconds",
    "For how many seconds the Job may run.",
);
pub const JOB_ACTIVE: Family = ("kube_job_status_active", "How many Pods are pending or running.");
pub const JOB_READY: Family = ("kube_job_status_ready", "How many Pods are ready.");
pub const JOB_SUCCEEDED: Family = ("kube_job_status_succeeded", "How many Pods have succeeded.");
pub const JOB_STATUS_FAILED: Family = (
    "kube_job_status_failed",
    "With a reason: 1 if the Job failed for it, else 0. Without: how many Pods of a Job that has not failed have failed.",
);
pub const JOB_SUSPENDED: Family = ("kube_job_status_suspended", "Whether the Job is suspended.");
pub const JOB_START: Family = (
    "kube_job_status_start_time",
    "When the Job was started, seconds since 1970.",
);
pub const JOB_COMPLETION: Family = (
    "kube_job_status_completion_time",
    "When the Job completed, seconds since 1970.",
);
pub const JOB_COMPLETE: Family = ("kube_job_complete", "The condition Complete.");
pub const JOB_FAILED: Family = ("kube_job_failed", "The condition Failed.");

pub const CRONJOB_INFO: Family = ("kube_cronjob_info", "A CronJob that exists.");
pub const CRONJOB_CREATED: Family = (
    "kube_cronjob_created",
    "When the CronJob was created, seconds since 1970.",
);
pub const CRONJOB_ACTIVE: Family = ("kube_cronjob_status_active", "How many of its Jobs run.");
pub const CRONJOB_LAST_SCHEDULE: Family = (
    "kube_cronjob_status_last_schedule_time",
    "When it was last due and a Job was made, seconds since 1970.",
);
pub const CRONJOB_LAST_SUCCESS: Family = (
    "kube_cronjob_status_last_successful_time",
    "When one of its Jobs last completed, seconds since 1970.",
);
pub const CRONJOB_SUSPEND: Family = ("kube_cronjob_spec_suspend", "Whether it makes no more Jobs.");
pub const CRONJOB_DEADLINE: Family = (
    "kube_cronjob_spec_starting_deadline_seconds",
    "How many seconds late a Job may start.",
);
pub const CRONJOB_VERSION: Family = ("kube_cronjob_metadata_resource_version", "Its resource version.");
pub const CRONJOB_KEPT_SUCCESSFUL: Family = (
    "kube_cronjob_spec_successful_job_history_limit",
    "How many Jobs that completed are kept.",
);
pub const CRONJOB_KEPT_FAILED: Family = (
    "kube_cronjob_spec_failed_job_history_limit",
    "How many Jobs that failed are kept.",
);

/// All of them.
pub const FAMILIES: [Family; 25] = [
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
    CRONJOB_VERSION,
    CRONJOB_KEPT_SUCCESSFUL,
    CRONJOB_KEPT_FAILED,
];
