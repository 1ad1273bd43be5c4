//! The HTTP server: connections, routes, and who may take them.

use super::access::{Asked, Token, User, Verb, review};
use super::format::Format;
use super::query::Query;
use super::status::Failure;
use super::watch::WatchRequest;
use super::write::Writer;
use super::{discovery, list, logs};
use crate::SimulatorOptions;
use crate::faults::{Answer, Faults};
use crate::ids::Ids;
use crate::requests::{Request as Record, Requests};
use crate::resource::Resource;
use crate::store::Store;
use crate::store::selector::Selection;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Bodies of requests may be this long, as on a real server.
const MAX_BODY: usize = 3 * 1024 * 1024;
/// Answers this long are compressed if the client takes gzip (`k8s.io/apiserver/pkg/endpoints/handlers/responsewriters`).
const GZIP_THRESHOLD: usize = 128 * 1024;

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub store: Store,
    pub options: SimulatorOptions,
    pub faults: Faults,
    pub requests: Requests,
    pub tokens: Mutex<Vec<Token>>,
    pub ids: Mutex<Ids>,
    /// Logs by `namespace/pod/container`.
    pub logs: Mutex<HashMap<String, String>>,
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

impl Shared {
    pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allows(&self, user: &User, asked: &Asked) -> bool {
        user.may(asked) && !self.faults.forbids(&asked.verb, &asked.group, &asked.resource)
    }
}

/// Accepts connections until the simulator stops.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let stream = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    continue;
                }
            },
        };
        let control = Arc::new(ConnectionControl::default());
        let connection = Connection {
            stream,
            control: control.clone(),
        };
        let shared = shared.clone();
        shared.clone().tasks.spawn(async move {
            let service = service_fn(|request| answer(shared.clone(), control.clone(), request));
            let mut http = hyper::server::conn::http1::Builder::new();
            let serving = http
                .header_read_timeout(None)
                .serve_connection(TokioIo::new(connection), service);
            tokio::select! {
                served = serving => if let Err(error) = served {
                    tracing::debug!(%error, "a connection ended");
                },
                () = shared.stop.cancelled() => {}
            }
        });
    }
}

/// Lets a fault reset a connection from outside.
#[derive(Debug, Default)]
pub(crate) struct ConnectionControl {
    reset: AtomicBool,
}

impl ConnectionControl {
    /// The connection is to end with a reset instead of an orderly close.
    pub fn reset(&self) {
        self.reset.store(true, Ordering::SeqCst);
    }
}

