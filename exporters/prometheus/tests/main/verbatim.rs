//! Metrics with Prometheus names are written unchanged.

use std::time::{Duration, Instant};

use crate::support::*;
use opentelemetry_proto::tonic::metrics::v1::{DataPointFlags, Metric, ResourceMetrics};
use prometheus_exporter::verbatim::Verbatim;
use prometheus_text::Format;

/// A metric with a Prometheus name.
fn prometheus(mut metric: Metric) -> Metric {
    metric.metadata = attributes(&[("prometheus.type", "gauge")]);
    metric
}

fn job(name: &str, failed: i64) -> ResourceMetrics {
    let labels = [("namespace", "shop"), ("job_name", name)];
    let reason = [labels[0], labels[1], ("reason", "DeadlineExceeded")];
    of(
        &[("k8s.job.name", name)],
        "scope",
        vec![
            prometheus(gauge("kube_job_info", vec![point(&labels, 1, 0, 1)])),
            prometheus(gauge("kube_job_status_failed", vec![point(&reason, failed, 0, 1)])),
        ],
    )
}

fn written(state: &Verbatim) -> String {
    let mut text = String::new();
    state.write(&mut text, Format::Text);
    text
}

#[test]
fn accepts_only_resources_with_prometheus_gauges() {
    assert!(Verbatim::accepts(&job("a", 0)));
    assert!(!Verbatim::accepts(&of(&[], "scope", vec![])));
    let mut mixed = job("a", 0);
    mixed.scope_metrics[0]
        .metrics
        .push(gauge("other", vec![point(&[], 1, 0, 1)]));
    assert!(!Verbatim::accepts(&mixed));
    let mut unknown = job("a", 0);
    unknown.scope_metrics[0].metrics[0].metadata = attributes(&[("prometheus.type", "unknown")]);
    assert!(!Verbatim::accepts(&unknown));
}

#[test]
fn a_batch_replaces_all_points_of_its_resource() {
    let (mut state, now) = (Verbatim::default(), Instant::now());
    state.add(&job("b", 0), now);
    state.add(&job("a", 0), now);
    state.add(&job("a", 1), now);
    assert_eq!(
        written(&state),
        "# HELP kube_job_info What kube_job_info is.\n# TYPE kube_job_info gauge\n\
         kube_job_info{namespace=\"shop\",job_name=\"a\"} 1\nkube_job_info{namespace=\"shop\",job_name=\"b\"} 1\n\
         # HELP kube_job_status_failed What kube_job_status_failed is.\n# TYPE kube_job_status_failed gauge\n\
         kube_job_status_failed{namespace=\"shop\",job_name=\"a\",reason=\"DeadlineExceeded\"} 1\n\
         kube_job_status_failed{namespace=\"shop\",job_name=\"b\",reason=\"DeadlineExceeded\"} 0\n"
    );
    let mut end = point(&[], 0, 0, 2);
    end.flags = DataPointFlags::NoRecordedValueMask as u32;
    let gone = of(
        &[("k8s.job.name", "a")],
        "scope",
        vec![prometheus(gauge("kube_job_info", vec![end]))],
    );
    state.add(&gone, now);
    assert!(!written(&state).contains("\"a\"") && written(&state).contains("\"b\""));
    assert_eq!(state.len(), 1);
}

#[test]
fn resources_without_updates_expire() {
    let (mut state, now) = (Verbatim::default(), Instant::now());
    let five_minutes = Duration::from_secs(300);
    state.add(&job("a", 0), now);
    state.add(&job("b", 0), now + Duration::from_secs(60));
    state.expire(five_minutes, now + Duration::from_secs(299));
    assert_eq!(state.len(), 2);
    state.expire(five_minutes, now + five_minutes);
    assert_eq!(state.len(), 1);
    state.expire(five_minutes, now + Duration::from_secs(360));
    assert!(state.is_empty());
    assert_eq!(written(&state), "");
}
