//! Jobs without a Pod, and Jobs that wait on purpose.

use job_event::evidence::*;
use job_judge::Cause;

use super::{found, no_image, sentence, unfinished};
use crate::support::*;

const QUOTA: &str =
    "Error creating: pods \"j-1\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5";

#[test]
fn a_quota_counts_until_the_next_pod_is_created() {
    let mut evidence = unfinished(vec![]);
    evidence.events = vec![event("job-uid", "FailedCreate", QUOTA, 10)];
    assert_eq!(found(&evidence, 60), Some((Cause::QuotaExceeded, 10)));
    assert!(sentence(&evidence, 130).starts_with("Stalled for 2 min: a quota prevents the creation of Pods: “pods"));
    for (created, expected) in [(8, Some((Cause::QuotaExceeded, 12))), (11, None)] {
        evidence.pods = vec![Pod {
            created: Some(at(created)),
            ..pod("Failed", vec![ended("main", end(3, "Error", 12))])
        }];
        assert_eq!(found(&evidence, 60), expected, "{created}");
    }
}

#[test]
fn a_job_without_pods_and_without_errors_stalls_after_a_minute() {
    let mut evidence = unfinished(vec![]);
    assert_eq!(found(&evidence, 59), None);
    assert_eq!(found(&evidence, 60), Some((Cause::NoPodsCreated, 0)));
    for gap in [
        Gap::PodsForbidden,
        Gap::PodsNotSelected,
        Gap::JoinedLate,
        Gap::WatchInterrupted,
    ] {
        evidence.gaps = vec![gap];
        assert_eq!(found(&evidence, 600), None, "{gap:?}");
    }
    evidence.gaps = vec![Gap::EventsForbidden];
    let text = sentence(&evidence, 120);
    assert!(
        text.ends_with("the collector may not read the Events that give the reason."),
        "{text}"
    );
    evidence.gaps = vec![];
    evidence.job.status.succeeded = 1;
    assert_eq!(found(&evidence, 600), None);
}

#[test]
fn without_pods_only_the_events_of_the_job_count() {
    let mut evidence = unfinished(vec![no_image()]);
    evidence.gaps = vec![Gap::PodsForbidden];
    assert_eq!(found(&evidence, 600), None);
    evidence.pods.clear();
    evidence.job.status.active = 0;
    evidence.events = vec![event("job-uid", "FailedCreate", QUOTA, 10)];
    assert_eq!(found(&evidence, 600), Some((Cause::QuotaExceeded, 10)));
    evidence.job.status.failed = 1;
    assert_eq!(found(&evidence, 600), None, "it had a Pod since");
}

#[test]
fn a_job_without_parallelism_waits_on_purpose() {
    let mut evidence = unfinished(vec![]);
    evidence.job.spec.parallelism = Some(0);
    assert_eq!(found(&evidence, 600), None);
}

#[test]
fn only_a_queue_makes_a_suspended_job_wait() {
    let mut evidence = unfinished(vec![]);
    evidence.job.spec.suspend = true;
    assert_eq!(found(&evidence, 600), None);
    evidence.job.spec.queue = Some("gpu".into());
    assert_eq!(found(&evidence, 600), Some((Cause::AwaitingAdmission, 0)));
    assert_eq!(
        sentence(&evidence, 600),
        "Waiting for 10 min: Kueue queue gpu has not admitted the Job."
    );
    evidence.job.status.conditions = vec![Condition {
        kind: "Suspended".into(),
        is_true: true,
        since: Some(at(300)),
        ..Condition::default()
    }];
    assert_eq!(found(&evidence, 600), Some((Cause::AwaitingAdmission, 300)));
}

#[test]
fn another_controller_is_awaited_until_it_begins() {
    let mut evidence = unfinished(vec![]);
    evidence.job.spec.managed_by = Some("example.com/queue".into());
    evidence.job.status.start_time = None;
    assert_eq!(
        sentence(&evidence, 120),
        "Waiting for 2 min: controller example.com/queue has not started the Job (managedBy)."
    );
    evidence.job.status.active = 1;
    assert_eq!(found(&evidence, 120), None);
}

#[test]
fn a_job_that_has_ended_is_never_stalled() {
    let mut evidence = unfinished(vec![no_image()]);
    evidence.job.removed = Some(Removal {
        at: at(100),
        replaced: false,
    });
    assert_eq!(found(&evidence, 600), None);
    assert_eq!(found(&job("BackoffLimitExceeded", 20), 600), None);
}
