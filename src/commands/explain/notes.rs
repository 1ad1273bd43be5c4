//! Notes on the evidence of a verdict: deleted Pods and the Events left of them. Pure.

use std::collections::BTreeSet;

use escape::is_unsafe;
use jiff::Timestamp;
use job_event::evidence::{Gap, Job};
use job_event::{Evidence, Outcome};
use job_tracker::{self, About};
use job_watch::Kind;
use job_watch::model::Event;
use job_watch::snapshot::{EVENT_LIFETIME, Snapshot};

/// The most Events of deleted Pods for each Job.
const SHOWN: usize = 5;
/// The most characters of a message.
const MESSAGE: usize = 300;

/// The Events left of deleted Pods.
#[derive(Debug, Default)]
pub(super) struct DeletedPods {
    /// The Pods created for Jobs: namespace, UID of the Job, name of the Pod.
    made: BTreeSet<(Box<str>, Box<str>, String)>,
    /// The warnings about deleted Pods.
    events: Vec<Event>,
}

impl DeletedPods {
    /// From a snapshot. Only the Job's Event `SuccessfulCreate` shows which Job a deleted Pod belonged to.
    pub(super) fn of(snapshot: &Snapshot) -> DeletedPods {
        let pods: BTreeSet<&str> = snapshot
            .objects
            .get(&Kind::Pods)
            .into_iter()
            .flatten()
            .map(|pod| &*pod.metadata().uid)
            .collect();
        let created = |event: &Event| {
            let (_, pod) = event.message.rsplit_once("Created pod: ")?;
            let is_creation = &*event.reason == "SuccessfulCreate" && job_tracker::about(event) == Some(About::Job);
            let job = event.involved_object.uid.clone();
            is_creation.then(|| (event.metadata.namespace.clone(), job, pod.trim().to_owned()))
        };
        DeletedPods {
            made: snapshot.events(Kind::JobEvents).filter_map(created).collect(),
            events: snapshot
                .events(Kind::PodEvents)
                .filter(|event| !pods.contains(&*event.involved_object.uid))
                .cloned()
                .collect(),
        }
    }

    fn about(&self, job: &Job) -> Vec<&Event> {
        let is_of_job = |event: &&Event| {
            let pod = event.involved_object.name.to_string();
            event.metadata.namespace == job.namespace
                && self.made.contains(&(job.namespace.clone(), job.uid.clone(), pod))
        };
        let mut events: Vec<&Event> = self.events.iter().filter(is_of_job).collect();
        events.sort_by_key(|event| last(event));
        events.split_off(events.len().saturating_sub(SHOWN))
    }

    fn made(&self, job: &Job) -> usize {
        let is_of_job = |namespace: &str, uid: &str| namespace == &*job.namespace && uid == &*job.uid;
        let made = self.made.iter();
        made.filter(|(namespace, uid, _)| is_of_job(namespace, uid)).count()
    }
}

fn last(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time);
    event
        .last_timestamp
        .or(series)
        .or(event.event_time)
        .or(event.first_timestamp)
}

/// Sentences about the evidence of a Job.
pub(super) fn notes(evidence: &Evidence, lost: &DeletedPods, now: Timestamp) -> Vec<String> {
    let job = &evidence.job;
    let outcome = job.outcome();
    let mut notes = Vec::new();
    if outcome == Outcome::Running {
        let status = &job.status;
        notes.push(format!(
            "{} active ({} ready); {} failed and {} succeeded so far.",
            pods(i64::from(status.active)),
            status.ready,
            status.failed,
            status.succeeded
        ));
    }
    if outcome == Outcome::Failed {
        notes.extend(gone_pods(evidence, lost));
        let ended_long_ago = job
            .decided_at()
            .is_some_and(|at| now.duration_since(at) > EVENT_LIFETIME);
        if evidence.events.is_empty() && ended_long_ago && !evidence.gaps.contains(&Gap::EventsForbidden) {
            notes.push("Events older than about an hour are deleted; the cause may be broader than before.".into());
        }
    }
    if matches!(outcome, Outcome::Failed | Outcome::Running) {
        let has = match evidence.gaps.contains(&Gap::PodsForbidden) {
            true => "has an Event",
            false => "is deleted; it left an Event",
        };
        for event in lost.about(job) {
            notes.push(format!(
                "Pod {} {has}: {}: {}",
                event.involved_object.name,
                one_line(&event.reason),
                one_line(&event.message)
            ));
        }
    }
    notes
}

