//! Components of the Collector that do not exist here, and what replaces each.

/// Section, names of the component (old and new), replacement.
pub(super) type Entry = (&'static str, &'static [&'static str], &'static str);

/// The replacement of a component, if it is a known one of the Collector.
pub(super) fn hint(section: &str, type_name: &str) -> Option<&'static str> {
    COMPONENTS
        .iter()
        .find(|(of, names, _)| *of == section && names.contains(&type_name))
        .map(|(_, _, hint)| *hint)
}

const COLLECTOR: &str = "this collector reports Kubernetes Jobs only; keep this receiver in an OpenTelemetry Collector \
     and remove it here";

const PROCESSOR: &str = "not available here yet: remove it here and from the pipelines; where the backend needs it, send \
     with `otlp_grpc` to an OpenTelemetry Collector that runs it";

const SAMPLING: &str = "remove it here and from the pipelines: there is one event for each Job, too few to sample or \
     deduplicate";

const VIA_COLLECTOR: &str = "use `otlp_grpc` or `otlp_http` to an OpenTelemetry Collector that has this exporter";

/// Every known component. Types that exist here, even as an alias, are not looked up.
pub(super) const COMPONENTS: &[Entry] = &[
    (
        "receivers",
        &["k8s_cluster", "k8sobjects", "k8s_objects", "k8s_events", "k8sevents"],
        "use `k8s_job`: it watches Jobs, CronJobs, their Pods and Events",
    ),
    (
        "receivers",
        &[
            "kubeletstats",
            "kubelet_stats",
            "hostmetrics",
            "host_metrics",
            "docker_stats",
            "podman_stats",
        ],
        COLLECTOR,
    ),
    (
        "receivers",
        &[
            "otlp",
            "prometheus",
            "prometheus_simple",
            "filelog",
            "file_log",
            "journald",
            "syslog",
            "statsd",
            "kafka",
        ],
        COLLECTOR,
    ),
    (
        "receivers",
        &[
            "jaeger",
            "zipkin",
            "opencensus",
            "fluentforward",
            "tcplog",
            "udplog",
            "httpcheck",
            "receiver_creator",
        ],
        COLLECTOR,
    ),
    (
        "receivers",
        &[
            "datadog",
            "splunk_hec",
            "signalfx",
            "webhookevent",
            "awscontainerinsightreceiver",
            "nop",
        ],
        COLLECTOR,
    ),
    (
        "processors",
        &["deltatocumulative"],
        "remove it and set `temporality: cumulative` in the exporter",
    ),
    (
        "processors",
        &["cumulativetodelta"],
        "remove it: metrics are deltas; `temporality` of each exporter decides (`delta` is the default)",
    ),
    (
        "processors",
        &["metricstransform", "logstransform", "span", "redaction"],
        "use the processor `transform`: its statements set, replace and delete",
    ),
    ("processors", &["schema", "unroll", "sumologic"], PROCESSOR),
    (
        "processors",
        &[
            "metricsgeneration",
            "groupbyattrs",
            "interval",
            "routing",
            "remotetap",
            "deltatorate",
            "geoip",
            "lookup",
        ],
        PROCESSOR,
    ),
    (
        "processors",
        &["k8sattributes", "k8s_attributes"],
        "remove it here and from the pipelines: `k8s_job` sets the attributes of namespace, Job, CronJob and Pod, and its `extract` has the rules for labels and annotations",
    ),
    (
        "processors",
        &[
            "probabilistic_sampler",
            "tail_sampling",
            "logdedup",
            "log_dedup",
            "groupbytrace",
        ],
        SAMPLING,
    ),
    (
        "connectors",
        &["count", "sum", "signaltometrics", "signal_to_metrics"],
        "use `job_metrics`: it counts finished Jobs, failures by reason and cause, and measures durations",
    ),
    (
        "connectors",
        &[
            "spanmetrics",
            "span_metrics",
            "servicegraph",
            "service_graph",
            "exceptions",
            "datadog",
        ],
        "remove it; `job_traces` makes a trace of each Job and `job_metrics` its metrics, both from events",
    ),
    (
        "connectors",
        &["forward", "routing", "failover", "roundrobin", "round_robin"],
        "remove it and name the receiver and the exporters in each pipeline that needs them",
    ),
    ("exporters", &["logging"], "use `debug`, its new name"),
    (
        "exporters",
        &["datadog"],
        "use `otlp_http` with `endpoint: https://otlp.datadoghq.com` (or your site) and the header `dd-api-key`; \
         see docs/datadog.md",
    ),
    (
        "exporters",
        &[
            "prometheusremotewrite",
            "prometheus_remote_write",
            "googlemanagedprometheus",
        ],
        "use `otlp_http` with `temporality: cumulative` to the OTLP endpoint of the Prometheus-compatible backend \
         (Prometheus: `endpoint: http://HOST:9090/api/v1/otlp`), or `prometheus` to be scraped",
    ),
    (
        "exporters",
        &["loki"],
        "use `otlp_http` with `logs_endpoint: http://HOST:3100/otlp/v1/logs`; Loki takes OTLP since 3.0",
    ),
    (
        "exporters",
        &["elasticsearch", "opensearch"],
        "use `otlp_http` to the OTLP endpoint of Elastic (managed OTLP endpoint or APM Server, header `Authorization: \
         ApiKey …`), or `otlp_grpc` to an OpenTelemetry Collector that has this exporter",
    ),
    (
        "exporters",
        &["splunk_hec", "signalfx", "sapm"],
        "use `otlp_grpc` to a Splunk distribution of the OpenTelemetry Collector, which has this exporter",
    ),
    (
        "exporters",
        &[
            "kafka",
            "pulsar",
            "rabbitmq",
            "awskinesis",
            "aws_kinesis",
            "googlecloudpubsub",
            "azureeventhub",
        ],
        VIA_COLLECTOR,
    ),
    (
        "exporters",
        &[
            "googlecloud",
            "google_cloud",
            "awscloudwatchlogs",
            "aws_cloudwatch_logs",
            "awsemf",
            "awsxray",
            "awss3",
        ],
        VIA_COLLECTOR,
    ),
    (
        "exporters",
        &[
            "azuremonitor",
            "azure_monitor",
            "azuredataexplorer",
            "clickhouse",
            "influxdb",
            "cassandra",
            "sentry",
        ],
        VIA_COLLECTOR,
    ),
    (
        "exporters",
        &[
            "syslog",
            "carbon",
            "otelarrow",
            "loadbalancing",
            "load_balancing",
            "alibabacloud_logservice",
            "faro",
        ],
        VIA_COLLECTOR,
    ),
    (
        "exporters",
        &["jaeger", "jaeger_thrift", "opencensus", "zipkin"],
        "use `otlp_grpc`: Jaeger and most tracing backends take OTLP at port 4317",
    ),
    (
        "exporters",
        &[
            "coralogix",
            "logzio",
            "sumologic",
            "dynatrace",
            "dataset",
            "mezmo",
            "honeycombmarker",
            "instana",
        ],
        "use `otlp_http` or `otlp_grpc` with the OTLP endpoint and the key that the vendor documents; see \
         docs/backends.md",
    ),
    ("exporters", &["nop"], "remove it, or use `debug`"),
    (
        "extensions",
        &["memory_ballast"],
        "remove it here and from `service::extensions`: this collector has no garbage collector to tune",
    ),
    (
        "extensions",
        &["zpages", "pprof"],
        "remove it here and from `service::extensions`; `health_check` shows the state of each component, and \
         `service::telemetry::logs::level: debug` what the collector does",
    ),
    (
        "extensions",
        &["healthcheckv2", "health_check_v2"],
        "use `health_check`: it reports each component at /readyz",
    ),
    (
        "extensions",
        &["db_storage", "redis_storage"],
        "use `file_storage`, or `k8s_storage` to keep state in ConfigMaps",
    ),
    (
        "extensions",
        &[
            "sigv4auth",
            "googleclientauth",
            "azureauth",
            "azure_auth",
            "asapclient",
            "headers_setter",
            "oidc",
        ],
        "remove it here and from `service::extensions`: send with `otlp_grpc` to an OpenTelemetry Collector that \
         authenticates this way, or set `headers` of the exporter",
    ),
    (
        "extensions",
        &[
            "opamp",
            "cgroupruntime",
            "cgroup_runtime",
            "ack",
            "remotetap",
            "jaegerremotesampling",
            "awsproxy",
        ],
        "remove it here and from `service::extensions`; nothing here needs it",
    ),
    (
        "extensions",
        &[
            "k8s_observer",
            "host_observer",
            "docker_observer",
            "ecs_observer",
            "datadog",
            "http_forwarder",
        ],
        "remove it here and from `service::extensions`; nothing here needs it",
    ),
];
