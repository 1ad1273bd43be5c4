//! Startup log lines about the cluster: its address and how many objects it has.

use std::time::Duration;

use escape::one_line;
use http::Request;
use http::header::ACCEPT;
use http_body_util::{BodyExt, Limited};
use kube::Client;
use kube::client::Body;
use tokio::time::timeout;

use crate::config::Config;
use job_tracker::Sizes;

/// How long the API server may take to say its version, which is of use to people only.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than any version is long.
const MAX_ANSWER: usize = 16 * 1024;

/// Logs which cluster is watched. `context` is that of the kubeconfig, if one is used.
pub(crate) async fn log_cluster(client: &Client, server: &str, context: Option<&str>, config: &Config) {
    let version = timeout(PATIENCE, version(client)).await.ok().flatten();
    let namespaces = &config.namespaces;
    let listed = |names: &[String]| (!names.is_empty()).then(|| names.join(","));
    tracing::info!(
        server,
        version = version.as_deref().map(|version| one_line(version).into_owned()),
        context = context.map(|context| one_line(context).into_owned()),
        cluster_name = config.cluster_name,
        namespaces = listed(&namespaces.include).unwrap_or_else(|| "all".into()),
        excluded_namespaces = listed(&namespaces.exclude),
        label_selector = (!config.label_selector.is_empty()).then_some(&config.label_selector),
        "watching the cluster"
    );
}

/// The server's `gitVersion`, such as `v1.33.1`; `None` if it does not say.
async fn version(client: &Client) -> Option<String> {
    let request = Request::get("/version").header(ACCEPT, "application/json");
    let response = client.send(request.body(Body::empty()).ok()?).await.ok()?;
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.ok()?;
    let answer: serde_json::Value = serde_json::from_slice(&body.to_bytes()).ok()?;
    answer["gitVersion"].as_str().map(str::to_owned)
}

/// Logs once how much was listed.
#[derive(Debug, Default)]
pub(crate) struct FirstLists {
    logged: bool,
}

impl FirstLists {
    /// Logs it if all lists are in for the first time.
    pub(crate) fn check(&mut self, all_listed: bool, sizes: impl FnOnce() -> Sizes) {
        if self.logged || !all_listed {
            return;
        }
        self.logged = true;
        let sizes = sizes();
        tracing::info!(
            jobs = sizes.live + sizes.reported,
            unfinished_jobs = sizes.live,
            cronjobs = sizes.cronjobs,
            pods = sizes.pods,
            "initial lists complete"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lists_are_logged_once_and_when_complete() {
        let mut lists = FirstLists::default();
        lists.check(false, || unreachable!("not all lists are in"));
        let mut counted = 0;
        for _ in 0..3 {
            lists.check(true, || {
                counted += 1;
                Sizes::default()
            });
        }
        assert_eq!(counted, 1);
    }
}
