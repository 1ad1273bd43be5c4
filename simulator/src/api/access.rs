//! Who may do what: bearer tokens, rules, and the access review a client can ask for.

use super::status::{Failure, details, with_type};
use crate::resource::Resource;
use serde_json::{Value, json};

/// What a request does to a resource, in the words of RBAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// One object, or the log of a Pod.
    Get,
    /// A collection.
    List,
    /// The changes of a collection.
    Watch,
    /// A new object.
    Create,
    /// An object replaced as a whole.
    Update,
    /// A part of an object, or an applied configuration.
    Patch,
    /// An object removed.
    Delete,
}

impl Verb {
    /// The word in rules and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Watch => "watch",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Patch => "patch",
            Verb::Delete => "delete",
        }
    }
}

/// A permission; `*` stands for anything.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `get`, `list`, `watch`, … or `*`.
    pub verb: String,
    /// The API group, empty for the core group, or `*`.
    pub group: String,
    /// The plural name of the resource, with its subresource if any (`pods/log`), or `*`.
    pub resource: String,
    /// Only in this namespace; `None` means in all and at the cluster scope.
    pub namespace: Option<String>,
}

impl Rule {
    /// Everything, everywhere.
    pub fn everything() -> Rule {
        Rule {
            verb: "*".into(),
            group: "*".into(),
            resource: "*".into(),
            namespace: None,
        }
    }

    /// One verb on one resource, everywhere.
    pub fn allow(verb: Verb, resource: Resource) -> Rule {
        Rule {
            verb: verb.as_str().into(),
            group: resource.group().into(),
            resource: resource.plural().into(),
            namespace: None,
        }
    }

    fn permits(&self, asked: &Asked) -> bool {
        let fits = |rule: &str, value: &str| rule == "*" || rule == value;
        fits(&self.verb, &asked.verb)
            && fits(&self.group, &asked.group)
            && fits(&self.resource, &asked.resource)
            && self
                .namespace
                .as_ref()
                .is_none_or(|namespace| asked.namespace.as_ref() == Some(namespace))
    }
}

/// A bearer token and what its user may do.
#[derive(Clone)]
pub struct Token {
    /// The secret itself.
    pub value: String,
    /// The user it authenticates.
    pub user: String,
    /// What the user may do.
    pub rules: Vec<Rule>,
}

impl Token {
    /// A token for a user who may do everything.
    pub fn admin(value: &str) -> Token {
        Token {
            value: value.to_owned(),
            user: "system:admin".into(),
            rules: vec![Rule::everything()],
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("value", &"[REDACTED]")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Who a request comes from.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub name: String,
    pub rules: Vec<Rule>,
}

impl User {
    /// Reads the `Authorization` header. Without tokens everybody may do everything; with tokens, a request without one
    /// is anonymous and one with a wrong token is refused.
    pub fn authenticate(tokens: &[Token], authorization: Option<&str>) -> Result<User, Failure> {
        if tokens.is_empty() {
            return Ok(User {
                name: "system:admin".into(),
                rules: vec![Rule::everything()],
            });
        }
        let Some(authorization) = authorization else {
            return Ok(User {
                name: "system:anonymous".into(),
                rules: Vec::new(),
            });
        };
        let value = authorization.strip_prefix("Bearer ").unwrap_or_default();
        let token = tokens
            .iter()
            .find(|token| token.value == value)
            .ok_or_else(Failure::unauthorized)?;
        Ok(User {
            name: token.user.clone(),
            rules: token.rules.clone(),
        })
    }

    pub fn may(&self, asked: &Asked) -> bool {
        self.rules.iter().any(|rule| rule.permits(asked))
    }

    /// The refusal of a request.
    pub fn forbidden(&self, asked: &Asked, resource: Resource, name: Option<&str>) -> Failure {
        let object = name.map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let scope = match &asked.namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        let message = format!(
            "{}{object} is forbidden: User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {scope}",
            resource.qualified(),
            self.name,
            asked.verb,
            asked.resource,
            asked.group,
        );
        Failure {
            details: Some(details(resource, name)),
            ..Failure::new(403, "Forbidden", message)
        }
    }
}

/// What somebody wants to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub verb: String,
    pub group: String,
    /// With the subresource, if any.
    pub resource: String,
    pub namespace: Option<String>,
}

/// Answers a `SelfSubjectAccessReview`; `allowed` decides.
pub(crate) fn review(body: &[u8], allowed: impl Fn(&Asked) -> bool) -> Result<String, Failure> {
    let request: Value = serde_json::from_slice(body)
        .map_err(|error| Failure::bad_request(format!("the object provided is unrecognized: {error}")))?;
    let attributes = &request["spec"]["resourceAttributes"];
    let text = |key: &str| attributes[key].as_str().unwrap_or_default().to_owned();
    let resource = match text("subresource").as_str() {
        "" => text("resource"),
        subresource => format!("{}/{subresource}", text("resource")),
    };
    let namespace = Some(text("namespace")).filter(|namespace| !namespace.is_empty());
    let asked = Asked {
        verb: text("verb"),
        group: text("group"),
        resource,
        namespace,
    };
    let review = json!({"metadata": {}, "spec": request["spec"], "status": {"allowed": allowed(&asked)}});
    Ok(with_type(
        "SelfSubjectAccessReview",
        "authorization.k8s.io/v1",
        &review.to_string(),
    ))
}
