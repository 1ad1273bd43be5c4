//! Connections and requests.

use std::convert::Infallible;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::received::{Attempt, Payload, Received, Signal};
use super::{CUMULATIVE_REFUSED, Shared, rules};

const API_KEY: &str = "dd-api-key";
const PROTOBUF: &str = "application/x-protobuf";

/// Beyond this even a body that is refused is not read.
const READ_CAP: usize = 80 * 1024 * 1024;

type Reply = Response<Full<Bytes>>;

/// A request that gets no answer: its connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("the intake closes this connection, as scripted")]
struct Dropped;

/// `google.rpc.Status`, the body of an error answer (OTLP specification, "OTLP/HTTP Response").
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Serves until `stop`, then ends all connections.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("the OTLP intake could not accept a connection: {error}");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&shared), request));
            // The client sees by itself that its connection ended.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Takes one request, and writes down what became of it.
async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Reply, Dropped> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let mut headers = parts.headers;
    let key = headers.remove(API_KEY);

    // Read first: a client that is refused half-way through a body sees a broken connection instead of the answer.
    let body = Limited::new(body, READ_CAP).collect().await.map(|body| body.to_bytes());
    let body_size = body.as_ref().map_or(0, Bytes::len);

    let result = match (Signal::of_path(&path), body) {
        (None, _) => Ok(error(StatusCode::NOT_FOUND, 5, "no such path")),
        (Some(_), _) if parts.method != Method::POST => {
            Ok(error(StatusCode::METHOD_NOT_ALLOWED, 12, "only POST is allowed"))
        }
        (Some(_), Err(failure)) if failure.is::<LengthLimitError>() => {
            Ok(error(StatusCode::PAYLOAD_TOO_LARGE, 8, "Payload too large"))
        }
        (Some(_), Err(_)) => Err(Dropped),
        (Some(signal), Ok(body)) => {
            let scripted = shared
                .state()
                .script
                .get_mut(&signal)
                .and_then(|script| script.pop_front());
            let regular = || take(&shared, signal, key.as_ref().map(|key| key.as_bytes()), &headers, &body);
            match scripted {
                None => Ok(regular()),
                Some(Answer::Response { status, headers, body }) => scripted_reply(status, &headers, body),
                Some(Answer::TakeAndRespond { status, headers, body }) => {
                    regular();
                    scripted_reply(status, &headers, body)
                }
                Some(Answer::DropConnection) => Err(Dropped),
                Some(Answer::Hang) => {
                    // Written down now: the client ends this by going away.
                    record(&shared, path, headers, body_size, None);
                    match std::future::pending::<Infallible>().await {}
                }
                Some(Answer::Delay(pause)) => {
                    tokio::time::sleep(pause).await;
                    Ok(regular())
                }
            }
        }
    };
    let status = result.as_ref().ok().map(|reply| reply.status().as_u16());
    record(&shared, path, headers, body_size, status);
    result
}

fn record(shared: &Shared, path: String, headers: HeaderMap, body_size: usize, status: Option<u16>) {
    shared.state().attempts.push(Attempt {
        path,
        headers,
        body_size,
        status,
    });
}