struct Connection {
    stream: TcpStream,
    control: Arc<ConnectionControl>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.control.reset.load(Ordering::SeqCst) {
            // Closing with pending linger zero sends RST. If it fails the close is orderly, and still a cut.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What a path names.
#[derive(Debug)]
struct Target {
    resource: Resource,
    namespace: Option<String>,
    name: Option<String>,
    subresource: Option<String>,
}

impl Target {
    fn parse(path: &str) -> Option<Target> {
        let mut parts = path.trim_matches('/').split('/');
        let group = match parts.next()? {
            "api" => "",
            "apis" => parts.next()?,
            _ => return None,
        };
        if parts.next()? != "v1" {
            return None;
        }
        let mut parts: Vec<&str> = parts.collect();
        let mut namespace = None;
        if let ["namespaces", name, plural, ..] = parts.as_slice()
            && *plural != "status"
        {
            namespace = Some((*name).to_owned());
            parts.drain(..2);
        }
        let resource = Resource::from_plural(parts.first()?).filter(|resource| resource.group() == group)?;
        let part = |index: usize| parts.get(index).map(|part| (*part).to_owned());
        let fits = parts.len() <= 3 && (resource.namespaced() || namespace.is_none());
        fits.then(|| Target {
            resource,
            namespace,
            name: part(1),
            subresource: part(2),
        })
    }

    fn verb(&self, method: &Method, query: &Query) -> Option<Verb> {
        Some(match (method.as_str(), &self.name) {
            ("GET", None) if query.flag("watch") => Verb::Watch,
            ("GET", None) => Verb::List,
            ("GET", Some(_)) => Verb::Get,
            ("POST", None) => Verb::Create,
            ("PUT", Some(_)) => Verb::Update,
            ("PATCH", Some(_)) => Verb::Patch,
            ("DELETE", Some(_)) => Verb::Delete,
            _ => return None,
        })
    }
}

/// Answers one request; an error ends the connection without an answer.
async fn answer(
    shared: Arc<Shared>,
    connection: Arc<ConnectionControl>,
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = Query::parse(parts.uri.query());
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let target = Target::parse(&path);
    let verb = target.as_ref().and_then(|target| target.verb(&parts.method, &query));
    shared.requests.record(Record {
        method: parts.method.to_string(),
        path: path.clone(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        verb,
        resource: target.as_ref().map(|target| target.resource),
    });

    let (mut expired, mut lost) = (false, false);
    if let (Some(target), Some(verb)) = (&target, verb) {
        match shared.faults.take(verb, target.resource) {
            None => {}
            Some(Answer::Reset) => {
                connection.reset();
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Some(Answer::Silence) => {
                shared.faults.silence().await;
                connection.reset();
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Some(Answer::ExpiredInBand) if verb == Verb::Watch => expired = true,
            Some(Answer::LostAnswer) => lost = verb != Verb::Watch,
            Some(answer) => {
                let failure = answer.failure().unwrap_or_else(|| Failure::of_code(410, None));
                return Ok(refuse(&failure));
            }
        }
    }

    let body = Limited::new(body, MAX_BODY);
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Ok(refuse(&Failure::new(413, "RequestEntityTooLarge", error.to_string()))),
    };
    let gzip = header(header::ACCEPT_ENCODING).is_some_and(|encodings| encodings.contains("gzip"));
    let format = Format::from_accept(header(header::ACCEPT).unwrap_or_default());
    let user = match User::authenticate(&Shared::locked(&shared.tokens), header(header::AUTHORIZATION)) {
        Ok(user) => user,
        Err(failure) => return Ok(refuse(&failure)),
    };
    if shared.faults.keeps_out(&user.name).await {
        connection.reset();
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    if let Some(response) = unversioned(&shared, &user, &parts.method, &path, &body) {
        return Ok(response);
    }
    let (Some(target), Some(verb)) = (target, verb) else {
        return Ok(refuse(&Failure::no_such_path()));
    };
    if let Err(failure) = permit(&shared, &user, &target, verb) {
        return Ok(refuse(&failure));
    }
    let agent = header(header::USER_AGENT)
        .and_then(|agent| agent.split('/').next())
        .filter(|name| !name.is_empty());
    let now = Timestamp::now();
    let writer = Writer {
        shared: &shared,
        resource: target.resource,
        namespace: target.namespace.as_deref().unwrap_or_default(),
        query: &query,
        time: &now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        manager: query.get("fieldManager").or(agent).unwrap_or("unknown"),
        content_type: header(header::CONTENT_TYPE).unwrap_or_default(),
        status_only: target.subresource.as_deref() == Some("status"),
    };
    let name = target.name.as_deref().unwrap_or_default();
    let answered = match verb {
        Verb::Watch => selection(&target, &query)
            .and_then(|selection| WatchRequest::parse(&shared, &user.name, target.resource, selection, &query, format))
            .map(|watch| stream(watch.start(&shared, connection.clone(), expired))),
        Verb::List => selection(&target, &query)
            .and_then(|selection| {
                let behind = shared.faults.behind();
                list::list(&shared.store, target.resource, &selection, &query, behind, format, now)
            })
            .map(|body| respond(StatusCode::OK, body, gzip)),
        Verb::Get if target.subresource.as_deref() == Some("log") => {
            logs::log(&shared, writer.namespace, name, &query).map(plain)
        }
        Verb::Get => match shared.store.stored(target.resource, writer.namespace, name) {
            Some(object) => Ok(respond(
                StatusCode::OK,
                format.object(target.resource, &object, now),
                gzip,
            )),
            None => Err(Failure::not_found(target.resource, name)),
        },
        Verb::Create => writer
            .create(&body)
            .map(|object| respond(StatusCode::CREATED, object, false)),
        Verb::Update => writer
            .update(name, &body)
            .map(|object| respond(StatusCode::OK, object, false)),
        Verb::Patch => writer.patch(name, &body).map(|(created, object)| {
            respond(
                if created { StatusCode::CREATED } else { StatusCode::OK },
                object,
                false,
            )
        }),
        Verb::Delete => writer
            .delete(name, &body)
            .map(|object| respond(StatusCode::OK, object, false)),
    };
    if lost {
        connection.reset();
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    Ok(answered.unwrap_or_else(|failure| refuse(&failure)))
}

fn selection(target: &Target, query: &Query) -> Result<Selection, Failure> {
    let (labels, fields) = (query.get("labelSelector"), query.get("fieldSelector"));
    Selection::parse(target.resource, target.namespace.as_deref(), labels, fields).map_err(Failure::bad_request)
}

fn permit(shared: &Shared, user: &User, target: &Target, verb: Verb) -> Result<(), Failure> {
    let resource = match &target.subresource {
        Some(subresource) => format!("{}/{subresource}", target.resource.plural()),
        None => target.resource.plural().to_owned(),
    };
    let asked = Asked {
        verb: verb.as_str().to_owned(),
        group: target.resource.group().to_owned(),
        resource,
        namespace: target.namespace.clone(),
    };
    if shared.allows(user, &asked) {
        return Ok(());
    }
    Err(user.forbidden(&asked, target.resource, target.name.as_deref()))
}

/// Paths that name no stored resource.
fn unversioned(shared: &Shared, user: &User, method: &Method, path: &str, body: &[u8]) -> Option<Response<Body>> {
    match (method.as_str(), path) {
        ("GET", "/readyz" | "/healthz" | "/livez") => {
            let mut response = plain("ok".to_owned());
            let sniff = HeaderValue::from_static("nosniff");
            response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, sniff);
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/plain; charset=utf-8"),
            );
            Some(response)
        }
        ("GET", "/version") => Some(respond(StatusCode::OK, discovery::version().into_bytes(), false)),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") => {
            Some(match review(body, |asked| shared.allows(user, asked)) {
                Ok(review) => respond(StatusCode::CREATED, format!("{review}\n").into_bytes(), false),
                Err(failure) => refuse(&failure),
            })
        }
        ("GET", path) => {
            let answer = discovery::discover(path, &shared.address.to_string())?;
            Some(respond(StatusCode::OK, answer.into_bytes(), false))
        }
        _ => None,
    }
}

fn headed(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

fn whole(body: Vec<u8>) -> Body {
    Full::new(Bytes::from(body))
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

fn plain(text: String) -> Response<Body> {
    headed(StatusCode::OK, "text/plain", whole(text.into_bytes()))
}

fn respond(status: StatusCode, body: Vec<u8>, gzip: bool) -> Response<Body> {
    if gzip && body.len() > GZIP_THRESHOLD {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        if let Ok(compressed) = encoder.write_all(&body).and_then(|()| encoder.finish()) {
            let mut response = headed(status, "application/json", whole(compressed));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            return response;
        }
    }
    headed(status, "application/json", whole(body))
}

fn refuse(failure: &Failure) -> Response<Body> {
    let status = StatusCode::from_u16(failure.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = format!("{}\n", failure.to_json()).into_bytes();
    let mut response = headed(status, "application/json", whole(body));
    if let Some(seconds) = failure.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if failure.code == 403 {
        let sniff = HeaderValue::from_static("nosniff");
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, sniff);
    }
    response
}

fn stream(mut lines: tokio::sync::mpsc::Receiver<io::Result<Bytes>>) -> Response<Body> {
    let frames =
        futures_util::stream::poll_fn(move |cx| lines.poll_recv(cx).map(|line| line.map(|l| l.map(Frame::data))));
    headed(
        StatusCode::OK,
        "application/json",
        StreamBody::new(frames).boxed_unsync(),
    )
}
