//! Events of the collector as answers. Pure.

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::{Condition, CronJob, Job, JobOwner, JobStatus, OwnerRule, Removal};
use job_event::{Evidence, Outcome};
use job_judge::{Cause, JudgedAttempt, Judgement, Quality, judge};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::notes::one_line;
use super::stalled::lasting;
use super::{AnswerSource, Explained};
use crate::in_cluster::StoredEvent;

/// The answer about a finished Job. Evidence is judged again, by the rules of this version; without evidence the event has the
/// verdict.
pub(super) fn explained(event: &StoredEvent) -> Explained {
    let evidence = event.evidence.clone().map(serde_json::from_value::<Evidence>);
    let (evidence, judgement) = match evidence {
        Some(Ok(evidence)) => {
            let judgement = judge(&evidence);
            (evidence, judgement)
        }
        // The settings turn evidence off, an event was too large, or another version wrote it.
        _ => (bare_evidence(event), judgement(event)),
    };
    Explained {
        evidence,
        judgement,
        source: AnswerSource::Collector,
        stalled_since: None,
        notes: Vec::new(),
        log: None,
    }
}

/// The Job of an event without evidence.
fn bare_evidence(event: &StoredEvent) -> Evidence {
    let decided = |kind: &str| Condition {
        kind: kind.into(),
        is_true: true,
        reason: event.reason.as_deref().unwrap_or_default().into(),
        message: event.message.as_deref().unwrap_or_default().into(),
        since: event.time,
    };
    let outcome = outcome(event);
    let (conditions, removed) = match outcome {
        Outcome::Failed => (vec![decided("FailureTarget")], None),
        Outcome::Succeeded => (vec![decided("SuccessCriteriaMet")], None),
        _ => (
            Vec::new(),
            event.time.map(|at| Removal {
                at,
                replaced: outcome == Outcome::Replaced,
            }),
        ),
    };
    let owner = &event.owner;
    let is_cronjob = owner.kind == "CronJob";
    let is_controller = owner.rule == OwnerRule::Controller.as_str();
    let job = Job {
        namespace: (*event.namespace).into(),
        name: (*event.name).into(),
        uid: (*event.uid).into(),
        cronjob: is_cronjob.then(|| {
            Box::new(CronJob {
                name: (*owner.name).into(),
                ..CronJob::default()
            })
        }),
        owner: is_controller.then(|| {
            Box::new(JobOwner {
                rule: OwnerRule::Controller,
                kind: (*owner.kind).into(),
                name: (*owner.name).into(),
            })
        }),
        status: JobStatus {
            start_time: event.start_time,
            conditions,
            ..JobStatus::default()
        },
        removed,
        ..Job::default()
    };
    Evidence {
        job,
        pods: Vec::new(),
        events: Vec::new(),
        gaps: Vec::new(),
    }
}

/// The verdict that the collector's own judge wrote.
fn judgement(event: &StoredEvent) -> Judgement {
    let cause: Option<Cause> = named(event.cause.as_deref());
    let attempts: Vec<JudgedAttempt> = event
        .attempts
        .iter()
        .filter_map(|attempt| serde_json::from_value(attempt.clone()).ok())
        .collect();
    Judgement {
        outcome: outcome(event),
        reason: event.reason.clone().filter(|reason| !reason.is_empty()),
        message: event.message.clone(),
        cause,
        category: cause.map(Cause::category),
        retry: named(event.retry.as_deref()).or(cause.map(|cause| cause.info().retry)),
        summary: sentence(event),
        next_step: event
            .next_step
            .as_deref()
            .map(one_line)
            .or(cause.map(|cause| cause.info().next_step.to_owned())),
        attempts,
        attempt_failures: Default::default(),
        failure_policy_rule: None,
        failed_indexes: None,
        stall: None,
        quality: Quality::Complete,
    }
}

fn outcome(event: &StoredEvent) -> Outcome {
    Outcome::from_name(&event.outcome).unwrap_or(Outcome::Deleted)
}

/// The value of that name; `None` for one that this version does not know.
fn named<T: DeserializeOwned>(name: Option<&str>) -> Option<T> {
    serde_json::from_value(Value::String(name?.to_owned())).ok()
}

/// The sentence of an event without its beginning, which names the Job.
fn sentence(event: &StoredEvent) -> String {
    let summary = one_line(&event.summary);
    let beginning = format!("Job {}: ", event.name);
    summary.strip_prefix(&beginning).unwrap_or(&summary).to_owned()
}

