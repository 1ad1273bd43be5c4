//! Errors of the API server on creating a Pod: the cause, the effect of a retry and the next step.

use job_event::evidence::Event;
use job_judge::{Cause, Judgement, Retry};

use crate::support::*;

fn judged(events: Vec<Event>) -> Judgement {
    with(job("DeadlineExceeded", 60), vec![], events)
}

fn check(rows: &[(&str, Cause, Retry, &str)]) {
    for (error, cause, retry, next_step) in rows {
        let message = format!("Error creating: {error}");
        let judgement = judged(vec![event("job-uid", "FailedCreate", &message, 30)]);
        assert_advice(judgement, error, *cause, *retry, next_step);
    }
}

#[test]
fn quotas_that_are_used_up_differ_from_quotas_that_demand_limits() {
    check(&[
        (
            "pods \"j-x\" is forbidden: exceeded quota: compute, requested: limits.memory=4Gi, used: limits.memory=30Gi, limited: \
             limits.memory=32Gi",
            Cause::QuotaExceeded,
            Retry::Maybe,
            "raise the ResourceQuota, request less",
        ),
        (
            "pods \"j-x\" is forbidden: exceeded quota: objects, requested: pods=1, used: pods=10, limited: pods=10",
            Cause::QuotaExceeded,
            Retry::Maybe,
            "delete Pods that it counts",
        ),
        (
            "pods \"j-x\" is forbidden: failed quota: compute: must specify limits.cpu for: main; limits.memory for: main",
            Cause::AdmissionDenied,
            Retry::No,
            "Set the requests and limits",
        ),
        (
            "pods \"j-x\" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [high]}]",
            Cause::QuotaExceeded,
            Retry::Maybe,
            "Create a ResourceQuota",
        ),
        (
            "pods \"j-x\" is forbidden: status unknown for quota: compute, resources: limits.cpu",
            Cause::QuotaExceeded,
            Retry::Yes,
            "kube-controller-manager",
        ),
        (
            "pods \"j-x\" is forbidden: [maximum memory usage per Container is 1Gi, but limit is 2Gi, maximum cpu usage per \
             Container is 1, but limit is 2]",
            Cause::AdmissionDenied,
            Retry::No,
            "LimitRange",
        ),
        (
            "pods \"j-x\" is forbidden: memory max limit to request ratio per Container is 2, but provided ratio is 4.000000",
            Cause::AdmissionDenied,
            Retry::No,
            "LimitRange",
        ),
    ]);
}

#[test]
fn a_webhook_that_denies_differs_from_one_that_fails() {
    let denied = Cause::AdmissionDenied;
    check(&[
        (
            "admission webhook \"images.example\" denied the request: timeout of the scan must be set, connection refused is not",
            denied,
            Retry::No,
            "webhook's reason",
        ),
        (
            "admission webhook \"validation.gatekeeper.sh\" denied the request: [must-have-limits] container <main> has no limits",
            denied,
            Retry::No,
            "constraint",
        ),
        (
            "admission webhook \"validate.kyverno.svc-fail\" denied the request: resource Pod/ns/j-x was blocked due to the \
             following policies require-labels: check-labels: context deadline exceeded",
            denied,
            Retry::No,
            "Kyverno",
        ),
        (
            "admission webhook \"warden-validating.common-webhooks.networking.gke.io\" denied the request: GKE Warden rejected the \
             request because it violates one or more constraints.",
            denied,
            Retry::No,
            "Autopilot",
        ),
        (
            "pods \"j-x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: x",
            denied,
            Retry::No,
            "ValidatingAdmissionPolicy",
        ),
        (
            "pods \"j-x\" is forbidden: image policy webhook backend denied one or more images: too old",
            denied,
            Retry::No,
            "image policy",
        ),
        (
            "Internal error occurred: failed calling webhook \"w.example\": failed to call webhook: Post \
             \"https://w.ns.svc:443/p?timeout=10s\": no endpoints available for service \"w\"",
            denied,
            Retry::Yes,
            "none of its Pods is ready",
        ),
        (
            "Internal error occurred: failed calling webhook \"w.example\": failed to call webhook: Post \
             \"https://w.ns.svc:443/p?timeout=10s\": context deadline exceeded",
            denied,
            Retry::Yes,
            "did not respond",
        ),
        (
            "Internal error occurred: failed calling webhook \"w.example\": Post \"https://w.ns.svc:443/p?timeout=30s\": x509: \
             certificate signed by unknown authority",
            denied,
            Retry::Maybe,
            "caBundle",
        ),
        (
            "Internal error occurred: failed calling webhook \"w.example\": failed to call webhook: Post \
             \"https://w.ns.svc:443/p?timeout=10s\": service \"w\" not found",
            denied,
            Retry::Maybe,
            "Service",
        ),
        (
            "Internal error occurred: failed calling webhook \"w.example\": failed to call webhook: the server could not find the \
             requested resource",
            denied,
            Retry::Maybe,
            "AdmissionReview",
        ),
    ]);
}

