//! Alert and recording rules for Prometheus.

use std::fmt::Write as _;

/// The labels of an owner of Jobs.
const OWNER: &str =
    "k8s_cluster_name, k8s_namespace_name, k8s_cronjob_name, kube_ownerref_kind, kube_ownerref_name, k8s_job_name";
/// The labels of a CronJob.
const CRONJOB: &str = "k8s_cluster_name, k8s_namespace_name, k8s_cronjob_name";
/// The name of an owner in an annotation. The overflow of a metric has none.
const OWNER_NAME: &str = "{{ $labels.k8s_namespace_name }}/{{ or $labels.k8s_cronjob_name $labels.kube_ownerref_name \
                          $labels.k8s_job_name \"(several owners)\" }}";
const CRONJOB_NAME: &str = "{{ $labels.k8s_namespace_name }}/{{ or $labels.k8s_cronjob_name \"(several CronJobs)\" }}";

/// An alert.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The name, which is also its heading in `docs/alerts.md`.
    pub name: &'static str,
    /// The reason for the form of the expression, if it is not obvious.
    comment: &'static str,
    /// The condition.
    pub expr: String,
    /// How long the condition holds before the alert fires; empty: at once.
    wait: &'static str,
    severity: &'static str,
    summary: String,
    description: String,
}

/// A recorded series.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The name.
    pub name: &'static str,
    comment: &'static str,
    /// The value.
    pub expr: String,
}

/// The increase of a count within 15 minutes. A count that begins above 0 has no increase, so its value counts.
fn grown(metric: &str) -> String {
    format!("increase({metric}[15m]) > 0 or ({metric} > 0 unless {metric} offset 15m)")
}

/// A condition on metrics that the OpenTelemetry Collector has as well, for this collector only.
fn of_this_collector(condition: &str) -> String {
    format!("{condition} and on (job, instance) otelcol_k8s_job_watch_silence_seconds")
}

/// The recording rules.
pub fn recordings() -> Vec<Recording> {
    // The overflow has no schedule.
    let next = "k8s_cronjob_next_schedule_time_seconds{otel_metric_overflow=\"\"}";
    vec![
        Recording {
            name: "cronjob:k8s_cronjob_interval:seconds",
            comment: "The interval of each CronJob: the step of its next slot, remembered until the next step, and for an hour \
                      while rules are not evaluated.",
            expr: format!(
                "max by ({CRONJOB}) ({next} - {next} offset 5m) > 0 or last_over_time(cronjob:k8s_cronjob_interval:seconds[1h])"
            ),
        },
        Recording {
            name: "namespace:k8s_job_failures:increase1h",
            comment: "Failed Jobs of each namespace in the last hour, by cause.",
            expr:
                "sum by (k8s_cluster_name, k8s_namespace_name, cause, category) (increase(k8s_job_failures_total[1h]))"
                    .to_owned(),
        },
    ]
}

