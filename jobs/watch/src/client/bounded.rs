//! A client for requests of single objects (`kube::Api`): each answer is bounded in bytes and in time.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use kube::core::response::{StatusDetails, reason};
use tower::BoxError;

/// The most bytes read of an object. etcd accepts 1.5 MiB; as JSON and with managed fields it is a few times that.
const OBJECT: usize = 8 * 1024 * 1024;
/// The most bytes read of an error response.
const ERROR: usize = 64 * 1024;
/// The most characters of the API server's message.
const MESSAGE: usize = 1000;

/// Bounds every answer to 8 MiB and to `limit`, from the request to the last byte. An error response becomes a
/// [`kube::Error::Api`] with the HTTP status as its code and `Retry-After` as its `retry_after_seconds`.
pub fn bounded(client: Client, limit: Duration) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request| {
        let exchange = exchange(client.clone(), request);
        async move {
            match tokio::time::timeout(limit, exchange).await {
                Ok(exchanged) => exchanged,
                Err(_) => Err(format!("no answer within {limit:?}").into()),
            }
        }
    });
    Client::new(service, namespace)
}

async fn exchange(client: Client, request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let (head, body) = client.send(request).await?.into_parts();
    let is_success = head.status.is_success();
    let limit = if is_success { OBJECT } else { ERROR };
    let body = match Limited::new(body, limit).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if !error.is::<LengthLimitError>() => return Err(error),
        Err(_) if is_success => {
            return Err(format!("the API server's answer is longer than {OBJECT} bytes and was not read").into());
        }
        // The status is known without the body.
        Err(_) => Bytes::new(),
    };
    match is_success {
        true => Ok(Response::from_parts(head, Body::from(body))),
        false => Err(kube::Error::Api(refusal(&head, &body).boxed()).into()),
    }
}

fn refusal(head: &http::response::Parts, body: &[u8]) -> Status {
    let mut status: Status = serde_json::from_slice(body).unwrap_or_else(|_| Status::failure("", ""));
    status.code = head.status.as_u16();
    if head.status == StatusCode::NOT_FOUND {
        // `Api::get_opt` reads the reason, never the code.
        status.reason = reason::NOT_FOUND.to_owned();
    }
    status.message = status.message.chars().take(MESSAGE).collect();
    let asked = head.headers.get(header::RETRY_AFTER);
    if let Some(seconds) = asked.and_then(|value| value.to_str().ok()?.parse().ok()) {
        let details = StatusDetails {
            name: String::new(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: Vec::new(),
            retry_after_seconds: seconds,
        };
        status.details.get_or_insert(details).retry_after_seconds = seconds;
    }
    status
}

/// The next step after a failed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The object has another resource version, or already exists: read it again.
    Conflict,
    /// The object or its namespace is missing.
    NotFound,
    /// The request is forbidden or invalid: an operator must act.
    Refused,
    /// A retry may succeed. The API server may have carried the request out.
    Retry {
        /// The delay that the API server asks for.
        after: Option<Duration>,
    },
}

/// Classifies an error of a [`bounded`] client.
pub fn error_kind(error: &kube::Error) -> ErrorKind {
    let kube::Error::Api(status) = error else {
        return ErrorKind::Retry { after: None };
    };
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match code {
        StatusCode::CONFLICT => ErrorKind::Conflict,
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        // Credentials are renewed, and load passes.
        StatusCode::UNAUTHORIZED | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => retry(status),
        code if code.is_client_error() => ErrorKind::Refused,
        _ => retry(status),
    }
}

fn retry(status: &Status) -> ErrorKind {
    let asked = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    ErrorKind::Retry {
        after: (asked > 0).then(|| Duration::from_secs(asked.into())),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use serde_json::{Value, json};

    use super::*;
    use crate::client::explain;

    const LIMIT: Duration = Duration::from_secs(60);

    /// A client whose API server answers with this status, and with a body that never ends.
    fn endless(status: u16) -> Client {
        let service = tower::service_fn(move |_: Request<Body>| async move {
            let chunks = stream::repeat(Bytes::from_static(&[b' '; 65_536]));
            let frames = chunks.map(|chunk| Ok::<_, std::io::Error>(http_body::Frame::data(chunk)));
            let body = http_body_util::StreamBody::new(frames);
            Ok::<_, std::io::Error>(Response::builder().status(status).body(body).unwrap())
        });
        Client::new(service, "default")
    }

    fn answering(status: u16, body: Value) -> Client {
        let service = tower::service_fn(move |_: Request<Body>| {
            let body = Body::from(body.to_string().into_bytes());
            let response = Response::builder().status(status).header("Retry-After", "7");
            let response = response.body(body).unwrap();
            async move { Ok::<_, std::io::Error>(response) }
        });
        Client::new(service, "default")
    }

    async fn get(client: Client) -> Result<ConfigMap, kube::Error> {
        Api::namespaced(bounded(client, LIMIT), "a").get("b").await
    }

    async fn failing(client: Client) -> (String, ErrorKind) {
        let error = get(client).await.unwrap_err();
        (explain(&error), error_kind(&error))
    }

    #[tokio::test]
    async fn an_answer_that_never_ends_is_not_read() {
        let text = "the API server's answer is longer than 8388608 bytes and was not read";
        assert_eq!(
            failing(endless(200)).await,
            (text.into(), ErrorKind::Retry { after: None })
        );
    }

    #[tokio::test]
    async fn uses_the_status_of_an_endless_error_body() {
        for (code, expected) in [
            (403, ErrorKind::Refused),
            (404, ErrorKind::NotFound),
            (409, ErrorKind::Conflict),
            (500, ErrorKind::Retry { after: None }),
        ] {
            let (text, kind) = failing(endless(code)).await;
            assert!(text.contains(&format!("the API server answers {code}")), "{text}");
            assert_eq!(kind, expected, "{code}");
        }
        let missing = Api::<ConfigMap>::namespaced(bounded(endless(404), LIMIT), "a");
        assert_eq!(missing.get_opt("b").await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_begins_is_not_awaited() {
        let service = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>());
        let (text, kind) = failing(Client::new(service, "default")).await;
        assert_eq!(
            (&*text, kind),
            ("no answer within 60s", ErrorKind::Retry { after: None })
        );
    }

    #[tokio::test]
    async fn keeps_retry_after_of_temporary_errors() {
        let asked = Some(Duration::from_secs(7));
        for code in [401, 408, 429, 503] {
            let (_, kind) = failing(answering(code, json!("too many requests"))).await;
            assert_eq!(kind, ErrorKind::Retry { after: asked }, "{code}");
        }
    }

    #[tokio::test]
    async fn truncates_a_long_error_message() {
        let (text, _) = failing(answering(403, json!({"message": "x".repeat(5000)}))).await;
        assert!(text.len() < 1200, "{}", text.len());
    }

    #[tokio::test]
    async fn a_large_object_is_read() {
        let object = json!({"metadata": {}, "data": {"a": "x".repeat(3 * 1024 * 1024)}});
        assert!(get(answering(200, object)).await.is_ok());
        let (text, _) = failing(answering(200, json!([]))).await;
        assert!(
            text.starts_with("the API server's answer is not the expected object: "),
            "{text}"
        );
    }
}
