//! Notes on the evidence of a verdict: deleted Pods and their Events. Pure.

use std::collections::BTreeMap;

use escape::is_unsafe;
use jiff::Timestamp;
use job_event::evidence::{Event, Gap, Pod};
use job_event::{Evidence, MessageDetail, Outcome};
use job_judge::{Judgement, Quality};
use job_watch::snapshot::EVENT_LIFETIME;

/// The most Events of deleted Pods for each Job.
const SHOWN: usize = 5;
/// The most characters of a message.
const MESSAGE: usize = 300;
/// A message repeats the sentence if both have this many consecutive bytes in common.
const REPEATED: usize = 24;

/// Sentences about the evidence of a Job.
pub(super) fn notes(evidence: &Evidence, judgement: &Judgement, now: Timestamp) -> Vec<String> {
    let job = &evidence.job;
    let mut notes = Vec::new();
    if judgement.outcome == Outcome::Running {
        let status = &job.status;
        notes.push(format!(
            "{} active ({} ready); {} failed and {} succeeded so far.",
            pods(i64::from(status.active)),
            status.ready,
            status.failed,
            status.succeeded
        ));
    }
    let by_events = job.removed.is_some();
    if by_events {
        notes.push("The Job is deleted; this is what its Events say, which exist for about an hour.".into());
    }
    if judgement.outcome == Outcome::Failed {
        notes.extend(gone_pods(evidence, judgement.quality).filter(|_| !by_events));
        let ended_long_ago = job
            .decided_at()
            .is_some_and(|at| now.duration_since(at) > EVENT_LIFETIME);
        if evidence.events.is_empty() && ended_long_ago && !evidence.gaps.contains(&Gap::EventsForbidden) {
            notes.push("Events older than about an hour are deleted; the cause may be broader than before.".into());
        }
    }
    if matches!(judgement.outcome, Outcome::Failed | Outcome::Running) {
        notes.extend(last_words(evidence, &judgement.summary));
    }
    notes
}

/// The latest errors in Events of unseen Pods that the sentence does not quote.
fn last_words(evidence: &Evidence, sentence: &str) -> Vec<String> {
    let unseen = evidence.pods.iter().filter(|pod| pod.from_events);
    let unseen: BTreeMap<&str, &Pod> = unseen.map(|pod| (&*pod.uid, pod)).collect();
    let is_error = |event: &&Event| {
        !matches!(
            &*event.reason,
            "Scheduled" | "Pulling" | "Pulled" | "Created" | "Started" | "Killing"
        ) && MessageDetail::of(&event.message) > MessageDetail::Nothing
    };
    let events = evidence.events.iter().filter(|event| unseen.contains_key(&*event.uid));
    let errors: Vec<&Event> = events.filter(is_error).collect();
    let most = errors.iter().map(|event| MessageDetail::of(&event.message)).max();
    let mut words: Vec<String> = Vec::new();
    for event in errors {
        // A retry says nothing beside an error.
        let detail = MessageDetail::of(&event.message);
        if detail <= MessageDetail::Retry && Some(detail) != most || repeats(sentence, &event.message) {
            continue;
        }
        let (reason, message) = (one_line(&event.reason), one_line(&event.message));
        // A Pod that may not be listed may still exist.
        let has = match unseen.get(&*event.uid) {
            Some(pod) if !pod.removed => "has an Event",
            _ => "is deleted; it left an Event",
        };
        let text = format!("Pod {} {has}: {reason}: {message}", event.name);
        if !words.contains(&text) {
            words.push(text);
        }
    }
    words.split_off(words.len().saturating_sub(SHOWN))
}

/// True if the sentence contains a part of the message.
fn repeats(sentence: &str, message: &str) -> bool {
    let message = one_line(message);
    let length = message.len().min(REPEATED);
    let mut parts = message.as_bytes().windows(length.max(1));
    let sentence = sentence.as_bytes();
    length > 0 && parts.any(|part| sentence.windows(length).any(|other| other == part))
}

