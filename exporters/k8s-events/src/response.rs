//! The outcome of a request to create an Event.

use std::collections::BTreeSet;

use collector_sending::SendOutcome;
use escape::one_line;
use job_watch::client::{ErrorKind, error_kind, explain};
use kube::core::Status;

/// The name that the API server gives to a namespace that is being deleted, in the causes of an error
/// (`NamespaceTerminatingCause` in `k8s.io/api/core/v1`).
const TERMINATING: &str = "NamespaceTerminating";

/// The missing rule, in the form of a Role or ClusterRole.
pub(crate) const RULE: &str = "{apiGroups: [\"\"], resources: [\"events\"], verbs: [\"create\"]}";

/// The outcome of a request that failed, for a namespace; a status in `non_retryable` is not retried.
pub(crate) fn outcome(error: &kube::Error, namespace: &str, non_retryable: &BTreeSet<u16>) -> SendOutcome {
    let why = format!(
        "cannot create an Event in namespace {namespace}: {}",
        one_line(&explain(error))
    );
    let kube::Error::Api(status) = error else {
        return SendOutcome::Retry { after: None, why };
    };
    let outcome = of_status(status, error_kind(error), namespace, why);
    match outcome {
        SendOutcome::Retry { why, .. } | SendOutcome::Misconfigured(why) if non_retryable.contains(&status.code) => {
            SendOutcome::Permanent(format!("{why} (in retry_on_failure::non_retryable_status_codes)"))
        }
        outcome => outcome,
    }
}

/// True if a request that is refused with this status may be sent again.
pub(crate) fn may_be_retried(status: u16) -> bool {
    status >= 500 || [401, 403, 404, 405, 408, 409, 429].contains(&status)
}

fn of_status(status: &Status, kind: ErrorKind, namespace: &str, why: String) -> SendOutcome {
    match status.code {
        // The Event is named after its record, so an earlier attempt created it.
        409 if status.is_already_exists() => SendOutcome::Accepted,
        // A quota of the namespace was changed at the same time.
        409 => SendOutcome::Retry { after: None, why },
        403 if is_terminating(status) => SendOutcome::Permanent(why),
        403 if is_denied(&status.message) => SendOutcome::Permanent(why),
        403 if status.message.contains("exceeded quota") => SendOutcome::Retry { after: None, why },
        403 => SendOutcome::Misconfigured(format!(
            "{why}; add {RULE} to the ClusterRole of the collector's account, or to its Role in namespace {namespace}"
        )),
        404 if is_namespace_missing(status) => SendOutcome::Permanent(why),
        404 | 405 => SendOutcome::Misconfigured(why),
        _ => match kind {
            ErrorKind::Retry { after } => SendOutcome::Retry { after, why },
            ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::Refused => SendOutcome::Permanent(why),
        },
    }
}

fn is_terminating(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.reason == TERMINATING)
        // Before Kubernetes 1.18 there was no cause.
        || status.message.contains("because it is being terminated")
}

/// True if a webhook or a policy denies the Event, which it does again for every attempt.
fn is_denied(message: &str) -> bool {
    let is_policy = message.contains("admission webhook") || message.contains("ValidatingAdmissionPolicy");
    is_policy && message.contains("denied")
}

