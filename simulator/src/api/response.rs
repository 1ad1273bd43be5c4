//! Responses in the form of a real server.

use super::error::ApiError;
use super::format::ObjectFormat;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use std::convert::Infallible;
use std::io;
use tokio::sync::mpsc;

pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

fn with_headers(status: StatusCode, content_type: &'static str, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

fn whole(body: impl Into<Bytes>) -> ResponseBody {
    Full::new(body.into())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// The response as a proxy passes it on that takes everything for text: bytes that are not UTF-8 are replaced.
pub(crate) fn mangled(response: Response<ResponseBody>) -> Response<ResponseBody> {
    let text = |bytes: Bytes| Bytes::from(String::from_utf8_lossy(&bytes).into_owned());
    response.map(|body| body.map_frame(move |frame| frame.map_data(text)).boxed_unsync())
}

fn without_sniffing(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    let sniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, sniff);
    response
}

/// The answer of `/readyz` and its like.
pub(crate) fn healthy() -> Response<ResponseBody> {
    without_sniffing(with_headers(StatusCode::OK, "text/plain; charset=utf-8", whole("ok")))
}

pub(crate) fn plain(text: String) -> Response<ResponseBody> {
    with_headers(StatusCode::OK, "text/plain", whole(text))
}

pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<ResponseBody> {
    with_headers(status, "application/json", whole(body))
}

/// An object or a list in this form.
pub(crate) fn formatted(format: ObjectFormat, body: impl Into<Bytes>) -> Response<ResponseBody> {
    with_headers(StatusCode::OK, format.media_type(), whole(body))
}

/// An error in JSON.
pub(crate) fn refusal(error: &ApiError) -> Response<ResponseBody> {
    refusal_in(ObjectFormat::Whole, error)
}

/// An error in the form that was requested.
pub(crate) fn refusal_in(format: ObjectFormat, error: &ApiError) -> Response<ResponseBody> {
    let status = StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut body = format.status(error);
    if format != ObjectFormat::Protobuf {
        body.push(b'\n');
    }
    let mut response = with_headers(status, format.media_type(), whole(body));
    if let Some(seconds) = error.retry_after {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::FORBIDDEN {
        response = without_sniffing(response);
    }
    response
}

/// The answer to a watch; an error ends the connection.
pub(crate) fn stream(format: ObjectFormat, mut lines: mpsc::Receiver<io::Result<Bytes>>) -> Response<ResponseBody> {
    let frames =
        futures_util::stream::poll_fn(move |cx| lines.poll_recv(cx).map(|line| line.map(|l| l.map(Frame::data))));
    with_headers(
        StatusCode::OK,
        format.watch_media_type(),
        StreamBody::new(frames).boxed_unsync(),
    )
}
