//! The table of metrics. `tests/end_to_end/backends/metrics.rs` compares it with the metrics that the binary emits, and
//! `deploy/generate/tests/main/documents.rs` with the pages.

use job_event::attributes as attr;

/// How points of a metric add up over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A monotonic sum: delta in OTLP, a count in Datadog, a counter in Prometheus.
    Sum,
    /// A state: a gauge everywhere.
    Gauge,
    /// An exponential histogram in OTLP, a distribution in Datadog, a histogram in Prometheus.
    Histogram,
}

/// The part of the collector that emits a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricSource {
    /// `job_metrics`, from events.
    Events,
    /// `k8s_job`, for each owner that has unfinished Jobs.
    Jobs,
    /// `k8s_job`, for each CronJob.
    CronJobs,
    /// The collector, about itself: `service::telemetry::metrics`.
    Collector,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name in OTLP and Datadog.
    pub name: &'static str,
    /// How points add up.
    pub kind: MetricKind,
    /// The unit in OTLP, as in UCUM; empty if the metric has none.
    pub unit: &'static str,
    /// The attributes of points. Each may be absent, such as `reason` of a completed Job.
    pub attributes: &'static [&'static str],
    /// The name in Prometheus; of a histogram without `_bucket`, `_sum` and `_count`.
    pub prometheus: &'static str,
    /// The emitting part.
    pub source: MetricSource,
    /// The meaning, a phrase that continues "the metric is …".
    pub meaning: &'static str,
}

/// An attribute of the resources of owners, and its names elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct ResourceAttribute {
    /// The name in OTLP.
    pub name: &'static str,
    /// The tag in Datadog.
    pub tag: &'static str,
    /// The label in Prometheus.
    pub label: &'static str,
}

const fn resource(name: &'static str, tag: &'static str, label: &'static str) -> ResourceAttribute {
    ResourceAttribute { name, tag, label }
}

/// The attributes of the resources of [`MetricSource::Events`], [`MetricSource::Jobs`] and [`MetricSource::CronJobs`]. Each may be absent.
pub const RESOURCE: [ResourceAttribute; 9] = [
    resource(attr::CLUSTER_NAME, "kube_cluster_name", "k8s_cluster_name"),
    resource(attr::NAMESPACE_NAME, "kube_namespace", "k8s_namespace_name"),
    resource(attr::CRONJOB_NAME, "kube_cronjob", "k8s_cronjob_name"),
    resource(attr::OWNERREF_KIND, "kube_ownerref_kind", "kube_ownerref_kind"),
    resource(attr::OWNERREF_NAME, "kube_ownerref_name", "kube_ownerref_name"),
    resource(attr::JOB_NAME, "kube_job", "k8s_job_name"),
    resource(attr::DEPLOYMENT_ENVIRONMENT, "env", "deployment_environment_name"),
    resource(attr::SERVICE_NAME, "service", "service_name"),
    resource(attr::SERVICE_VERSION, "version", "service_version"),
];

/// The attribute of the overflow of a metric, which has no other: `docs/events.md`.
pub const OVERFLOW: &str = "otel.metric.overflow";