/// The stall among the events of a Job, newest first, that is not over.
pub(super) fn open_stall<'a>(events: &'a [StoredEvent], uid: &str) -> Option<&'a StoredEvent> {
    let of_job = || events.iter().filter(|event| event.uid == uid);
    if of_job().any(StoredEvent::is_finished) {
        return None;
    }
    let is_over = |stall: &StoredEvent| {
        of_job().any(|event| {
            let causes = event.cause.as_deref().unwrap_or_default();
            !event.is_stalled()
                && (causes.is_empty() || causes.split(',').any(|cause| stall.cause.as_deref() == Some(cause)))
        })
    };
    of_job().find(|event| event.is_stalled() && !is_over(event))
}

/// Adds a stall that the collector reports to an unfinished Job whose objects no longer prove one, or no longer why no Pod was
/// created.
pub(super) fn add_stall(job: &mut Explained, stall: &StoredEvent, after: SignedDuration, now: Timestamp) {
    let Some(since) = stall.since.or(stall.time) else {
        return;
    };
    let cause: Option<Cause> = named(stall.cause.as_deref());
    let is_proven = job.stalled_since.is_some() && job.judgement.cause != Some(Cause::NoPodsCreated);
    let is_waiting = job.judgement.outcome != Outcome::Running || cause == Some(Cause::AwaitingAdmission);
    let is_same = cause.is_some() && cause == job.judgement.cause;
    if is_proven || is_waiting || is_same || now.duration_since(since) < after {
        return;
    }
    let sentence = sentence(stall);
    let why = sentence.split_once(": ").map_or(&*sentence, |(_, why)| why);
    let verdict = judgement(stall);
    job.judgement.summary = format!("Not finished, stalled for {}: {why}", lasting(since, now));
    job.judgement.cause = verdict.cause;
    job.judgement.category = verdict.category;
    job.judgement.retry = verdict.retry;
    job.judgement.next_step = verdict.next_step;
    job.stalled_since = Some(since);
    job.source = AnswerSource::Collector;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(value: Value) -> StoredEvent {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_event_without_evidence_has_its_own_verdict() {
        let stored = explained(&event(json!({
            "event": "k8s.job.finished", "time": "2026-11-23T21:08:12Z", "namespace": "shop", "name": "a-1", "uid": "u",
            "owner": {"kind": "CronJob", "name": "a", "rule": "cronjob"}, "outcome": "Failed", "reason": "BackoffLimitExceeded",
            "cause": "OutOfMemory", "category": "resource", "retry": "no", "summary": "Job a-1: Failed: too large.",
            "start_time": "2026-11-23T21:08:00Z",
            "attempts": [{"pod": "a-1-x", "uid": "p", "outcome": "failed", "cause": "OutOfMemory", "exit_code": 137}]
        })));
        let Judgement {
            cause,
            summary,
            attempts,
            next_step,
            ..
        } = &stored.judgement;
        assert_eq!(
            (*cause, &**summary, attempts.len()),
            (Some(Cause::OutOfMemory), "Failed: too large.", 1)
        );
        assert_eq!(next_step.as_deref(), Some(Cause::OutOfMemory.info().next_step));
        let job = &stored.evidence.job;
        assert_eq!(job.owner().name, "a");
        assert_eq!(job.decided_at(), "2026-11-23T21:08:12Z".parse().ok());
        assert_eq!(job.outcome(), Outcome::Failed);
    }

    #[test]
    fn evidence_and_causes_of_another_version_are_no_error() {
        let stored = explained(&event(json!({
            "event": "k8s.job.finished", "name": "a", "outcome": "Failed", "cause": "FutureCause", "retry": "later",
            "summary": "Failed.", "evidence": {"job": 7}, "attempts": [{"pod": 7}]
        })));
        assert_eq!((stored.judgement.cause, &*stored.judgement.summary), (None, "Failed."));
        assert_eq!(stored.evidence.job.outcome(), Outcome::Failed);
    }

    #[test]
    fn a_stall_is_open_until_its_recovery_or_the_end() {
        let of =
            |kind: &str, cause: &str| event(json!({"event": format!("k8s.job.{kind}"), "uid": "u", "cause": cause}));
        let stall = of("stalled", "ImagePull");
        let open = |newer: Vec<StoredEvent>| {
            let events: Vec<_> = newer.into_iter().chain([stall.clone()]).collect();
            open_stall(&events, "u").is_some()
        };
        assert!(open(vec![]));
        assert!(open(vec![of("recovered", "QuotaExceeded")]));
        assert!(!open(vec![of("recovered", "QuotaExceeded,ImagePull")]));
        assert!(!open(vec![of("recovered", "")]));
        assert!(!open(vec![of("finished", "ImagePull")]));
        assert!(open_stall(std::slice::from_ref(&stall), "other").is_none());
    }
}
