//! The panels of the dashboard.

use serde_json::Value;

use super::panel::{PanelForm, Size, heatmap, over_time, query, row, stat, table};

/// The labels that the variables select. An owner has one of the three names, and the overflow of a metric has none: `$owner|`
/// matches an absent label, too, and the value of the overflow only while all owners are selected.
const SELECT: &str = "k8s_cluster_name=~\"$cluster\", k8s_namespace_name=~\"$namespace\", k8s_cronjob_name=~\"$owner|\", \
                      kube_ownerref_name=~\"$owner|\", k8s_job_name=~\"$owner|\", otel_metric_overflow=~\"$owner|\"";
const CRONJOB: &str = "k8s_cluster_name, k8s_namespace_name, k8s_cronjob_name";
const OWNER: &str = "k8s_cluster_name, k8s_namespace_name, k8s_cronjob_name, kube_ownerref_name, k8s_job_name";

/// A metric of the selected owners.
fn of(metric: &str) -> String {
    format!("{metric}{{{SELECT}}}")
}

/// The increase of a count in the selected time.
fn counted(metric: &str) -> String {
    format!("increase({}[$__range])", of(metric))
}

/// The increase of a count between two points of a graph.
fn counted_between(metric: &str) -> String {
    format!("increase({}[$__rate_interval])", of(metric))
}

/// The sum by owner, whatever its kind, and by further labels.
fn by_owner(labels: &str, expr: &str) -> String {
    format!(
        "sum by (k8s_cluster_name, k8s_namespace_name, owner, {labels}) (label_join({expr}, \"owner\", \"\", \
         \"k8s_cronjob_name\", \"kube_ownerref_name\", \"k8s_job_name\"))"
    )
}

/// The largest value of a gauge of CronJobs.
fn of_cronjobs(metric: &str) -> String {
    format!("max by ({CRONJOB}) ({})", of(metric))
}

fn stalled() -> String {
    format!("max by ({OWNER}, cause) ({})", of("k8s_job_stalled"))
}

/// All panels, in order.
pub(super) fn panels() -> Vec<(Size, Value)> {
    let mut panels = vec![row("Now")];
    panels.extend(now());
    panels.push(row("Failing now"));
    panels.extend(failing());
    panels.push(row("Failures"));
    panels.extend(failures());
    panels.push(row("Stalled Jobs and missed runs"));
    panels.extend(stalls_and_misses());
    panels.push(row("CronJobs"));
    panels.extend(cronjobs());
    panels.push(row("Durations and Pods"));
    panels.extend(durations());
    panels.push(row("The collector"));
    panels.extend(collector());
    panels
}

fn now() -> Vec<(Size, Value)> {
    let failures = format!("sum({})", counted("k8s_job_failures_total"));
    let completions = format!("(sum({}) or vector(0))", counted("k8s_job_completions_total"));
    let failing = format!(
        "count({} > 0) or vector(0)",
        of_cronjobs("k8s_cronjob_consecutive_failures")
    );
    let missed = format!("round(sum({})) or vector(0)", counted("k8s_cronjob_missed_runs_total"));
    vec![
        stat(
            "Failed Jobs",
            "Jobs that failed in the selected time.",
            "short",
            1.0,
            format!("round({failures}) or vector(0)"),
        ),
        stat(
            "Share of failed Jobs",
            "Failed Jobs among those that failed or completed in the selected time.",
            "percentunit",
            0.05,
            format!("{failures} / ({failures} + {completions} > 0) or vector(0)"),
        ),
        stat(
            "Failing CronJobs",
            "CronJobs whose latest finished run failed.",
            "short",
            1.0,
            failing,
        ),
        stat(
            "Stalled Jobs",
            "Unfinished Jobs that make no progress.",
            "short",
            1.0,
            format!("sum({}) or vector(0)", stalled()),
        ),
        stat(
            "Missed runs",
            "Runs of CronJobs that did not start in the selected time.",
            "short",
            1.0,
            missed,
        ),
        stat(
            "Fullest queue",
            "The fullest sending queue of the collector. Needs its own metrics.",
            "percentunit",
            0.8,
            format!("max({QUEUE_USE}) or vector(0)"),
        ),
    ]
}

