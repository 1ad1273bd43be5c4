//! The rules about `sendInitialEvents`, and which servers have it.

use super::error::ApiError;
use super::query::Query;
use serde_json::{Value, json};

/// A forbidden option, and why.
type Forbidden = (&'static str, &'static str);

/// True if a server of this `gitVersion` streams lists: feature gate `WatchList`, on in 1.32, off in 1.33, on since 1.34
/// (`k8s.io/apiserver/pkg/features/kube_features.go`).
fn streams_lists(version: &str) -> bool {
    let mut parts = version.trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(1)), Some(Ok(minor))) => minor >= 32 && minor != 33,
        _ => false,
    }
}

/// Checks the options of a list as a server of this version does.
pub(super) fn check_list(query: &Query) -> Result<(), ApiError> {
    match query.get("sendInitialEvents") {
        Some(_) => Err(invalid(&[(
            "sendInitialEvents",
            "sendInitialEvents is forbidden for list",
        )])),
        None => Ok(()),
    }
}

/// Checks the options of a watch as a server of this version does.
///
/// Source: `validateWatchOptions` in `k8s.io/apimachinery/pkg/apis/meta/internalversion/validation/validation.go`.
pub(super) fn check_watch(query: &Query, version: &str) -> Result<(), ApiError> {
    let (initial, matched) = (query.get("sendInitialEvents"), query.get("resourceVersionMatch"));
    let mut forbidden: Vec<Forbidden> = Vec::new();
    if initial.is_some() {
        if matched != Some("NotOlderThan") {
            forbidden.push((
                "resourceVersionMatch",
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ));
        }
        if !streams_lists(version) {
            forbidden.push((
                "sendInitialEvents",
                "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
            ));
        }
    } else if matched.is_some() {
        forbidden.push((
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ));
    }
    match forbidden.is_empty() {
        true => Ok(()),
        false => Err(invalid(&forbidden)),
    }
}

/// The error of invalid options (`NewInvalid` in `k8s.io/apimachinery/pkg/api/errors/errors.go`).
fn invalid(forbidden: &[Forbidden]) -> ApiError {
    let errors: Vec<String> = forbidden
        .iter()
        .map(|(field, detail)| format!("{field}: Forbidden: {detail}"))
        .collect();
    let errors = match errors.as_slice() {
        [error] => error.clone(),
        _ => format!("[{}]", errors.join(", ")),
    };
    let causes: Vec<Value> = forbidden
        .iter()
        .map(|(field, detail)| {
            json!({"reason": "FieldValueForbidden", "message": format!("Forbidden: {detail}"), "field": field})
        })
        .collect();
    let message = format!("ListOptions.meta.k8s.io \"\" is invalid: {errors}");
    ApiError {
        details: Some(json!({"group": "meta.k8s.io", "kind": "ListOptions", "causes": causes})),
        ..ApiError::new(422, "Invalid", message)
    }
}
