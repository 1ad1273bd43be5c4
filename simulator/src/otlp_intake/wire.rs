//! The parts of a call in which HTTP and gRPC differ.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response};
use http_body_util::combinators::UnsyncBoxBody;

use super::accept::{Accepted, Form, Message, Refusal};
use super::received::Signal;
use super::response::{RpcStatus, export_response};
use super::{Profile, grpc, http as over_http};

pub(super) type HttpReply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A request without a response: its connection, or over HTTP/2 its stream, is closed.
#[derive(Debug, thiserror::Error)]
#[error("the intake closes this connection, as scripted")]
pub(super) struct Dropped;

/// The body of a request, unless it is too large or broken.
pub(super) type ReadBody = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// A request before its data is checked.
pub(super) struct RawRequest {
    /// Without the key.
    pub(super) parts: Parts,
    pub(super) key: Option<HeaderValue>,
    pub(super) body: ReadBody,
}

/// A call for one signal.
pub(super) struct Call<'a> {
    pub(super) wire: Wire,
    pub(super) signal: Signal,
    pub(super) message: Result<Message<'a>, Refusal>,
}

/// The response to a request that is refused before its data is read, or none.
pub(super) struct Early(pub(super) Option<Box<HttpReply>>);

impl From<HttpReply> for Early {
    fn from(reply: HttpReply) -> Early {
        Early(Some(Box::new(reply)))
    }
}

/// The protocol of a port.
#[derive(Clone, Copy, Debug)]
pub(super) enum Protocol {
    /// HTTP/1.1.
    Http,
    /// gRPC over HTTP/2 without TLS.
    Grpc,
}

impl Protocol {
    pub(super) fn call<'a>(
        self,
        profile: &Profile,
        request: &'a RawRequest,
        grpc_limit: usize,
    ) -> Result<Call<'a>, Early> {
        match self {
            Protocol::Http => over_http::call(profile, request),
            Protocol::Grpc => grpc::call(profile, request, grpc_limit),
        }
    }
}

/// The form of responses.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire {
    Http(Form),
    Grpc,
}

impl Wire {
    pub(super) fn accepted(self, signal: Signal, accepted: &Accepted) -> HttpReply {
        match self {
            Wire::Http(form) => over_http::success(signal, form, export_response(signal, accepted, form)),
            Wire::Grpc => grpc::success(export_response(signal, accepted, Form::Proto)),
        }
    }

    pub(super) fn refused(self, profile: &Profile, refusal: &Refusal) -> HttpReply {
        match self {
            Wire::Http(form) => over_http::refusal(profile, form, refusal),
            Wire::Grpc => grpc::failure(&grpc::status_of(refusal)),
        }
    }

    /// A gRPC status, or the equivalent HTTP response with the delay as `Retry-After`.
    pub(super) fn status(self, status: &RpcStatus, retry: Option<Duration>) -> HttpReply {
        match self {
            Wire::Http(form) => over_http::rpc_status(status, retry, form),
            Wire::Grpc => grpc::failure(status),
        }
    }
}