#[test]
fn objects_and_rights_that_are_missing_stay_so() {
    let denied = Cause::AdmissionDenied;
    check(&[
        (
            "pods \"j-x\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true (container \"main\" must \
             set securityContext.runAsNonRoot=true)",
            denied,
            Retry::No,
            "securityContext",
        ),
        (
            "pods \"j-x\" is forbidden: unable to validate against any security context constraint: [provider \"anyuid\": \
             Forbidden: not usable by user or serviceaccount]",
            denied,
            Retry::No,
            "SCC",
        ),
        (
            "pods \"j-x\" is forbidden: error looking up service account ns/robot: serviceaccount \"robot\" not found",
            denied,
            Retry::No,
            "serviceAccountName",
        ),
        (
            "pods \"j-x\" is forbidden: error looking up service account ns/default: serviceaccount \"default\" not found",
            denied,
            Retry::Yes,
            "Run it again",
        ),
        (
            "pods \"j-x\" is forbidden: no PriorityClass with name high was found",
            denied,
            Retry::No,
            "priorityClassName",
        ),
        (
            "pods \"j-x\" is forbidden: pod rejected: RuntimeClass \"gvisor\" not found",
            denied,
            Retry::No,
            "runtimeClassName",
        ),
        (
            "pods \"j-x\" is forbidden: unable to create new content in namespace ns because it is being terminated",
            denied,
            Retry::No,
            "namespace",
        ),
        (
            "Pod \"j-x\" is invalid: spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to \
             cpu limit of 1",
            denied,
            Retry::No,
            "LimitRange or a mutating",
        ),
        (
            "pods \"j-x\" is forbidden: User \"system:serviceaccount:ns:ctl\" cannot create resource \"pods\" in API group \"\" in \
             the namespace \"ns\"",
            denied,
            Retry::No,
            "RoleBinding",
        ),
        (
            "pods \"j-x\" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set \
             finalizers on",
            denied,
            Retry::No,
            "RoleBinding",
        ),
    ]);
}

#[test]
fn an_api_server_that_is_busy_deserves_a_retry() {
    for error in [
        "etcdserver: request timed out",
        "etcdserver: leader changed",
        "the server was unable to return a response in the time allotted, but may still be processing the request (post pods)",
        "Too many requests, please try again later.",
        "Timeout: request did not complete within requested timeout - context deadline exceeded",
        "Internal error occurred: resource quota evaluation timed out",
        "Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified; please apply your changes to the \
         latest version and try again",
        "object is being deleted: pods \"j-0\" already exists",
    ] {
        check(&[(error, Cause::AdmissionDenied, Retry::Yes, "Run it again")]);
    }
    check(&[(
        "etcdserver: mvcc: database space exceeded",
        Cause::AdmissionDenied,
        Retry::Maybe,
        "etcd",
    )]);
}

#[test]
fn an_error_that_stays_beats_a_later_passing_one() {
    let quota =
        "Error creating: pods \"j-x\" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=1, limited: cpu=1";
    let busy = "(combined from similar events): Error creating: etcdserver: request timed out";
    let events = |first: i64| {
        vec![
            event("job-uid", "FailedCreate", quota, first),
            event("job-uid", "FailedCreate", busy, 1000),
        ]
    };
    let judged = |events| with(job("DeadlineExceeded", 1010), vec![], events);
    assert_eq!(judged(events(900)).cause, Some(Cause::QuotaExceeded));
    // Long before: it had passed.
    assert_eq!(judged(events(300)).cause, Some(Cause::AdmissionDenied));
    // The later one stays: it counts.
    let mut reversed = events(900);
    reversed[0].last = Some(at(1005));
    reversed.swap(0, 1);
    assert_eq!(judged(reversed).cause, Some(Cause::QuotaExceeded));
}
