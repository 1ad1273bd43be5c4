//! The receiver's settings.

use std::path::PathBuf;

use collector_config::Duration;
use job_watch::client::AuthType;
use job_watch::selection::{Namespaces, Selection};
use job_watch::shard::Sharding;
use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of `kube_state_metrics`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KubeStateConfig {
    /// The credentials: `serviceAccount` (of the Pod), `kubeConfig`, or `auto`: the service account inside a cluster, else
    /// the kubeconfig.
    pub auth_type: AuthType,
    /// The path of the kubeconfig. By default it is `$KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig. By default it is the current one.
    pub context: Option<String>,
    /// The namespaces to watch. By default it is the whole cluster.
    pub namespaces: Namespaces,
    /// Several collectors, each with its own namespaces, as for `k8s_job`. By default this collector has all of them.
    pub sharding: Sharding,
    /// Only Jobs with these labels are watched, in the syntax of `kubectl --selector`. CronJobs are not filtered.
    pub label_selector: String,
    /// The name of the cluster: the resource attribute `k8s.cluster.name`.
    #[schemars(length(min = 1))]
    pub cluster_name: Option<String>,
    /// How often the state of all objects is sent, at least 1s. It is shorter than `metric_expiration` of `prometheus`.
    /// Changes are sent within seconds.
    pub collection_interval: Duration,
    /// The id of a leader elector: only the leader sends metrics.
    #[schemars(schema_with = "collector_config::schema::optional_component_id")]
    pub k8s_leader_elector: String,
}

impl Default for KubeStateConfig {
    fn default() -> Self {
        KubeStateConfig {
            auth_type: AuthType::default(),
            kubeconfig: None,
            context: None,
            namespaces: Namespaces::default(),
            sharding: Sharding::default(),
            label_selector: String::new(),
            cluster_name: None,
            collection_interval: Duration::from_secs(30),
            k8s_leader_elector: String::new(),
        }
    }
}

impl KubeStateConfig {
    /// The cluster to connect to and the objects to watch.
    pub fn selection(&self) -> Selection<'_> {
        Selection {
            auth_type: self.auth_type,
            kubeconfig: self.kubeconfig.as_deref(),
            context: self.context.as_deref(),
            namespaces: &self.namespaces,
            label_selector: &self.label_selector,
            cluster_name: self.cluster_name.as_deref(),
            sharding: &self.sharding,
        }
    }

    /// All invalid values: the key, and what was found and expected.
    pub fn errors(&self) -> Vec<(&'static str, String)> {
        let mut errors = self.selection().errors();
        if self.collection_interval.get() < std::time::Duration::from_secs(1) {
            let found = self.collection_interval.get().as_millis();
            errors.push(("collection_interval", format!("expected at least 1s, found {found}ms")));
        }
        errors
    }
}
