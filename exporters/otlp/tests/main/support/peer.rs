//! A server on loopback whose answers, and their times, the test decides.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// The response of the server.
pub(crate) type PeerResponse = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The protocol of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http1,
    Http2,
}

/// The server, with the requests that wait for an answer.
pub(crate) struct ScriptedPeer {
    pub address: SocketAddr,
    requests: mpsc::UnboundedReceiver<oneshot::Sender<PeerResponse>>,
}

impl ScriptedPeer {
    pub(crate) async fn start(speaks: Speaks) -> ScriptedPeer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (to_test, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let to_test = to_test.clone();
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let to_test = to_test.clone();
                    async move {
                        request.into_body().collect().await?;
                        let (answer, answered) = oneshot::channel();
                        to_test.send(answer).unwrap();
                        // Without an answer the test is over.
                        Ok::<_, hyper::Error>(answered.await.unwrap_or_else(|_| status(500)))
                    }
                });
                let stream = TokioIo::new(stream);
                match speaks {
                    Speaks::Http1 => {
                        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(stream, service));
                    }
                    Speaks::Http2 => {
                        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                        tokio::spawn(server.serve_connection(stream, service));
                    }
                }
            }
        });
        ScriptedPeer { address, requests }
    }

    /// Waits for the next request, and returns the sender of its answer.
    pub(crate) async fn request(&mut self) -> oneshot::Sender<PeerResponse> {
        self.requests.recv().await.unwrap()
    }

    /// Answers the next request.
    pub(crate) async fn answer(&mut self, reply: PeerResponse) {
        self.request().await.send(reply).unwrap();
    }

    /// True if a request waits for an answer.
    pub(crate) fn is_asked(&self) -> bool {
        !self.requests.is_empty()
    }
}

fn reply(status: u16, frames: Vec<Frame<Bytes>>) -> PeerResponse {
    let frames = stream::iter(frames.into_iter().map(Ok));
    let mut reply = Response::new(StreamBody::new(frames).boxed_unsync());
    *reply.status_mut() = status.try_into().unwrap();
    reply
}

/// An HTTP status without a body.
pub(crate) fn status(status: u16) -> PeerResponse {
    reply(status, Vec::new())
}

/// A body in a success.
pub(crate) fn body(content_type: &str, body: impl Into<Bytes>) -> PeerResponse {
    let mut reply = reply(200, vec![Frame::data(body.into())]);
    reply
        .headers_mut()
        .insert("content-type", content_type.parse().unwrap());
    reply
}

/// A gRPC response: a message with this content, and a status.
pub(crate) fn grpc(code: i32, words: &str, message: &[u8]) -> PeerResponse {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.into());
    trailers.insert("grpc-message", words.parse().unwrap());
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let framed = [&[0], &length[..], message].concat();
    let mut reply = reply(200, vec![Frame::data(framed.into()), Frame::trailers(trailers)]);
    reply
        .headers_mut()
        .insert("content-type", "application/grpc".parse().unwrap());
    reply
}
