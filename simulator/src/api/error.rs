//! Errors, as `Status` objects with the messages of a real server (`k8s.io/apimachinery/pkg/api/errors`).

use crate::resource::Resource;
use crate::store::StoreError;
use serde_json::{Map, Value, json};

/// A refusal of a request.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    pub details: Option<Value>,
    /// Seconds, sent as `Retry-After` and in the details.
    pub retry_after: Option<u64>,
    /// A token that continues the list after the first one expired.
    pub continue_token: Option<String>,
}

impl ApiError {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> ApiError {
        ApiError {
            code,
            reason,
            message: message.into(),
            details: None,
            retry_after: None,
            continue_token: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(400, "BadRequest", message)
    }

    pub(crate) fn no_such_path() -> ApiError {
        let message = "the server could not find the requested resource";
        ApiError {
            details: Some(json!({})),
            ..ApiError::new(404, "NotFound", message)
        }
    }

    pub(crate) fn no_such_method() -> ApiError {
        let message = "the server does not allow this method on the requested resource";
        ApiError {
            details: Some(json!({})),
            ..ApiError::new(405, "MethodNotAllowed", message)
        }
    }

    pub(crate) fn not_found(resource: Resource, name: &str) -> ApiError {
        StoreError::NotFound(resource.qualified(), name.to_owned()).into_api_error(resource, name)
    }

    pub(crate) fn unauthorized() -> ApiError {
        ApiError::new(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn expired(message: impl Into<String>) -> ApiError {
        ApiError::new(410, "Expired", message)
    }

    /// The answer to a watch from before the window; sent inside the stream.
    pub(crate) fn too_old_version(version: u64, floor: u64) -> ApiError {
        ApiError::expired(format!("too old resource version: {version} ({floor})"))
    }

    /// The answer to a version that is newer than the server's.
    pub(crate) fn too_large_version(version: u64, current: u64) -> ApiError {
        let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        ApiError {
            details: Some(json!({"causes": [cause]})),
            retry_after: Some(1),
            ..ApiError::new(
                504,
                "Timeout",
                format!("Timeout: Too large resource version: {version}, current: {current}"),
            )
        }
    }

    /// The error of a status code, for scripted faults that name only the code.
    pub(crate) fn of_code(code: u16, retry_after: Option<u64>) -> ApiError {
        let (reason, message) = match code {
            401 => return ApiError::unauthorized(),
            403 => ("Forbidden", "forbidden"),
            409 => (
                "Conflict",
                "the object has been modified; please apply your changes to the latest version and try again",
            ),
            410 => ("Expired", "too old resource version"),
            429 => ("TooManyRequests", "Too many requests, please try again later."),
            503 => ("ServiceUnavailable", "apiserver is shutting down"),
            504 => (
                "Timeout",
                "the server was unable to return a response in the time allotted, but may still be processing the request",
            ),
            _ => ("InternalError", "Internal error occurred: scripted fault"),
        };
        ApiError {
            retry_after,
            ..ApiError::new(code, reason, message)
        }
    }

    /// The `Status` object.
    pub(crate) fn to_json(&self) -> String {
        let mut details = self.details.clone();
        if let Some(seconds) = self.retry_after {
            details.get_or_insert_with(|| json!({}))["retryAfterSeconds"] = seconds.into();
        }
        let mut status = Map::new();
        status.insert("message".into(), self.message.as_str().into());
        if !self.reason.is_empty() {
            status.insert("reason".into(), self.reason.into());
        }
        if let Some(details) = details {
            status.insert("details".into(), details);
        }
        status.insert("code".into(), self.code.into());
        let metadata = self
            .continue_token
            .as_ref()
            .map_or(json!({}), |token| json!({"continue": token}));
        status.insert("metadata".into(), metadata);
        status.insert("status".into(), "Failure".into());
        with_type("Status", "v1", &Value::Object(status).to_string())
    }
}

impl StoreError {
    /// The answer to a request whose write the store refused.
    pub(crate) fn into_api_error(self, resource: Resource, name: &str) -> ApiError {
        let (code, reason) = match &self {
            StoreError::AlreadyExists(..) => (409, "AlreadyExists"),
            StoreError::NotFound(..) => (404, "NotFound"),
            StoreError::Conflict(..) => (409, "Conflict"),
            StoreError::Unnamed(..) => (422, "Invalid"),
        };
        ApiError {
            details: Some(details(resource, Some(name))),
            ..ApiError::new(code, reason, self.to_string())
        }
    }
}

/// The `details` that name an object.
pub(crate) fn details(resource: Resource, name: Option<&str>) -> Value {
    let mut details = json!({"kind": resource.plural()});
    if let Some(name) = name {
        details["name"] = name.into();
    }
    if !resource.group().is_empty() {
        details["group"] = resource.group().into();
    }
    details
}

/// Puts `kind` and `apiVersion` in front of a JSON object.
pub(crate) fn with_type(kind: &str, api_version: &str, object: &str) -> String {
    let separator = if object == "{}" { "" } else { "," };
    format!(
        "{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\"{separator}{}",
        object.get(1..).unwrap_or_default()
    )
}