/// The alerts about Jobs and CronJobs.
pub fn job_alerts() -> Vec<Alert> {
    let cronjob = format!("on ({CRONJOB})");
    vec![
        Alert {
            name: "JobFailed",
            comment: "A new count is served as 0 first, so the first failure of an owner is an increase: docs/alerts.md.",
            expr: format!(
                "sum by ({OWNER}, deployment_environment_name, otel_metric_overflow, reason, cause, category) \
                 (increase(k8s_job_failures_total[15m])) > 0"
            ),
            wait: "",
            severity: "warning",
            summary: format!("A Job of {OWNER_NAME} failed: {{{{ $labels.cause }}}}"),
            description:
                "Reason {{ $labels.reason }}, cause {{ $labels.cause }} ({{ $labels.category }}), in the last 15 \
                          minutes. The event k8s.job.finished has the sentence, the attempts and the next step."
                    .to_owned(),
        },
        Alert {
            name: "JobStalled",
            comment: "The collector has already waited for `stalled::after`.",
            expr: format!("max by ({OWNER}, otel_metric_overflow, cause) (k8s_job_stalled) > 0"),
            wait: "",
            severity: "warning",
            summary: format!("A Job of {OWNER_NAME} makes no progress: {{{{ $labels.cause }}}}"),
            description: "Cause {{ $labels.cause }}, unfinished Jobs with it: {{ $value }}. The event k8s.job.stalled \
                          has the sentence and the next step."
                .to_owned(),
        },
        Alert {
            name: "CronJobRunMissed",
            comment: "",
            expr: format!("sum by ({CRONJOB}, reason) (increase(k8s_cronjob_missed_runs_total[15m])) > 0"),
            wait: "",
            severity: "warning",
            summary: format!("A run of CronJob {CRONJOB_NAME} did not start: {{{{ $labels.reason }}}}"),
            description:
                "Reason {{ $labels.reason }}. The event k8s.cronjob.missed has the slots and the message of the \
                          controller."
                    .to_owned(),
        },
        Alert {
            name: "CronJobFailsRepeatedly",
            comment: "",
            expr: format!("max by ({CRONJOB}) (k8s_cronjob_consecutive_failures) >= 3"),
            wait: "",
            severity: "warning",
            summary: format!("The last {{{{ $value }}}} runs of CronJob {CRONJOB_NAME} failed"),
            description: "No run succeeded in between. The events k8s.job.finished of these runs have the causes."
                .to_owned(),
        },
        Alert {
            name: "CronJobWithoutSuccess",
            comment: "Three intervals of the schedule. A run that takes less than an hour longer than usual is silent.",
            expr: format!(
                "max by ({CRONJOB}) (k8s_cronjob_last_success_age_seconds) > {cronjob} \
                 3 * cronjob:k8s_cronjob_interval:seconds unless {cronjob} k8s_cronjob_suspended == 1"
            ),
            wait: "1h",
            severity: "warning",
            summary: format!("No run of CronJob {CRONJOB_NAME} has succeeded for {{{{ $value | humanizeDuration }}}}"),
            description: "That is more than three intervals of its schedule. Runs fail, do not start, or do not end."
                .to_owned(),
        },
    ]
}

/// The alerts about the collector.
pub fn collector_alerts() -> Vec<Alert> {
    let mut alerts = own_alerts();
    alerts.extend(shared_alerts());
    alerts
}

fn own_alerts() -> Vec<Alert> {
    vec![
        Alert {
            name: "JobCollectorDown",
            comment: "",
            expr: "absent(otelcol_k8s_job_watch_silence_seconds)".to_owned(),
            wait: "5m",
            severity: "critical",
            summary: "No kube-job-collector reports its own metrics".to_owned(),
            description:
                "While the collector is down, no failed Job, stalled Job or missed run is reported. With a storage, \
                          Jobs that fail meanwhile are reported after its start."
                    .to_owned(),
        },
        Alert {
            name: "JobCollectorWatchSilent",
            comment: "",
            expr: "max by (job, instance, resource) (otelcol_k8s_job_watch_silence_seconds) > 240".to_owned(),
            wait: "5m",
            severity: "critical",
            summary: "{{ $labels.instance }} receives nothing from the watch of {{ $labels.resource }}".to_owned(),
            description:
                "The watch has been silent for {{ $value | humanizeDuration }}. The path /readyz of the collector and \
                          its log have the error."
                    .to_owned(),
        },
        Alert {
            name: "JobCollectorEventsLost",
            comment: "",
            expr: grown("otelcol_k8s_job_lost_total"),
            wait: "",
            severity: "critical",
            summary: "{{ $labels.instance }} lost the event of a finished Job: {{ $labels.reason }}".to_owned(),
            description:
                "The event is never delivered. For reason refused or given_up, the log of the collector names the Job."
                    .to_owned(),
        },
        Alert {
            name: "JobCollectorNoticesLost",
            comment: "",
            expr: grown("otelcol_k8s_job_notices_lost_total"),
            wait: "",
            severity: "warning",
            summary: "{{ $labels.instance }} lost an event {{ $labels.event }}: {{ $labels.reason }}".to_owned(),
            description:
                "The event of a stalled Job, a recovery or a missed run is never delivered. The log of the collector \
                          names the Job or CronJob."
                    .to_owned(),
        },
    ]
}

