//! Classifies a backend's answer from its bytes: for fuzz targets and property tests, without a connection.

use std::time::SystemTime;

use bytes::Bytes;
use collector_data::Signal;
use collector_sending::SendOutcome;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::codes::NonRetryable;
use crate::{grpc, http};

/// Names with values.
pub type Fields<'a> = &'a [(&'a str, &'a [u8])];

/// An answer as it came.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The signal of the request.
    pub signal: Signal,
    /// The HTTP status.
    pub status: u16,
    /// The headers; one that is none is left out.
    pub headers: Fields<'a>,
    /// The body, or as much of it as came.
    pub body: &'a [u8],
    /// The trailers, over gRPC.
    pub trailers: Fields<'a>,
    /// The headers of the request, whose values must not appear in the outcome.
    pub secrets: Fields<'a>,
}

/// The outcome of an answer in `otlp_http`.
pub fn over_http(received: Received<'_>) -> SendOutcome {
    let asked = http::response::Asked {
        signal: received.signal,
        url: &url(),
        secrets: &map(received.secrets),
        non_retryable: &NonRetryable::default(),
        proxy: None,
    };
    let response = http::response::Response {
        status: received.status,
        headers: &map(received.headers),
        body: received.body,
    };
    http::response::meaning(asked, response, SystemTime::UNIX_EPOCH).into()
}

/// The outcome of an answer in `otlp_grpc`.
pub fn over_grpc(received: Received<'_>) -> SendOutcome {
    let asked = grpc::answer::Asked {
        signal: received.signal,
        url: &url(),
        secrets: &map(received.secrets),
        non_retryable: &NonRetryable::default(),
    };
    let answer = grpc::call::Answer {
        status: received.status,
        headers: map(received.headers),
        body: Bytes::copy_from_slice(received.body),
        trailers: (!received.trailers.is_empty()).then(|| map(received.trailers)),
        broken: None,
    };
    grpc::answer::meaning(asked, &answer, SystemTime::UNIX_EPOCH).into()
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