/// The intake's own rules, in the order in which it applies them.
fn take(shared: &Shared, signal: Signal, key: Option<&[u8]>, headers: &HeaderMap, body: &Bytes) -> Reply {
    let expected = shared.options.api_key.as_deref().map(str::as_bytes);
    if expected.is_some() && key != expected {
        return forbidden();
    }
    let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    if content_type != PROTOBUF.as_bytes() {
        let message = "unsupported content type, expected application/x-protobuf";
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, 3, message);
    }
    let limits = &shared.options.limits;
    if body.len() > limits.compressed(signal) {
        return error(StatusCode::PAYLOAD_TOO_LARGE, 8, "Payload too large");
    }
    let encoding = headers
        .get(CONTENT_ENCODING)
        .map_or(&b"identity"[..], |value| value.as_bytes());
    let content = match decompress(encoding, body, limits.decompressed(signal)) {
        Ok(content) => content,
        Err(Unreadable::TooLarge) => return error(StatusCode::PAYLOAD_TOO_LARGE, 8, "Payload too large"),
        Err(Unreadable::UnknownEncoding) => {
            return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, 3, "unsupported content encoding");
        }
        Err(Unreadable::Broken(failure)) => {
            return error(
                StatusCode::BAD_REQUEST,
                3,
                &format!("cannot decompress the body: {failure}"),
            );
        }
    };
    let payload = match Payload::decode(signal, &content) {
        Ok(payload) => payload,
        Err(failure) => return error(StatusCode::BAD_REQUEST, 3, &format!("not an OTLP message: {failure}")),
    };
    if rules::has_refused_metric(&payload) {
        // "Payload validation failed": nothing of it is kept.
        let refused = ExportMetricsPartialSuccess {
            rejected_data_points: i64::try_from(payload.items()).unwrap_or(i64::MAX),
            error_message: CUMULATIVE_REFUSED.into(),
        };
        let response = ExportMetricsServiceResponse {
            partial_success: Some(refused),
        };
        return protobuf(StatusCode::OK, response.encode_to_vec());
    }

    keep(shared, signal, payload, headers);
    let status = StatusCode::from_u16(rules::success_status(signal)).unwrap_or(StatusCode::OK);
    let response = match signal {
        Signal::Logs => ExportLogsServiceResponse::default().encode_to_vec(),
        Signal::Metrics => ExportMetricsServiceResponse::default().encode_to_vec(),
        Signal::Traces => ExportTraceServiceResponse::default().encode_to_vec(),
    };
    protobuf(status, response)
}

fn keep(shared: &Shared, signal: Signal, payload: Payload, headers: &HeaderMap) {
    let received = Arc::new(Received {
        signal,
        payload,
        at: Timestamp::now(),
        headers: headers.clone(),
    });
    let mut state = shared.state();
    for point in received.payload.points() {
        state.overwrites.see(point);
    }
    state.received.push(Arc::clone(&received));
    // Under the lock, so that subscribers see the same order; nobody may be listening.
    let _ = shared.arrivals.send(received);
}

enum Unreadable {
    TooLarge,
    UnknownEncoding,
    Broken(io::Error),
}

fn decompress(encoding: &[u8], body: &Bytes, limit: usize) -> Result<Bytes, Unreadable> {
    let reader: Box<dyn Read + '_> = match encoding {
        b"identity" | b"" => Box::new(&body[..]),
        b"gzip" => Box::new(flate2::read::MultiGzDecoder::new(&body[..])),
        b"zstd" => Box::new(zstd::Decoder::new(&body[..]).map_err(Unreadable::Broken)?),
        _ => return Err(Unreadable::UnknownEncoding),
    };
    let mut content = Vec::new();
    let one_more = (limit as u64).saturating_add(1);
    reader
        .take(one_more)
        .read_to_end(&mut content)
        .map_err(Unreadable::Broken)?;
    if content.len() > limit {
        return Err(Unreadable::TooLarge);
    }
    Ok(content.into())
}

fn protobuf(status: StatusCode, body: Vec<u8>) -> Reply {
    reply(status, PROTOBUF, body)
}

fn error(status: StatusCode, code: i32, message: &str) -> Reply {
    let body = RpcStatus {
        code,
        message: message.into(),
    };
    protobuf(status, body.encode_to_vec())
}

fn forbidden() -> Reply {
    let body = br#"{"status":"error","code":403,"errors":["Forbidden"]}"#;
    reply(StatusCode::FORBIDDEN, "application/json", body.to_vec())
}

fn reply(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    reply
}

fn scripted_reply(status: u16, headers: &[(String, String)], body: Vec<u8>) -> Result<Reply, Dropped> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(body))).map_err(|failure| {
        tracing::error!("the scripted answer is not a valid HTTP response: {failure}");
        Dropped
    })
}
