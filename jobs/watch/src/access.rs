//! Checks of the access that lists and watches need, and the missing RBAC rules.

use std::time::Duration;

use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use tokio::time::timeout;

use crate::Kind;
use crate::model::lenient::{Lax, Object, lenient};
use crate::watch::request::Target;

/// The timeout of a check.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes read of an answer.
const LONGEST: usize = 64 * 1024;

/// The verbs of a list and watch.
const VERBS: [&str; 2] = ["list", "watch"];

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Both verbs are allowed.
    Allowed,
    /// This verb is denied.
    Denied(&'static str),
    /// The check failed with this problem.
    Unknown(String),
}

/// Checks the access of a list and watch.
pub async fn review(client: &Client, target: &Target) -> Access {
    for verb in VERBS {
        match ask(client, target, verb).await {
            Ok(true) => {}
            Ok(false) => return Access::Denied(verb),
            Err(problem) => return Access::Unknown(problem),
        }
    }
    Access::Allowed
}

/// The rule that allows the access, in the form of a Role or ClusterRole.
pub fn rule(target: &Target) -> String {
    let kind = target.source.kind;
    let rule = format!(
        "{{apiGroups: [{:?}], resources: [{:?}], verbs: [\"list\", \"watch\"]}}",
        kind.group(),
        kind.resource()
    );
    match &target.namespace {
        // A list by name is allowed by a rule with that name; a Role allows no list of namespaces.
        Some(name) if kind == Kind::Namespaces => format!(
            "add to its ClusterRole the rule {{apiGroups: [\"\"], resources: [\"namespaces\"], resourceNames: [{name:?}], \
             verbs: [\"list\", \"watch\"]}}"
        ),
        Some(namespace) => format!("add to its Role in namespace {namespace:?} the rule {rule}"),
        None => format!("add to its ClusterRole the rule {rule}"),
    }
}

/// The loss for Jobs without objects of this kind.
pub fn loss(kind: Kind) -> &'static str {
    match kind {
        Kind::CronJobs => "replaced runs of CronJobs will be reported as deleted, without a schedule",
        Kind::Jobs => "nothing can be reported",
        Kind::Namespaces => "labels and annotations of namespaces will be missing",
        Kind::Pods => "causes within Pods (exit codes, out of memory, image pulls) will be missing",
        Kind::JobEvents | Kind::PodEvents => "causes that only Events show (volumes, quota, probes) will be missing",
        Kind::ScaleUpEvents => "the reason why an autoscaler adds no node for a Pod will be missing",
        Kind::CronJobEvents => "the reason why a run of a CronJob did not start will often be unknown",
        Kind::NodeEvents => {
            "kills by the kernel of a node without memory will be reported as kills by an unknown sender"
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Review {
    #[serde(deserialize_with = "lenient")]
    status: ReviewStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReviewStatus {
    #[serde(deserialize_with = "lenient")]
    allowed: Option<bool>,
}

impl Object for Review {}
impl Object for ReviewStatus {}

async fn ask(client: &Client, target: &Target, verb: &str) -> Result<bool, String> {
    let kind = target.source.kind;
    let namespace = target.namespace.as_deref().unwrap_or_default();
    is_allowed(client, kind.group(), kind.resource(), verb, namespace).await
}

/// Asks the API server for a permission of the client's account; an empty namespace means all of them.
///
/// # Errors
/// Why the answer is unknown.
pub async fn is_allowed(
    client: &Client,
    group: &str,
    resource: &str,
    verb: &str,
    namespace: &str,
) -> Result<bool, String> {
    let review = serde_json::json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "group": group,
            "resource": resource,
            "verb": verb,
            "namespace": namespace,
        }},
    });
    let request = Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(review.to_string().into_bytes()))
        .map_err(|error| error.to_string())?;
    let answer = timeout(TIMEOUT, async {
        let response = client
            .send(request)
            .await
            .map_err(|error| crate::client::explain(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("the API server answers {status}"));
        }
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => format!("the API server's answer is longer than {LONGEST} bytes"),
            false => crate::client::explain(&kube::Error::Service(error)),
        })?;
        let review: Lax<Review> = serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())?;
        review
            .0
            .status
            .allowed
            .ok_or_else(|| "found no `allowed` in the answer".to_owned())
    });
    match answer.await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;
    use crate::watch::request::targets;

    async fn reviewed(body: String) -> Access {
        let service = tower::service_fn(move |_: Request<Body>| {
            let response = Response::new(Body::from(body.clone().into_bytes()));
            async move { Ok::<_, std::io::Error>(response) }
        });
        review(&Client::new(service, "default"), &targets(&Kind::ALL, &[], &[], "")[0]).await
    }

    #[tokio::test]
    async fn an_endless_answer_is_not_read() {
        let allowed = "{\"status\":{\"allowed\":true}}";
        assert_eq!(reviewed(allowed.into()).await, Access::Allowed);
        let padded = format!("{}{allowed}", " ".repeat(LONGEST));
        let expected = "the API server's answer is longer than 65536 bytes";
        assert_eq!(reviewed(padded).await, Access::Unknown(expected.into()));
    }
}
