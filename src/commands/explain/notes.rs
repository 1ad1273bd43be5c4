//! What a person must know about the evidence to read a verdict right: what is gone, and what is left of it. Pure.

use std::collections::BTreeSet;

use escape::is_unsafe;
use jiff::Timestamp;
use job_event::evidence::{Gap, Job};
use job_event::{Evidence, Outcome};
use job_tracker::{self, About};
use job_watch::Kind;
use job_watch::model::Event;
use job_watch::snapshot::{EVENT_LIFETIME, Snapshot};

/// How many Events of Pods that are gone are shown for each Job.
const SHOWN: usize = 5;
/// The longest message that is shown, characters.
const MESSAGE: usize = 300;

/// Events that are left of Pods that are gone.
#[derive(Debug, Default)]
pub struct Lost {
    /// A Pod that a Job's controller made: their namespace, the Job's UID and the Pod's name.
    made: BTreeSet<(Box<str>, Box<str>, String)>,
    /// The warnings about Pods that are gone.
    events: Vec<Event>,
}

impl Lost {
    /// Those of a snapshot. A Pod that is gone is known to be a Job's only by the Job's Event `SuccessfulCreate`.
    pub fn of(snapshot: &Snapshot) -> Lost {
        let pods: BTreeSet<&str> = snapshot
            .objects
            .get(&Kind::Pods)
            .into_iter()
            .flatten()
            .map(|pod| &*pod.metadata().uid)
            .collect();
        let created = |event: &Event| {
            let (_, pod) = event.message.rsplit_once("Created pod: ")?;
            let is_told = &*event.reason == "SuccessfulCreate" && job_tracker::about(event) == Some(About::Job);
            let job = event.involved_object.uid.clone();
            is_told.then(|| (event.metadata.namespace.clone(), job, pod.trim().to_owned()))
        };
        Lost {
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

/// What to say about the evidence of a Job, sentence by sentence.
pub fn notes(evidence: &Evidence, lost: &Lost, now: Timestamp) -> Vec<String> {
    let job = &evidence.job;
    let outcome = job.outcome();
    let mut notes = Vec::new();
    if outcome == Outcome::Running {
        let status = &job.status;
        notes.push(format!(
            "{} active, {} of them ready; {} failed and {} succeeded so far.",
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
            notes.push("Events older than about an hour are gone; the cause may be broader than it was.".into());
        }
    }
    if matches!(outcome, Outcome::Failed | Outcome::Running) {
        for event in lost.about(job) {
            notes.push(format!(
                "Pod {} is gone; an Event tells: {}: {}",
                event.involved_object.name,
                one_line(&event.reason),
                one_line(&event.message)
            ));
        }
    }
    notes
}

/// That Pods of a failed Job are gone, if they are.
fn gone_pods(evidence: &Evidence, lost: &Lost) -> Option<String> {
    let job = &evidence.job;
    if evidence.gaps.contains(&Gap::PodsForbidden) {
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
        " (the Job controller deletes those that run when the time is over)"
    } else {
        ""
    };
    Some(format!(
        "{which} {verb} gone{why}, and with them exit codes and messages; the cause may be broader than it was. To keep \
         them, run the collector in the cluster."
    ))
}

fn pods(count: i64) -> String {
    if count == 1 {
        "1 Pod".into()
    } else {
        format!("{count} Pods")
    }
}

/// A text of the cluster on one line and of limited length, without what could steer a terminal.
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

    fn told(evidence: &Evidence, lost: &Lost) -> Vec<String> {
        notes(evidence, lost, NOW.parse().unwrap())
    }

    #[test]
    fn nothing_is_said_when_all_is_there() {
        let evidence = failed("BackoffLimitExceeded", 1, 1, "2026-11-23T16:55:00Z");
        assert_eq!(told(&evidence, &Lost::default()), [""; 0]);
    }

    #[test]
    fn what_is_gone_is_said() {
        let evidence = failed("BackoffLimitExceeded", 3, 1, "2026-11-23T15:00:00Z");
        let told = told(&evidence, &Lost::default());
        assert_eq!(told.len(), 2);
        assert!(told[0].starts_with("2 of its Pods are gone, and with them"), "{told:?}");
        assert!(
            told[1].starts_with("Events older than about an hour are gone"),
            "{told:?}"
        );
    }

    #[test]
    fn events_of_a_pod_that_is_gone_are_shown_for_its_job_alone() {
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
        let lost = Lost::of(&snapshot);
        let evidence = failed("DeadlineExceeded", 1, 0, "2026-11-23T16:55:00Z");
        let told = told(&evidence, &lost);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].starts_with("Its Pods are gone (the Job controller deletes"),
            "{told:?}"
        );
        assert_eq!(told[1], "Pod j-1 is gone; an Event tells: Failed: no such [31mimage");
    }
}
