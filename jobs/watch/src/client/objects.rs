//! Requests for single objects of one resource in one namespace.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::Client;
use kube::client::Body;
use serde_json::Value;

use crate::client::explain;

/// The most bytes read of an object. etcd accepts 1.5 MiB; as JSON and with managed fields it is a few times
/// that.
const OBJECT: usize = 8 * 1024 * 1024;
/// The most bytes read of an error response.
const REFUSAL: usize = 64 * 1024;
/// The most characters quoted of the API server's message.
const WORDS: usize = 1000;

/// The objects of one resource in one namespace.
#[derive(Clone)]
pub struct Objects {
    client: Client,
    /// `/api/v1/namespaces/NAMESPACE/configmaps`
    path: String,
    /// How long one request may take.
    patience: Duration,
}

/// Why a request did not do what it should. The texts name the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no such object, or no such namespace.
    #[error("{0}")]
    NotFound(String),
    /// There is such an object already.
    #[error("{0}")]
    AlreadyExists(String),
    /// The object has another resource version than the one that was written down.
    #[error("{0}")]
    Conflict(String),
    /// The request is not allowed, or the API server does not take it.
    #[error("{0}")]
    Refused(String),
    /// It may work later. Whether the request was carried out is not known.
    #[error("{text}")]
    Unavailable {
        /// What happened.
        text: String,
        /// How long the API server asks to wait.
        retry_after: Option<Duration>,
    },
}

impl Objects {
    /// Objects whose collection is at `/api/v1` (an empty `group`) or `/apis/GROUP/v1`.
    pub fn new(client: Client, group: &str, plural: &str, namespace: &str, patience: Duration) -> Self {
        let root = match group {
            "" => "/api/v1".to_owned(),
            group => format!("/apis/{group}/v1"),
        };
        Objects {
            client,
            path: format!("{root}/namespaces/{namespace}/{plural}"),
            patience,
        }
    }

    /// The object of that name.
    ///
    /// # Errors
    /// Why there is none to be had.
    pub async fn get(&self, name: &str) -> Result<Value, Failure> {
        self.send(Method::GET, format!("{}/{name}", self.path), None).await
    }

    /// Makes an object; answers how it was stored.
    ///
    /// # Errors
    /// Why it was not made.
    pub async fn create(&self, object: &Value) -> Result<Value, Failure> {
        self.send(Method::POST, self.path.clone(), Some(object)).await
    }

    /// Replaces the object of that name, if its resource version is still that in `object`; answers how it was stored.
    ///
    /// # Errors
    /// Why it was not replaced.
    pub async fn replace(&self, name: &str, object: &Value) -> Result<Value, Failure> {
        self.send(Method::PUT, format!("{}/{name}", self.path), Some(object))
            .await
    }

    async fn send(&self, method: Method, path: String, object: Option<&Value>) -> Result<Value, Failure> {
        let what = format!("{method} {path}");
        let unavailable = |problem: String| Failure::Unavailable {
            text: format!("{what}: {problem}"),
            retry_after: None,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(&path)
            .header(header::ACCEPT, "application/json");
        let body = match object {
            Some(object) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(object.to_string().into_bytes())
            }
            None => Body::empty(),
        };
        let request = request
            .body(body)
            .map_err(|error| Failure::Refused(format!("{what}: {error}")))?;
        let exchange = async {
            let response = self.client.send(request).await.map_err(|error| explain(&error))?;
            let (head, body) = response.into_parts();
            let limit = if head.status.is_success() { OBJECT } else { REFUSAL };
            let body = match Limited::new(body, limit).collect().await {
                Ok(body) => body.to_bytes(),
                // A refusal whose body does not end is known by its status.
                Err(error) if error.is::<LengthLimitError>() && !head.status.is_success() => Bytes::new(),
                Err(error) if error.is::<LengthLimitError>() => {
                    return Err(format!(
                        "the API server's answer is longer than {OBJECT} bytes and was not read"
                    ));
                }
                Err(error) => return Err(explain(&kube::Error::Service(error))),
            };
            Ok((head, body))
        };
        let (head, body) = match tokio::time::timeout(self.patience, exchange).await {
            Ok(exchanged) => exchanged.map_err(unavailable)?,
            Err(_) => return Err(unavailable(format!("no answer within {:?}", self.patience))),
        };
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if head.status.is_success() {
            return match answer.is_object() {
                true => Ok(answer),
                false => Err(unavailable(format!(
                    "the API server answers {} and no object",
                    head.status
                ))),
            };
        }
        let says = answer["message"].as_str().unwrap_or("nothing about why");
        let says: String = says.chars().take(WORDS).collect();
        let text = format!("{what}: the API server answers {}: {says}", head.status);
        Err(match head.status {
            StatusCode::NOT_FOUND => Failure::NotFound(text),
            StatusCode::CONFLICT if answer["reason"] == "AlreadyExists" => Failure::AlreadyExists(text),
            StatusCode::CONFLICT => Failure::Conflict(text),
            status if status.is_client_error() && !may_pass(status) => Failure::Refused(text),
            _ => {
                let header = head.headers.get(header::RETRY_AFTER);
                let seconds = header.and_then(|value| value.to_str().ok()?.parse().ok());
                Failure::Unavailable {
                    text,
                    retry_after: seconds.map(Duration::from_secs),
                }
            }
        })
    }
}

