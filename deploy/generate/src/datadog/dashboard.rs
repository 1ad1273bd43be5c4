//! The dashboard, for `POST /api/v1/dashboard`.

use serde_json::{Value, json};

use super::widget::{Widget, WidgetForm, events, group, heatmap, note, number, over_time, placed, share, top};

/// The variables of the dashboard; all of them are in the scope of each query about Jobs.
const VARIABLES: [(&str, &str); 5] = [
    ("cluster", "kube_cluster_name"),
    ("namespace", "kube_namespace"),
    ("cronjob", "kube_cronjob"),
    ("env", "env"),
    ("service", "service"),
];
const SCOPE: &str = "$cluster,$namespace,$cronjob,$env,$service";
const OWNER: &str = "kube_namespace,kube_cronjob,kube_ownerref_name,kube_job";

/// The dashboard.
pub fn dashboard() -> Value {
    let variables =
        VARIABLES.map(|(name, tag)| json!({"name": name, "prefix": tag, "available_values": [], "defaults": ["*"]}));
    let groups = vec![
        group("Now", "vivid_blue", now()),
        group("Failures", "vivid_pink", failures()),
        group("Stalled Jobs and missed runs", "vivid_orange", stalls_and_misses()),
        group("CronJobs", "vivid_purple", cronjobs()),
        group("Durations and Pods", "vivid_green", durations()),
        group("Events", "gray", all_events()),
        group("The collector", "white", collector()),
    ];
    json!({
        "title": "Kubernetes Jobs",
        "description": "Failed and stalled Jobs, CronJobs whose runs fail or do not start, and their causes. From kube-job-collector.",
        "layout_type": "ordered",
        "reflow_type": "fixed",
        "template_variables": variables,
        "widgets": placed(groups).0,
    })
}

fn count(metric: &str, by: &str) -> String {
    let by = grouping(by);
    format!("sum:{metric}{{{SCOPE}}}{by}.as_count()")
}

fn gauge(aggregation: &str, metric: &str, by: &str) -> String {
    format!("{aggregation}:{metric}{{{SCOPE}}}{}", grouping(by))
}

fn grouping(by: &str) -> String {
    match by {
        "" => String::new(),
        by => format!(" by {{{by}}}"),
    }
}

fn now() -> Vec<Widget> {
    vec![
        number("Failed Jobs", &count("k8s.job.failures", ""), "sum"),
        share(
            "Share of failed Jobs",
            &count("k8s.job.failures", ""),
            &count("k8s.job.completions", ""),
        ),
        number("Stalled Jobs", &gauge("sum", "k8s.job.stalled", ""), "last"),
        number("Missed runs", &count("k8s.cronjob.missed_runs", ""), "sum"),
    ]
}

fn failures() -> Vec<Widget> {
    let of = |by: &str| count("k8s.job.failures", by);
    vec![
        over_time("Failed Jobs by cause", 6, WidgetForm::Bars, &[(&of("cause"), "")]),
        top(
            "Failed Jobs by owner and cause",
            6,
            &of(&format!("{OWNER},cause")),
            "sum",
        ),
        over_time("Failed Jobs by category", 4, WidgetForm::Bars, &[(&of("category"), "")]),
        over_time("Failed Jobs by reason", 4, WidgetForm::Bars, &[(&of("reason"), "")]),
        over_time(
            "Failed attempts by cause",
            4,
            WidgetForm::Bars,
            &[(&count("k8s.job.attempt.failures", "cause"), "")],
        ),
    ]
}

fn stalls_and_misses() -> Vec<Widget> {
    let missed = |by: &str| count("k8s.cronjob.missed_runs", by);
    let stalled = |by: &str| gauge("sum", "k8s.job.stalled", by);
    vec![
        over_time(
            "Stalled Jobs by cause",
            6,
            WidgetForm::Lines,
            &[(&stalled("cause"), "")],
        ),
        top(
            "Stalled Jobs by owner and cause",
            6,
            &stalled(&format!("{OWNER},cause")),
            "last",
        ),
        over_time("Missed runs by reason", 6, WidgetForm::Bars, &[(&missed("reason"), "")]),
        top(
            "Missed runs by CronJob and reason",
            6,
            &missed("kube_namespace,kube_cronjob,reason"),
            "sum",
        ),
    ]
}

fn cronjobs() -> Vec<Widget> {
    let of = |metric: &str| gauge("max", metric, "kube_namespace,kube_cronjob");
    vec![
        top(
            "Failed runs in a row",
            6,
            &of("k8s.cronjob.consecutive_failures"),
            "last",
        ),
        top(
            "Time since the last success (s)",
            6,
            &of("k8s.cronjob.last_success.age"),
            "last",
        ),
    ]
}

fn durations() -> Vec<Widget> {
    let pods = |metric: &str| gauge("sum", metric, "");
    vec![
        heatmap(
            "Durations of finished Jobs (s)",
            4,
            &gauge("histogram", "k8s.job.duration", ""),
        ),
        over_time(
            "Duration by outcome (s)",
            4,
            WidgetForm::Lines,
            &[
                (&gauge("avg", "k8s.job.duration", "outcome"), "average"),
                (&gauge("max", "k8s.job.duration", "outcome"), "longest"),
            ],
        ),
        over_time(
            "Pods of unfinished Jobs",
            4,
            WidgetForm::Lines,
            &[
                (&pods("k8s.job.pod.active"), "active"),
                (&pods("k8s.job.pod.failed"), "failed"),
                (&pods("k8s.job.pod.successful"), "successful"),
            ],
        ),
    ]
}

fn all_events() -> Vec<Widget> {
    let variables = "$cluster $namespace $cronjob $env $service";
    vec![
        events(
            "Failed Jobs",
            &format!("@otel.event_name:k8s.job.finished @k8s.job.outcome:Failed {variables}"),
        ),
        events(
            "Stalled Jobs, recoveries and missed runs",
            &format!("@otel.event_name:(k8s.job.stalled OR k8s.job.recovered OR k8s.cronjob.missed) {variables}"),
        ),
    ]
}

fn collector() -> Vec<Widget> {
    vec![
        note(concat!(
            "These need the collector's own metrics over OTLP: [how to send them](",
            env!("CARGO_PKG_REPOSITORY"),
            "/blob/main/docs/datadog.md#the-collectors-own-metrics)."
        )),
        over_time(
            "Silence of watches (s)",
            4,
            WidgetForm::Lines,
            &[("max:otelcol_k8s_job_watch_silence_seconds{*} by {resource}", "")],
        ),
        over_time(
            "Events in flight",
            4,
            WidgetForm::Lines,
            &[
                ("sum:otelcol_k8s_job_pending{*}", "pending"),
                ("sum:otelcol_k8s_job_unacknowledged{*}", "unacknowledged"),
            ],
        ),
        over_time(
            "Lost events",
            4,
            WidgetForm::Bars,
            &[
                ("sum:otelcol_k8s_job_lost{*} by {reason}.as_count()", "finished Jobs"),
                (
                    "sum:otelcol_k8s_job_notices_lost{*} by {reason}.as_count()",
                    "stalled, recovered, missed",
                ),
            ],
        ),
    ]
}
