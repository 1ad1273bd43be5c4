//! The configurations of a replica: the shipped pipeline with all waits shortened, and the variants that reloads apply.

use std::path::Path;

use crate::notices::{AFTER, GRACE};
use crate::script::{Dice, Durability};

/// The settings that reloads change. None of them changes an identity: the id of an event or the series of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// `k8s_job::settle_time`, in milliseconds.
    settle_ms: u64,
    /// `k8s_job::collection_interval`, in minutes.
    collection_min: u64,
    /// `job_metrics::interval`, in seconds.
    interval_s: u64,
    /// `otlp_http::timeout`, in milliseconds.
    timeout_ms: u64,
    /// `otlp_http::retry_on_failure::initial_interval`, in milliseconds.
    retry_ms: u64,
    /// `otlp_http::sending_queue::num_consumers`; `None`: that of the run.
    consumers: Option<usize>,
    /// `otlp_http::sending_queue::queue_size`.
    queue_size: usize,
    /// `otlp_http::sending_queue::batch::flush_timeout`, in milliseconds; `None`: no batches.
    batch_ms: Option<u64>,
    /// The exporter of additional pipelines.
    copy: Option<Target>,
    /// True if a processor adds an attribute to the events.
    labels: bool,
    /// True if a processor removes an attribute that no resource has.
    resource: bool,
    /// Why it is invalid.
    invalid: Option<Invalid>,
}

/// An exporter beside `otlp_http`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    File,
    Debug,
}

/// An error in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invalid {
    UnknownKey,
    Duration,
    MissingExporter,
    /// The file ends in the middle.
    CutOff,
}

/// The parts of a configuration that no reload changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed<'a> {
    pub durability: Durability,
    pub kubeconfig: &'a Path,
    /// The directory for state and files.
    pub folder: &'a Path,
    /// Unique to the replica.
    pub replica: usize,
    /// The URL of the backend.
    pub backend: &'a str,
    /// The number of concurrent requests of a signal to the backend.
    pub consumers: usize,
}

impl Variant {
    /// The configuration that a replica starts with.
    pub(crate) const FIRST: Variant = Variant {
        settle_ms: 200,
        collection_min: 60,
        interval_s: 1,
        timeout_ms: 2000,
        retry_ms: 100,
        consumers: None,
        queue_size: 1000,
        batch_ms: None,
        copy: None,
        labels: false,
        resource: false,
        invalid: None,
    };

    /// A variant that differs in one to three settings, so that the other components are unchanged; one of seven is
    /// invalid.
    pub(crate) fn next(self, dice: &mut Dice) -> Variant {
        let mut next = self;
        for _ in 0..1 + dice.below(3) {
            match dice.below(12) {
                0 => next.settle_ms = dice.of(&[100, 200, 300]),
                1 => next.collection_min = dice.of(&[30, 60, 90]),
                2 => next.interval_s = dice.of(&[1, 2]),
                3 => next.timeout_ms = dice.of(&[1000, 1500, 2000]),
                4 => next.retry_ms = dice.of(&[50, 100, 200]),
                5 => next.consumers = dice.of(&[None, Some(1), Some(3)]),
                6 => next.queue_size = dice.of(&[20, 200, 1000]),
                7 => next.batch_ms = dice.of(&[None, Some(20), Some(200)]),
                8..=9 => next.copy = dice.of(&[None, Some(Target::File), Some(Target::Debug)]),
                10 => next.labels = !next.labels,
                _ => next.resource = !next.resource,
            }
        }
        if dice.below(7) == 0 {
            next.invalid = Some(dice.of(&[
                Invalid::UnknownKey,
                Invalid::Duration,
                Invalid::MissingExporter,
                Invalid::CutOff,
            ]));
        }
        next
    }

    /// False if the collector refuses it.
    pub(crate) fn is_valid(self) -> bool {
        self.invalid.is_none()
    }

    /// The text of the configuration file.
    pub(crate) fn yaml(self, fixed: Fixed<'_>) -> String {
        let text = self.valid_yaml(fixed);
        match self.invalid {
            None => text,
            Some(Invalid::UnknownKey) => text.replace("settle_time:", "settle_tme:"),
            Some(Invalid::Duration) => text.replace("settle_time: ", "settle_time: soon "),
            Some(Invalid::MissingExporter) => text.replace("exporters: [otlp_http", "exporters: [otlp_htp"),
            Some(Invalid::CutOff) => text[..text.len() / 2].to_owned(),
        }
    }

