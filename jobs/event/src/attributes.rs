//! The name of every attribute and metric, in one place.
//!
//! Names of the OpenTelemetry semantic conventions where they exist (`k8s.*`, `service.*`, `deployment.*`,
//! `log.record.uid`); on points the short keys that Datadog and kube-state-metrics already use (`reason`).

/// The name of the event that reports a finished Job, and of nothing else.
pub const EVENT_NAME: &str = "k8s.job.finished";
/// The name of the event that reports a Job without progress.
pub const STALLED_EVENT: &str = "k8s.job.stalled";
/// The name of the event that reports that a stalled Job makes progress again, or has ended.
pub const RECOVERED_EVENT: &str = "k8s.job.recovered";
/// The name of the event that reports runs of a CronJob that did not start.
pub const MISSED_EVENT: &str = "k8s.cronjob.missed";
/// The name of the instrumentation scope.
pub const SCOPE_NAME: &str = "kube-job-collector";

// On the resource: Datadog maps these to tags (`kube_namespace`, `kube_job`, ...) only there.

/// The cluster's name.
pub const CLUSTER_NAME: &str = "k8s.cluster.name";
/// The Job's namespace.
pub const NAMESPACE_NAME: &str = "k8s.namespace.name";
/// The controlling CronJob's name.
pub const CRONJOB_NAME: &str = "k8s.cronjob.name";
/// The Job's name, or the name that a group of Jobs has in common. On metrics only for Jobs that no object controls.
pub const JOB_NAME: &str = "k8s.job.name";
/// The kind of the object that controls the Job, other than a CronJob: a tag of Datadog.
pub const OWNERREF_KIND: &str = "kube_ownerref_kind";
/// The name of that object.
pub const OWNERREF_NAME: &str = "kube_ownerref_name";
/// From label `tags.datadoghq.com/env`.
pub const DEPLOYMENT_ENVIRONMENT: &str = "deployment.environment.name";
/// From label `tags.datadoghq.com/service`, else the name of the owner.
pub const SERVICE_NAME: &str = "service.name";
/// From label `tags.datadoghq.com/version`.
pub const SERVICE_VERSION: &str = "service.version";

/// True for a resource attribute that identifies the owner of series, such as its namespace and its name; false for the
/// cluster and for attributes that do not belong to Kubernetes.
pub fn is_owner(key: &str) -> bool {
    (key.starts_with("k8s.") && !key.starts_with("k8s.cluster.")) || key.starts_with("kube_ownerref_")
}

// On the event.

