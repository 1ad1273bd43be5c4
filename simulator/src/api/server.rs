//! The HTTP server: connections, routes and permissions.

use super::access::{AccessRequest, ApiToken, User, Verb, review};
use super::error::ApiError;
use super::format::ObjectFormat;
use super::path::ApiPath;
use super::query::Query;
use super::response::{ResponseBody, formatted, healthy, json, mangled, plain, refusal, refusal_in, stream};
use super::service_proxy::{ProxyPath, Services, forward};
use super::watch::WatchRequest;
use super::write::ObjectWriter;
use super::{discovery, list, logs, options, protobuf};
use crate::faults::{Fault, Faults};
use crate::ids::Ids;
use crate::locked;
use crate::requests::{ApiRequest, RequestLog};
use crate::resource::Resource;
use crate::simulator::{ProtobufSupport, SimulatorOptions};
use crate::store::ObjectStore;
use crate::store::selector::Selection;
use crate::store::shard::ShardSelector;
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest body of a request, in bytes, as on a real server.
const MAX_BODY: usize = 3 * 1024 * 1024;

/// The state that all connections share.
#[derive(Debug)]
pub(crate) struct ServerState {
    pub(crate) store: ObjectStore,
    pub(crate) options: SimulatorOptions,
    pub(crate) faults: Faults,
    pub(crate) requests: RequestLog,
    pub(crate) tokens: Mutex<Vec<ApiToken>>,
    pub(crate) ids: Mutex<Ids>,
    /// The Services behind the proxy.
    pub(crate) services: Services,
    /// Logs by `namespace/pod/container`.
    pub(crate) logs: Mutex<HashMap<String, String>>,
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// Accepts connections until the simulator stops.
pub(crate) async fn serve(state: Arc<ServerState>, listener: TcpListener) {
    loop {
        let stream = tokio::select! {
            () = state.stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    continue;
                }
            },
        };
        let state = state.clone();
        state.clone().tasks.spawn(async move {
            let end = ConnectionEnd::default();
            let service = service_fn(|request| answer(state.clone(), end.clone(), request));
            let mut connection = http1::Builder::new()
                .header_read_timeout(None)
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                served = &mut connection => if let Err(error) = served {
                    tracing::debug!(%error, "connection ended");
                },
                () = state.stop.cancelled() => {}
            }
            if end.0.load(Ordering::SeqCst) {
                // Closing with pending linger zero sends RST. If it fails the close is orderly, and still a cut.
                let _ = connection.into_parts().io.inner().set_zero_linger();
            }
        });
    }
}

/// The end of a connection: orderly, or a reset once [`reset`](ConnectionEnd::reset) is called.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionEnd(Arc<AtomicBool>);

impl ConnectionEnd {
    /// Makes the connection end with a reset; the error ends it.
    pub(crate) fn reset(&self) -> io::Error {
        self.0.store(true, Ordering::SeqCst);
        io::ErrorKind::ConnectionReset.into()
    }
}

/// Answers one request; an error ends the connection without an answer.
async fn answer(
    state: Arc<ServerState>,
    connection: ConnectionEnd,
    request: Request<Incoming>,
) -> io::Result<Response<ResponseBody>> {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query());
    let target = ApiPath::parse(parts.uri.path());
    let verb = target.as_ref().and_then(|target| target.verb(&parts.method, &query));
    state.requests.record(ApiRequest {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        verb,
        resource: target.as_ref().map(|target| target.resource),
    });
    let resource = target.as_ref().map(|target| target.resource);
    let format = format_of(&state, &parts, resource);
    if format == ObjectFormat::Protobuf && state.options.protobuf == ProtobufSupport::Refused {
        let message = "only the following media types are accepted: application/json, application/yaml";
        return Ok(refusal(&ApiError::new(406, "NotAcceptable", message)));
    }
    let fault = target.as_ref().zip(verb);
    let fault = fault.and_then(|(target, verb)| state.faults.take(verb, target.resource));
    match fault {
        Some(Fault::Reset) => return Err(connection.reset()),
        Some(Fault::Silence) => {
            state.faults.silence().await;
            return Err(connection.reset());
        }
        Some(Fault::Status { code, retry_after }) => {
            return Ok(refusal_in(format, &ApiError::of_code(code, retry_after)));
        }
        Some(Fault::ExpiredInBand | Fault::BrokenList | Fault::LostAnswer) | None => {}
    }
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            let error = ApiError::new(413, "RequestEntityTooLarge", error.to_string());
            return Ok(refusal(&error));
        }
    };
    let user = User::authenticate(&locked(&state.tokens), header(&parts, header::AUTHORIZATION));
    let user = match user {
        Ok(user) => user,
        Err(error) => return Ok(refusal(&error)),
    };
    if state.faults.keeps_out(&user.name).await {
        return Err(connection.reset());
    }
    if let Some(target) = ProxyPath::parse(parts.uri.path()) {
        let request = target.access(&parts.method);
        if !user.allowed || state.services.is_forbidden() {
            return Ok(refusal(&target.forbidden(&user, &request)));
        }
        return Ok(forward(&state.services, &target, parts, body).await);
    }
    let call = Call {
        format,
        state: &state,
        connection: &connection,
        user,
        parts,
        query,
        body,
        fault,
    };
    let answered = call.answer(target, verb);
    if fault == Some(Fault::LostAnswer) && verb != Some(Verb::Watch) {
        return Err(connection.reset());
    }
    let answered = answered.unwrap_or_else(|error| refusal_in(format, &error));
    let is_mangled = match state.options.protobuf {
        ProtobufSupport::Mangled => true,
        ProtobufSupport::MangledWatches => verb == Some(Verb::Watch),
        _ => false,
    };
    Ok(match is_mangled && format == ObjectFormat::Protobuf {
        true => mangled(answered),
        false => answered,
    })
}

