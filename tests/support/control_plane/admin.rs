//! Reads and writes objects of an API server as JSON.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::Value;

/// A refused request: the status, and the body or the reason.
pub(crate) type Refused = (u16, String);

/// Sends requests with every permission.
#[derive(Clone)]
pub(crate) struct Admin {
    client: Client,
}

impl Admin {
    /// Sends them with this client.
    pub(crate) fn new(client: Client) -> Admin {
        Admin { client }
    }

    /// The client.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// True if the API server is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        self.text(Method::GET, "/readyz", "", Vec::new()).await.is_ok()
    }

    /// Reads an object.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Refused> {
        self.send(Method::GET, path, "", None).await
    }

    /// Creates an object; `path` is that of its collection.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.send(Method::POST, path, "application/json", Some(body)).await
    }

    /// Merges a patch into an object or its subresource.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        let merge = "application/merge-patch+json";
        self.send(Method::PATCH, path, merge, Some(body)).await
    }

    /// Deletes an object, without a grace period.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value, Refused> {
        let body = serde_json::json!({"gracePeriodSeconds": 0, "propagationPolicy": "Background"});
        self.send(Method::DELETE, path, "application/json", Some(&body)).await
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: Option<&Value>) -> Result<Value, Refused> {
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let text = self.text(method, path, kind, bytes).await?;
        serde_json::from_str(&text).map_err(|error| (200, format!("{path}: {error}: {text}")))
    }

    async fn text(&self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> Result<String, Refused> {
        let mut request = Request::builder().method(method).uri(path);
        if !kind.is_empty() {
            request = request.header(CONTENT_TYPE, kind).header(ACCEPT, "application/json");
        }
        let request = request.body(Body::from(body)).unwrap();
        let failed = |error: &dyn std::fmt::Display| (0, format!("{path}: {error}"));
        let response = self.client.send(request).await.map_err(|error| failed(&error))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| failed(&error))?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        match status.is_success() {
            true => Ok(text),
            false => Err((status.as_u16(), text)),
        }
    }
}