/// A note on deleted Pods of a failed Job.
fn gone_pods(evidence: &Evidence, lost: &DeletedPods) -> Option<String> {
    let job = &evidence.job;
    // Another manager may run the Pods in another cluster.
    if evidence.gaps.contains(&Gap::PodsForbidden) || job.spec.managed_by.is_some() {
        return None;
    }
    let counted = i64::from(job.status.failed) + i64::from(job.status.succeeded);
    let there = i64::try_from(evidence.pods.len()).unwrap_or(i64::MAX);
    let made = i64::try_from(lost.made(job)).unwrap_or(i64::MAX);
    let gone = counted.max(made).saturating_sub(there);
    if gone <= 0 {
        return None;
    }
    let which = if there == 0 {
        "Its Pods".into()
    } else {
        format!("{} of its Pods", gone)
    };
    let verb = if there > 0 && gone == 1 { "is" } else { "are" };
    let why = if job.reason() == Some("DeadlineExceeded") {
        " (the Job controller deletes running Pods at the deadline)"
    } else {
        ""
    };
    Some(format!(
        "{which} {verb} deleted{why}, with their exit codes and messages; the cause may be broader than before. A collector in \
         the cluster reports Jobs before that."
    ))
}

fn pods(count: i64) -> String {
    if count == 1 {
        "1 Pod".into()
    } else {
        format!("{count} Pods")
    }
}

/// A text of the cluster on one line, limited and printable.
fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if is_unsafe(c) { ' ' } else { c }).collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    match clean.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use job_event::evidence::{Condition, Job, JobStatus, Pod};
    use job_watch::Object;
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-11-23T17:00:00Z";

    fn failed(reason: &str, failed: i32, pods: usize, at: &str) -> Evidence {
        let verdict = Condition {
            kind: "FailureTarget".into(),
            is_true: true,
            reason: reason.into(),
            since: at.parse().ok(),
            ..Condition::default()
        };
        let status = JobStatus {
            failed,
            conditions: vec![verdict],
            ..JobStatus::default()
        };
        Evidence {
            job: Job {
                namespace: "n".into(),
                uid: "u".into(),
                status,
                ..Job::default()
            },
            pods: vec![Pod::default(); pods],
            events: Vec::new(),
            gaps: Vec::new(),
        }
    }

    fn found(evidence: &Evidence, lost: &DeletedPods) -> Vec<String> {
        notes(evidence, lost, NOW.parse().unwrap())
    }

    #[test]
    fn complete_evidence_needs_no_note() {
        let evidence = failed("BackoffLimitExceeded", 1, 1, "2026-11-23T16:55:00Z");
        assert_eq!(found(&evidence, &DeletedPods::default()), [""; 0]);
    }

    #[test]
    fn pods_of_another_manager_are_not_said_to_be_deleted() {
        let mut evidence = failed("BackoffLimitExceeded", 1, 0, "2026-11-23T16:55:00Z");
        assert_eq!(found(&evidence, &DeletedPods::default()).len(), 1);
        evidence.job.spec.managed_by = Some("kueue.x-k8s.io/multikueue".into());
        assert_eq!(found(&evidence, &DeletedPods::default()), [""; 0]);
    }

    #[test]
    fn deleted_pods_and_events_are_noted() {
        let evidence = failed("BackoffLimitExceeded", 3, 1, "2026-11-23T15:00:00Z");
        let found = found(&evidence, &DeletedPods::default());
        assert_eq!(found.len(), 2);
        assert!(
            found[0].starts_with("2 of its Pods are deleted, with their"),
            "{found:?}"
        );
        assert!(
            found[1].starts_with("Events older than about an hour are deleted"),
            "{found:?}"
        );
    }

    #[test]
    fn events_of_a_deleted_pod_belong_to_its_job_only() {
        let event = |kind: &str, uid: &str, name: &str, reason: &str, message: &str| {
            let (api_version, component) = match kind {
                "Job" => ("batch/v1", "job-controller"),
                _ => ("v1", "kubelet"),
            };
            let event = json!({"metadata": {"uid": "e", "namespace": "n"}, "type": "Warning", "reason": reason,
                "message": message, "source": {"component": component},
                "involvedObject": {"apiVersion": api_version, "kind": kind, "uid": uid, "name": name}});
            Object::Event(serde_json::from_value(event).unwrap())
        };
        let mut foreign = event("Pod", "r", "j-1", "Failed", "from another namespace");
        if let Object::Event(event) = &mut foreign {
            event.metadata.namespace = "evil".into();
        }
        let mut snapshot = Snapshot::default();
        let made = event("Job", "u", "j", "SuccessfulCreate", "Created pod: j-1");
        snapshot.objects.insert(Kind::JobEvents, vec![made]);
        snapshot.objects.insert(
            Kind::PodEvents,
            vec![
                event("Pod", "p", "j-1", "Failed", "no such\n\u{1b}[31mimage"),
                event("Pod", "q", "other-1", "Failed", "something else"),
                foreign,
            ],
        );
        let lost = DeletedPods::of(&snapshot);
        let evidence = failed("DeadlineExceeded", 1, 0, "2026-11-23T16:55:00Z");
        let found = found(&evidence, &lost);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("Its Pods are deleted (the Job controller deletes"),
            "{found:?}"
        );
        assert_eq!(
            found[1],
            "Pod j-1 is deleted; it left an Event: Failed: no such [31mimage"
        );
    }
}