/// The table: metrics of Jobs and CronJobs, then those of the collector that dashboards, monitors or rules use.
pub const METRICS: [Metric; 29] = [
    Metric {
        name: attr::METRIC_FAILURES,
        kind: MetricKind::Sum,
        unit: "{job}",
        attributes: &[attr::POINT_REASON, attr::POINT_CAUSE, attr::POINT_CATEGORY],
        prometheus: "k8s_job_failures_total",
        source: MetricSource::Events,
        meaning: "Jobs that failed",
    },
    Metric {
        name: attr::METRIC_COMPLETIONS,
        kind: MetricKind::Sum,
        unit: "{job}",
        attributes: &[],
        prometheus: "k8s_job_completions_total",
        source: MetricSource::Events,
        meaning: "Jobs that completed",
    },
    Metric {
        name: attr::METRIC_ATTEMPT_FAILURES,
        kind: MetricKind::Sum,
        unit: "{attempt}",
        attributes: &[attr::POINT_CAUSE],
        prometheus: "k8s_job_attempt_failures_total",
        source: MetricSource::Events,
        meaning: "failed attempts, including those of Jobs that later completed",
    },
    Metric {
        name: attr::METRIC_DURATION,
        kind: MetricKind::Histogram,
        unit: "s",
        attributes: &[attr::POINT_OUTCOME, attr::POINT_REASON],
        prometheus: "k8s_job_duration_seconds",
        source: MetricSource::Events,
        meaning: "the time from the start of a Job to its decision",
    },
    Metric {
        name: attr::METRIC_MISSED_RUNS,
        kind: MetricKind::Sum,
        unit: "{run}",
        attributes: &[attr::POINT_REASON],
        prometheus: "k8s_cronjob_missed_runs_total",
        source: MetricSource::Events,
        meaning: "runs of CronJobs that did not start",
    },
    pods(
        attr::METRIC_POD_ACTIVE,
        "k8s_job_pod_active",
        "running and pending Pods of unfinished Jobs",
    ),
    pods(
        attr::METRIC_POD_FAILED,
        "k8s_job_pod_failed",
        "failed Pods of unfinished Jobs",
    ),
    pods(
        attr::METRIC_POD_SUCCESSFUL,
        "k8s_job_pod_successful",
        "successful Pods of unfinished Jobs",
    ),
    pods(
        attr::METRIC_POD_DESIRED_SUCCESSFUL,
        "k8s_job_pod_desired_successful",
        "successful Pods that unfinished Jobs need",
    ),
    pods(
        attr::METRIC_POD_MAX_PARALLEL,
        "k8s_job_pod_max_parallel",
        "Pods that unfinished Jobs may have at a time",
    ),
    Metric {
        name: attr::METRIC_STALLED,
        kind: MetricKind::Gauge,
        unit: "{job}",
        attributes: &[attr::POINT_CAUSE],
        prometheus: "k8s_job_stalled",
        source: MetricSource::Jobs,
        meaning: "Jobs that make no progress; 0 once after the last one",
    },
    cronjob(
        attr::METRIC_LAST_SUCCESS_AGE,
        "s",
        "k8s_cronjob_last_success_age_seconds",
        "the time since the last successful run, if one is known",
    ),
    cronjob(
        attr::METRIC_CONSECUTIVE_FAILURES,
        "{run}",
        "k8s_cronjob_consecutive_failures",
        "failed runs since the last successful one",
    ),
    cronjob(
        attr::METRIC_NEXT_SCHEDULE,
        "s",
        "k8s_cronjob_next_schedule_time_seconds",
        "the next slot, in seconds since 1970",
    ),
    cronjob(
        attr::METRIC_SUSPENDED,
        "{cronjob}",
        "k8s_cronjob_suspended",
        "1 if the CronJob is suspended, else 0",
    ),
    own(
        "otelcol_k8s_job_lost",
        MetricKind::Sum,
        "{job}",
        &["receiver", "reason"],
        "otelcol_k8s_job_lost_total",
        "finished Jobs whose event is never delivered",
    ),
    own(
        "otelcol_k8s_job_notices_lost",
        MetricKind::Sum,
        "{event}",
        &["receiver", "event", "reason"],
        "otelcol_k8s_job_notices_lost_total",
        "events of stalled Jobs, recoveries and missed runs that are never delivered",
    ),
    own(
        "otelcol_k8s_job_decided",
        MetricKind::Sum,
        "{job}",
        &["receiver", "outcome"],
        "otelcol_k8s_job_decided_total",
        "finished Jobs",
    ),
    own(
        "otelcol_k8s_job_delivered",
        MetricKind::Sum,
        "{job}",
        &["receiver"],
        "otelcol_k8s_job_delivered_total",
        "finished Jobs whose event every exporter has delivered or stored",
    ),
    own(
        "otelcol_k8s_job_pending",
        MetricKind::Gauge,
        "{event}",
        &["receiver"],
        "otelcol_k8s_job_pending",
        "events of finished Jobs that the pipeline has not accepted",
    ),
    own(
        "otelcol_k8s_job_unacknowledged",
        MetricKind::Gauge,
        "{event}",
        &["receiver"],
        "otelcol_k8s_job_unacknowledged",
        "events in flight that no backend has acknowledged",
    ),
    own(
        "otelcol_k8s_job_watch_silence_seconds",
        MetricKind::Gauge,
        "s",
        &["receiver", "resource"],
        "otelcol_k8s_job_watch_silence_seconds",
        "the time since a watch received data",
    ),
    own(
        "otelcol_k8s_job_watch_failures",
        MetricKind::Sum,
        "{failure}",
        &["receiver", "resource"],
        "otelcol_k8s_job_watch_failures_total",
        "failed lists and watches",
    ),
    own(
        "otelcol_exporter_queue_size",
        MetricKind::Gauge,
        "",
        &["exporter", "data_type"],
        "otelcol_exporter_queue_size",
        "the size of the sending queue, in the unit of `sending_queue::sizer`",
    ),
    own(
        "otelcol_exporter_queue_capacity",
        MetricKind::Gauge,
        "",
        &["exporter", "data_type"],
        "otelcol_exporter_queue_capacity",
        "the capacity of the sending queue, in the same unit",
    ),
    own(
        "otelcol_exporter_send_failed_log_records",
        MetricKind::Sum,
        "",
        &["exporter", "error.type"],
        "otelcol_exporter_send_failed_log_records_total",
        "events that an exporter dropped",
    ),
    own(
        "otelcol_exporter_send_failed_metric_points",
        MetricKind::Sum,
        "",
        &["exporter", "error.type"],
        "otelcol_exporter_send_failed_metric_points_total",
        "metric points that an exporter dropped",
    ),
    own(
        "otelcol_config_last_reload_successful",
        MetricKind::Gauge,
        "",
        &[],
        "otelcol_config_last_reload_successful",
        "1 if the last reload of the configuration succeeded, else 0",
    ),
    own(
        "otelcol_process_memory_rss",
        MetricKind::Gauge,
        "By",
        &[],
        "otelcol_process_memory_rss_bytes",
        "the physical memory of the process",
    ),
];

const fn pods(name: &'static str, prometheus: &'static str, meaning: &'static str) -> Metric {
    Metric {
        name,
        kind: MetricKind::Gauge,
        unit: "{pod}",
        attributes: &[],
        prometheus,
        source: MetricSource::Jobs,
        meaning,
    }
}

const fn cronjob(name: &'static str, unit: &'static str, prometheus: &'static str, meaning: &'static str) -> Metric {
    Metric {
        name,
        kind: MetricKind::Gauge,
        unit,
        attributes: &[],
        prometheus,
        source: MetricSource::CronJobs,
        meaning,
    }
}

const fn own(
    name: &'static str,
    kind: MetricKind,
    unit: &'static str,
    attributes: &'static [&'static str],
    prometheus: &'static str,
    meaning: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        unit,
        attributes,
        prometheus,
        source: MetricSource::Collector,
        meaning,
    }
}
