//! What is answered to a request: a pure function of the request and the components' conditions.

use hyper::{Method, StatusCode};
use pipeline::health::{Status, Statuses, all_ok, none_dead};
use serde_json::{Map, Value, json};

/// Where liveness is told, whatever `path` says.
pub const LIVENESS: &str = "/healthz";
/// Where readiness is told.
pub const READINESS: &str = "/readyz";

/// The status code and the JSON body for a request. `liveness_path` is the configured one.
pub fn answer(method: &Method, path: &str, liveness_path: &str, statuses: &Statuses) -> (StatusCode, Value) {
    let (well, text, unwell) = if path == READINESS {
        (all_ok(statuses), "ready", "not ready")
    } else if path == LIVENESS || path == liveness_path {
        (none_dead(statuses), "alive", "dead")
    } else {
        let error = format!("nothing here; ask for {liveness_path}, {LIVENESS} or {READINESS}");
        return (StatusCode::NOT_FOUND, json!({ "error": error }));
    };
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, json!({ "error": "only GET and HEAD" }));
    }
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
            (component.to_owned(), shown)
        })
        .collect();
    // What a person looks for first, by name.
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
