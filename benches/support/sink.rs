//! A backend that accepts everything without decoding it, and counts bytes, on its own thread.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// The data that arrived.
#[derive(Default)]
struct Taken {
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// The backend: HTTP/1.1 and, for gRPC, HTTP/2 without TLS.
pub(crate) struct Sink {
    /// The listen address.
    pub address: SocketAddr,
    taken: Arc<Taken>,
}

impl Sink {
    /// Starts it; it ends with the process.
    pub(crate) fn start() -> Sink {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Taken::default());
        let counts = Arc::clone(&taken);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(accept(listener, counts));
        });
        Sink { address, taken }
    }

    /// Requests, and the bytes of their bodies as they came, since the last call.
    pub(crate) fn take(&self) -> (u64, u64) {
        let taken = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        (taken(&self.taken.requests), taken(&self.taken.bytes))
    }
}

async fn accept(listener: std::net::TcpListener, taken: Arc<Taken>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let taken = Arc::clone(&taken);
        let service = service_fn(move |request| answer(request, Arc::clone(&taken)));
        tokio::spawn(async move {
            let mut head = [0; 3];
            let is_http2 = stream.peek(&mut head).await.is_ok() && head == *b"PRI";
            let stream = TokioIo::new(stream);
            // The exporter closes it at the end of a run.
            let _ = match is_http2 {
                true => {
                    http2::Builder::new(TokioExecutor::new())
                        .serve_connection(stream, service)
                        .await
                }
                false => http1::Builder::new().serve_connection(stream, service).await,
            };
        });
    }
}

type Body = StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

async fn answer(mut request: Request<Incoming>, taken: Arc<Taken>) -> Result<Response<Body>, hyper::Error> {
    let mut bytes = 0;
    while let Some(frame) = request.body_mut().frame().await {
        bytes += frame?.data_ref().map_or(0, Bytes::len);
    }
    taken.requests.fetch_add(1, Ordering::Relaxed);
    taken.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    let kind = request.headers()[CONTENT_TYPE].clone();
    // An empty answer means that everything was taken; in gRPC it has a frame around it.
    let frames = match kind.as_bytes().starts_with(b"application/grpc") {
        true => {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            vec![
                Ok(Frame::data(Bytes::from_static(&[0; 5]))),
                Ok(Frame::trailers(trailers)),
            ]
        }
        false if kind == "application/json" => vec![Ok(Frame::data(Bytes::from_static(b"{}")))],
        false => Vec::new(),
    };
    let response = Response::builder().header(CONTENT_TYPE, kind);
    Ok(response
        .body(StreamBody::new(futures_util::stream::iter(frames)))
        .unwrap())
}
