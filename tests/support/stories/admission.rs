//! Pods that are never created.

use job_judge::{Cause, Retry};
use serde_json::json;

use super::story::{DEADLINE, Story};

/// A Job whose Pods the API server refuses.
fn refused(name: &'static str, cause: Cause, error: &str) -> Story {
    Story::failed(name, DEADLINE, cause)
        .job(json!({"activeDeadlineSeconds": 20}))
        .patch("jobs/j", json!({"status": {"active": 0}}))
        .warns("jobs/j", "FailedCreate", &format!("Error creating: {error}"))
        .at(2)
        .warns(
            "jobs/j",
            "FailedCreate",
            &format!("(combined from similar events): Error creating: {error}"),
        )
        .at(20)
        .deadline_exceeded()
        .finished()
}

pub(super) fn stories() -> Vec<Story> {
    let mut stories = quotas();
    stories.extend(webhooks());
    stories.extend(objects());
    stories.push(no_pods());
    stories
}

fn forbidden(why: &str) -> String {
    format!("pods \"j-x7k2p\" is forbidden: {why}")
}

/// Quotas and limits of the namespace.
fn quotas() -> Vec<Story> {
    vec![
        refused(
            "quota",
            Cause::QuotaExceeded,
            &forbidden("exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0"),
        )
        .retry(Retry::Maybe),
        refused(
            "quota-limits",
            Cause::AdmissionDenied,
            &forbidden("failed quota: q: must specify limits.cpu for: main"),
        )
        .next_step("Set the requests and limits named in the message")
        .retry(Retry::No),
        refused(
            "limit-range",
            Cause::AdmissionDenied,
            &forbidden("maximum memory usage per Container is 64Mi, but limit is 1Gi"),
        ),
        quota_then_timeout(),
    ]
}

/// Webhooks and policies.
fn webhooks() -> Vec<Story> {
    vec![
        refused(
            "webhook-no-endpoints",
            Cause::AdmissionDenied,
            "Internal error occurred: failed calling webhook \"w.example\": failed to call webhook: Post \
             \"https://w.ns.svc:443/p?timeout=10s\": no endpoints available for service \"w\"",
        )
        .next_step("Look at the webhook")
        .retry(Retry::Yes),
        refused(
            "webhook-certificate",
            Cause::AdmissionDenied,
            "Internal error occurred: failed calling webhook \"w.example\": failed to call webhook: Post \
             \"https://w.ns.svc:443/p?timeout=10s\": x509: certificate signed by unknown authority",
        )
        .next_step("Renew the certificate of the webhook")
        .retry(Retry::Maybe),
        refused(
            "gatekeeper",
            Cause::AdmissionDenied,
            "admission webhook \"validation.gatekeeper.sh\" denied the request: [must-set-timeout] the timeout must be set",
        )
        .next_step("Change the Pod template so that it satisfies the Gatekeeper constraint")
        .retry(Retry::No),
        refused(
            "webhook-denies",
            Cause::AdmissionDenied,
            "admission webhook \"images.example\" denied the request: image is not signed",
        )
        .retry(Retry::No),
        refused(
            "webhook-down",
            Cause::AdmissionDenied,
            "Internal error occurred: failed calling webhook \"images.example\": failed to call webhook: Post \
             \"https://images.example.svc:443/\": dial tcp 10.0.0.7:443: connect: connection refused",
        )
        .next_step("Look at the webhook")
        .retry(Retry::Yes),
        refused(
            "admission-policy",
            Cause::AdmissionDenied,
            &forbidden(
                "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: object.spec.x",
            ),
        ),
    ]
}

/// Missing objects and rights, security, and the API server itself.
fn objects() -> Vec<Story> {
    vec![
        refused(
            "etcd-full",
            Cause::AdmissionDenied,
            "etcdserver: mvcc: database space exceeded",
        )
        .retry(Retry::Maybe),
        refused(
            "role-missing",
            Cause::AdmissionDenied,
            &forbidden(
                "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , \
                 <nil>",
            ),
        )
        .next_step("Grant the missing verb")
        .retry(Retry::No),
        refused(
            "service-account",
            Cause::AdmissionDenied,
            &forbidden("error looking up service account ns/nope: serviceaccount \"nope\" not found"),
        ),
        refused(
            "pod-security",
            Cause::AdmissionDenied,
            &forbidden(
                "violates PodSecurity \"restricted:latest\": privileged (container \"main\" must not set \
                 securityContext.privileged=true)",
            ),
        )
        .retry(Retry::No),
        refused(
            "scc",
            Cause::AdmissionDenied,
            &forbidden(
                "unable to validate against any security context constraint: [provider \"anyuid\": Forbidden: not usable by \
                 user or serviceaccount, provider restricted-v2: .containers[0].privileged: Invalid value: true]",
            ),
        )
        .retry(Retry::No),
        refused(
            "priority-class",
            Cause::AdmissionDenied,
            &forbidden("no PriorityClass with name nope was found"),
        ),
        refused(
            "runtime-class",
            Cause::AdmissionDenied,
            &forbidden("pod rejected: RuntimeClass \"nope\" not found"),
        ),
    ]
}

/// The quota is used up; the last attempt meets a busy etcd.
fn quota_then_timeout() -> Story {
    let quota = "Error creating: pods \"j-x7k2p\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=4, limited: \
                 pods=4";
    Story::failed("quota-then-timeout", DEADLINE, Cause::QuotaExceeded)
        .job(json!({"activeDeadlineSeconds": 20}))
        .patch("jobs/j", json!({"status": {"active": 0}}))
        .warns("jobs/j", "FailedCreate", quota)
        .at(10)
        .warns(
            "jobs/j",
            "FailedCreate",
            "Error creating: etcdserver: request timed out",
        )
        .at(20)
        .deadline_exceeded()
        .finished()
        .sentence("used: pods=4")
}

/// Neither Pod nor Event: the controller was down, or the namespace is being deleted.
fn no_pods() -> Story {
    Story::failed("no-pods", DEADLINE, Cause::NoPodsCreated)
        .job(json!({"activeDeadlineSeconds": 20}))
        .patch("jobs/j", json!({"status": {"active": 0}}))
        .at(20)
        .deadline_exceeded()
        .finished()
}
