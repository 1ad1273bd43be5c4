//! The extension's settings.

use std::path::PathBuf;

use collector_config::Diagnostics;
use job_watch::client::{AuthType, auth_errors, is_dns_label};
use serde::Deserialize;

/// The longest prefix: the names of ConfigMaps have more parts, and an end.
const LONGEST_PREFIX: usize = 100;

/// The extension's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whose credentials are used: `auto`, `kubeConfig` or `serviceAccount`.
    pub auth_type: AuthType,
    /// The kubeconfig; absent means `$KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; absent means its current one.
    pub context: Option<String>,
    /// Where the ConfigMaps are; empty means the collector's own namespace.
    pub namespace: String,
    /// What their names begin with.
    pub prefix: String,
    /// The id of the leader elector that decides who may write; empty: this is the only collector.
    pub k8s_leader_elector: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            auth_type: AuthType::default(),
            kubeconfig: None,
            context: None,
            namespace: String::new(),
            prefix: "kube-job-collector".into(),
            k8s_leader_elector: String::new(),
        }
    }
}

impl Settings {
    /// Reads and checks them.
    pub fn read(settings: &collector_config::Settings) -> Result<Self, Diagnostics> {
        let read: Settings = settings.read()?;
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
        errors.into_result(read)
    }
}
