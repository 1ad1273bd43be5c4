//! Evidence written by hand.

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::*;
use job_judge::{Cause, Judgement, Retry, judge};

/// Seconds after the Job's start.
pub(crate) fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

pub(crate) fn job(reason: &str, decided: i64) -> Evidence {
    let mut job = Job {
        namespace: "ns".into(),
        name: "j".into(),
        uid: "job-uid".into(),
        created: Some(at(0)),
        spec: JobSpec {
            backoff_limit: Some(0),
            completions: Some(1),
            parallelism: Some(1),
            restart_policy: Some("Never".into()),
            active_deadline_seconds: (reason == "DeadlineExceeded").then_some(decided),
            ..Default::default()
        },
        ..Default::default()
    };
    job.status.start_time = Some(at(0));
    job.status.conditions.push(Condition {
        kind: "FailureTarget".into(),
        is_true: true,
        reason: reason.into(),
        message: "m".into(),
        since: Some(at(decided)),
    });
    Evidence {
        job,
        pods: vec![],
        events: vec![],
        gaps: vec![],
    }
}

pub(crate) fn container(name: &str) -> Container {
    Container {
        name: name.into(),
        image: "registry.example/app:9".into(),
        ..Default::default()
    }
}

pub(crate) fn running(name: &str, since: i64) -> Container {
    Container {
        state: ContainerState::Running,
        started: true,
        running_since: Some(at(since)),
        ..container(name)
    }
}

pub(crate) fn end(exit_code: i32, reason: &str, finished: i64) -> Termination {
    Termination {
        exit_code,
        reason: reason.into(),
        started: Some(at(finished - 1)),
        finished: Some(at(finished)),
        ran: true,
        before_deletion: true,
        ..Default::default()
    }
}

pub(crate) fn ended(name: &str, termination: Termination) -> Container {
    Container {
        state: ContainerState::Terminated,
        started: true,
        terminations: vec![termination],
        ..container(name)
    }
}

pub(crate) fn waiting(name: &str, reason: &str, message: &str) -> Container {
    Container {
        state: ContainerState::Waiting,
        waiting: Some(Box::new(Waiting {
            reason: reason.into(),
            message: message.into(),
        })),
        ..container(name)
    }
}

pub(crate) fn pod(phase: &str, containers: Vec<Container>) -> Pod {
    Pod {
        name: "j-a".into(),
        uid: "pod-a".into(),
        node: Some("node1".into()),
        created: Some(at(0)),
        start_time: Some(at(0)),
        not_ready_since: Some(at(0)),
        phase: phase.into(),
        containers,
        ..Default::default()
    }
}

pub(crate) fn deleted(requested: i64, grace_seconds: i64) -> Option<PodDeletion> {
    Some(PodDeletion {
        requested: at(requested),
        grace_seconds,
        seen_late: false,
    })
}

pub(crate) fn disrupted(reason: &str, since: i64) -> Option<Box<Condition>> {
    Some(Box::new(Condition {
        kind: "DisruptionTarget".into(),
        is_true: true,
        reason: reason.into(),
        message: format!("{reason} message").into(),
        since: Some(at(since)),
    }))
}

pub(crate) fn not_scheduled(reason: &str, message: &str) -> Option<Box<Condition>> {
    Some(Box::new(Condition {
        kind: "PodScheduled".into(),
        is_true: false,
        reason: reason.into(),
        message: message.into(),
        since: Some(at(0)),
    }))
}

pub(crate) fn event(uid: &str, reason: &str, message: &str, last: i64) -> Event {
    Event {
        kind: if uid == "job-uid" { "Job" } else { "Pod" }.into(),
        uid: uid.into(),
        reason: reason.into(),
        message: message.into(),
        count: 1,
        first: Some(at(last)),
        last: Some(at(last)),
        ..Default::default()
    }
}

pub(crate) fn with(mut evidence: Evidence, pods: Vec<Pod>, events: Vec<Event>) -> Judgement {
    evidence.pods = pods;
    evidence.events = events;
    judge(&evidence)
}

/// The cause of a Job that failed for its back-off limit at second 20 with one Pod.
pub(crate) fn backoff(pod: Pod, events: Vec<Event>) -> Cause {
    with(job("BackoffLimitExceeded", 20), vec![pod], events).cause.unwrap()
}

/// The cause of a Job whose deadline passed at second 60 while that Pod was alive, and was then deleted.
pub(crate) fn deadline(pod: Pod, events: Vec<Event>) -> Judgement {
    let pod = Pod {
        deletion: deleted(60, 30),
        ..pod
    };
    with(job("DeadlineExceeded", 60), vec![pod], events)
}

/// Asserts the cause, the retry and a part of the next step.
#[track_caller]
pub(crate) fn assert_advice(judgement: Judgement, message: &str, cause: Cause, retry: Retry, next_step: &str) {
    assert_eq!(
        (judgement.cause, judgement.retry),
        (Some(cause), Some(retry)),
        "{message}"
    );
    let found = judgement.next_step.unwrap();
    assert!(found.contains(next_step), "{message}\n{found}");
}
