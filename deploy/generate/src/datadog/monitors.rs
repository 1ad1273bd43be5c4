//! The monitors. Counts are sparse: a group has a point only when something happened, so a condition on the sum of a window
//! alerts once, and recovers when the window has passed.

use serde_json::{Value, json};

const OWNER: &str = "kube_cluster_name,kube_namespace,kube_cronjob,kube_ownerref_name,kube_job";
const CRONJOB: &str = "kube_cluster_name,kube_namespace,kube_cronjob";
/// The name of an owner in a title: it has one of these tags.
const OWNER_NAME: &str = "{{kube_namespace.name}}/{{kube_cronjob.name}}{{kube_ownerref_name.name}}{{kube_job.name}}";
const CRONJOB_NAME: &str = "{{kube_namespace.name}}/{{kube_cronjob.name}}";

/// The application of US1; `docs/datadog.md` says how to change it for another site.
const SITE: &str = "https://app.datadoghq.com";
const SILENT: &str = "No data for 15 minutes: the collector does not send, or cannot reach Datadog. Failed Jobs are not reported \
                      meanwhile.";

/// The parts in which monitors differ.
struct Monitor {
    file: &'static str,
    title: String,
    kind: &'static str,
    query: String,
    /// The number in the query.
    threshold: f64,
    /// The sentence of an alert.
    happened: String,
    /// The first steps.
    steps: &'static str,
    /// A search of logs.
    logs: &'static str,
    recovered: &'static str,
    /// The heading in `docs/alerts.md`.
    alert: &'static str,
    priority: u8,
    /// Minutes without data until a notification.
    silent_after: Option<u32>,
}

const METRIC: &str = "query alert";
const LOG: &str = "log alert";

/// The monitors by name of file.
pub fn monitors(repository: &str) -> Vec<(&'static str, Value)> {
    let all = jobs().into_iter().chain(cronjobs()).chain(collector());
    all.map(|monitor| (monitor.file, monitor.json(repository))).collect()
}

impl Monitor {
    fn json(&self, repository: &str) -> Value {
        let mut message = String::new();
        let links = format!(
            "[Logs]({}) · [About this alert]({repository}/blob/main/docs/alerts.md#{})",
            self.search(),
            self.alert.to_lowercase()
        );
        let mut part = |condition: &str, text: &str, ending: &str| {
            message += &format!("{{{{#{condition}}}}}\n{text}\n{ending}{{{{/{condition}}}}}\n");
        };
        let steps = format!("\nWhat to do: {}\n\n{links}\n", self.steps);
        if !self.happened.is_empty() {
            part("is_alert", &self.happened, &steps);
        }
        if self.silent_after.is_some() {
            part("is_no_data", SILENT, &steps);
        }
        part("is_recovery", self.recovered, "");
        let mut options = json!({
            "thresholds": {"critical": self.threshold},
            "notify_no_data": self.silent_after.is_some(),
            "notify_audit": false,
            "include_tags": true,
            // A series begins with the first failure of its group: it must not wait.
            "new_group_delay": 0,
        });
        if let Some(minutes) = self.silent_after {
            options["no_data_timeframe"] = json!(minutes);
        }
        if self.kind == LOG {
            options["enable_logs_sample"] = json!(true);
            options["groupby_simple_monitor"] = json!(false);
            options["on_missing_data"] = json!("resolve");
            for key in ["notify_no_data", "no_data_timeframe"] {
                options.as_object_mut().expect("an object").remove(key);
            }
        } else {
            options["require_full_window"] = json!(false);
        }
        json!({
            "name": format!("[Kubernetes Jobs] {}", self.title),
            "type": self.kind,
            "query": self.query,
            "message": message.trim_end(),
            "tags": ["integration:kube-job-collector"],
            "priority": self.priority,
            "options": options,
        })
    }

    /// The address of the search, around the time of the alert, and in the namespace of the group if it has one.
    fn search(&self) -> String {
        let mut search = self.logs.to_owned();
        if self.query.contains("kube_namespace") {
            search += " kube_namespace:{{kube_namespace.name}}";
        }
        let search = search.replace(' ', "%20").replace('(', "%28").replace(')', "%29");
        let from = "{{eval \"last_triggered_at_epoch-30*60*1000\"}}";
        let to = "{{eval \"last_triggered_at_epoch+10*60*1000\"}}";
        format!("{SITE}/logs?query={search}&from_ts={from}&to_ts={to}&live=false")
    }
}