/// A note on deleted Pods of a failed Job.
fn gone_pods(evidence: &Evidence, quality: Quality) -> Option<String> {
    let job = &evidence.job;
    // Another manager may run the Pods in another cluster.
    let unseen = [Gap::PodsForbidden, Gap::PodsNotSelected];
    if evidence.gaps.iter().any(|gap| unseen.contains(gap)) || job.spec.managed_by.is_some() {
        return None;
    }
    let counted = i64::from(job.status.failed) + i64::from(job.status.succeeded);
    let count = |from_events| {
        let found = evidence
            .pods
            .iter()
            .filter(|pod| pod.from_events == from_events)
            .count();
        i64::try_from(found).unwrap_or(i64::MAX)
    };
    let (there, left_events) = (count(false), count(true));
    let gone = left_events.max(counted.saturating_sub(there));
    if gone <= 0 {
        return None;
    }
    let which = if there == 0 {
        "Its Pods".into()
    } else {
        format!("{gone} of its Pods")
    };
    let verb = if there > 0 && gone == 1 { "is" } else { "are" };
    let why = if job.reason() == Some("DeadlineExceeded") {
        " (the Job controller deletes running Pods at the deadline)"
    } else {
        ""
    };
    if quality == Quality::Events {
        return Some(format!(
            "{which} {verb} deleted{why}; the cause is from their Events, which exist for about an hour."
        ));
    }
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
pub(super) fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if is_unsafe(c) { ' ' } else { c }).collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    match clean.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use job_event::evidence::{Condition, Job, JobStatus};
    use job_judge::judge;

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

    fn found(evidence: &Evidence) -> Vec<String> {
        notes(evidence, &judge(evidence), NOW.parse().unwrap())
    }

    #[test]
    fn complete_evidence_needs_no_note() {
        let evidence = failed("BackoffLimitExceeded", 1, 1, "2026-11-23T16:55:00Z");
        assert_eq!(found(&evidence), [""; 0]);
    }

    #[test]
    fn pods_that_cannot_be_seen_are_not_said_to_be_deleted() {
        let mut evidence = failed("BackoffLimitExceeded", 1, 0, "2026-11-23T16:55:00Z");
        assert_eq!(found(&evidence).len(), 1);
        evidence.gaps = vec![Gap::PodsForbidden];
        assert_eq!(found(&evidence), [""; 0]);
        evidence.gaps.clear();
        evidence.job.spec.managed_by = Some("kueue.x-k8s.io/multikueue".into());
        assert_eq!(found(&evidence), [""; 0]);
    }

    #[test]
    fn deleted_pods_and_events_are_noted() {
        let evidence = failed("BackoffLimitExceeded", 3, 1, "2026-11-23T15:00:00Z");
        let found = found(&evidence);
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
    fn errors_of_a_deleted_pod_are_noted_unless_the_sentence_has_them() {
        let event = |reason: &str, message: &str| Event {
            kind: "Pod".into(),
            name: "j-1".into(),
            uid: "p".into(),
            reason: reason.into(),
            message: message.into(),
            ..Event::default()
        };
        let mut evidence = failed("DeadlineExceeded", 1, 1, "2026-11-23T16:55:00Z");
        evidence.pods[0] = Pod {
            uid: "p".into(),
            from_events: true,
            removed: true,
            ..Pod::default()
        };
        let error = event("FailedMount", "no such\n\u{1b}[31mvolume in the whole cluster");
        let retry = event("Failed", "Error: ImagePullBackOff");
        evidence.events = vec![event("Started", "Container started"), error, retry];
        let found = found(&evidence);
        assert_eq!(found.len(), 1, "the sentence has the error: {found:?}");
        assert!(
            found[0].starts_with("Its Pods are deleted (the Job controller deletes"),
            "{found:?}"
        );
        let text = "Pod j-1 is deleted; it left an Event: FailedMount: no such [31mvolume in the whole cluster";
        assert_eq!(last_words(&evidence, "The evidence does not show why."), [text]);
        let sentence = "It could not be mounted: “… such [31mvolume in the whole cluster”.";
        assert_eq!(last_words(&evidence, sentence), [""; 0]);
    }
}
