//! Checks of created Events.

use super::error::{ApiError, details};
use super::server::ServerState;
use crate::resource::Resource;
use serde_json::{Value, json};

/// The longest name. A real server checks names of Events that are created through `events.k8s.io` only; here all are
/// checked, because every Event is served there as well.
const NAME: usize = 253;
/// The most bytes of `reason`, `action` and `reportingInstance`, and of the message.
const WORD: usize = 128;
const MESSAGE: usize = 1024;

/// Checks an Event whose namespace is that of the request.
///
/// Source: `pkg/apis/core/validation/events.go`, for requests of `v1`.
pub(super) fn check(name: &str, event: &Value) -> Result<(), ApiError> {
    let text = |path: &[&str]| {
        path.iter()
            .fold(event, |value, key| &value[*key])
            .as_str()
            .unwrap_or_default()
    };
    let invalid = |field: &str, value: &str, problem: &str| {
        let problem = format!("Invalid value: {value:?}: {problem}");
        let cause = json!({"reason": "FieldValueInvalid", "message": problem, "field": field});
        Err(ApiError {
            details: Some(json!({"name": name, "kind": "Event", "causes": [cause]})),
            ..ApiError::new(422, "Invalid", format!("Event {name:?} is invalid: {field}: {problem}"))
        })
    };
    if name.len() > NAME {
        return invalid("metadata.name", name, "must be no more than 253 characters");
    }
    let namespace = text(&["metadata", "namespace"]);
    let involved = text(&["involvedObject", "namespace"]);
    let is_newer = !text(&["eventTime"]).is_empty();
    let fits = match involved {
        "" => namespace == "default" || is_newer && namespace == "kube-system",
        involved => involved == namespace || is_newer,
    };
    if !fits {
        return invalid("involvedObject.namespace", involved, "does not match event.namespace");
    }
    if !is_newer {
        return Ok(());
    }
    let limits = [
        ("reportingInstance", WORD),
        ("action", WORD),
        ("reason", WORD),
        ("message", MESSAGE),
    ];
    for (field, limit) in limits {
        if text(&[field]).len() > limit {
            return invalid(field, "", &format!("can have at most {limit} characters"));
        }
    }
    Ok(())
}

/// Refuses an Event in a namespace that is being deleted, or that is missing in a cluster with namespaces. A simulator
/// without any namespace accepts every name.
///
/// Source: `staging/src/k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go`.
pub(super) fn admit(state: &ServerState, name: &str, namespace: &str) -> Result<(), ApiError> {
    match state.store.get(Resource::Namespaces, "", namespace) {
        None if state.store.count(Resource::Namespaces) == 0 => Ok(()),
        None => Err(ApiError::not_found(Resource::Namespaces, namespace)),
        Some(object) if object["status"]["phase"] == "Terminating" => {
            let message = format!(
                "events {name:?} is forbidden: unable to create new content in namespace {namespace} because it is being \
                 terminated"
            );
            let mut details = details(Resource::Events, Some(name));
            details["causes"] = json!([{
                "reason": "NamespaceTerminating",
                "message": format!("namespace {namespace} is being terminated"),
                "field": "metadata.namespace",
            }]);
            Err(ApiError {
                details: Some(details),
                ..ApiError::new(403, "Forbidden", message)
            })
        }
        Some(_) => Ok(()),
    }
}
