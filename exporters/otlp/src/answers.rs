//! The outcome of a backend's response from its bytes: for fuzz targets and property tests, without a connection.

use std::time::SystemTime;

use bytes::Bytes;
use collector_data::Signal;
use collector_sending::SendOutcome;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::codes::NonRetryable;
use crate::outcome::RequestContext;
use crate::{grpc, http};

/// Names with values.
pub type Fields<'a> = &'a [(&'a str, &'a [u8])];

/// A response as received.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The signal of the request.
    pub signal: Signal,
    /// The HTTP status.
    pub status: u16,
    /// The headers; invalid ones are skipped.
    pub headers: Fields<'a>,
    /// The body, or the part of it that arrived.
    pub body: &'a [u8],
    /// The trailers, over gRPC.
    pub trailers: Fields<'a>,
    /// The headers of the request, whose values must not appear in the outcome.
    pub secrets: Fields<'a>,
}

/// The outcome of a response in `otlp_http`.
pub fn over_http(received: Received<'_>) -> SendOutcome {
    let response = http::response::HttpResponse {
        status: received.status,
        headers: map(received.headers),
        body: Bytes::copy_from_slice(received.body),
    };
    in_context(received, |context| {
        http::response::outcome(context, &response, SystemTime::UNIX_EPOCH)
    })
}

/// The outcome of a response in `otlp_grpc`.
pub fn over_grpc(received: Received<'_>) -> SendOutcome {
    let response = grpc::call::GrpcResponse {
        status: received.status,
        headers: map(received.headers),
        body: Bytes::copy_from_slice(received.body),
        trailers: (!received.trailers.is_empty()).then(|| map(received.trailers)),
        broken: None,
    };
    in_context(received, |context| {
        grpc::response::outcome(context, &response, SystemTime::UNIX_EPOCH)
    })
}

fn in_context(received: Received<'_>, outcome: impl FnOnce(RequestContext<'_>) -> SendOutcome) -> SendOutcome {
    outcome(RequestContext {
        signal: received.signal,
        url: &url(),
        secrets: &map(received.secrets),
        non_retryable: &NonRetryable::default(),
        proxy: None,
    })
}

fn url() -> Url {
    Url::parse("http://backend:4318/v1/logs").expect("a URL")
}

fn map(fields: Fields<'_>) -> HeaderMap {
    let fields = fields.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value).ok()?))
    });
    fields.collect()
}
