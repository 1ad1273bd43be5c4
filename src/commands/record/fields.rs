//! The fields of an object that a recording keeps. Every other field is left out, so neither a field that Kubernetes adds
//! tomorrow nor the settings of a volume driver get into a file that is shared.

use Rule::{Annotations, Each, Map, Object, Program, Redacted, Scalar};

/// How a value is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// A text, a number or a boolean. URLs in a text lose their user and their query.
    Scalar,
    /// `[REDACTED]` in place of the value.
    Redacted,
    /// A command: the program's name, and how many arguments it has.
    Program,
    /// An object with any keys, whose values are texts, numbers or booleans: labels, quantities.
    Map,
    /// The annotations that a verdict may depend on.
    Annotations,
    /// Every item of a list.
    Each(&'static Rule),
    /// These fields of an object.
    Object(&'static [Fields]),
}

/// Fields that are recorded alike: their names, separated by spaces, and the rule.
pub(super) type Fields = (&'static str, Rule);

/// An object without its fields.
const PRESENT: Rule = Object(&[]);

/// The rule for objects of a resource.
pub(super) fn of(resource: &str) -> Rule {
    match resource {
        "jobs" => JOB,
        "cronjobs" => CRON_JOB,
        "pods" => POD,
        "events" => EVENT,
        _ => Object(&[("apiVersion kind", Scalar), ("metadata", METADATA)]),
    }
}

const JOB: Rule = Object(&[
    ("apiVersion kind", Scalar),
    ("metadata", METADATA),
    ("spec", JOB_SPEC),
    (
        "status",
        Object(&[
            (
                "startTime completionTime active ready terminating succeeded failed completedIndexes failedIndexes",
                Scalar,
            ),
            (
                "uncountedTerminatedPods",
                Object(&[("succeeded failed", Each(&Scalar))]),
            ),
            ("conditions", Each(&CONDITION)),
        ]),
    ),
]);

const CRON_JOB: Rule = Object(&[
    ("apiVersion kind", Scalar),
    ("metadata", METADATA),
    (
        "spec",
        Object(&[
            (
                "schedule timeZone concurrencyPolicy suspend startingDeadlineSeconds successfulJobsHistoryLimit \
                 failedJobsHistoryLimit",
                Scalar,
            ),
            ("jobTemplate", Object(&[("metadata", METADATA), ("spec", JOB_SPEC)])),
        ]),
    ),
    (
        "status",
        Object(&[
            ("lastScheduleTime lastSuccessfulTime", Scalar),
            ("active", Each(&REFERENCE)),
        ]),
    ),
]);

const POD: Rule = Object(&[
    ("apiVersion kind", Scalar),
    ("metadata", METADATA),
    ("spec", POD_SPEC),
    (
        "status",
        Object(&[
            (
                "phase reason message startTime qosClass nominatedNodeName resize",
                Scalar,
            ),
            ("conditions", Each(&CONDITION)),
            (
                "initContainerStatuses containerStatuses ephemeralContainerStatuses",
                Each(&CONTAINER_STATUS),
            ),
            (
                "resourceClaimStatuses",
                Each(&Object(&[("name resourceClaimName", Scalar)])),
            ),
        ]),
    ),
]);

const EVENT: Rule = Object(&[
    (
        "apiVersion kind type reason message count firstTimestamp lastTimestamp eventTime action reportingComponent \
         reportingInstance",
        Scalar,
    ),
    ("metadata", METADATA),
    ("involvedObject related", REFERENCE),
    ("series", Object(&[("count lastObservedTime", Scalar)])),
    ("source", Object(&[("component host", Scalar)])),
]);

const METADATA: Rule = Object(&[
    (
        "name generateName namespace uid resourceVersion generation creationTimestamp deletionTimestamp \
         deletionGracePeriodSeconds",
        Scalar,
    ),
    ("labels", Map),
    ("annotations", Annotations),
    ("finalizers", Each(&Scalar)),
    (
        "ownerReferences",
        Each(&Object(&[(
            "apiVersion kind name uid controller blockOwnerDeletion",
            Scalar,
        )])),
    ),
]);

const REFERENCE: Rule = Object(&[("apiVersion kind namespace name uid resourceVersion fieldPath", Scalar)]);

const CONDITION: Rule = Object(&[(
    "type status reason message lastProbeTime lastTransitionTime observedGeneration",
    Scalar,
)]);

const JOB_SPEC: Rule = Object(&[
    (
        "parallelism completions completionMode activeDeadlineSeconds backoffLimit backoffLimitPerIndex maxFailedIndexes \
         suspend ttlSecondsAfterFinished podReplacementPolicy managedBy manualSelector",
        Scalar,
    ),
    ("selector", Object(&[("matchLabels", Map)])),
    (
        "podFailurePolicy",
        Object(&[(
            "rules",
            Each(&Object(&[
                ("action", Scalar),
                (
                    "onExitCodes",
                    Object(&[("containerName operator", Scalar), ("values", Each(&Scalar))]),
                ),
                ("onPodConditions", Each(&Object(&[("type status", Scalar)]))),
            ])),
        )]),
    ),
    (
        "successPolicy",
        Object(&[("rules", Each(&Object(&[("succeededIndexes succeededCount", Scalar)])))]),
    ),
    ("template", Object(&[("metadata", METADATA), ("spec", POD_SPEC)])),
]);

const POD_SPEC: Rule = Object(&[
    (
        "nodeName restartPolicy activeDeadlineSeconds terminationGracePeriodSeconds serviceAccountName schedulerName \
         priorityClassName priority preemptionPolicy runtimeClassName dnsPolicy hostNetwork hostPID hostIPC \
         shareProcessNamespace enableServiceLinks automountServiceAccountToken",
        Scalar,
    ),
    ("nodeSelector overhead", Map),
    (
        "tolerations",
        Each(&Object(&[("key operator value effect tolerationSeconds", Scalar)])),
    ),
    ("schedulingGates imagePullSecrets", Each(&NAMED)),
    (
        "resourceClaims",
        Each(&Object(&[("name resourceClaimName resourceClaimTemplateName", Scalar)])),
    ),
    ("resources", RESOURCES),
    (
        "securityContext",
        Object(&[("runAsUser runAsGroup runAsNonRoot fsGroup fsGroupChangePolicy", Scalar)]),
    ),
    ("initContainers containers ephemeralContainers", Each(&CONTAINER)),
    ("volumes", Each(&VOLUME)),
]);

const NAMED: Rule = Object(&[("name", Scalar)]);
const OPTIONAL: Rule = Object(&[("name key optional", Scalar)]);
const RESOURCES: Rule = Object(&[
    ("requests limits", Map),
    ("claims", Each(&Object(&[("name request", Scalar)]))),
]);

const CONTAINER: Rule = Object(&[
    (
        "name image imagePullPolicy restartPolicy workingDir targetContainerName terminationMessagePath \
         terminationMessagePolicy stdin stdinOnce tty",
        Scalar,
    ),
    ("command", Program),
    ("args", Each(&Redacted)),
    (
        "env",
        Each(&Object(&[
            ("name", Scalar),
            ("value", Redacted),
            (
                "valueFrom",
                Object(&[
                    ("secretKeyRef configMapKeyRef", OPTIONAL),
                    ("fieldRef", Object(&[("apiVersion fieldPath", Scalar)])),
                    (
                        "resourceFieldRef",
                        Object(&[("containerName resource divisor", Scalar)]),
                    ),
                ]),
            ),
        ])),
    ),
    (
        "envFrom",
        Each(&Object(&[("secretRef configMapRef", OPTIONAL), ("prefix", Redacted)])),
    ),
    ("resources", RESOURCES),
    (
        "ports",
        Each(&Object(&[("name containerPort hostPort protocol", Scalar)])),
    ),
    ("volumeMounts", Each(&Object(&[("name mountPath readOnly", Scalar)]))),
    ("volumeDevices", Each(&Object(&[("name devicePath", Scalar)]))),
    ("livenessProbe readinessProbe startupProbe", PROBE),
    (
        "lifecycle",
        Object(&[("stopSignal", Scalar), ("postStart preStop", PROBE)]),
    ),
    (
        "securityContext",
        Object(&[(
            "runAsUser runAsGroup runAsNonRoot privileged allowPrivilegeEscalation readOnlyRootFilesystem",
            Scalar,
        )]),
    ),
]);

const PROBE: Rule = Object(&[
    (
        "initialDelaySeconds periodSeconds timeoutSeconds successThreshold failureThreshold terminationGracePeriodSeconds",
        Scalar,
    ),
    ("exec", Object(&[("command", Program)])),
    (
        "httpGet",
        Object(&[
            ("port scheme", Scalar),
            ("path host", Redacted),
            ("httpHeaders", Each(&Object(&[("name", Scalar), ("value", Redacted)]))),
        ]),
    ),
    ("tcpSocket grpc", Object(&[("port", Scalar)])),
    ("sleep", Object(&[("seconds", Scalar)])),
]);

const VOLUME: Rule = Object(&[
    ("name", Scalar),
    ("secret", Object(&[("secretName optional defaultMode", Scalar)])),
    ("configMap", Object(&[("name optional defaultMode", Scalar)])),
    ("persistentVolumeClaim", Object(&[("claimName readOnly", Scalar)])),
    ("emptyDir", Object(&[("medium sizeLimit", Scalar)])),
    ("hostPath", Object(&[("path type", Scalar)])),
    (
        "projected",
        Object(&[(
            "sources",
            Each(&Object(&[
                ("secret configMap", OPTIONAL),
                ("serviceAccountToken", Object(&[("expirationSeconds path", Scalar)])),
                ("downwardAPI clusterTrustBundle podCertificate", PRESENT),
            ])),
        )]),
    ),
    (
        "csi",
        Object(&[("driver readOnly fsType", Scalar), ("nodePublishSecretRef", NAMED)]),
    ),
    (
        "flexVolume",
        Object(&[("driver readOnly fsType", Scalar), ("secretRef", NAMED)]),
    ),
    ("image", Object(&[("reference pullPolicy", Scalar)])),
    (
        "downwardAPI ephemeral gitRepo nfs iscsi fc cephfs rbd glusterfs cinder azureFile azureDisk awsElasticBlockStore \
         gcePersistentDisk vsphereVolume portworxVolume photonPersistentDisk quobyte scaleIO storageos flocker",
        PRESENT,
    ),
]);

const CONTAINER_STATUS: Rule = Object(&[
    ("name image imageID containerID ready started restartCount", Scalar),
    ("state lastState", STATE),
]);

const STATE: Rule = Object(&[
    ("waiting", Object(&[("reason message", Scalar)])),
    ("running", Object(&[("startedAt", Scalar)])),
    (
        "terminated",
        Object(&[(
            "exitCode signal reason message startedAt finishedAt containerID",
            Scalar,
        )]),
    ),
]);
