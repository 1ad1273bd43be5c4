//! Replies of the API server, with bounds on time and size.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tokio::time::timeout;

use super::error::WatchError;
use super::request::Target;
use crate::decode::{Body as PageBody, WireFormat, clipped, protobuf_status};
use crate::model::Status;

/// The timeout of the head of a reply, and of the next chunk of a list.
const REPLY: Duration = Duration::from_secs(60);
/// The timeout of a whole page of a list. The API server's own is a minute.
const PAGE: Duration = Duration::from_secs(300);
/// The most bytes read of a page. 500 Jobs or Pods take 2 to 10 MiB; larger objects are requested in smaller pages.
const MAX_PAGE: usize = 64 * 1024 * 1024;
/// The timeout of the body of an error response.
const ERROR: Duration = Duration::from_secs(15);
/// The most bytes read of an error response.
const STATUS_BODY: usize = 64 * 1024;

/// Sends a request and waits for the head of a successful reply.
pub(crate) async fn send(
    client: &Client,
    request: Result<http::Request<Body>, http::Error>,
) -> Result<Response<Body>, WatchError> {
    let request = request.map_err(|error| WatchError::Unreadable(format!("the request is not valid: {error}")))?;
    let response = timeout(REPLY, client.send(request)).await;
    let response = response.map_err(|_| WatchError::Silence(REPLY))?;
    let response = response.map_err(|error| WatchError::Connection(crate::client::explain(&error)))?;
    // No other success answers these requests; 206, for example, is a part of a body.
    if response.status() != StatusCode::OK {
        return Err(error_response(response).await);
    }
    // Never requested; a proxy that compresses nevertheless makes every line unreadable.
    match response.headers().get(CONTENT_ENCODING) {
        Some(encoding) if encoding.as_bytes() != b"identity" => Err(WatchError::Unreadable(format!(
            "found content encoding {encoding:?}, expected none"
        ))),
        _ => Ok(response),
    }
}

/// The next chunk of a body; `None` at its end.
pub(crate) async fn next_data(body: &mut Body, silence: Duration) -> Result<Option<Bytes>, WatchError> {
    loop {
        let frame = timeout(silence, body.frame())
            .await
            .map_err(|_| WatchError::Silence(silence))?;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(WatchError::Connection(crate::client::explain(&error))),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// The whole body of a reply, at most `most` bytes. `silence` is the timeout of each chunk.
pub(crate) async fn whole(body: &mut Body, most: usize, silence: Duration) -> Result<Vec<u8>, WatchError> {
    let mut all = Vec::new();
    while let Some(data) = next_data(body, silence).await? {
        if all.len() + data.len() > most {
            return Err(WatchError::TooLarge(most));
        }
        all.extend_from_slice(&data);
    }
    Ok(all)
}

/// Requests a page of a list in this form, and reads it in the form that the reply has.
pub(crate) async fn page(
    client: &Client,
    target: &Target,
    token: &str,
    limit: u32,
    encoding: WireFormat,
) -> Result<PageBody, WatchError> {
    let read = async {
        let response = send(client, target.list(token, limit, encoding)).await?;
        let encoding = encoding_of(&response);
        let body = whole(&mut response.into_body(), MAX_PAGE, REPLY).await?;
        Ok(PageBody::new(encoding, body))
    };
    timeout(PAGE, read).await.unwrap_or(Err(WatchError::Slow(PAGE)))
}

/// The form of a reply.
pub(crate) fn encoding_of(response: &Response<Body>) -> WireFormat {
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    content_type.map_or(WireFormat::Json, WireFormat::of_content_type)
}

/// The error in an `ERROR` event of a watch.
pub(crate) fn in_band(status: Status) -> WatchError {
    WatchError::Status {
        code: u16::try_from(status.code).unwrap_or(0),
        retry_after: seconds(status.details.retry_after_seconds),
        message: clipped(&status.message),
        in_band: true,
    }
}

/// The error in an error response.
async fn error_response(response: Response<Body>) -> WatchError {
    let code = response.status();
    let header = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let header = header.and_then(|value| value.trim().parse().ok());
    let mut body = response.into_body();
    let mut text = Vec::new();
    let read = async {
        while let Ok(Some(data)) = next_data(&mut body, ERROR).await {
            text.extend_from_slice(&data);
            if text.len() > STATUS_BODY {
                break;
            }
        }
    };
    // The HTTP status is enough without a complete body.
    let _ = timeout(ERROR, read).await;
    let json = || serde_json::from_slice(&text).unwrap_or_default();
    let status: Status = protobuf_status(&text).unwrap_or_else(json);
    let message = match &*status.message {
        "" => code.canonical_reason().unwrap_or("no reason given").to_owned(),
        message => clipped(message),
    };
    WatchError::Status {
        code: code.as_u16(),
        message,
        retry_after: seconds(header.or(status.details.retry_after_seconds)),
        in_band: false,
    }
}

fn seconds(number: Option<i64>) -> Option<Duration> {
    u64::try_from(number?).ok().map(Duration::from_secs)
}