/// Whether the same request may be taken later: credentials are renewed, crowds leave.
fn may_pass(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
    )
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http::Response;
    use serde_json::json;

    use super::*;

    /// A client whose API server answers with this status, and with a body that never ends.
    fn endless(status: u16) -> Client {
        let service = tower::service_fn(move |_: Request<Body>| async move {
            let chunks = stream::repeat(Bytes::from_static(&[b' '; 65_536]));
            let frames = chunks.map(|chunk| Ok::<_, std::io::Error>(http_body::Frame::data(chunk)));
            Ok::<_, std::io::Error>(
                Response::builder()
                    .status(status)
                    .body(http_body_util::StreamBody::new(frames))
                    .unwrap(),
            )
        });
        Client::new(service, "default")
    }

    fn answering(status: u16, body: Value) -> Client {
        let service = tower::service_fn(move |_: Request<Body>| {
            let body = Body::from(body.to_string().into_bytes());
            let response = Response::builder().status(status).body(body).unwrap();
            async move { Ok::<_, std::io::Error>(response) }
        });
        Client::new(service, "default")
    }

    async fn get(client: Client) -> Result<Value, Failure> {
        let objects = Objects::new(client, "", "configmaps", "a", Duration::from_secs(60));
        objects.get("b").await
    }

    #[tokio::test]
    async fn an_answer_that_never_ends_is_not_read() {
        let failure = get(endless(200)).await.unwrap_err();
        let text = "GET /api/v1/namespaces/a/configmaps/b: the API server's answer is longer than 8388608 bytes and was \
                    not read";
        assert_eq!(
            failure,
            Failure::Unavailable {
                text: text.into(),
                retry_after: None
            }
        );
    }

    #[tokio::test]
    async fn uses_the_status_of_an_endless_error_body() {
        let refused = get(endless(403)).await.unwrap_err();
        assert!(
            matches!(&refused, Failure::Refused(text) if text.contains("403 Forbidden")),
            "{refused}"
        );
        assert!(matches!(get(endless(404)).await, Err(Failure::NotFound(_))));
        assert!(matches!(get(endless(409)).await, Err(Failure::Conflict(_))));
        assert!(matches!(get(endless(500)).await, Err(Failure::Unavailable { .. })));
    }

    #[tokio::test]
    async fn truncates_a_long_error_message() {
        let failure = get(answering(403, json!({"message": "x".repeat(5000)})))
            .await
            .unwrap_err();
        assert!(failure.to_string().len() < 1200, "{}", failure.to_string().len());
    }

    #[tokio::test]
    async fn a_large_object_is_read() {
        let object = json!({"kind": "ConfigMap", "data": {"a": "x".repeat(3 * 1024 * 1024)}});
        assert_eq!(get(answering(200, object.clone())).await, Ok(object));
    }
}
