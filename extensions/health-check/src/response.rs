//! The response to a request: a pure function of its path and the health of the components.

use axum::http::StatusCode;
use collector_runtime::health::{ConfigurationStatus, Status, Statuses, all_ok, none_dead};
use collector_runtime::process_status::ProcessStatus;
use serde_json::{Map, Value, json};

/// The fixed path of liveness.
pub(crate) const LIVENESS: &str = "/healthz";
/// The path of readiness.
pub(crate) const READINESS: &str = "/readyz";
/// The path of the snapshot of the process.
pub(crate) const STATUS: &str = "/status";

/// The status code and the JSON body. `liveness_path` is the configured path.
pub(crate) fn response(path: &str, liveness_path: &str, statuses: &Statuses) -> (StatusCode, Value) {
    let (ok, ok_text, failing_text) = if path == READINESS {
        (all_ok(statuses), "ready", "not ready")
    } else if path == LIVENESS || path == liveness_path {
        (none_dead(statuses), "alive", "dead")
    } else {
        let error = format!("not found; expected {liveness_path}, {LIVENESS}, {READINESS} or {STATUS}");
        return (StatusCode::NOT_FOUND, json!({ "error": error }));
    };
    let (code, status) = match ok {
        true => (StatusCode::OK, ok_text),
        false => (StatusCode::SERVICE_UNAVAILABLE, failing_text),
    };
    let components: Map<String, Value> = statuses
        .iter()
        .map(|(component, status, since)| {
            let mut shown = json!({ "status": status.as_str(), "since": format!("{since:.0}") });
            if let (Some(reason), Some(shown)) = (status.reason(), shown.as_object_mut()) {
                shown.insert("reason".into(), reason.into());
            }
            if let Some(shown) = shown.as_object_mut() {
                let details = statuses.details(component);
                shown.extend(details.map(|(name, value)| (name.to_owned(), value.into())));
            }
            (component.to_owned(), shown)
        })
        .collect();
    let not_ok: Vec<&str> = statuses
        .iter()
        .filter(|(_, status, _)| **status != Status::Ok)
        .map(|(component, ..)| component)
        .collect();
    let mut body = json!({ "status": status, "unhealthy": not_ok, "components": components });
    if let Some((configuration, since)) = statuses.configuration() {
        let since = format!("{since:.0}");
        body["configuration"] = match configuration {
            ConfigurationStatus::Applied => json!({ "status": "applied", "since": since }),
            ConfigurationStatus::ReloadFailed(reason) => {
                json!({ "status": "reload failed", "since": since, "reason": reason })
            }
        };
    }
    (code, body)
}

/// The status code and the JSON text of a snapshot of the process.
pub(crate) fn status(process: &ProcessStatus) -> (StatusCode, String) {
    match serde_json::to_string_pretty(process) {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({ "error": error.to_string() }).to_string(),
        ),
    }
}
