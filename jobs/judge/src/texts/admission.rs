//! Errors of the API server on creating a Pod: quotas, policies, webhooks and the API server itself.

use super::{Family, KnownText, row};
use crate::category::Retry;
use crate::cause::Cause;

/// A denial that only a change resolves.
const fn denied(says: &'static [&'static str], next_step: &'static str, source: &'static str) -> KnownText {
    row(says, Cause::AdmissionDenied, Retry::No, next_step, source)
}

/// A failure of the cluster, not a denial.
const fn failed(
    says: &'static [&'static str],
    retry: Retry,
    next_step: &'static str,
    source: &'static str,
) -> KnownText {
    row(says, Cause::AdmissionDenied, retry, next_step, source)
}

const WEBHOOK_ERRORS: &str =
    "Kubernetes: apiserver/pkg/util/webhook/error.go, apiserver/pkg/admission/plugin/webhook/errors";

/// The order: denials, because their reason may contain any text, then quotas, objects that are missing, webhooks that failed,
/// and the API server.
pub(crate) const ADMISSION: Family = Family {
    name: "Creation of Pods",
    searched_in: "Messages of the Event `FailedCreate` of the Job.",
    texts: &[
        denied(
            &["gatekeeper*denied the request"],
            "Change the Pod template so that it satisfies the Gatekeeper constraint in brackets (kubectl get constraints).",
            "open-policy-agent/gatekeeper: pkg/webhook/policy.go",
        ),
        denied(
            &["kyverno*denied the request"],
            "Change the Pod template so that it satisfies the Kyverno policy named in the message (kubectl get cpol,pol).",
            "kyverno/kyverno: pkg/webhooks/utils/block.go",
        ),
        denied(
            &["gke warden rejected", "warden-validating*denied the request"],
            "Change the Pod template as the constraint in the message asks: GKE Autopilot does not allow it.",
            "cloud.google.com: kubernetes-engine/docs/troubleshooting/autopilot-clusters",
        ),
        denied(
            &[
                "admission webhook*denied the request",
                "denied the request without explanation",
            ],
            "Read the webhook's reason in the message, and change the Pod template so that the webhook accepts it.",
            WEBHOOK_ERRORS,
        ),
        denied(
            &["validatingadmissionpolicy*denied request"],
            "Change the Pod template so that it satisfies the ValidatingAdmissionPolicy named in the message.",
            "Kubernetes: apiserver/pkg/admission/plugin/policy/validating/dispatcher.go",
        ),
        denied(
            &["image policy webhook backend denied"],
            "Use an image that the cluster's image policy accepts.",
            "Kubernetes: plugin/pkg/admission/imagepolicy/admission.go",
        ),
        denied(
            &["violates podsecurity", "pod security policy", "podsecuritypolicy"],
            "Set the fields of securityContext that the message lists, or run the Job in a namespace whose \
             pod-security.kubernetes.io/enforce label allows them.",
            "Kubernetes: pod-security-admission/admission/admission.go",
        ),
        denied(
            &["security context constraint", "not usable by user or serviceaccount"],
            "Make the securityContext fit an SCC that the Pod's ServiceAccount may use, or grant it another one (oc adm policy \
             add-scc-to-user).",
            "openshift/apiserver-library-go: pkg/securitycontextconstraints/sccadmission/admission.go; \
             open-policy-agent/gatekeeper#2311",
        ),
        denied(
            &["failed quota:"],
            "Set the requests and limits named in the message on every container, or add a LimitRange with defaults to the \
             namespace: the ResourceQuota demands them.",
            "Kubernetes: apiserver/pkg/admission/plugin/resourcequota/controller.go, pkg/quota/v1/evaluator/core/pods.go; \
             haproxytech/helm-charts#236; rook/rook#14397",
        ),
        row(
            &["exceeded quota:*pods=", "exceeded quota:*count/"],
            Cause::QuotaExceeded,
            Retry::Maybe,
            "Raise the ResourceQuota named in the message, or delete Pods that it counts (kubectl describe quota): count/pods \
             counts finished Pods as well.",
            "Kubernetes: apiserver/pkg/admission/plugin/resourcequota/controller.go",
        ),
        row(
            &["exceeded quota:"],
            Cause::QuotaExceeded,
            Retry::Maybe,
            "Compare used, limited and requested in the message: raise the ResourceQuota, request less, or wait for other \
             Pods to finish (kubectl describe quota).",
            "Kubernetes: apiserver/pkg/admission/plugin/resourcequota/controller.go",
        ),
        row(
            &[
                "insufficient quota to match these scopes",
                "insufficient quota to consume",
            ],
            Cause::QuotaExceeded,
            Retry::Maybe,
            "Create a ResourceQuota for this scope (a PriorityClass, for example) in the namespace, or use another PriorityClass: \
             the cluster allows such Pods only within a quota.",
            "Kubernetes: apiserver/pkg/admission/plugin/resourcequota/controller.go",
        ),
        row(
            &["status unknown for quota:"],
            Cause::QuotaExceeded,
            Retry::Yes,
            "Run it again; if it stays so, check that kube-controller-manager updates the status of the ResourceQuota.",
            "Kubernetes: apiserver/pkg/admission/plugin/resourcequota/controller.go",
        ),
        denied(
            &[
                "usage per container is",
                "usage per pod is",
                "limit to request ratio per",
                "usage per persistentvolumeclaim",
            ],
            "Make the requests and limits fit the LimitRange of the namespace (kubectl describe limitrange), or change the \
             LimitRange.",
            "Kubernetes: plugin/pkg/admission/limitranger/admission.go",
        ),
        denied(
            &[
                "is being terminated",
                "namespaceterminating",
                "namespaces \"*\" not found",
            ],
            "Run the Job in another namespace: this one is being deleted or no longer exists.",
            "Kubernetes: apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go",
        ),
        failed(
            &[
                "serviceaccount \"default\" not found",
                "no api token found for service account",
            ],
            Retry::Yes,
            "Run it again: the ServiceAccount of a new namespace is created after a moment; if it stays missing, check \
             kube-controller-manager.",
            "Kubernetes: plugin/pkg/admission/serviceaccount/admission.go",
        ),
        denied(
            &["error looking up service account", "serviceaccount \"*\" not found"],
            "Create the ServiceAccount named in the message, or correct serviceAccountName.",
            "Kubernetes: plugin/pkg/admission/serviceaccount/admission.go",
        ),
        denied(
            &["no priorityclass with name"],
            "Create the PriorityClass named in the message, or correct priorityClassName.",
            "Kubernetes: plugin/pkg/admission/priority/admission.go",
        ),
        denied(
            &[
                "runtimeclass \"*\" not found",
                "runtimeclass.node.k8s.io \"*\" not found",
            ],
            "Create the RuntimeClass named in the message, or correct runtimeClassName.",
            "Kubernetes: plugin/pkg/admission/runtimeclass/admission.go",
        ),
        denied(
            &[
                "node label selector conflicts",
                "tolerations*conflict with its namespace",
            ],
            "Make nodeSelector and tolerations agree with the scheduler.alpha.kubernetes.io annotations of the namespace.",
            "Kubernetes: plugin/pkg/admission/podnodeselector, plugin/pkg/admission/podtolerationrestriction",
        ),
        denied(
            &[
                "cannot set blockownerdeletion",
                "cannot create resource",
                " cannot create pods",
            ],
            "Grant the missing verb to the user or ServiceAccount named in the message (Role and RoleBinding).",
            "Kubernetes: plugin/pkg/auth/authorizer/rbac, plugin/pkg/admission/gc/gc_admission.go",
        ),
        denied(
            &[
                "can only create pods with spec.nodename set to itself",
                "mirror pod",
                "is not allowed to modify",
            ],
            "Check the credentials of the controller that creates the Pod: it uses the identity of a node, which \
             NodeRestriction does not allow.",
            "Kubernetes: plugin/pkg/admission/noderestriction/admission.go",
        ),
        denied(
            &["pod*is invalid:"],
            "Correct the field named in the message in the Pod template; if the template does not set it, look for a \
             LimitRange or a mutating webhook that does.",
            "Kubernetes: apimachinery/pkg/api/errors/errors.go (NewInvalid), pkg/apis/core/validation",
        ),
        failed(
            &[
                "failed calling webhook*x509:",
                "failed calling webhook*tls: ",
                "failed calling webhook*root certificates",
            ],
            Retry::Maybe,
            "Renew the certificate of the webhook named in the message, or correct the caBundle of its configuration.",
            "Go: crypto/x509/verify.go; Kubernetes: apiserver/pkg/util/webhook",
        ),
        failed(
            &["failed calling webhook*address is not allowed"],
            Retry::Maybe,
            "Run the webhook's Pods with hostNetwork: the API server cannot reach the Pod network of these nodes.",
            "docs.aws.amazon.com: eks/latest/userguide (webhooks with an overlay network)",
        ),
        failed(
            &[
                "failed calling webhook*service \"*\" not found",
                "failed calling webhook*no such host",
            ],
            Retry::Maybe,
            "Install the webhook's Service named in the message, or delete the webhook configuration that refers to it.",
            "Kubernetes: apiserver/pkg/util/proxy/proxy.go; hashicorp/vault-helm#158",
        ),
        failed(
            &[
                "failed calling webhook*could not find the requested resource",
                "failed calling webhook*the server rejected",
                "failed calling webhook*an error on the server",
                "failed calling webhook*invalid admission response",
                "failed calling webhook*expected response",
                "failed calling webhook*cannot unmarshal",
                "failed calling webhook*couldn't get version/kind",
                "failed calling webhook*asked for the client to provide credentials",
                "received invalid webhook response",
            ],
            Retry::Maybe,
            "Look at the webhook named in the message and at the log of its Pods: it answered with an error or without a \
             valid AdmissionReview.",
            WEBHOOK_ERRORS,
        ),
        failed(
            &[
                "failed calling webhook*no endpoints available",
                "failed calling webhook*connection refused",
            ],
            Retry::Yes,
            "Look at the webhook named in the message and at its Service: none of its Pods is ready; then run it again.",
            "Kubernetes: apiserver/pkg/util/proxy/proxy.go; gopaddle-io/configurator#74",
        ),
        failed(
            &[
                "failed calling webhook",
                "failed to call webhook",
                "failed to complete mutation in",
                "failed to complete validation in",
            ],
            Retry::Yes,
            "Look at the webhook named in the message and at its Service: it did not respond (its Pods, a NetworkPolicy or a firewall \
             between the API server and the nodes); then run it again.",
            WEBHOOK_ERRORS,
        ),
        failed(
            &["is forbidden: post \"http", "is forbidden: post http"],
            Retry::Yes,
            "Look at the backend of the API server's image policy: it did not respond; then run it again.",
            "Kubernetes: plugin/pkg/admission/imagepolicy/admission.go",
        ),
        failed(
            &["database space exceeded"],
            Retry::Maybe,
            "Free space in etcd (compact, defragment, disarm the alarm): it accepts no writes.",
            "etcd-io/etcd: api/v3rpc/rpctypes/error.go",
        ),
        failed(
            &["object is being deleted", "already exists"],
            Retry::Yes,
            "Run it again: a Pod of that name still existed; if it stays, look for its finalizers.",
            "Kubernetes: apiserver/pkg/registry/generic/registry/store.go",
        ),
        failed(
            &["object has been modified"],
            Retry::Yes,
            "Run it again: another writer changed the same object at that moment.",
            "Kubernetes: apiserver/pkg/registry/generic/registry/store.go",
        ),
        failed(
            &[
                "etcdserver:",
                "unable to return a response in the time allotted",
                "too many requests",
                "http 429",
                "http 5xx",
                "unable to handle the request",
                "request did not complete within",
                "quota evaluation timed out",
                "request timed out",
                "client rate limiter wait",
                "deadline exceeded",
                "connection refused",
                "connection reset",
                "connection lost",
                "i/o timeout",
                "tls handshake timeout",
                "unexpected eof",
                "timed out",
                "shutting down",
                "code = unavailable",
            ],
            Retry::Yes,
            "Run it again; if it fails again, look at the API server and etcd (load, disk, API Priority and Fairness).",
            "Kubernetes: apimachinery/pkg/api/errors/errors.go; etcd-io/etcd: api/v3rpc/rpctypes/error.go",
        ),
    ],
};