/// The form in which a request is answered.
fn format_of(state: &ServerState, parts: &Parts, resource: Option<Resource>) -> ObjectFormat {
    let is_served = state.options.protobuf != ProtobufSupport::Missing && resource.is_some_and(protobuf::serves);
    ObjectFormat::from_accept(header(parts, header::ACCEPT).unwrap_or_default(), is_served)
}

fn header(parts: &Parts, name: HeaderName) -> Option<&str> {
    parts.headers.get(name)?.to_str().ok()
}

/// One authenticated request.
struct Call<'a> {
    format: ObjectFormat,
    state: &'a Arc<ServerState>,
    connection: &'a ConnectionEnd,
    user: User,
    parts: Parts,
    query: Query,
    body: Bytes,
    /// The fault that a watch meets.
    fault: Option<Fault>,
}

impl Call<'_> {
    fn answer(&self, target: Option<ApiPath>, verb: Option<Verb>) -> Result<Response<ResponseBody>, ApiError> {
        if let Some(response) = self.without_resource()? {
            return Ok(response);
        }
        let target = target.ok_or_else(ApiError::no_such_path)?;
        let verb = verb.ok_or_else(ApiError::no_such_method)?;
        self.permit(&target, verb)?;
        let format = self.format;
        let now = Timestamp::now();
        let (store, resource) = (&self.state.store, target.resource);
        let namespace = target.namespace.as_deref().unwrap_or_default();
        let name = target.name.as_deref().unwrap_or_default();
        let writer = ObjectWriter {
            state: self.state,
            resource,
            namespace,
            now,
        };
        Ok(match verb {
            Verb::Watch => {
                let selection = self.selection(&target)?;
                options::check_watch(&self.query, &self.state.options.version)?;
                let watch = WatchRequest::parse(&self.user.name, resource, selection, &self.query, format)?;
                stream(format, watch.start(self.state, self.connection.clone(), self.fault))
            }
            Verb::List => {
                let selection = self.selection(&target)?;
                options::check_list(&self.query)?;
                let behind = self.state.faults.behind();
                let page = list::page(store, resource, &selection, &self.query, behind)?;
                formatted(format, list::body(&page, resource, &selection, format, now))
            }
            Verb::Get if target.subresource.as_deref() == Some("log") => {
                plain(logs::log(self.state, namespace, name, &self.query)?)
            }
            Verb::Get => {
                let object = store.stored(resource, namespace, name);
                let object = object.ok_or_else(|| ApiError::not_found(resource, name))?;
                formatted(format, format.object(resource, &object, now))
            }
            Verb::Create => json(StatusCode::CREATED, writer.create(&self.body)?),
            Verb::Update => json(StatusCode::OK, writer.update(name, &self.body)?),
        })
    }

    fn selection(&self, target: &ApiPath) -> Result<Selection, ApiError> {
        let (labels, fields) = (self.query.get("labelSelector"), self.query.get("fieldSelector"));
        let selection = Selection::parse(target.resource, target.namespace.as_deref(), labels, fields);
        let mut selection = selection.map_err(ApiError::bad_request)?;
        // Without the feature gate a server does not even read it.
        let shard = self
            .query
            .get("shardSelector")
            .filter(|_| self.state.options.shard_selector);
        let shard = shard.map(ShardSelector::parse).transpose();
        selection.shard = shard.map_err(|problem| ApiError::new(500, "InternalError", problem))?;
        Ok(selection)
    }

    fn allows(&self, request: &AccessRequest) -> bool {
        let faults = &self.state.faults;
        self.user.allowed && !faults.forbids(&request.verb, &request.group, &request.resource)
    }

    fn permit(&self, target: &ApiPath, verb: Verb) -> Result<(), ApiError> {
        let resource = match &target.subresource {
            Some(subresource) => format!("{}/{subresource}", target.resource.plural()),
            None => target.resource.plural().to_owned(),
        };
        let request = AccessRequest {
            verb: verb.as_str().to_owned(),
            group: target.resource.group().to_owned(),
            resource,
            namespace: target.namespace.clone(),
        };
        if self.allows(&request) {
            return Ok(());
        }
        let name = target.name.as_deref();
        Err(self.user.forbidden(&request, target.resource, name))
    }

    /// Answers paths that name no stored resource.
    fn without_resource(&self) -> Result<Option<Response<ResponseBody>>, ApiError> {
        Ok(match (self.parts.method.as_str(), self.parts.uri.path()) {
            ("GET", "/readyz" | "/healthz" | "/livez") => Some(healthy()),
            ("GET", "/version") => Some(json(StatusCode::OK, discovery::version(&self.state.options.version))),
            ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") => {
                let review = review(&self.body, |request| self.allows(request))?;
                Some(json(StatusCode::CREATED, format!("{review}\n")))
            }
            ("GET", path) => discovery::discover(path).map(|answer| json(StatusCode::OK, answer)),
            _ => None,
        })
    }
}