/// True if the namespace is missing; a wrong address answers 404 too.
fn is_namespace_missing(status: &Status) -> bool {
    status
        .details
        .as_ref()
        .is_some_and(|details| details.kind == "namespaces")
        || status.message.starts_with("namespaces \"")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn of(status: Value) -> SendOutcome {
        of_codes(status, &[])
    }

    fn of_codes(status: Value, codes: &[u16]) -> SendOutcome {
        let status: Status = serde_json::from_value(status).unwrap();
        outcome(
            &kube::Error::Api(status.boxed()),
            "shop",
            &codes.iter().copied().collect(),
        )
    }

    fn name(outcome: &SendOutcome) -> &'static str {
        match outcome {
            SendOutcome::Accepted => "accepted",
            SendOutcome::Retry { .. } => "retry",
            SendOutcome::Permanent(_) => "permanent",
            SendOutcome::Misconfigured(_) => "misconfigured",
            SendOutcome::Partial { .. } | SendOutcome::TooLarge(_) => "other",
        }
    }

    /// The messages are those of a real API server.
    #[test]
    fn every_answer_has_its_outcome() {
        let forbidden = "events is forbidden: User \"system:serviceaccount:a:b\" cannot create resource \"events\" in API \
                         group \"\" in the namespace \"shop\"";
        let terminating = "events \"a.1\" is forbidden: unable to create new content in namespace shop because it is \
                           being terminated";
        let webhook = "admission webhook \"validate.kyverno.svc\" denied the request: no Events";
        let policy = "events \"a.1\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no";
        let quota = "events \"a.1\" is forbidden: exceeded quota: q, requested: count/events=1, used: count/events=9";
        let cause = json!([{"reason": "NamespaceTerminating", "message": "m", "field": "metadata.namespace"}]);
        for (status, expected) in [
            (
                json!({"code": 409, "reason": "AlreadyExists", "message": "events \"a.1\" already exists"}),
                "accepted",
            ),
            (
                json!({"code": 409, "reason": "Conflict", "message": "resourcequotas \"q\""}),
                "retry",
            ),
            (
                json!({"code": 403, "reason": "Forbidden", "message": forbidden}),
                "misconfigured",
            ),
            (
                json!({"code": 403, "reason": "Forbidden", "message": terminating}),
                "permanent",
            ),
            (
                json!({"code": 403, "reason": "Forbidden", "message": "m", "details": {"causes": cause}}),
                "permanent",
            ),
            (
                json!({"code": 403, "reason": "Forbidden", "message": webhook}),
                "permanent",
            ),
            (
                json!({"code": 403, "reason": "Forbidden", "message": policy}),
                "permanent",
            ),
            (json!({"code": 403, "reason": "Forbidden", "message": quota}), "retry"),
            (json!({"code": 403}), "misconfigured"),
            (
                json!({"code": 404, "reason": "NotFound", "message": "namespaces \"shop\" not found"}),
                "permanent",
            ),
            (
                json!({"code": 404, "details": {"kind": "namespaces", "name": "shop"}}),
                "permanent",
            ),
            (
                json!({"code": 404, "reason": "NotFound", "message": "404 page not found"}),
                "misconfigured",
            ),
            (json!({"code": 405}), "misconfigured"),
            (json!({"code": 400, "reason": "BadRequest"}), "permanent"),
            (json!({"code": 413}), "permanent"),
            (json!({"code": 422, "reason": "Invalid"}), "permanent"),
            (json!({"code": 401}), "retry"),
            (json!({"code": 408}), "retry"),
            (json!({"code": 429}), "retry"),
            (json!({"code": 500}), "retry"),
            (json!({"code": 503}), "retry"),
            (json!({"code": 504}), "retry"),
        ] {
            let found = of(status.clone());
            assert_eq!(name(&found), expected, "{status}");
            if matches!(found, SendOutcome::Retry { .. } | SendOutcome::Misconfigured(_)) {
                assert!(may_be_retried(status["code"].as_u64().unwrap() as u16), "{status}");
            }
        }
        assert!([400, 413, 422].iter().all(|status| !may_be_retried(*status)));
    }

    #[test]
    fn a_missing_permission_is_named() {
        let SendOutcome::Misconfigured(why) = of(json!({"code": 403, "message": "events is forbidden: User \"u\""}))
        else {
            panic!("expected a configuration error")
        };
        assert_eq!(
            why,
            "cannot create an Event in namespace shop: the API server answers 403: events is forbidden: User \"u\"; add \
             {apiGroups: [\"\"], resources: [\"events\"], verbs: [\"create\"]} to the ClusterRole of the collector's \
             account, or to its Role in namespace shop"
        );
    }

    #[test]
    fn retry_after_is_honoured() {
        let busy = json!({"code": 429, "details": {"retryAfterSeconds": 7}});
        let SendOutcome::Retry { after, .. } = of(busy) else {
            panic!("expected a retry")
        };
        assert_eq!(after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn configured_codes_are_not_retried() {
        for (status, expected) in [
            (json!({"code": 403}), "permanent"),
            (json!({"code": 500}), "permanent"),
            (json!({"code": 503}), "retry"),
            (json!({"code": 409, "reason": "AlreadyExists"}), "accepted"),
        ] {
            assert_eq!(name(&of_codes(status.clone(), &[403, 500, 409])), expected, "{status}");
        }
    }

    #[test]
    fn a_lost_connection_is_retried() {
        let error = kube::Error::Service("connection closed".into());
        assert_eq!(name(&outcome(&error, "shop", &BTreeSet::new())), "retry");
    }
}