    fn valid_yaml(self, fixed: Fixed<'_>) -> String {
        let kubeconfig = fixed.kubeconfig.display();
        let (state, elector, queue) = match fixed.durability {
            Durability::None => ("", "", ""),
            Durability::File => ("storage: file_storage", "", "storage: file_storage"),
            Durability::Cluster => ("storage: k8s_storage", "k8s_leader_elector: k8s_leader_elector", ""),
        };
        let (extensions, extension) = extensions(fixed);
        let batch = match self.batch_ms {
            None => String::new(),
            Some(flush) => format!("batch: {{flush_timeout: {flush}ms, min_size: 50}}"),
        };
        let (exporter, pipelines) = self.copies(fixed);
        format!(
            "receivers:
  k8s_job:
    kubeconfig: {kubeconfig}
    settle_time: {settle}ms
    collection_interval: {collection}m
    stalled: {{after: {after}s, causes: {{Unschedulable: {after}s}}}}
    missed_runs: {{grace: {grace}s}}
    {state}
    {elector}
processors:
  reason_enrichment:
{processors}
connectors:
  job_metrics:
    interval: {interval}s
    # Every Job is its own owner here, and the oracle expects a count of each: no overflow.
    cardinality_limit: 0
    {state}
exporters:
  otlp_http:
    endpoint: {backend}
    timeout: {timeout}ms
    retry_on_failure: {{initial_interval: {retry}ms, max_interval: 1s, max_elapsed_time: 0s}}
    sending_queue:
      queue_size: {queue_size}
      num_consumers: {consumers}
      {batch}
      {queue}
{exporter}
extensions:
  health_check:
    endpoint: 127.0.0.1:0
{extension}
service:
  extensions: [health_check{extensions}]
  pipelines:
    logs:
      receivers: [k8s_job]
      processors: [reason_enrichment{labels}]
      exporters: [otlp_http, job_metrics]
    metrics:
      receivers: [k8s_job, job_metrics]
      processors: [{resource}]
      exporters: [otlp_http]
{pipelines}
",
            settle = self.settle_ms,
            collection = self.collection_min,
            after = AFTER.as_secs(),
            grace = GRACE.as_secs(),
            processors = self.processors(),
            interval = self.interval_s,
            backend = fixed.backend,
            timeout = self.timeout_ms,
            retry = self.retry_ms,
            queue_size = self.queue_size,
            consumers = self.consumers.unwrap_or(fixed.consumers),
            labels = if self.labels { ", attributes" } else { "" },
            resource = if self.resource { "resource" } else { "" },
        )
    }

    fn processors(self) -> String {
        let mut text = String::new();
        if self.labels {
            text += "  attributes: {actions: [{key: team, value: data, action: upsert}]}\n";
        }
        if self.resource {
            text += "  resource: {attributes: [{key: absent, action: delete}]}\n";
        }
        text
    }

    /// A further exporter, and the pipelines that end there.
    fn copies(self, fixed: Fixed<'_>) -> (String, String) {
        let (name, exporter) = match self.copy {
            None => return (String::new(), String::new()),
            Some(Target::Debug) => ("debug", "  debug:".into()),
            Some(Target::File) => {
                let path = fixed.folder.join(format!("copy-{}.json", fixed.replica));
                ("file", format!("  file: {{path: {}}}", path.display()))
            }
        };
        let pipelines = format!(
            "    logs/copy: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [{name}]}}\n    \
             metrics/copy: {{receivers: [job_metrics], exporters: [{name}]}}"
        );
        (exporter, pipelines)
    }
}

/// The list of extensions that keep state, and their settings.
fn extensions(fixed: Fixed<'_>) -> (&'static str, String) {
    let kubeconfig = fixed.kubeconfig.display();
    match fixed.durability {
        Durability::None => ("", String::new()),
        Durability::File => {
            let directory = fixed.folder.join("state");
            let directory = directory.display();
            let text = format!("  file_storage:\n    directory: {directory}\n    create_directory: true");
            (", file_storage", text)
        }
        Durability::Cluster => {
            let text = format!(
                "  k8s_leader_elector:
    kubeconfig: {kubeconfig}
    lease_name: collector
    lease_namespace: collector
    lease_duration: 3s
    renew_deadline: 2s
    retry_period: 500ms
  k8s_storage:
    kubeconfig: {kubeconfig}
    namespace: collector
    k8s_leader_elector: k8s_leader_elector"
            );
            (", k8s_leader_elector, k8s_storage", text)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_collector_accepts_and_refuses_variants() {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("variants-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let kubeconfig = folder.join("kubeconfig");
        let (server, user) = ("server: \"http://127.0.0.1:1\"", "token: t");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{{server}}}}}]\n\
             users: [{{name: c, user: {{{user}}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: c}}}}]\n"
        );
        std::fs::write(&kubeconfig, text).expect("a kubeconfig");
        let mut dice = Dice::new(1);
        let mut last = Variant::FIRST;
        for number in 0..60 {
            let durability = dice.of(&[Durability::None, Durability::File, Durability::Cluster]);
            let fixed = Fixed {
                durability,
                kubeconfig: &kubeconfig,
                folder: &folder,
                replica: 0,
                backend: "http://127.0.0.1:2",
                consumers: 10,
            };
            let variant = last.next(&mut dice);
            let file = folder.join("pipeline.yaml");
            std::fs::write(&file, variant.yaml(fixed)).expect("a configuration");
            let output = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"))
                .args(["validate", "--strict", "--config"])
                .arg(&file)
                .env_clear()
                .stdin(Stdio::null())
                .output()
                .expect("the collector runs");
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.success(),
                variant.is_valid(),
                "{number}: {variant:?}\n{error}"
            );
            if variant.is_valid() {
                last = variant;
            }
        }
        std::fs::remove_dir_all(&folder).expect("the folder");
    }
}