fn failing() -> Vec<(Size, Value)> {
    let failing = format!("{} > 0", of_cronjobs("k8s_cronjob_consecutive_failures"));
    let age = format!(
        "{} and on ({CRONJOB}) {} > 0",
        of_cronjobs("k8s_cronjob_last_success_age_seconds"),
        of("k8s_cronjob_consecutive_failures")
    );
    vec![
        table(
            "CronJobs whose latest run failed",
            "Until the next run that succeeds. An unknown time since the last success is empty.",
            12,
            &[
                ("k8s_cluster_name", "Cluster", None),
                ("k8s_namespace_name", "Namespace", None),
                ("k8s_cronjob_name", "CronJob", None),
                ("Value #A", "Failed runs in a row", Some("short")),
                ("Value #B", "Since the last success", Some("dtdurations")),
            ],
            &[query(failing, ""), query(age, "")],
        ),
        table(
            "Failed Jobs by owner and cause",
            "In the selected time. The event of each Job has the sentence and the next step.",
            12,
            &[
                ("k8s_cluster_name", "Cluster", None),
                ("k8s_namespace_name", "Namespace", None),
                ("owner", "Owner", None),
                ("cause", "Cause", None),
                ("reason", "Reason", None),
                ("Value #A", "Failed Jobs", Some("short")),
            ],
            &[query(
                format!(
                    "round({}) > 0",
                    by_owner("cause, reason", &counted("k8s_job_failures_total"))
                ),
                "",
            )],
        ),
    ]
}

fn failures() -> Vec<(Size, Value)> {
    let by = |label: &str, metric: &str| format!("sum by ({label}) ({})", counted_between(metric));
    vec![
        over_time(
            "Failed Jobs by cause",
            "",
            "short",
            PanelForm::Bars,
            8,
            &[query(by("cause", "k8s_job_failures_total"), "{{cause}}")],
        ),
        over_time(
            "Failed Jobs by category",
            "Application and configuration are for the owner of the Job, infrastructure for the owner of the cluster.",
            "short",
            PanelForm::Bars,
            8,
            &[query(by("category", "k8s_job_failures_total"), "{{category}}")],
        ),
        over_time(
            "Failed attempts by cause",
            "Includes attempts of Jobs that later completed.",
            "short",
            PanelForm::Bars,
            8,
            &[query(by("cause", "k8s_job_attempt_failures_total"), "{{cause}}")],
        ),
    ]
}

fn stalls_and_misses() -> Vec<(Size, Value)> {
    let missed = counted_between("k8s_cronjob_missed_runs_total");
    vec![
        table(
            "Stalled Jobs by owner and cause",
            "Unfinished Jobs that make no progress now.",
            10,
            &[
                ("k8s_cluster_name", "Cluster", None),
                ("k8s_namespace_name", "Namespace", None),
                ("owner", "Owner", None),
                ("cause", "Cause", None),
                ("Value #A", "Stalled Jobs", Some("short")),
            ],
            &[query(format!("{} > 0", by_owner("cause", &stalled())), "")],
        ),
        over_time(
            "Stalled Jobs by cause",
            "",
            "short",
            PanelForm::Lines,
            7,
            &[query(format!("sum by (cause) ({})", stalled()), "{{cause}}")],
        ),
        over_time(
            "Missed runs by reason",
            "Runs of CronJobs that did not start.",
            "short",
            PanelForm::Bars,
            7,
            &[query(format!("sum by (reason) ({missed})"), "{{reason}}")],
        ),
    ]
}

