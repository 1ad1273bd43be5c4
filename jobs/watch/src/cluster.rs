//! Connects a receiver to its cluster on startup: checks its access to Jobs and logs which cluster it watches.

use escape::one_line;
use kube::Client;

use crate::Kind;
use crate::access::{self, Access};
use crate::client::{ClientError, connect};
use crate::selection::Selection;
use crate::version::{ServerVersion, SharedVersion};
use crate::watch::request::Target;

/// A connected cluster.
#[derive(Clone)]
pub struct Cluster {
    /// Sends requests to the API server.
    pub client: Client,
    /// The API server's URL, without credentials; `None` if it is unknown.
    pub server: Option<String>,
    /// The API server's version.
    pub version: SharedVersion,
}

/// The reason why a cluster cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No client can be made from the settings.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// RBAC does not allow to list or watch Jobs.
    #[error("the collector's account may not {verb} {what}: {rule}")]
    Denied {
        /// `list` or `watch`.
        verb: &'static str,
        /// The objects, as in logs.
        what: String,
        /// The rule to add.
        rule: String,
    },
}

impl Cluster {
    /// Connects, checks that the Jobs of `targets` may be listed and watched, and logs the cluster. An API server that
    /// cannot be reached is not an error: it may be back in a minute. A given `client` is used instead of a new one.
    ///
    /// # Errors
    /// Unusable credentials, or access that RBAC denies.
    pub async fn open(
        client: Option<Client>,
        selection: &Selection<'_>,
        targets: &[Target],
    ) -> Result<Self, ClusterError> {
        let (client, server, context) = match client {
            Some(client) => (client, None, None),
            None => {
                let connected = connect(selection.auth_type, selection.kubeconfig, selection.context).await?;
                (connected.client, Some(connected.server), connected.context)
            }
        };
        let version = SharedVersion::default();
        let cluster = Cluster {
            client,
            server,
            version,
        };
        let reached = cluster.check_access(targets).await?;
        if let Some(server) = cluster.server.as_deref().filter(|_| reached) {
            cluster.log(server, context.as_deref(), selection).await;
        }
        Ok(cluster)
    }

    /// False if the API server cannot be asked.
    async fn check_access(&self, targets: &[Target]) -> Result<bool, ClusterError> {
        for target in targets.iter().filter(|target| target.source.kind == Kind::Jobs) {
            match access::review(&self.client, target).await {
                Access::Allowed => {}
                Access::Denied(verb) => {
                    let (what, rule) = (target.describe(), access::rule(target));
                    return Err(ClusterError::Denied { verb, what, rule });
                }
                Access::Unknown(problem) => {
                    let server = self.server.as_deref();
                    tracing::warn!(server, problem, "cannot check the access to Jobs; retrying");
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    async fn log(&self, server: &str, context: Option<&str>, selection: &Selection<'_>) {
        let version = self.version.get(&self.client).await;
        let namespaces = selection.namespaces;
        let listed = |names: &[String]| (!names.is_empty()).then(|| names.join(","));
        tracing::info!(
            server,
            version = version.as_ref().map(ServerVersion::to_string),
            context = context.map(|context| one_line(context).into_owned()),
            cluster_name = selection.cluster_name,
            namespaces = listed(&namespaces.include).unwrap_or_else(|| "all".into()),
            excluded_namespaces = listed(&namespaces.exclude),
            shard = selection.sharding.shard().map(|shard| shard.to_string()),
            label_selector = (!selection.label_selector.is_empty()).then_some(selection.label_selector),
            "watching the cluster"
        );
        if let Some((version, caveat)) = version.and_then(|version| Some((version.to_string(), version.caveat()?))) {
            tracing::warn!(version, caveat, "this version of Kubernetes is not tested");
        }
    }
}
