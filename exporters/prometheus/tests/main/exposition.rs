//! OTLP metrics as text, by the rules of the specification.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::*;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, ExponentialHistogram, ExponentialHistogramDataPoint, Histogram,
    HistogramDataPoint, ResourceMetrics, Summary, SummaryDataPoint,
};
use prometheus_text::{Format, Options};

fn with_resource_labels() -> Options {
    Options {
        resource_labels: true,
        ..Options::default()
    }
}

#[test]
fn resource_and_scope_become_labels_and_target_info() {
    let mut metrics = of(
        &[
            ("service.name", "backup"),
            ("service.namespace", "shop"),
            ("service.instance.id", "i-1"),
            ("k8s.namespace.name", "payments"),
        ],
        "kube-job-collector",
        vec![counter(
            "k8s.job.failures",
            vec![point(&[("reason", "DeadlineExceeded")], 2, 1, 2)],
        )],
    );
    let scope = metrics.scope_metrics[0].scope.as_mut().unwrap();
    scope.version = "1.2".into();
    scope.attributes = attributes(&[("build.kind", "x")]);
    metrics.scope_metrics[0].schema_url = "https://s/1".into();

    let (text, problems) = text(std::slice::from_ref(&metrics), &Options::default(), Format::Text);
    assert_eq!(problems, [""; 0]);
    assert_eq!(
        text,
        "# HELP k8s_job_failures_total What k8s.job.failures is.\n# TYPE k8s_job_failures_total counter\n\
         k8s_job_failures_total{instance=\"i-1\",job=\"shop/backup\",otel_scope_build_kind=\"x\",\
         otel_scope_name=\"kube-job-collector\",otel_scope_schema_url=\"https://s/1\",otel_scope_version=\"1.2\",\
         reason=\"DeadlineExceeded\"} 2\n\
         # HELP target_info Target metadata\n# TYPE target_info gauge\n\
         target_info{instance=\"i-1\",job=\"shop/backup\",k8s_namespace_name=\"payments\"} 1\n"
    );
    let options = Options {
        scope_labels: false,
        target_info: false,
        const_labels: vec![("cluster".into(), "eu".into()), ("reason".into(), "not this".into())],
        ..with_resource_labels()
    };
    let (text, _) = crate::support::text(&[metrics], &options, Format::Text);
    assert_eq!(
        samples(&text),
        [
            "k8s_job_failures_total{cluster=\"eu\",instance=\"i-1\",job=\"shop/backup\",k8s_namespace_name=\"payments\",\
          reason=\"DeadlineExceeded\",service_instance_id=\"i-1\",service_name=\"backup\",service_namespace=\"shop\"} 2"
        ]
    );
}

#[test]
fn adds_up_series_with_equal_labels() {
    let of_job = |name, value, time| {
        of(
            &[("k8s.job.name", name)],
            "",
            vec![
                counter("fails", vec![point(&[("reason", "x")], value, time - 1, time)]),
                gauge("pods", vec![point(&[], value, 0, time)]),
            ],
        )
    };
    let metrics = [of_job("a", 2, 20), of_job("b", 5, 10)];
    let options = Options {
        target_info: false,
        ..Options::default()
    };
    let (text, _) = text(&metrics, &options, Format::OpenMetrics);
    assert_eq!(
        samples(&text),
        [
            "fails_total{reason=\"x\"} 7",
            "fails_created{reason=\"x\"} 9.000",
            "pods 2"
        ],
        "counts add up; of gauges the latest counts"
    );
    let (text, _) = crate::support::text(
        &metrics,
        &Options {
            resource_labels: true,
            ..options
        },
        Format::Text,
    );
    assert_eq!(
        samples(&text),
        [
            "fails_total{k8s_job_name=\"a\",reason=\"x\"} 2",
            "fails_total{k8s_job_name=\"b\",reason=\"x\"} 5",
            "pods{k8s_job_name=\"a\"} 2",
            "pods{k8s_job_name=\"b\"} 5",
        ]
    );
}

#[test]
fn attributes_that_become_the_same_label_share_it() {
    let points = vec![point(&[("a.b", "second"), ("a-b", "first"), ("empty", "")], 1, 0, 0)];
    let (text, _) = text(
        &[of(&[], "", vec![gauge("g", points)])],
        &Options::default(),
        Format::Text,
    );
    assert_eq!(samples(&text), ["g{a_b=\"first;second\"} 1"]);
}

#[test]
fn reports_conflicts_and_keeps_the_first_metric() {
    let one = point(&[], 1, 0, 0);
    let metrics = of(
        &[],
        "",
        vec![
            counter("runs", vec![one.clone()]),
            gauge("runs.total", vec![one.clone()]),
            metric("wait", "s", Data::Histogram(histogram())),
            gauge("wait_seconds_count", vec![one.clone()]),
            gauge("other", vec![one.clone()]),
            metric(
                "other",
                "{thing}",
                Data::Gauge(opentelemetry_proto::tonic::metrics::v1::Gauge {
                    data_points: vec![point(&[("x", "y")], 9, 0, 0)],
                }),
            ),
        ],
    );
    let (text, problems) = text(&[metrics], &Options::default(), Format::Text);
    assert_eq!(
        problems,
        [
            "other is a gauge of unit \"\" and a gauge of unit \"{thing}\"; the second is left out",
            "runs_total is a counter of unit \"{job}\" and a gauge of unit \"\"; the second is left out",
            "wait_seconds_count collides with wait_seconds; wait_seconds_count is dropped",
        ]
    );
    assert_eq!(text.matches("# TYPE").count(), 3, "{text}");
    assert!(!text.contains('9'), "{text}");
}

