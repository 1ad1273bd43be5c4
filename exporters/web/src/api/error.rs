//! Errors as JSON.

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::leading::Unavailable;
use crate::views::QueryError;

/// An error with its code, a word for programs, and its text.
pub(crate) fn response(status: StatusCode, code: &str, message: &str) -> Response {
    with(status, json!({ "code": code, "message": message }))
}

fn with(status: StatusCode, error: Value) -> Response {
    (status, json_body(&json!({ "error": error }))).into_response()
}

/// The error of a query.
pub(crate) fn query(error: &QueryError) -> Response {
    let body = json!({ "code": "invalid_query", "message": error.message, "key": error.key, "known": error.known });
    with(StatusCode::BAD_REQUEST, body)
}

/// The error of a replica that has no events.
pub(crate) fn unavailable(unavailable: &Unavailable) -> Response {
    let message = unavailable.to_string();
    let body = match unavailable {
        Unavailable::Standby(None) => json!({ "code": "standby", "message": message }),
        Unavailable::Standby(Some(leader)) => json!({ "code": "standby", "message": message, "leader": leader }),
        Unavailable::Starting => json!({ "code": "starting", "message": message }),
    };
    let mut response = with(StatusCode::SERVICE_UNAVAILABLE, body);
    let retry = HeaderValue::from_static("5");
    response.headers_mut().insert(RETRY_AFTER, retry);
    response
}

/// A body of JSON.
pub(crate) fn json_body(value: &impl serde::Serialize) -> Response {
    use axum::http::header::CONTENT_TYPE;
    match serde_json::to_vec(value) {
        Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write an answer as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
