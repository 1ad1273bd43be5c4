//! The extension's settings.

use std::path::PathBuf;

use collector_config::Diagnostics;
use job_watch::client::{AuthType, auth_errors, is_dns_label};
use job_watch::shard::Sharding;
use schemars::JsonSchema;
use serde::Deserialize;

/// The longest prefix, characters: a ConfigMap's name has more parts, and at most 253 characters.
const LONGEST_PREFIX: usize = 100;

/// The extension's settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct K8sStorageSettings {
    /// The credentials: `serviceAccount` (of the Pod), `kubeConfig`, or `auto`: the service account inside a cluster, else
    /// the kubeconfig.
    pub(crate) auth_type: AuthType,
    /// The path of the kubeconfig. By default it is `$KUBECONFIG`, else `~/.kube/config`.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig. By default it is the current one.
    pub(crate) context: Option<String>,
    /// The namespace of the ConfigMaps. By default it is the collector's own.
    #[schemars(schema_with = "job_watch::client::optional_label_schema")]
    pub(crate) namespace: String,
    /// The prefix of the names of the ConfigMaps, unique among the collectors in a namespace.
    #[schemars(schema_with = "job_watch::client::subdomain_schema")]
    pub(crate) prefix: String,
    /// The shard, as in the receiver `k8s_job`: each shard has ConfigMaps of its own, whose names end with the shard, such as
    /// `-1-of-4`.
    pub(crate) sharding: Sharding,
    /// The id of the leader elector that decides which replica may write, if several run.
    #[schemars(schema_with = "collector_config::schema::optional_component_id")]
    pub k8s_leader_elector: String,
}

impl Default for K8sStorageSettings {
    fn default() -> Self {
        K8sStorageSettings {
            auth_type: AuthType::default(),
            kubeconfig: None,
            context: None,
            namespace: String::new(),
            prefix: "kube-job-collector".into(),
            sharding: Sharding::default(),
            k8s_leader_elector: String::new(),
        }
    }
}

impl K8sStorageSettings {
    /// Reads and checks the settings.
    pub(crate) fn read(settings: &collector_config::Settings) -> Result<Self, Diagnostics> {
        let read: K8sStorageSettings = settings.read()?;
        let mut errors = Diagnostics::default();
        for (key, problem) in auth_errors(read.auth_type, read.kubeconfig.is_some(), read.context.is_some()) {
            errors.push(settings.error(key, problem));
        }
        if !read.namespace.is_empty() && !is_dns_label(&read.namespace) {
            let found = &read.namespace;
            errors.push(settings.error(
                "namespace",
                format!("found {found:?}, expected the name of a namespace"),
            ));
        }
        if read.prefix.len() > LONGEST_PREFIX || read.prefix.split('.').any(|part| !is_dns_label(part)) {
            let found = &read.prefix;
            errors.push(settings.error(
                "prefix",
                format!(
                    "found {found:?}, expected lower-case letters, digits, '-' and '.', at most {LONGEST_PREFIX} of them"
                ),
            ));
        }
        for (key, problem) in read.sharding.errors() {
            errors.push(settings.error(key, problem));
        }
        errors.into_result(read)
    }
}