fn histogram() -> Histogram {
    Histogram {
        data_points: vec![HistogramDataPoint {
            attributes: attributes(&[("le", "mine")]),
            explicit_bounds: vec![1.0, 5.0],
            bucket_counts: vec![1, 2, 3],
            count: 6,
            sum: Some(20.5),
            start_time_unix_nano: 1_000_000_000,
            ..Default::default()
        }],
        aggregation_temporality: AggregationTemporality::Cumulative as i32,
    }
}

/// One of everything.
fn zoo() -> Vec<ResourceMetrics> {
    let mut strange = point(&[("kind", "a \"quoted\" \\ value\nin two lines")], 0, 0, 0);
    strange.value = Some(Value::AsDouble(f64::NAN));
    let mut infinite = point(&[("kind", "ünïcode")], 0, 0, 0);
    infinite.value = Some(Value::AsDouble(f64::NEG_INFINITY));
    let mut gone = point(&[("kind", "gone")], 7, 0, 0);
    gone.flags = DataPointFlags::NoRecordedValueMask as u32;
    let exponential = ExponentialHistogram {
        data_points: vec![ExponentialHistogramDataPoint {
            scale: 3,
            count: 4,
            sum: Some(7.0),
            positive: Some(Buckets {
                offset: -4,
                bucket_counts: vec![1, 0, 0, 0, 0, 2, 0, 1],
            }),
            ..Default::default()
        }],
        aggregation_temporality: AggregationTemporality::Cumulative as i32,
    };
    let summary = Summary {
        data_points: vec![SummaryDataPoint {
            attributes: attributes(&[("quantile", "mine")]),
            count: 3,
            sum: 4.5,
            quantile_values: vec![ValueAtQuantile {
                quantile: 0.5,
                value: 1.5,
            }],
            ..Default::default()
        }],
    };
    vec![of(
        &[("service.name", "zoo"), ("host.name", "h")],
        "scope",
        vec![
            counter("k8s.job.failures", vec![point(&[("reason", "r")], 3, 1, 2)]),
            gauge("temperature", vec![strange, infinite, gone]),
            metric("wait", "s", Data::Histogram(histogram())),
            metric("k8s.job.duration", "s", Data::ExponentialHistogram(exponential)),
            metric("latency", "s", Data::Summary(summary)),
        ],
    )]
}

#[test]
fn every_kind_is_written() {
    let (text, problems) = text(&zoo(), &Options::default(), Format::Text);
    assert_eq!(problems, [""; 0]);
    for line in [
        "temperature{job=\"zoo\",kind=\"a \\\"quoted\\\" \\\\ value\\nin two lines\",otel_scope_name=\"scope\"} NaN",
        "temperature{job=\"zoo\",kind=\"ünïcode\",otel_scope_name=\"scope\"} -Inf",
        "wait_seconds_bucket{exported_le=\"mine\",job=\"zoo\",otel_scope_name=\"scope\",le=\"5\"} 3",
        "wait_seconds_bucket{exported_le=\"mine\",job=\"zoo\",otel_scope_name=\"scope\",le=\"+Inf\"} 6",
        "k8s_job_duration_seconds_bucket{job=\"zoo\",otel_scope_name=\"scope\",le=\"1\"} 1",
        "k8s_job_duration_seconds_bucket{job=\"zoo\",otel_scope_name=\"scope\",le=\"2\"} 4",
        "latency_seconds{exported_quantile=\"mine\",job=\"zoo\",otel_scope_name=\"scope\",quantile=\"0.5\"} 1.5",
        "target_info{host_name=\"h\",job=\"zoo\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("gone"), "{text}");
}

#[test]
fn open_metrics_has_types_units_and_creation() {
    let (text, _) = text(&zoo(), &Options::default(), Format::OpenMetrics);
    for line in [
        "# TYPE k8s_job_failures counter",
        "k8s_job_failures_created{job=\"zoo\",otel_scope_name=\"scope\",reason=\"r\"} 1.000",
        "# UNIT k8s_job_duration_seconds seconds",
        "wait_seconds_bucket{exported_le=\"mine\",job=\"zoo\",otel_scope_name=\"scope\",le=\"5.0\"} 3",
        "# TYPE target info",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
}

/// Prometheus' own check of the text format; part of Debian's package `prometheus`.
#[test]
fn promtool_accepts_the_text() {
    let (text, _) = text(&zoo(), &Options::default(), Format::Text);
    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = started else {
        eprintln!("SKIPPED: promtool is not in PATH (Debian: apt-get install prometheus)");
        return;
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{said}\n{text}");
    assert_eq!(said, "");
}
