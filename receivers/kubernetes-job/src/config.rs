//! The receiver's settings.

use collector_config::Duration;
use serde::Deserialize;
use std::path::PathBuf;

use job_tracker::OnFirstStart;
use job_watch::client::{AuthType, auth_errors, is_dns_label};

/// The settings of `k8s_job`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whose credentials are used: `auto`, `kubeConfig` or `serviceAccount`.
    pub auth_type: AuthType,
    /// The kubeconfig; absent means `$KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; absent means its current one.
    pub context: Option<String>,
    /// The namespaces to watch.
    pub namespaces: Namespaces,
    /// Which Jobs to watch, as `kubectl --selector` writes it; empty means all.
    pub label_selector: String,
    /// The cluster's name, for `k8s.cluster.name`.
    pub cluster_name: Option<String>,
    /// How long after a Job's verdict evidence may still arrive before it is reported.
    pub settle_time: Duration,
    /// How often the state of unfinished Jobs is sent as metrics.
    pub collection_interval: Duration,
    /// Whether the state of every Job and CronJob is sent as well, under the names of kube-state-metrics.
    pub kube_state_metrics: bool,
    /// What to do with Jobs that had ended before the collector first ran: `ignore_finished` or `report_finished`.
    pub on_first_start: OnFirstStart,
    /// How long before that they may have ended to be reported.
    pub finished_max_age: Duration,
    /// The id of the extension that keeps which Jobs were told of; empty: it is kept in memory.
    pub storage: String,
    /// The id of the leader elector, where several replicas run; empty: this is the only one.
    pub k8s_leader_elector: String,
}

/// The namespaces to watch. With `include`, each is watched by itself, so that Roles suffice; otherwise the whole
/// cluster is, but for `exclude`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Namespaces {
    /// Only these; empty means all.
    pub include: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            auth_type: AuthType::default(),
            kubeconfig: None,
            context: None,
            namespaces: Namespaces::default(),
            label_selector: String::new(),
            cluster_name: None,
            settle_time: Duration::from_secs(1),
            collection_interval: Duration::from_secs(30),
            kube_state_metrics: false,
            on_first_start: OnFirstStart::default(),
            finished_max_age: Duration::from_secs(3600),
            storage: String::new(),
            k8s_leader_elector: String::new(),
        }
    }
}

/// More than this many namespaces are better served by watching the cluster: each has five watches.
const MOST_NAMESPACES: usize = 100;
const LONGEST_SETTLE_TIME: std::time::Duration = std::time::Duration::from_secs(300);

impl Config {
    /// Everything that is wrong with the values: the key, and what was found and expected.
    pub fn errors(&self) -> Vec<(&'static str, String)> {
        let mut errors = auth_errors(self.auth_type, self.kubeconfig.is_some(), self.context.is_some());
        let Namespaces { include, exclude } = &self.namespaces;
        for (key, names) in [("namespaces::include", include), ("namespaces::exclude", exclude)] {
            for (at, name) in names.iter().enumerate() {
                if !is_dns_label(name) {
                    let expected = "lower-case letters, digits and '-', at most 63 of them; patterns are not supported";
                    errors.push((
                        key,
                        format!("expected the name of a namespace ({expected}), found {name:?}"),
                    ));
                } else if names[..at].contains(name) {
                    errors.push((key, format!("{name:?} stands there twice")));
                }
            }
        }
        if let Some(name) = include.iter().find(|name| exclude.contains(name)) {
            errors.push((
                "namespaces::exclude",
                format!("{name:?} is included as well; remove one of the two"),
            ));
        }
        if include.len() > MOST_NAMESPACES {
            let found = include.len();
            errors.push((
                "namespaces::include",
                format!(
                    "expected at most {MOST_NAMESPACES} namespaces, found {found}; leave it empty to watch them all"
                ),
            ));
        }
        if let Some(problem) = selector_problem(&self.label_selector) {
            errors.push(("label_selector", problem));
        }
        if self.cluster_name.as_deref() == Some("") {
            errors.push((
                "cluster_name",
                "expected a name, found an empty text; remove the key instead".into(),
            ));
        }
        if self.settle_time.get() > LONGEST_SETTLE_TIME {
            errors.push((
                "settle_time",
                format!("expected at most 5m, found {}s", self.settle_time.get().as_secs()),
            ));
        }
        if self.collection_interval.get() < std::time::Duration::from_secs(1) {
            let found = self.collection_interval.get().as_millis();
            errors.push(("collection_interval", format!("expected at least 1s, found {found}ms")));
        }
        errors
    }
}

/// What is obviously wrong with a label selector; the API server has the last word.
fn selector_problem(selector: &str) -> Option<String> {
    let depth = selector.bytes().try_fold(0i32, |depth, byte| match byte {
        b'(' => Some(depth + 1),
        b')' if depth == 0 => None,
        b')' => Some(depth - 1),
        _ => Some(depth),
    });
    let strange = selector
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "-_./=!,() ".contains(*c)));
    match (depth, strange) {
        (_, Some(strange)) => Some(format!(
            "found {strange:?}, which no label selector has; expected e.g. team=a,tier!=test"
        )),
        (Some(0), None) => None,
        _ => Some("the parentheses do not match; expected e.g. team in (a,b)".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(json: &str) -> Vec<String> {
        let config: Config = serde_json::from_str(json).unwrap();
        config
            .errors()
            .into_iter()
            .map(|(key, problem)| format!("{key}: {problem}"))
            .collect()
    }

    #[test]
    fn nothing_need_be_set() {
        assert_eq!(errors("{}"), [""; 0]);
        assert_eq!(
            errors(r#"{"namespaces":{"include":["a","b-1"]},"label_selector":"team in (a,b),!x","settle_time":"2s"}"#),
            [""; 0]
        );
    }

    #[test]
    fn every_error_is_told() {
        let found = errors(
            r#"{"auth_type":"serviceAccount","kubeconfig":"x","namespaces":{"include":["A","b","b"],"exclude":["b"]},
                "label_selector":"team in (a","cluster_name":"","settle_time":"1h","collection_interval":"10ms"}"#,
        );
        let keys: Vec<_> = found.iter().filter_map(|error| error.split(": ").next()).collect();
        assert_eq!(
            keys,
            [
                "kubeconfig",
                "namespaces::include",
                "namespaces::include",
                "namespaces::exclude",
                "label_selector",
                "cluster_name",
                "settle_time",
                "collection_interval"
            ]
        );
        assert!(found[1].ends_with("found \"A\""));
    }
}
