//! The fields of objects on the wire: most of what recorded objects have, so that clients skip as much as on a real server.
//!
//! Source: `generated.proto` and `types.go` of `k8s.io/api/{batch,core}/v1` and `k8s.io/apimachinery/pkg/apis/meta/v1`.

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProtobufField {
    pub number: u32,
    pub name: &'static str,
    pub form: ProtobufForm,
    /// A pointer in Go, which is left out if absent. Others are written with their zero value.
    pub is_pointer: bool,
}

/// The form of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum ProtobufForm {
    Text,
    Int,
    Bool,
    Time,
    MicroTime,
    /// Bytes of JSON in a message of their own.
    Json,
    Texts,
    Pairs,
    Quantities,
    One(&'static [ProtobufField]),
    Many(&'static [ProtobufField]),
}

use ProtobufForm::{Bool, Int, Json, Many, MicroTime, One, Pairs, Quantities, Text, Texts, Time};

const fn value(number: u32, name: &'static str, form: ProtobufForm) -> ProtobufField {
    ProtobufField {
        number,
        name,
        form,
        is_pointer: false,
    }
}

const fn pointer(number: u32, name: &'static str, form: ProtobufForm) -> ProtobufField {
    ProtobufField {
        number,
        name,
        form,
        is_pointer: true,
    }
}

const OWNER: &[ProtobufField] = &[
    value(1, "kind", Text),
    value(3, "name", Text),
    value(4, "uid", Text),
    value(5, "apiVersion", Text),
    pointer(6, "controller", Bool),
    pointer(7, "blockOwnerDeletion", Bool),
];

const MANAGED_FIELDS: &[ProtobufField] = &[
    value(1, "manager", Text),
    value(2, "operation", Text),
    value(3, "apiVersion", Text),
    pointer(4, "time", Time),
    value(6, "fieldsType", Text),
    pointer(7, "fieldsV1", Json),
    value(8, "subresource", Text),
];

const METADATA: &[ProtobufField] = &[
    value(1, "name", Text),
    value(2, "generateName", Text),
    value(3, "namespace", Text),
    value(4, "selfLink", Text),
    value(5, "uid", Text),
    value(6, "resourceVersion", Text),
    value(7, "generation", Int),
    value(8, "creationTimestamp", Time),
    pointer(9, "deletionTimestamp", Time),
    pointer(10, "deletionGracePeriodSeconds", Int),
    value(11, "labels", Pairs),
    value(12, "annotations", Pairs),
    value(13, "ownerReferences", Many(OWNER)),
    value(14, "finalizers", Texts),
    value(17, "managedFields", Many(MANAGED_FIELDS)),
];

const SELECTOR: &[ProtobufField] = &[value(1, "matchLabels", Pairs)];

const RESOURCES: &[ProtobufField] = &[value(1, "limits", Quantities), value(2, "requests", Quantities)];

const ENV: &[ProtobufField] = &[value(1, "name", Text), value(2, "value", Text)];

const MOUNT: &[ProtobufField] = &[
    value(1, "name", Text),
    value(2, "readOnly", Bool),
    value(3, "mountPath", Text),
    value(4, "subPath", Text),
    value(6, "subPathExpr", Text),
];

const CONTAINER: &[ProtobufField] = &[
    value(1, "name", Text),
    value(2, "image", Text),
    value(3, "command", Texts),
    value(4, "args", Texts),
    value(5, "workingDir", Text),
    value(7, "env", Many(ENV)),
    value(8, "resources", One(RESOURCES)),
    value(9, "volumeMounts", Many(MOUNT)),
    value(13, "terminationMessagePath", Text),
    value(14, "imagePullPolicy", Text),
    value(16, "stdin", Bool),
    value(17, "stdinOnce", Bool),
    value(18, "tty", Bool),
    value(20, "terminationMessagePolicy", Text),
    pointer(24, "restartPolicy", Text),
];

const TOLERATION: &[ProtobufField] = &[
    value(1, "key", Text),
    value(2, "operator", Text),
    value(3, "value", Text),
    value(4, "effect", Text),
    pointer(5, "tolerationSeconds", Int),
];

const GATE: &[ProtobufField] = &[value(1, "name", Text)];

const POD_SPEC: &[ProtobufField] = &[
    value(2, "containers", Many(CONTAINER)),
    value(3, "restartPolicy", Text),
    pointer(4, "terminationGracePeriodSeconds", Int),
    pointer(5, "activeDeadlineSeconds", Int),
    value(6, "dnsPolicy", Text),
    value(7, "nodeSelector", Pairs),
    value(8, "serviceAccountName", Text),
    value(9, "serviceAccount", Text),
    value(10, "nodeName", Text),
    value(11, "hostNetwork", Bool),
    value(19, "schedulerName", Text),
    value(20, "initContainers", Many(CONTAINER)),
    pointer(21, "automountServiceAccountToken", Bool),
    value(22, "tolerations", Many(TOLERATION)),
    value(24, "priorityClassName", Text),
    pointer(25, "priority", Int),
    pointer(30, "enableServiceLinks", Bool),
    pointer(31, "preemptionPolicy", Text),
    value(38, "schedulingGates", Many(GATE)),
];

const TEMPLATE: &[ProtobufField] = &[value(1, "metadata", One(METADATA)), value(2, "spec", One(POD_SPEC))];

const CONDITION: &[ProtobufField] = &[
    value(1, "type", Text),
    value(2, "status", Text),
    value(3, "lastProbeTime", Time),
    value(4, "lastTransitionTime", Time),
    value(5, "reason", Text),
    value(6, "message", Text),
];

const JOB_SPEC: &[ProtobufField] = &[
    pointer(1, "parallelism", Int),
    pointer(2, "completions", Int),
    pointer(3, "activeDeadlineSeconds", Int),
    pointer(4, "selector", One(SELECTOR)),
    pointer(5, "manualSelector", Bool),
    value(6, "template", One(TEMPLATE)),
    pointer(7, "backoffLimit", Int),
    pointer(8, "ttlSecondsAfterFinished", Int),
    pointer(9, "completionMode", Text),
    pointer(10, "suspend", Bool),
    pointer(12, "backoffLimitPerIndex", Int),
    pointer(13, "maxFailedIndexes", Int),
    pointer(14, "podReplacementPolicy", Text),
    pointer(15, "managedBy", Text),
];

const UNCOUNTED: &[ProtobufField] = &[value(1, "succeeded", Texts), value(2, "failed", Texts)];

const JOB_STATUS: &[ProtobufField] = &[
    value(1, "conditions", Many(CONDITION)),
    pointer(2, "startTime", Time),
    pointer(3, "completionTime", Time),
    value(4, "active", Int),
    value(5, "succeeded", Int),
    value(6, "failed", Int),
    value(7, "completedIndexes", Text),
    pointer(8, "uncountedTerminatedPods", One(UNCOUNTED)),
    pointer(9, "ready", Int),
    pointer(10, "failedIndexes", Text),
    pointer(11, "terminating", Int),
];

pub(super) const JOB: &[ProtobufField] = &[
    value(1, "metadata", One(METADATA)),
    value(2, "spec", One(JOB_SPEC)),
    value(3, "status", One(JOB_STATUS)),
];

const REFERENCE: &[ProtobufField] = &[
    value(1, "kind", Text),
    value(2, "namespace", Text),
    value(3, "name", Text),
    value(4, "uid", Text),
    value(5, "apiVersion", Text),
    value(6, "resourceVersion", Text),
    value(7, "fieldPath", Text),
];

const JOB_TEMPLATE: &[ProtobufField] = &[value(1, "metadata", One(METADATA)), value(2, "spec", One(JOB_SPEC))];

const CRON_JOB_SPEC: &[ProtobufField] = &[
    value(1, "schedule", Text),
    pointer(2, "startingDeadlineSeconds", Int),
    value(3, "concurrencyPolicy", Text),
    pointer(4, "suspend", Bool),
    value(5, "jobTemplate", One(JOB_TEMPLATE)),
    pointer(6, "successfulJobsHistoryLimit", Int),
    pointer(7, "failedJobsHistoryLimit", Int),
    pointer(8, "timeZone", Text),
];

const CRON_JOB_STATUS: &[ProtobufField] = &[
    value(1, "active", Many(REFERENCE)),
    pointer(4, "lastScheduleTime", Time),
    pointer(5, "lastSuccessfulTime", Time),
];

pub(super) const CRON_JOB: &[ProtobufField] = &[
    value(1, "metadata", One(METADATA)),
    value(2, "spec", One(CRON_JOB_SPEC)),
    value(3, "status", One(CRON_JOB_STATUS)),
];

const STATE: &[ProtobufField] = &[
    pointer(
        1,
        "waiting",
        One(&[value(1, "reason", Text), value(2, "message", Text)]),
    ),
    pointer(2, "running", One(&[value(1, "startedAt", Time)])),
    pointer(3, "terminated", One(TERMINATED)),
];

const TERMINATED: &[ProtobufField] = &[
    value(1, "exitCode", Int),
    value(2, "signal", Int),
    value(3, "reason", Text),
    value(4, "message", Text),
    value(5, "startedAt", Time),
    value(6, "finishedAt", Time),
    value(7, "containerID", Text),
];

const CONTAINER_STATUS: &[ProtobufField] = &[
    value(1, "name", Text),
    value(2, "state", One(STATE)),
    value(3, "lastState", One(STATE)),
    value(4, "ready", Bool),
    value(5, "restartCount", Int),
    value(6, "image", Text),
    value(7, "imageID", Text),
    value(8, "containerID", Text),
    pointer(9, "started", Bool),
];

const POD_STATUS: &[ProtobufField] = &[
    value(1, "phase", Text),
    value(2, "conditions", Many(CONDITION)),
    value(3, "message", Text),
    value(4, "reason", Text),
    value(5, "hostIP", Text),
    value(6, "podIP", Text),
    pointer(7, "startTime", Time),
    value(8, "containerStatuses", Many(CONTAINER_STATUS)),
    value(9, "qosClass", Text),
    value(10, "initContainerStatuses", Many(CONTAINER_STATUS)),
    value(11, "nominatedNodeName", Text),
];

pub(super) const POD: &[ProtobufField] = &[
    value(1, "metadata", One(METADATA)),
    value(2, "spec", One(POD_SPEC)),
    value(3, "status", One(POD_STATUS)),
];

pub(super) const EVENT: &[ProtobufField] = &[
    value(1, "metadata", One(METADATA)),
    value(2, "involvedObject", One(REFERENCE)),
    value(3, "reason", Text),
    value(4, "message", Text),
    value(5, "source", One(&[value(1, "component", Text), value(2, "host", Text)])),
    value(6, "firstTimestamp", Time),
    value(7, "lastTimestamp", Time),
    value(8, "count", Int),
    value(9, "type", Text),
    value(10, "eventTime", MicroTime),
    pointer(
        11,
        "series",
        One(&[value(1, "count", Int), value(2, "lastObservedTime", MicroTime)]),
    ),
    value(12, "action", Text),
    pointer(13, "related", One(REFERENCE)),
    value(14, "reportingComponent", Text),
    value(15, "reportingInstance", Text),
];

pub(super) const NAMESPACE: &[ProtobufField] = &[
    value(1, "metadata", One(METADATA)),
    value(2, "spec", One(&[value(1, "finalizers", Texts)])),
    value(3, "status", One(&[value(1, "phase", Text)])),
];

pub(super) const LIST_METADATA: &[ProtobufField] = &[
    value(1, "selfLink", Text),
    value(2, "resourceVersion", Text),
    value(3, "continue", Text),
    pointer(4, "remainingItemCount", Int),
];

const CAUSE: &[ProtobufField] = &[
    value(1, "reason", Text),
    value(2, "message", Text),
    value(3, "field", Text),
];

pub(super) const STATUS: &[ProtobufField] = &[
    value(1, "metadata", One(LIST_METADATA)),
    value(2, "status", Text),
    value(3, "message", Text),
    value(4, "reason", Text),
    pointer(
        5,
        "details",
        One(&[
            value(1, "name", Text),
            value(2, "group", Text),
            value(3, "kind", Text),
            value(4, "causes", Many(CAUSE)),
            value(5, "retryAfterSeconds", Int),
            value(6, "uid", Text),
        ]),
    ),
    value(6, "code", Int),
];