fn jobs() -> [Monitor; 4] {
    [
        Monitor {
            file: "job-failed",
            title: format!("Job failed: {OWNER_NAME} ({{{{cause.name}}}})"),
            kind: METRIC,
            query: format!("sum(last_5m):sum:k8s.job.failures{{*}} by {{{OWNER},reason,cause,category}}.as_count() > 0"),
            threshold: 0.0,
            happened: format!(
                "A Job of {OWNER_NAME} in {{{{kube_cluster_name.name}}}} failed. Cause: {{{{cause.name}}}} \
                 ({{{{category.name}}}}), reason: {{{{reason.name}}}}."
            ),
            steps: "read the log of the Job: it has the sentence, the attempts and the next step.",
            logs: "@otel.event_name:k8s.job.finished @k8s.job.outcome:Failed",
            recovered: "No further failure of this cause within 5 minutes. The failed Job itself is not repaired by that.",
            alert: "JobFailed",
            priority: 3,
            silent_after: None,
        },
        Monitor {
            file: "job-failed-log",
            title: "Job failed, with its sentence".to_owned(),
            kind: LOG,
            query: "logs(\"@otel.event_name:k8s.job.finished @k8s.job.outcome:Failed\").index(\"*\").rollup(\"count\")\
                    .by(\"kube_cluster_name,kube_namespace,@k8s.job.owner.name,@k8s.job.failure.cause\").last(\"5m\") > 0"
                .to_owned(),
            threshold: 0.0,
            happened: "{{log.message}}\n\nCause: {{[@k8s.job.failure.cause].name}}, reason: \
                       {{log.attributes.[k8s.job.failure.reason]}}, Job: {{log.attributes.[k8s.job.name]}}."
                .to_owned(),
            steps: "{{log.attributes.[k8s.job.failure.next_step]}}",
            logs: "@otel.event_name:k8s.job.finished @k8s.job.outcome:Failed",
            recovered: "No further failure of this cause within 5 minutes. The failed Job itself is not repaired by that.",
            alert: "JobFailed",
            priority: 3,
            silent_after: None,
        },
        Monitor {
            file: "job-failures-overflow",
            title: "Jobs failed beyond the limit on series in {{kube_cluster_name.name}}".to_owned(),
            kind: METRIC,
            query: "sum(last_5m):sum:k8s.job.failures{otel.metric.overflow:true} by {kube_cluster_name}.as_count() > 0"
                .to_owned(),
            threshold: 0.0,
            happened: "{{value}} Jobs failed whose owners have no series of their own, so no other monitor of metrics reports \
                       them."
                .to_owned(),
            steps: "find the Jobs in the logs, then give Jobs with random names an owner, or raise the limit on series.",
            logs: "@otel.event_name:k8s.job.finished @k8s.job.outcome:Failed",
            recovered: "No further failure beyond the limit within 5 minutes.",
            alert: "JobFailed",
            priority: 3,
            silent_after: None,
        },
        Monitor {
            file: "job-stalled",
            title: format!("Job stalled: {OWNER_NAME} ({{{{cause.name}}}})"),
            kind: METRIC,
            query: format!("max(last_5m):max:k8s.job.stalled{{*}} by {{{OWNER},cause}} > 0"),
            threshold: 0.0,
            happened: format!(
                "{{{{value}}}} Jobs of {OWNER_NAME} in {{{{kube_cluster_name.name}}}} make no progress. Cause: {{{{cause.name}}}}."
            ),
            steps: "read the log of the stall: it has the sentence and the next step. The Job can still be saved.",
            logs: "@otel.event_name:k8s.job.stalled",
            recovered: "The Job makes progress again or has ended.",
            alert: "JobStalled",
            priority: 3,
            silent_after: None,
        },
    ]
}

