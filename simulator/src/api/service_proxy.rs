//! The proxy of Services: `/api/v1/namespaces/{namespace}/services/{scheme:name:port}/proxy/{path}`.
//!
//! As in `pkg/registry/core/service/storage/storage.go` (`ResourceLocation`) and
//! `k8s.io/apimachinery/pkg/util/proxy/upgradeaware.go` of Kubernetes: the `Host` header of the request is forwarded as it is,
//! `Authorization` is not.

use super::access::{AccessRequest, User};
use super::error::ApiError;
use super::response::{ResponseBody, refusal};
use crate::locked;
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::net::TcpStream;

/// The ports of a Service, and the address of each that has an endpoint.
type Ports = BTreeMap<String, Option<SocketAddr>>;

/// The Services that the proxy reaches.
#[derive(Debug, Default)]
pub(crate) struct Services {
    /// By namespace and name.
    ports: Mutex<BTreeMap<(String, String), Ports>>,
    is_forbidden: Mutex<bool>,
}

impl Services {
    pub(crate) fn set(&self, namespace: &str, name: &str, port: &str, endpoint: Option<SocketAddr>) {
        let key = (namespace.to_owned(), name.to_owned());
        let mut ports = locked(&self.ports);
        ports.entry(key).or_default().insert(port.to_owned(), endpoint);
    }

    pub(crate) fn forbid(&self, forbidden: bool) {
        *locked(&self.is_forbidden) = forbidden;
    }

    pub(crate) fn is_forbidden(&self) -> bool {
        *locked(&self.is_forbidden)
    }

    fn endpoint(&self, target: &ProxyPath) -> Result<SocketAddr, ApiError> {
        let ProxyPath {
            namespace, name, port, ..
        } = target;
        let unavailable = |message: String| ApiError::new(503, "ServiceUnavailable", message);
        let services = locked(&self.ports);
        let Some(ports) = services.get(&(namespace.clone(), name.clone())) else {
            return Err(ApiError {
                details: Some(json!({"name": name, "kind": "services"})),
                ..ApiError::new(404, "NotFound", format!("services \"{name}\" not found"))
            });
        };
        let endpoint = match port.as_str() {
            // The only port.
            "" if ports.len() == 1 => ports.values().next(),
            port => ports.get(port),
        };
        let endpoint =
            endpoint.ok_or_else(|| unavailable(format!("no service port \"{port}\" found for service \"{name}\"")))?;
        endpoint.ok_or_else(|| unavailable(format!("no endpoints available for service \"{name}\"")))
    }
}

/// A path of the proxy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ProxyPath {
    namespace: String,
    /// The segment as it is written: `web`, `kjc:web`, `https:kjc:web`.
    segment: String,
    tls: bool,
    name: String,
    /// Empty if the path names none.
    port: String,
    /// The path at the Service, with its leading slash.
    path: String,
}

impl ProxyPath {
    pub(crate) fn parse(path: &str) -> Option<ProxyPath> {
        let (namespace, rest) = path.strip_prefix("/api/v1/namespaces/")?.split_once("/services/")?;
        let (segment, rest) = rest.split_once("/proxy")?;
        let is_path = rest.is_empty() || rest.starts_with('/');
        if !is_path || namespace.contains('/') || segment.contains('/') {
            return None;
        }
        let parts: Vec<&str> = segment.split(':').collect();
        let (tls, name, port) = match parts.as_slice() {
            [name] => (false, *name, ""),
            [name, port] => (false, *name, *port),
            ["" | "http", name, port] => (false, *name, *port),
            ["https", name, port] => (true, *name, *port),
            _ => return None,
        };
        Some(ProxyPath {
            namespace: namespace.to_owned(),
            segment: segment.to_owned(),
            tls,
            name: name.to_owned(),
            port: port.to_owned(),
            path: if rest.is_empty() { "/".into() } else { rest.to_owned() },
        })
    }

    /// The permission that a request needs.
    pub(crate) fn access(&self, method: &Method) -> AccessRequest {
        let verb = match method.as_str() {
            "POST" => "create",
            "PUT" => "update",
            "DELETE" => "delete",
            _ => "get",
        };
        AccessRequest {
            verb: verb.into(),
            group: String::new(),
            resource: "services/proxy".into(),
            namespace: Some(self.namespace.clone()),
        }
    }

    /// The refusal of a request without that permission.
    pub(crate) fn forbidden(&self, user: &User, request: &AccessRequest) -> ApiError {
        let (segment, namespace) = (&self.segment, &self.namespace);
        let message = format!(
            "services \"{segment}\" is forbidden: User \"{}\" cannot {} resource \"services/proxy\" in API group \"\" in the \
             namespace \"{namespace}\"",
            user.name, request.verb
        );
        ApiError {
            details: Some(json!({"name": segment, "kind": "services"})),
            ..ApiError::new(403, "Forbidden", message)
        }
    }
}

/// Forwards a request, and the answer of the Service as it is.
pub(crate) async fn forward(
    services: &Services,
    target: &ProxyPath,
    parts: Parts,
    body: Bytes,
) -> Response<ResponseBody> {
    let endpoint = match services.endpoint(target) {
        Ok(endpoint) => endpoint,
        Err(error) => return refusal(&error),
    };
    let unreachable = |problem: &dyn std::fmt::Display| {
        let message = format!("error trying to reach service: {problem}");
        refusal(&ApiError::new(503, "ServiceUnavailable", message))
    };
    if target.tls {
        return unreachable(&"tls: first record does not look like a TLS handshake");
    }
    match exchange(endpoint, target, parts, body).await {
        Ok(response) => response,
        Err(problem) => unreachable(&problem),
    }
}

async fn exchange(
    endpoint: SocketAddr,
    target: &ProxyPath,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(endpoint).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the answer, or when the client is gone.
    tokio::spawn(connection);
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = parts.method;
    *request.uri_mut() = format!("{}{query}", target.path).parse::<Uri>()?;
    *request.headers_mut() = parts.headers;
    let headers = request.headers_mut();
    for name in [header::AUTHORIZATION, header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers.insert(
        HeaderName::from_static("x-forwarded-uri"),
        HeaderValue::from_str(parts.uri.path())?,
    );
    let (mut head, body) = sender.send_request(request).await?.into_parts();
    head.headers.remove(header::CONNECTION);
    head.headers.remove(header::TRANSFER_ENCODING);
    Ok(Response::from_parts(
        head,
        body.map_err(io::Error::other).boxed_unsync(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_scheme_service_port_and_path() {
        let parse =
            |path: &str| ProxyPath::parse(path).map(|target| (target.tls, target.name, target.port, target.path));
        let service = "/api/v1/namespaces/obs/services/";
        for (rest, tls, name, port, path) in [
            ("kjc/proxy", false, "kjc", "", "/"),
            ("kjc:web/proxy/api/v1/jobs/a/b", false, "kjc", "web", "/api/v1/jobs/a/b"),
            ("http:kjc:web/proxy/", false, "kjc", "web", "/"),
            ("https:kjc:8090/proxy/x", true, "kjc", "8090", "/x"),
        ] {
            let expected = Some((tls, name.to_owned(), port.to_owned(), path.to_owned()));
            assert_eq!(parse(&format!("{service}{rest}")), expected, "{rest}");
        }
        for rest in ["kjc", "kjc/status", "ftp:kjc:web/proxy/", "kjc/proxyx"] {
            assert_eq!(parse(&format!("{service}{rest}")), None, "{rest}");
        }
    }
}