fn cronjobs() -> Vec<(Size, Value)> {
    let next = format!("1000 * {}", of_cronjobs("k8s_cronjob_next_schedule_time_seconds"));
    let age = of_cronjobs("k8s_cronjob_last_success_age_seconds");
    vec![
        table(
            "All CronJobs",
            "A CronJob without a known successful run has no time since it; a suspended one has no next run.",
            14,
            &[
                ("k8s_cluster_name", "Cluster", None),
                ("k8s_namespace_name", "Namespace", None),
                ("k8s_cronjob_name", "CronJob", None),
                ("Value #A", "Since the last success", Some("dtdurations")),
                ("Value #B", "Failed runs in a row", Some("short")),
                ("Value #C", "Next run", Some("dateTimeFromNow")),
                ("Value #D", "Suspended", Some("bool_yes_no")),
            ],
            &[
                query(age.clone(), ""),
                query(of_cronjobs("k8s_cronjob_consecutive_failures"), ""),
                query(next, ""),
                query(of_cronjobs("k8s_cronjob_suspended"), ""),
            ],
        ),
        over_time(
            "Time since the last success: the longest 10",
            "",
            "s",
            PanelForm::Lines,
            10,
            &[query(
                format!("topk(10, {age})"),
                "{{k8s_namespace_name}}/{{k8s_cronjob_name}}",
            )],
        ),
    ]
}

fn durations() -> Vec<(Size, Value)> {
    let buckets = counted_between("k8s_job_duration_seconds_bucket");
    // Prometheus stores the exponential histogram of OTLP as a native one, which has no buckets of its own.
    let native = counted_between("k8s_job_duration_seconds");
    let quantile = |q: f64| {
        format!(
            "histogram_quantile({q}, sum by (le, outcome) ({buckets})) or \
             histogram_quantile({q}, sum by (outcome) ({native}))"
        )
    };
    vec![
        heatmap(
            "Durations of finished Jobs",
            "From start to decision, failed Jobs included.",
            "s",
            8,
            format!("sum by (le) ({buckets}) or sum({native})"),
        ),
        over_time(
            "Duration: median and 95th percentile",
            "By outcome. The bounds of buckets are powers of two.",
            "s",
            PanelForm::Lines,
            8,
            &[
                query(quantile(0.5), "median {{outcome}}"),
                query(quantile(0.95), "p95 {{outcome}}"),
            ],
        ),
        over_time(
            "Pods of unfinished Jobs",
            "",
            "short",
            PanelForm::Lines,
            8,
            &[
                query(format!("sum({})", of("k8s_job_pod_active")), "active"),
                query(format!("sum({})", of("k8s_job_pod_failed")), "failed"),
                query(format!("sum({})", of("k8s_job_pod_successful")), "successful"),
            ],
        ),
    ]
}

/// The used part of each queue. The OpenTelemetry Collector has these metrics as well.
const QUEUE_USE: &str = "otelcol_exporter_queue_size / otelcol_exporter_queue_capacity and on (job, instance) \
                         otelcol_k8s_job_watch_silence_seconds";

fn collector() -> Vec<(Size, Value)> {
    let lost = |metric: &str| format!("sum by (reason) (increase({metric}[$__rate_interval]))");
    let dropped = "sum by (exporter, error_type) (increase(otelcol_exporter_send_failed_log_records_total[$__rate_interval]) and on \
                   (job, instance) otelcol_k8s_job_watch_silence_seconds)";
    vec![
        over_time(
            "Silence of watches",
            "The time since each watch received data. Above 240 s the collector is not ready.",
            "s",
            PanelForm::Lines,
            6,
            &[query(
                "max by (resource) (otelcol_k8s_job_watch_silence_seconds)",
                "{{resource}}",
            )],
        ),
        over_time(
            "Events in flight",
            "Pending: the pipeline has not accepted them. Unacknowledged: no backend has acknowledged them.",
            "short",
            PanelForm::Lines,
            6,
            &[
                query("sum(otelcol_k8s_job_pending)", "pending"),
                query("sum(otelcol_k8s_job_unacknowledged)", "unacknowledged"),
            ],
        ),
        over_time(
            "Used part of queues",
            "",
            "percentunit",
            PanelForm::Lines,
            6,
            &[query(
                format!("max by (exporter, data_type) ({QUEUE_USE})"),
                "{{exporter}} {{data_type}}",
            )],
        ),
        over_time(
            "Lost and dropped events",
            "None in normal operation.",
            "short",
            PanelForm::Bars,
            6,
            &[
                query(lost("otelcol_k8s_job_lost_total"), "finished: {{reason}}"),
                query(
                    lost("otelcol_k8s_job_notices_lost_total"),
                    "stalled, recovered, missed: {{reason}}",
                ),
                query(dropped, "dropped by {{exporter}}: {{error_type}}"),
            ],
        ),
    ]
}
