//! Reaches the collector that runs in a cluster, through the API server's proxy of Services. No other module builds such
//! requests.
//!
//! It needs `get` on `services/proxy`. The API server removes the `Authorization` header from what it forwards, so a Service
//! that requires a token answers 401.

mod events;
mod service;

use std::fmt;
use std::time::Duration;

use job_watch::service_proxy::{self, ProxyError, ServicePort};
use kube::Client;
use serde::de::DeserializeOwned;

pub(crate) use events::{StoredEvent, WEB_PORT};
pub(crate) use service::CollectorService;

/// How long to wait for the collector's answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// How often a standby is asked before its answer counts.
const STANDBYS: usize = 8;

/// The collector in a cluster: the port of a Service.
#[derive(Clone, Copy)]
pub(crate) struct InCluster<'a> {
    pub client: &'a Client,
    pub service: &'a CollectorService,
    /// The port if the command line names none, such as `web`.
    pub default_port: &'a str,
}

impl InCluster<'_> {
    /// The body of `GET path` as text. `path` begins with `/` and may have a query.
    ///
    /// # Errors
    /// No answer with status 200 within [`PATIENCE`].
    pub(crate) async fn text(self, path: &str) -> Result<String, InClusterError> {
        let CollectorService {
            namespace, name, tls, ..
        } = self.service;
        let port = ServicePort {
            namespace,
            name,
            port: self.service.port_or(self.default_port),
            tls: *tls,
        };
        // The API server selects an endpoint at random, and only the leader has the events.
        let mut tries = STANDBYS;
        loop {
            let answer = service_proxy::get(self.client, port, path, PATIENCE).await;
            tries -= 1;
            match answer {
                Err(ProxyError::Service { code: 503, body }) if tries > 0 && body.contains("\"standby\"") => {}
                answer => return answer.map_err(|error| self.error(error.to_string(), Some(error))),
            }
        }
    }

    /// The body of `GET path` as JSON.
    ///
    /// # Errors
    /// As [`InCluster::text`], or the body has another form.
    pub(crate) async fn json<T: DeserializeOwned>(self, path: &str) -> Result<T, InClusterError> {
        let text = self.text(path).await?;
        serde_json::from_str(&text).map_err(|error| {
            let problem = format!("its answer to {path} does not have the form of this version: {error}");
            self.error(problem, None)
        })
    }

    fn error(self, problem: String, cause: Option<ProxyError>) -> InClusterError {
        InClusterError {
            service: self.service.named(self.default_port),
            namespace: self.service.namespace.clone(),
            problem,
            cause,
        }
    }
}

/// The collector did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InClusterError {
    /// As on the command line: `NAMESPACE/SERVICE:PORT`.
    service: String,
    namespace: String,
    problem: String,
    /// The proxy's error; `None` for an answer of another form.
    cause: Option<ProxyError>,
}

impl InClusterError {
    /// The status with which the collector itself answered.
    pub(crate) fn status(&self) -> Option<u16> {
        match self.cause {
            Some(ProxyError::Service { code, .. }) => Some(code),
            _ => None,
        }
    }
}

/// One sentence with the reason and, if there is one, the next step; without a full stop.
impl fmt::Display for InClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the collector at {} did not answer: {}", self.service, self.problem)?;
        let step = match &self.cause {
            Some(ProxyError::Server { code: 403, .. }) => format!(
                "; required rule in namespace {:?}: {{apiGroups: [\"\"], resources: [\"services/proxy\"], verbs: [\"get\"]}}",
                self.namespace
            ),
            Some(ProxyError::Server { code: 404, .. }) => {
                "; --collector NAMESPACE/SERVICE names it if it runs elsewhere".into()
            }
            Some(ProxyError::Service { code: 401, .. }) => {
                "; the API server forwards no token, so a collector that requires one cannot be asked this way".into()
            }
            _ => return Ok(()),
        };
        f.write_str(&step)
    }
}
