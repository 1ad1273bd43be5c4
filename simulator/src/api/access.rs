//! Authentication by bearer tokens, permissions, and the access review a client can ask for.

use super::error::{ApiError, details, with_type};
use crate::resource::Resource;
use serde_json::{Value, json};

/// The verb of a request, as in RBAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Reads one object, or the log of a Pod.
    Get,
    /// Reads a collection.
    List,
    /// Reads the changes of a collection.
    Watch,
    /// Creates an object.
    Create,
    /// Replaces an object.
    Update,
}

impl Verb {
    /// The word in permissions and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Watch => "watch",
            Verb::Create => "create",
            Verb::Update => "update",
        }
    }
}

/// A bearer token and its user.
#[derive(Clone)]
pub struct ApiToken {
    /// The secret itself.
    pub value: String,
    /// The user it authenticates.
    pub user: String,
    /// True: the user may do everything; false: nothing.
    pub allowed: bool,
}

impl ApiToken {
    /// A token for a user who may do everything.
    pub fn admin(value: &str) -> ApiToken {
        ApiToken {
            value: value.to_owned(),
            user: "system:admin".into(),
            allowed: true,
        }
    }
}

impl std::fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiToken")
            .field("value", &"[REDACTED]")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The sender of a request.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) allowed: bool,
}

impl User {
    /// Reads the `Authorization` header. Without tokens everybody may do everything; with tokens, a request without one
    /// is anonymous and one with a wrong token is refused.
    pub(crate) fn authenticate(tokens: &[ApiToken], authorization: Option<&str>) -> Result<User, ApiError> {
        let user = |name: &str, allowed| {
            let name = name.to_owned();
            Ok(User { name, allowed })
        };
        match authorization {
            _ if tokens.is_empty() => user("system:admin", true),
            None => user("system:anonymous", false),
            Some(authorization) => {
                let value = authorization.strip_prefix("Bearer ").unwrap_or_default();
                let token = tokens.iter().find(|token| token.value == value);
                token.map_or(Err(ApiError::unauthorized()), |token| user(&token.user, token.allowed))
            }
        }
    }

    /// The refusal of a request.
    pub(crate) fn forbidden(&self, request: &AccessRequest, resource: Resource, name: Option<&str>) -> ApiError {
        let object = name.map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let scope = match &request.namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        let message = format!(
            "{}{object} is forbidden: User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {scope}",
            resource.qualified(),
            self.name,
            request.verb,
            request.resource,
            request.group,
        );
        ApiError {
            details: Some(details(resource, name)),
            ..ApiError::new(403, "Forbidden", message)
        }
    }
}

/// A permission to check.
#[derive(Clone, Debug)]
pub(crate) struct AccessRequest {
    pub(crate) verb: String,
    pub(crate) group: String,
    /// The plural name, with the subresource if any: `pods/log`.
    pub(crate) resource: String,
    pub(crate) namespace: Option<String>,
}

/// Answers a `SelfSubjectAccessReview`; `allowed` decides.
pub(crate) fn review(body: &[u8], allowed: impl Fn(&AccessRequest) -> bool) -> Result<String, ApiError> {
    let review: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the object provided is unrecognized: {error}")))?;
    let attributes = &review["spec"]["resourceAttributes"];
    let text = |key: &str| attributes[key].as_str().unwrap_or_default().to_owned();
    let request = AccessRequest {
        verb: text("verb"),
        group: text("group"),
        resource: match text("subresource").as_str() {
            "" => text("resource"),
            subresource => format!("{}/{subresource}", text("resource")),
        },
        namespace: Some(text("namespace")).filter(|namespace| !namespace.is_empty()),
    };
    let answer = json!({"metadata": {}, "spec": review["spec"], "status": {"allowed": allowed(&request)}});
    Ok(with_type(
        "SelfSubjectAccessReview",
        "authorization.k8s.io/v1",
        &answer.to_string(),
    ))
}
