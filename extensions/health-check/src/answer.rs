//! The answer to a request: a pure function of its path and the health of the components.

use collector_runtime::health::{Status, Statuses, all_ok, none_dead};
use hyper::StatusCode;
use serde_json::{Map, Value, json};

/// Where liveness is reported, whatever `path` says.
pub const LIVENESS: &str = "/healthz";
/// Where readiness is reported.
pub const READINESS: &str = "/readyz";

/// The status code and the JSON body for a request. `liveness_path` is the configured one.
pub fn answer(path: &str, liveness_path: &str, statuses: &Statuses) -> (StatusCode, Value) {
    let (well, text, unwell) = if path == READINESS {
        (all_ok(statuses), "ready", "not ready")
    } else if path == LIVENESS || path == liveness_path {
        (none_dead(statuses), "alive", "dead")
    } else {
        let error = format!("nothing here; ask for {liveness_path}, {LIVENESS} or {READINESS}");
        return (StatusCode::NOT_FOUND, json!({ "error": error }));
    };
    let (code, status) = match well {
        true => (StatusCode::OK, text),
        false => (StatusCode::SERVICE_UNAVAILABLE, unwell),
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
    let unwell: Vec<&str> = statuses
        .iter()
        .filter(|(_, status, _)| **status != Status::Ok)
        .map(|(component, ..)| component)
        .collect();
    (
        code,
        json!({ "status": status, "unwell": unwell, "components": components }),
    )
}
