//! Metrics under the names of kube-state-metrics are written as they come.

mod support;

use std::time::{Duration, Instant};

use job_event::attributes::KUBE_STATE_SCOPE;
use opentelemetry_proto::tonic::metrics::v1::{DataPointFlags, ResourceMetrics};
use prometheus_exporter::kube_state::KubeState;
use prometheus_text::Format;
use support::*;

fn job(name: &str, failed: i64) -> ResourceMetrics {
    let labels = [("namespace", "shop"), ("job_name", name)];
    let reason = [labels[0], labels[1], ("reason", "DeadlineExceeded")];
    of(
        &[("k8s.job.name", name)],
        KUBE_STATE_SCOPE,
        vec![
            gauge("kube_job_info", vec![point(&labels, 1, 0, 1)]),
            gauge("kube_job_status_failed", vec![point(&reason, failed, 0, 1)]),
        ],
    )
}

fn text(state: &KubeState) -> String {
    let mut text = String::new();
    state.write(&mut text, Format::Text);
    text
}

#[test]
fn objects_come_change_and_go_as_a_whole() {
    let (mut state, now) = (KubeState::default(), Instant::now());
    assert!(KubeState::is_of(&job("a", 0)) && !KubeState::is_of(&of(&[], "other", vec![])));
    state.add(&job("b", 0), now);
    state.add(&job("a", 0), now);
    state.add(&job("a", 1), now);
    assert_eq!(
        text(&state),
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
        KUBE_STATE_SCOPE,
        vec![gauge("kube_job_info", vec![end])],
    );
    state.add(&gone, now);
    assert!(!text(&state).contains("\"a\"") && text(&state).contains("\"b\""));
    assert_eq!(state.len(), 1);
}

#[test]
fn what_is_told_of_no_more_expires() {
    let (mut state, now) = (KubeState::default(), Instant::now());
    let five_minutes = Duration::from_secs(300);
    state.add(&job("a", 0), now);
    state.add(&job("b", 0), now + Duration::from_secs(60));
    state.expire(five_minutes, now + Duration::from_secs(299));
    assert_eq!(state.len(), 2);
    state.expire(five_minutes, now + five_minutes);
    assert_eq!(state.len(), 1);
    state.expire(five_minutes, now + Duration::from_secs(360));
    assert!(state.is_empty());
    assert_eq!(text(&state), "");
}
