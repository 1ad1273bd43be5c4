//! The extension's settings.

use std::path::PathBuf;

use collector_config::{Diagnostics, Duration};
use job_watch::client::{AuthType, auth_errors, is_dns_label, is_dns_subdomain};
use job_watch::shard::Sharding;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::election::Times;

/// The extension's settings, under the names of the collector's extension of the same type.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LeaderElectorSettings {
    /// The credentials: `serviceAccount` (of the Pod), `kubeConfig`, or `auto`: the service account inside a cluster, else
    /// the kubeconfig.
    pub(crate) auth_type: AuthType,
    /// The path of the kubeconfig. By default it is `$KUBECONFIG`, else `~/.kube/config`.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig. By default it is the current one.
    pub(crate) context: Option<String>,
    /// The name of the Lease. With more than one shard it ends with the shard, such as `-1-of-4`.
    #[schemars(schema_with = "job_watch::client::subdomain_schema")]
    pub(crate) lease_name: String,
    /// The namespace of the Lease. By default it is the collector's own.
    #[schemars(schema_with = "job_watch::client::optional_label_schema")]
    pub(crate) lease_namespace: String,
    /// The shard, as in the receiver `k8s_job`: each shard has a Lease of its own.
    pub(crate) sharding: Sharding,
    /// How long standby replicas wait for a leader that no longer renews the Lease, in whole seconds.
    pub(crate) lease_duration: Duration,
    /// How long a leader that cannot renew the Lease keeps leading. It is less than `lease_duration`.
    pub(crate) renew_deadline: Duration,
    /// The time between two attempts. It is less than `renew_deadline` / 1.2.
    pub(crate) retry_period: Duration,
}

impl Default for LeaderElectorSettings {
    fn default() -> Self {
        LeaderElectorSettings {
            auth_type: AuthType::default(),
            kubeconfig: None,
            context: None,
            lease_name: "kube-job-collector".into(),
            lease_namespace: String::new(),
            sharding: Sharding::default(),
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

impl LeaderElectorSettings {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// Every error, with its position.
    pub(crate) fn read(settings: &collector_config::Settings) -> Result<Self, Diagnostics> {
        let read: LeaderElectorSettings = settings.read()?;
        let mut errors = Diagnostics::default();
        for (key, problem) in auth_errors(read.auth_type, read.kubeconfig.is_some(), read.context.is_some()) {
            errors.push(settings.error(key, problem));
        }
        if !is_dns_subdomain(&read.lease_name) {
            let found = &read.lease_name;
            errors.push(settings.error("lease_name", format!("found {found:?}, expected the name of a Lease")));
        }
        if !read.lease_namespace.is_empty() && !is_dns_label(&read.lease_namespace) {
            let found = &read.lease_namespace;
            errors.push(settings.error(
                "lease_namespace",
                format!("found {found:?}, expected the name of a namespace"),
            ));
        }
        for (key, problem) in read.sharding.errors() {
            errors.push(settings.error(key, problem));
        }
        let Times {
            lease_duration,
            renew_deadline,
            retry_period,
        } = read.times();
        // A Lease holds whole seconds.
        if lease_duration.as_secs() < 1 || lease_duration.subsec_nanos() > 0 {
            errors.push(settings.error(
                "lease_duration",
                format!("found {lease_duration:?}, expected whole seconds, at least 1s"),
            ));
        }
        if renew_deadline >= lease_duration {
            errors.push(
                settings
                    .error(
                        "renew_deadline",
                        format!(
                            "found {renew_deadline:?}, expected less than lease_duration, which is {lease_duration:?}"
                        ),
                    )
                    .with_help("a leader that cannot reach the API server must stop before another one starts"),
            );
        }
        // The rule of client-go (tools/leaderelection, NewLeaderElector).
        if retry_period.is_zero() || renew_deadline <= retry_period.mul_f64(1.2) {
            errors.push(settings.error(
                "retry_period",
                format!(
                    "found {retry_period:?}, expected more than 0 and less than renew_deadline / 1.2, which is {:?}",
                    renew_deadline.div_f64(1.2)
                ),
            ));
        }
        errors.into_result(read)
    }

    /// The name of the Lease of this shard.
    pub(crate) fn lease(&self) -> String {
        match self.sharding.shard() {
            Some(shard) => format!("{}{}", self.lease_name, shard.suffix()),
            None => self.lease_name.clone(),
        }
    }

    /// The times of the election.
    pub(crate) fn times(&self) -> Times {
        Times {
            lease_duration: self.lease_duration.get(),
            renew_deadline: self.renew_deadline.get(),
            retry_period: self.retry_period.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(yaml: &str) -> String {
        let settings = collector_config::Settings::from_yaml(yaml).unwrap();
        LeaderElectorSettings::read(&settings)
            .err()
            .map(|errors| errors.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn defaults_are_those_of_the_collector() {
        assert_eq!(errors("{}"), "");
        let times = LeaderElectorSettings::default().times();
        let seconds = [times.lease_duration, times.renew_deadline, times.retry_period].map(|time| time.as_secs());
        assert_eq!(seconds, [15, 10, 2]);
        assert_eq!(
            errors("{auth_type: serviceAccount, lease_name: a.b, lease_namespace: c}"),
            ""
        );
    }

    #[test]
    fn each_shard_has_a_lease_of_its_own() {
        let lease = |yaml: &str| {
            let settings = collector_config::Settings::from_yaml(yaml).unwrap();
            LeaderElectorSettings::read(&settings).unwrap().lease()
        };
        assert_eq!(lease("lease_name: a"), "a");
        assert_eq!(
            lease("{lease_name: a, sharding: {shards: 4, shard: collector-1}}"),
            "a-1-of-4"
        );
    }

    #[test]
    fn reports_errors_with_their_key() {
        for (yaml, expected) in [
            (
                "sharding: {shards: 4}",
                "sharding::shard: expected the number of this shard, 0 to 3",
            ),
            ("lease_name: A", "1:13: lease_name: found \"A\""),
            ("lease_namespace: a.b", "lease_namespace: found \"a.b\""),
            ("lease_duration: 500ms", "whole seconds"),
            (
                "renew_deadline: 15s",
                "renew_deadline: found 15s, expected less than lease_duration",
            ),
            ("retry_period: 9s", "retry_period: found 9s"),
            ("retry_period: 0s", "retry_period: found 0ns"),
            ("leese_name: a", "leese_name"),
            ("{auth_type: serviceAccount, context: c}", "context: has no meaning"),
        ] {
            let found = errors(yaml);
            assert!(found.contains(expected), "{yaml}: {found}");
        }
    }
}