/// Identifies the event: the Job's UID, also when the record is sent again.
pub const RECORD_UID: &str = "log.record.uid";
/// The Job's UID.
pub const JOB_UID: &str = "k8s.job.uid";
/// The controlling CronJob's UID.
pub const CRONJOB_UID: &str = "k8s.cronjob.uid";
/// The time a CronJob's run is scheduled for, RFC 3339.
pub const CRONJOB_SCHEDULED: &str = "k8s.cronjob.scheduled_time";
/// The previous run of the CronJob, if it was observed: a map with `uid` and, if it has one, `traceparent`.
pub const CRONJOB_PREVIOUS: &str = "k8s.cronjob.previous_run";
/// The rule by which the owner was found: `cronjob`, `controller`, `rule`, `generate_name` or `job`.
pub const OWNER_RULE: &str = "k8s.job.owner.rule";
/// The kind of the owner; `Job` if it is the Job itself, or the name that a group of Jobs has in common.
pub const OWNER_KIND: &str = "k8s.job.owner.kind";
/// The name of the owner.
pub const OWNER_NAME: &str = "k8s.job.owner.name";
/// The JobSet that the Job belongs to.
pub const JOBSET_NAME: &str = "k8s.jobset.name";
/// The name of the replicated Job in the JobSet.
pub const JOBSET_REPLICATED_JOB: &str = "k8s.jobset.replicated_job.name";
/// The index among the Jobs of that replicated Job.
pub const JOBSET_JOB_INDEX: &str = "k8s.jobset.job.index";
/// How often the JobSet was restarted before.
pub const JOBSET_RESTART_ATTEMPT: &str = "k8s.jobset.restart_attempt";
/// The span that started the Job, as in W3C Trace Context.
pub const TRACEPARENT: &str = "k8s.job.traceparent";
/// `Succeeded`, `Failed`, `Deleted` or `Replaced`.
pub const OUTCOME: &str = "k8s.job.outcome";
/// The verdict condition's reason, verbatim.
pub const FAILURE_REASON: &str = "k8s.job.failure.reason";
/// The verdict condition's message, verbatim.
pub const FAILURE_MESSAGE: &str = "k8s.job.failure.message";
/// The cause, from a closed set (`RanTooLong`, `ImagePull`, ...).
pub const FAILURE_CAUSE: &str = "k8s.job.failure.cause";
/// The category of the cause: `application`, `resource`, `configuration`, `policy`, `infrastructure`, `timeout`, `unknown`.
pub const FAILURE_CATEGORY: &str = "k8s.job.failure.category";
/// Running the Job again can help: `yes`, `no`, `maybe`.
pub const FAILURE_RETRY: &str = "k8s.job.failure.retry";
/// The next step, one sentence.
pub const FAILURE_NEXT_STEP: &str = "k8s.job.failure.next_step";
/// The index of the rule of `spec.podFailurePolicy` that failed the Job.
pub const FAILURE_POLICY_RULE: &str = "k8s.job.failure.policy_rule";
/// `status.startTime`, RFC 3339.
pub const START_TIME: &str = "k8s.job.start_time";
/// The time of the verdict, RFC 3339.
pub const DECISION_TIME: &str = "k8s.job.decision_time";
/// From start to verdict, seconds.
pub const DURATION: &str = "k8s.job.duration";
/// `complete` or `partial`.
pub const EVIDENCE_QUALITY: &str = "k8s.job.evidence.quality";
/// The attempts that ended, oldest first, at most the latest 100: maps with `pod`, `uid`, `outcome` (`failed`,
/// `succeeded`, `stopped`) and where known `container`, `role`, `exit_code`, `signal`, `cause`, `start`, `end`, `index`, `node`.
pub const ATTEMPTS: &str = "k8s.job.attempts";
/// How many attempts failed, all of them: a map from cause to count.
pub const ATTEMPT_FAILURES: &str = "k8s.job.attempt_failures";
/// `status.failedIndexes`, as written.
pub const FAILED_INDEXES: &str = "k8s.job.failed_indexes";
/// The evidence (see `docs/events.md`).
pub const EVIDENCE: &str = "k8s.job.evidence";
/// The size of evidence that is omitted for its size, bytes.
pub const EVIDENCE_OMITTED: &str = "k8s.job.evidence.omitted_bytes";

// On the events of stalled Jobs.

/// The cause of a stall, from the same set as that of a failure; on a recovery, all causes since the last one, with commas.
pub const STALL_CAUSE: &str = "k8s.job.stall.cause";
/// The category of that cause.
pub const STALL_CATEGORY: &str = "k8s.job.stall.category";
/// The effect of running the Job again without a change: `yes`, `no`, `maybe`.
pub const STALL_RETRY: &str = "k8s.job.stall.retry";
/// The next step, one or two sentences.
pub const STALL_NEXT_STEP: &str = "k8s.job.stall.next_step";
/// The beginning of the stall, RFC 3339.
pub const STALL_SINCE: &str = "k8s.job.stall.since";
/// From its beginning to its report or its end, seconds.
pub const STALL_DURATION: &str = "k8s.job.stall.duration";

// On the event of missed runs.

/// The reason, from a closed set (`ControllerLate`, `ConcurrencyForbidden`, ...).
pub const MISSED_REASON: &str = "k8s.cronjob.missed.reason";
/// The CronJob controller's message about it, verbatim.
pub const MISSED_MESSAGE: &str = "k8s.cronjob.missed.message";
/// The number of runs.
pub const MISSED_COUNT: &str = "k8s.cronjob.missed.count";
/// The last slot that was missed, RFC 3339; [`CRONJOB_SCHEDULED`] is the first.
pub const MISSED_LAST: &str = "k8s.cronjob.missed.last_scheduled_time";
/// `spec.schedule`.
pub const CRONJOB_SCHEDULE: &str = "k8s.cronjob.schedule";
/// `spec.timeZone`.
pub const CRONJOB_TIME_ZONE: &str = "k8s.cronjob.time_zone";

// On spans, and in their events.

/// The error, from a closed set: the cause of a Job or an attempt, else Kubernetes' reason.
pub const ERROR_TYPE: &str = "error.type";
/// The Pod's name.
pub const POD_NAME: &str = "k8s.pod.name";
/// The Pod's UID.
pub const POD_UID: &str = "k8s.pod.uid";
/// The node it ran on.
pub const NODE_NAME: &str = "k8s.node.name";
/// The completion index of an attempt of an Indexed Job; on events that of the last attempt with the cause, or of the Pod with
/// the cause of a stall.
pub const COMPLETION_INDEX: &str = "k8s.job.completion_index";
/// The container's name.
pub const CONTAINER_NAME: &str = "k8s.container.name";
/// `running`, `waiting` or `terminated`.
pub const CONTAINER_STATE: &str = "k8s.container.status.state";
/// Kubernetes' reason for that state.
pub const CONTAINER_REASON: &str = "k8s.container.status.reason";
/// Kubernetes' message for that state.
pub const CONTAINER_MESSAGE: &str = "k8s.container.status.message";
/// The exit code.
pub const EXIT_CODE: &str = "process.exit.code";