/// Those on metrics that the OpenTelemetry Collector has as well.
fn shared_alerts() -> Vec<Alert> {
    vec![
        Alert {
            name: "JobCollectorPointsDropped",
            comment: "",
            expr: of_this_collector("increase(otelcol_exporter_send_failed_metric_points_total[15m]) > 0"),
            wait: "",
            severity: "warning",
            summary: "{{ $labels.instance }} dropped metric points of {{ $labels.exporter }}: {{ $labels.error_type }}"
                .to_owned(),
            description: "Counts of that backend are too low. The log of the collector has the message of the backend."
                .to_owned(),
        },
        Alert {
            name: "JobCollectorQueueFull",
            comment: "",
            expr: of_this_collector("otelcol_exporter_queue_size > 0.8 * otelcol_exporter_queue_capacity"),
            wait: "5m",
            severity: "warning",
            summary:
                "The {{ $labels.data_type }} queue of {{ $labels.exporter }} on {{ $labels.instance }} is almost full"
                    .to_owned(),
            description:
                "The backend accepts less than the collector emits. The path /readyz has the error of the exporter."
                    .to_owned(),
        },
        Alert {
            name: "JobCollectorReloadFailed",
            comment: "",
            expr: of_this_collector("otelcol_config_last_reload_successful == 0"),
            wait: "5m",
            severity: "warning",
            summary: "{{ $labels.instance }} could not apply a changed configuration".to_owned(),
            description:
                "The previous configuration continues to run. The log of the collector has each error with its \
                          position; the command validate shows them as well."
                    .to_owned(),
        },
    ]
}

/// `deploy/prometheus/rules.yaml`.
pub fn rules(repository: &str) -> String {
    let mut text = String::from(
        "# Rules for Prometheus: failed and stalled Jobs, CronJobs whose runs fail or do not start, and the collector itself.\n\
         # docs/alerts.md explains each alert. Generated by deploy/generate; rules_test.yaml has the unit tests.\n\
         # Check with: promtool check rules rules.yaml && promtool test rules rules_test.yaml\n\
         groups:\n",
    );
    text += "  - name: kube-job-collector-recording\n    rules:\n";
    for recording in recordings() {
        item(&mut text, recording.comment, "record", recording.name, &recording.expr);
    }
    for (group, alerts) in [
        ("kube-job-collector", job_alerts()),
        ("kube-job-collector-self", collector_alerts()),
    ] {
        let _ = writeln!(text, "  - name: {group}\n    rules:");
        for alert in alerts {
            item(&mut text, alert.comment, "alert", alert.name, &alert.expr);
            if !alert.wait.is_empty() {
                let _ = writeln!(text, "        for: {}", alert.wait);
            }
            let runbook = format!("{repository}/blob/main/docs/alerts.md#{}", alert.name.to_lowercase());
            let _ = writeln!(text, "        labels:\n          severity: {}", alert.severity);
            text += "        annotations:\n";
            folded(&mut text, 10, "summary", &alert.summary);
            folded(&mut text, 10, "description", &alert.description);
            let _ = writeln!(text, "          runbook_url: {runbook}");
        }
    }
    text
}

/// The first lines of a rule.
fn item(text: &mut String, comment: &str, kind: &str, name: &str, expr: &str) {
    let _ = writeln!(text, "      - {kind}: {name}");
    for line in wrapped(comment, 100) {
        let _ = writeln!(text, "        # {line}");
    }
    folded(text, 8, "expr", expr);
}

/// A key with a folded text.
fn folded(text: &mut String, indent: usize, key: &str, value: &str) {
    let _ = writeln!(text, "{:indent$}{key}: >-", "");
    for line in wrapped(value, 110) {
        let _ = writeln!(text, "{:indent$}  {line}", "");
    }
}

/// The words of a text in lines of at most `width` characters, if words allow it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