fn cronjobs() -> [Monitor; 3] {
    [
        Monitor {
            file: "cronjob-missed-runs",
            title: format!("Run missed: {CRONJOB_NAME} ({{{{reason.name}}}})"),
            kind: METRIC,
            query: format!("sum(last_5m):sum:k8s.cronjob.missed_runs{{*}} by {{{CRONJOB},reason}}.as_count() > 0"),
            threshold: 0.0,
            happened: format!(
                "{{{{value}}}} runs of {CRONJOB_NAME} in {{{{kube_cluster_name.name}}}} did not start. Reason: {{{{reason.name}}}}."
            ),
            steps: "read the log: it has the slots, and the message of the CronJob controller.",
            logs: "@otel.event_name:k8s.cronjob.missed",
            recovered: "No further run was missed within 5 minutes.",
            alert: "CronJobRunMissed",
            priority: 3,
            silent_after: None,
        },
        Monitor {
            file: "cronjob-consecutive-failures",
            title: format!("CronJob fails repeatedly: {CRONJOB_NAME}"),
            kind: METRIC,
            query: format!("min(last_5m):max:k8s.cronjob.consecutive_failures{{*}} by {{{CRONJOB}}} >= 3"),
            threshold: 3.0,
            happened: format!(
                "The last {{{{value}}}} runs of {CRONJOB_NAME} in {{{{kube_cluster_name.name}}}} failed."
            ),
            steps: "compare the causes of these runs in the logs: one cause points to the CronJob, several to the cluster.",
            logs: "@otel.event_name:k8s.job.finished @k8s.job.outcome:Failed",
            recovered: "A run succeeded.",
            alert: "CronJobFailsRepeatedly",
            priority: 2,
            silent_after: None,
        },
        Monitor {
            file: "cronjob-without-success",
            title: format!("CronJob without success: {CRONJOB_NAME}"),
            kind: METRIC,
            // Eight days: every schedule that is due at least weekly. Datadog has no interval to multiply.
            query: format!("min(last_10m):max:k8s.cronjob.last_success.age{{*}} by {{{CRONJOB}}} > 691200"),
            threshold: 691_200.0,
            happened: format!(
                "No run of {CRONJOB_NAME} in {{{{kube_cluster_name.name}}}} has succeeded for {{{{value}}}} seconds."
            ),
            steps: "look for failed and missed runs in the logs; without either, a run does not end, or the CronJob is suspended.",
            logs: "@otel.event_name:(k8s.job.finished OR k8s.cronjob.missed OR k8s.job.stalled)",
            recovered: "A run succeeded.",
            alert: "CronJobWithoutSuccess",
            priority: 2,
            silent_after: None,
        },
    ]
}

fn collector() -> [Monitor; 3] {
    [
        Monitor {
            file: "collector-silent",
            title: "Collector silent in {{kube_cluster_name.name}}".to_owned(),
            kind: METRIC,
            // Each CronJob has this gauge at all times. The condition never holds: the monitor is about missing data.
            query: "max(last_5m):max:k8s.cronjob.suspended{*} by {kube_cluster_name} < 0".to_owned(),
            threshold: 0.0,
            happened: String::new(),
            steps: "check the Pod of the collector, then its path /readyz and its log.",
            logs: "service:kube-job-collector",
            recovered: "The collector sends again.",
            alert: "JobCollectorDown",
            priority: 1,
            silent_after: Some(15),
        },
        Monitor {
            file: "collector-watch-silent",
            title: "Collector receives nothing from the watch of {{resource.name}}".to_owned(),
            kind: METRIC,
            query: "min(last_5m):max:otelcol_k8s_job_watch_silence_seconds{*} by {receiver,resource} > 240".to_owned(),
            threshold: 240.0,
            happened:
                "The watch of {{resource.name}} has been silent for {{value}} seconds. Failed Jobs are not reported \
                       meanwhile."
                    .to_owned(),
            steps: "read the log of the collector and its path /readyz: both have the error of the API server or the connection.",
            logs: "service:kube-job-collector",
            recovered: "The watch receives data again.",
            alert: "JobCollectorWatchSilent",
            priority: 1,
            silent_after: Some(15),
        },
        Monitor {
            file: "collector-events-lost",
            title: "Collector lost the event of a finished Job ({{reason.name}})".to_owned(),
            kind: METRIC,
            query: "sum(last_15m):sum:otelcol_k8s_job_lost{*} by {reason}.as_count() > 0".to_owned(),
            threshold: 0.0,
            happened: "{{value}} events of finished Jobs are never delivered. Reason: {{reason.name}}.".to_owned(),
            steps: "for refused and given_up, the log of the collector names the Jobs; for gap, find out why the API server was \
                    unavailable.",
            logs: "service:kube-job-collector",
            recovered: "No further event was lost within 15 minutes.",
            alert: "JobCollectorEventsLost",
            priority: 2,
            silent_after: None,
        },
    ]
}