// On points.

/// The verdict condition's reason, verbatim.
pub const POINT_REASON: &str = "reason";
/// The cause, from a closed set.
pub const POINT_CAUSE: &str = "cause";
/// The category of the cause.
pub const POINT_CATEGORY: &str = "category";
/// The outcome of the Job.
pub const POINT_OUTCOME: &str = "outcome";

/// True for a name that no label or annotation may have as an attribute of an event: those of the event's own attributes, of
/// its owner's resource, and all others below `k8s.job.` and `k8s.cronjob.` but those of labels and annotations.
pub fn is_reserved(name: &str) -> bool {
    const EXACT: [&str; 8] = [
        RECORD_UID,
        CLUSTER_NAME,
        NAMESPACE_NAME,
        POD_NAME,
        CONTAINER_NAME,
        ERROR_TYPE,
        "kube_ownerref_kind",
        "kube_ownerref_name",
    ];
    let below = ["k8s.job.", "k8s.cronjob."]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix));
    let is_own = |rest: &str| {
        !["label.", "labels.", "annotation.", "annotations."]
            .iter()
            .any(|word| rest.starts_with(word))
    };
    EXACT.contains(&name) || below.is_some_and(is_own)
}

// Metrics.

/// Delta sum, `{job}`: Jobs that failed.
pub const METRIC_FAILURES: &str = "k8s.job.failures";
/// Delta sum, `{job}`: Jobs that completed.
pub const METRIC_COMPLETIONS: &str = "k8s.job.completions";
/// Delta sum, `{attempt}`: failed attempts, including those of Jobs that later succeeded.
pub const METRIC_ATTEMPT_FAILURES: &str = "k8s.job.attempt.failures";
/// Delta exponential histogram, `s`: from start to verdict.
pub const METRIC_DURATION: &str = "k8s.job.duration";
/// Gauge, `{job}`: Jobs that make no progress, by cause.
pub const METRIC_STALLED: &str = "k8s.job.stalled";
/// Delta sum, `{run}`: runs of a CronJob that did not start, by reason.
pub const METRIC_MISSED_RUNS: &str = "k8s.cronjob.missed_runs";
/// Gauge, `s`: time since a run last succeeded.
pub const METRIC_LAST_SUCCESS_AGE: &str = "k8s.cronjob.last_success.age";
/// Gauge, `{run}`: runs that failed since the last one that succeeded.
pub const METRIC_CONSECUTIVE_FAILURES: &str = "k8s.cronjob.consecutive_failures";
/// Gauge, `s`: the next slot, seconds since 1970.
pub const METRIC_NEXT_SCHEDULE: &str = "k8s.cronjob.next_schedule.time";
/// Gauge, `{cronjob}`: 1 if the CronJob is suspended, else 0.
pub const METRIC_SUSPENDED: &str = "k8s.cronjob.suspended";
/// Gauge, `{pod}`: `status.active`.
pub const METRIC_POD_ACTIVE: &str = "k8s.job.pod.active";
/// Gauge, `{pod}`: `status.failed`.
pub const METRIC_POD_FAILED: &str = "k8s.job.pod.failed";
/// Gauge, `{pod}`: `status.succeeded`.
pub const METRIC_POD_SUCCESSFUL: &str = "k8s.job.pod.successful";
/// Gauge, `{pod}`: `spec.completions`.
pub const METRIC_POD_DESIRED_SUCCESSFUL: &str = "k8s.job.pod.desired_successful";
/// Gauge, `{pod}`: `spec.parallelism`.
pub const METRIC_POD_MAX_PARALLEL: &str = "k8s.job.pod.max_parallel";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_may_not_replace_attributes_of_the_event() {
        for name in [
            RECORD_UID,
            JOB_NAME,
            FAILURE_CAUSE,
            EVIDENCE,
            CRONJOB_UID,
            MISSED_COUNT,
            NAMESPACE_NAME,
            "k8s.job.new",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        for name in [
            "k8s.job.label.team",
            "k8s.job.labels.team",
            "k8s.cronjob.annotation.a",
            "team",
            "service.name",
        ] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
