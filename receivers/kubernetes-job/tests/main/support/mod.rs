//! An API server in this process that answers by a script and records the requests.

pub(crate) mod metrics;
pub(crate) mod running;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::{Request, Response};
use http_body_util::StreamBody;
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::Instant;

/// One answer.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A whole body with a status and optionally `Retry-After`.
    Whole(u16, Option<u64>, String),
    /// The requested list, of this version, with this continue token and these items.
    List(u64, String, Vec<Value>),
    /// A success that claims to be compressed.
    Compressed,
    /// A stream.
    Stream(Vec<Piece>),
    /// The connection is refused.
    Refused,
    /// No answer at all.
    Silence,
}

/// A piece of a stream.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// Some bytes.
    Data(String),
    /// Bytes that are not text.
    Bytes(Vec<u8>),
    /// A pause.
    Wait(Duration),
    /// The connection breaks.
    Reset,
    /// Silence, without an end.
    Hang,
}

/// A list with no objects.
pub(crate) fn empty_list(version: u64) -> Reply {
    Reply::List(version, String::new(), Vec::new())
}

/// A list as the API server writes it, for a request to `uri`.
fn list(uri: &str, version: u64, next: &str, items: &[Value]) -> String {
    let (path, _) = uri.split_once('?').unwrap_or((uri, ""));
    let (kind, api_version) = match path.rsplit('/').next().unwrap() {
        "jobs" => ("JobList", "batch/v1"),
        "cronjobs" => ("CronJobList", "batch/v1"),
        "pods" => ("PodList", "v1"),
        "events" => ("EventList", "v1"),
        "namespaces" => ("NamespaceList", "v1"),
        other => panic!("a list of {other}"),
    };
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if !next.is_empty() {
        metadata["continue"] = next.into();
    }
    json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items}).to_string()
}

/// An API error.
pub(crate) fn status(code: u16, retry_after: Option<u64>) -> Reply {
    let body = format!(
        "{{\n  \"kind\": \"Status\",\n  \"status\": \"Failure\",\n  \"message\": \"status {code}\",\n  \"code\": {code}\n}}\n"
    );
    Reply::Whole(code, retry_after, body)
}

/// A watch that delivers these lines and then falls silent.
pub(crate) fn lines(lines: &[&str]) -> Reply {
    let data = lines.iter().map(|line| Piece::Data(format!("{line}\n")));
    Reply::Stream(data.chain([Piece::Hang]).collect())
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The time of the request, seconds since the script began.
    pub at: f64,
    /// Path and query.
    pub uri: String,
}

#[derive(Default)]
struct State {
    script: HashMap<String, VecDeque<Reply>>,
    asked: Vec<Asked>,
}

/// The scripted API server.
#[derive(Clone)]
pub(crate) struct Api {
    state: Arc<Mutex<State>>,
    began: Instant,
}

impl Api {
    pub(crate) fn new() -> Self {
        Api {
            state: Arc::default(),
            began: Instant::now(),
        }
    }

    /// When the script began.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// The next answers to requests whose URI holds `part` and, for watches, `watch=true`.
    pub(crate) fn then(&self, part: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut state = self.state.lock().unwrap();
        state.script.entry(part.to_owned()).or_default().extend(replies);
    }

    /// The requests so far for URIs that contain `part`.
    pub(crate) fn asked(&self, part: &str) -> Vec<Asked> {
        let state = self.state.lock().unwrap();
        state
            .asked
            .iter()
            .filter(|asked| asked.uri.contains(part))
            .cloned()
            .collect()
    }

    /// A client of this server.
    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { api.answer(&request.uri().to_string()).await }
        });
        Client::new(service, "default")
    }

    async fn answer(
        &self,
        uri: &str,
    ) -> Result<Response<StreamBody<BoxStream<'static, Result<Frame<Bytes>, std::io::Error>>>>, std::io::Error> {
        let reply = {
            let mut state = self.state.lock().unwrap();
            let at = self.began.elapsed().as_secs_f64();
            state.asked.push(Asked { at, uri: uri.into() });
            let scripted = state
                .script
                .iter_mut()
                .find(|(part, replies)| uri.contains(&***part) && !replies.is_empty());
            scripted.and_then(|(_, replies)| replies.pop_front())
        };
        let reply = reply.unwrap_or_else(|| match uri {
            _ if uri.contains("watch=true") => Reply::Stream(vec![Piece::Hang]),
            _ if uri.contains("selfsubjectaccessreviews") => {
                Reply::Whole(201, None, r#"{"status":{"allowed":true}}"#.into())
            }
            // So its lists are in pages.
            "/version" => status(404, None),
            _ => empty_list(1),
        });
        let is_compressed = matches!(reply, Reply::Compressed);
        let (code, retry_after, pieces) = match reply {
            Reply::Compressed => (200, None, vec![Piece::Data("\u{1f}".into())]),
            Reply::List(version, next, items) => (200, None, vec![Piece::Data(list(uri, version, &next, &items))]),
            Reply::Whole(code, retry_after, body) => (code, retry_after, vec![Piece::Data(body)]),
            Reply::Stream(pieces) => (200, None, pieces),
            Reply::Refused => return Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)),
            Reply::Silence => return std::future::pending().await,
        };
        let body = stream::iter(pieces).filter_map(|piece| async move {
            match piece {
                Piece::Data(data) => Some(Ok(Frame::data(Bytes::from(data)))),
                Piece::Bytes(data) => Some(Ok(Frame::data(Bytes::from(data)))),
                Piece::Wait(time) => {
                    tokio::time::sleep(time).await;
                    None
                }
                Piece::Reset => Some(Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))),
                Piece::Hang => std::future::pending().await,
            }
        });
        let mut response = Response::builder().status(code);
        if let Some(seconds) = retry_after {
            response = response.header("Retry-After", seconds);
        }
        if is_compressed {
            response = response.header("Content-Encoding", "gzip");
        }
        Ok(response.body(StreamBody::new(body.boxed())).unwrap())
    }
}
