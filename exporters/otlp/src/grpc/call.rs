//! One unary call, as bytes: the message was encoded and compressed when the request was made.

use std::convert::Infallible;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use collector_data::Signal;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tonic::body::Body;
use tonic::transport::Channel;
use tower::ServiceExt;

use crate::outcome::{ERROR_LIMIT, SUCCESS_LIMIT};

/// A response, or the part of it that arrived.
#[derive(Debug)]
pub(crate) struct GrpcResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// At most [`SUCCESS_LIMIT`] bytes and a prefix.
    pub(crate) body: Bytes,
    /// With the gRPC status, unless the headers contain it.
    pub(crate) trailers: Option<HeaderMap>,
    /// Why the response ended early, if it did.
    pub(crate) broken: Option<String>,
}

/// The procedure for data of the signal.
fn path(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    }
}

/// The headers of the call: those that gRPC requires, and the configured ones.
pub(super) fn headers(configured: &HeaderMap, timeout: Option<Duration>) -> HeaderMap {
    let mut headers = configured.clone();
    headers.insert("te", HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    // At most eight digits, so milliseconds up to a day, then seconds.
    let value = timeout.map(|timeout| match timeout.as_millis() {
        millis @ 0..=99_999_999 => format!("{}m", millis.max(1)),
        _ => format!("{}S", timeout.as_secs().min(99_999_999)),
    });
    if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
        headers.insert("grpc-timeout", value);
    }
    headers
}

/// The length of the prefix of a message.
const PREFIX: usize = 5;

/// The prefix of a message: its compression flag and length (gRPC, "Length-Prefixed-Message").
fn prefix(message: &[u8], compressed: bool) -> Bytes {
    let mut prefix = BytesMut::with_capacity(PREFIX);
    prefix.put_u8(u8::from(compressed));
    // Requests are cut far below the 4 GiB that a message may have.
    prefix.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    prefix.freeze()
}

/// Sends a message with this `grpc-encoding` (empty: none), and reads the response.
///
/// # Errors
/// If no response arrives.
pub(super) async fn unary(
    channel: Channel,
    signal: Signal,
    headers: &HeaderMap,
    compression: &str,
    message: Bytes,
) -> Result<GrpcResponse, tonic::transport::Error> {
    let mut headers = headers.clone();
    if let (false, Ok(encoding)) = (compression.is_empty(), HeaderValue::try_from(compression)) {
        headers.insert("grpc-encoding", encoding);
    }
    // Two frames, so that the message is not copied.
    let frames = [prefix(&message, !compression.is_empty()), message];
    let frames = frames.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
    let mut request = Request::new(Body::new(StreamBody::new(stream::iter(frames))));
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = Uri::from_static(path(signal));
    *request.headers_mut() = headers;
    let (head, mut body) = channel.oneshot(request).await?.into_parts();
    let mut response = GrpcResponse {
        status: head.status.as_u16(),
        headers: head.headers,
        body: Bytes::new(),
        trailers: None,
        broken: None,
    };
    let limit = match response.status {
        200 => PREFIX + SUCCESS_LIMIT,
        _ => ERROR_LIMIT,
    };
    let mut content = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => {
                if content.len() + data.len() > limit {
                    response.broken = Some(format!("it is longer than {limit} bytes"));
                    break;
                }
                content.extend_from_slice(&data);
            }
            Ok(Err(frame)) => response.trailers = frame.into_trailers().ok(),
            Err(why) => {
                response.broken = Some(why.message().to_owned());
                break;
            }
        }
    }
    response.body = content.freeze();
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_at_most_eight_digits() {
        for (timeout, expected) in [
            (Duration::from_secs(5), "5000m"),
            (Duration::from_micros(1), "1m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::from_secs(u64::MAX), "99999999S"),
        ] {
            let headers = headers(&HeaderMap::new(), Some(timeout));
            assert_eq!(headers["grpc-timeout"], expected);
        }
        assert!(!headers(&HeaderMap::new(), None).contains_key("grpc-timeout"));
    }

    #[test]
    fn the_prefix_is_a_flag_and_a_length_in_network_order() {
        assert_eq!(prefix(&[7; 300], true)[..], [1, 0, 0, 1, 44]);
        assert_eq!(prefix(b"", false)[..], [0, 0, 0, 0, 0]);
    }
}
