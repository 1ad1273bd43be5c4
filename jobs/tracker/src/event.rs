//! Events, as evidence: one record for an Event of an object and all its repetitions.

use std::sync::Arc;

use job_event::evidence::{self, JOB_EVENT_REASONS, POD_EVENT_REASONS};

use super::origin::{self, About};
use super::pool::Pools;
use super::time::Time;
use job_event::Uid;
use job_event::detail::{COMBINED, MessageDetail};
use job_watch::model;

/// How many different Events of each [`Room`] are kept for each object. Each creation or deletion names another Pod of the
/// Job, and each stage of a Pod another container.
const PER_OBJECT: usize = 16;
const CREATIONS: usize = 64;
const DELETIONS: usize = 64;
const STAGES: usize = 48;
/// The longest message that is kept, bytes. The API server allows 1 KiB in Events of the newer kind.
const MESSAGE: usize = 2048;

/// Reason of the Job controller's Events that name a Pod it created.
pub(crate) const SUCCESSFUL_CREATE: &str = "SuccessfulCreate";
/// Reason of the Job controller's Events that name a Pod it deleted.
pub(crate) const SUCCESSFUL_DELETE: &str = "SuccessfulDelete";
/// Reason of the Job controller's Events about a Pod that could not be created.
const FAILED_CREATE: &str = "FailedCreate";

/// Events that share a limit, so that frequent ones of one room cannot evict those of another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Creations,
    Deletions,
    /// The stages of a Pod's life, without errors.
    Stages,
    Others,
}

impl Room {
    fn of(reason: &str) -> Room {
        match reason {
            SUCCESSFUL_CREATE => Room::Creations,
            SUCCESSFUL_DELETE => Room::Deletions,
            "Scheduled" | "Pulling" | "Pulled" | "Created" | "Started" | "Killing" => Room::Stages,
            _ => Room::Others,
        }
    }

    fn capacity(self) -> usize {
        match self {
            Room::Creations => CREATIONS,
            Room::Deletions => DELETIONS,
            Room::Stages => STAGES,
            Room::Others => PER_OBJECT,
        }
    }
}

/// An Event about a Job or a Pod, without the data that the record of its object holds.
#[derive(Clone, Debug)]
pub(crate) struct EventRecord {
    /// Its object.
    pub object: Uid,
    pub reason: Arc<str>,
    field_path: Arc<str>,
    component: Arc<str>,
    pub message: Box<str>,
    count: i32,
    pub first: Time,
    pub last: Time,
}

/// True if an Event about a Job (or else a Pod) can explain anything. An ephemeral container is a debugger that somebody added
/// to the Pod; it decides nothing, and its status is not read either.
pub(crate) fn is_useful(event: &model::Event, is_job: bool) -> bool {
    let reasons = if is_job { JOB_EVENT_REASONS } else { POD_EVENT_REASONS };
    let is_of_debugger = event
        .involved_object
        .field_path
        .starts_with("spec.ephemeralContainers{");
    reasons.contains(&&*event.reason) && !is_of_debugger
}

/// The condition that the Job controller reports with an Event of this reason; `None` if it is not about the end.
///
/// Source: `pkg/controller/job/job_controller.go`, `recordJobFinished`: the reason of a failure is that of its condition.
pub(crate) fn verdict(reason: &str) -> Option<&'static str> {
    match reason {
        "BackoffLimitExceeded"
        | "DeadlineExceeded"
        | "PodFailurePolicy"
        | "FailedIndexes"
        | "MaxFailedIndexesExceeded" => Some("FailureTarget"),
        "Completed" => Some("Complete"),
        _ => None,
    }
}

/// True for an Event of the Job controller about the end of a Job.
pub fn is_verdict(event: &model::Event) -> bool {
    origin::about(event) == Some(About::Job) && verdict(&event.reason).is_some()
}

impl EventRecord {
    /// The record of an Event.
    pub(crate) fn new(event: &model::Event, pools: &mut Pools) -> EventRecord {
        let series = event.series.as_ref();
        let first = event.first_timestamp.or(event.event_time);
        let last = series
            .and_then(|series| series.last_observed_time)
            .or(event.last_timestamp)
            .or(first);
        EventRecord {
            object: Uid::new(&event.involved_object.uid),
            reason: pools.texts.get(&*event.reason),
            field_path: pools.texts.get(&*event.involved_object.field_path),
            component: pools.texts.get(event.component()),
            message: shorten(&event.message, MESSAGE).into(),
            count: series.map_or(event.count, |series| series.count).max(1),
            first: first.or(event.metadata.creation_timestamp).into(),
            last: last.or(event.metadata.creation_timestamp).into(),
        }
    }

    /// How much its message says, for Events that report an obstacle again and again in turns with a notice of the retry. For
    /// all others the latest message counts.
    fn detail(&self) -> MessageDetail {
        match &*self.reason {
            "Failed"
            | "InspectFailed"
            | "BackOff"
            | "FailedScheduling"
            | "FailedMount"
            | "FailedAttachVolume"
            | "FailedMapVolume"
            | "FailedCreatePodSandBox"
            | "FailedCreatePodContainer" => MessageDetail::of(&self.message),
            FAILED_CREATE => MessageDetail::of_creation(&self.message),
            _ => MessageDetail::Error,
        }
    }

    /// As evidence about the object of this kind, name and UID.
    pub(crate) fn into_evidence(self, kind: &str, name: &str, uid: &str) -> evidence::Event {
        evidence::Event {
            kind: kind.into(),
            name: name.into(),
            uid: uid.into(),
            field_path: (*self.field_path).into(),
            reason: (*self.reason).into(),
            component: (*self.component).into(),
            message: self.message,
            count: self.count,
            first: self.first.get(),
            last: self.last.get(),
        }
    }
}

/// Adds an Event to those of a Job and its Pods, or merges it with one that it repeats.
pub(crate) fn merge(events: &mut Vec<EventRecord>, new: EventRecord) {
    if let Some(known) = events.iter_mut().find(|known| says_the_same(known, &new)) {
        let says_more = new.detail().cmp(&known.detail());
        if says_more.then(new.last.cmp(&known.last)).is_ge() {
            known.message = new.message;
        }
        known.last = known.last.max(new.last);
        if known.first == Time::NONE || new.first != Time::NONE && new.first < known.first {
            known.first = new.first;
        }
        known.count = known.count.max(new.count);
        return;
    }
    let room = Room::of(&new.reason);
    let shares_room = |event: &EventRecord| event.object == new.object && Room::of(&event.reason) == room;
    if events.iter().filter(|event| shares_room(event)).count() >= room.capacity() {
        let oldest = events
            .iter()
            .enumerate()
            .filter(|(_, event)| shares_room(event))
            .min_by_key(|(_, event)| (event.detail(), event.last))
            .map(|(at, _)| at);
        if let Some(oldest) = oldest {
            events.remove(oldest);
        }
    }
    events.reserve_exact(1);
    events.push(new);
}

/// True if two Events are repetitions of one. Messages count up to their first colon: `Liveness probe failed: ...` and
/// `Readiness probe failed: ...` share a reason and have different meanings, while the text after the colon often holds
/// a random name. Creations and deletions name the Pod after the colon, and are stored for that name; a refusal to create one
/// stays apart from an API server that did not respond. Stages differ in time only.
fn says_the_same(a: &EventRecord, b: &EventRecord) -> bool {
    fn head(event: &EventRecord) -> &str {
        let message = event.message.strip_prefix(COMBINED).unwrap_or(&event.message);
        match &*event.reason {
            SUCCESSFUL_CREATE | SUCCESSFUL_DELETE => &event.message,
            "Scheduled" | "Pulling" | "Pulled" | "Created" | "Started" => "",
            _ => message.split(':').next().unwrap_or_default(),
        }
    }
    a.object == b.object
        && a.reason == b.reason
        && a.field_path == b.field_path
        && a.component == b.component
        && head(a) == head(b)
        && (&*a.reason != FAILED_CREATE || a.detail() == b.detail())
}

/// At most `limit` bytes of a text, whole characters.
pub(crate) fn shorten(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(reason: &str, message: &str, last: i64) -> EventRecord {
        EventRecord {
            object: Uid::new("u"),
            reason: reason.into(),
            field_path: "".into(),
            component: "".into(),
            message: message.into(),
            count: 1,
            first: Time::NONE,
            last: jiff::Timestamp::from_second(last).ok().into(),
        }
    }

    #[test]
    fn probes_stay_apart_and_repetitions_merge() {
        let mut events = Vec::new();
        merge(&mut events, event("Unhealthy", "Liveness probe failed: a", 1));
        merge(&mut events, event("Unhealthy", "Readiness probe failed: b", 2));
        merge(&mut events, event("Unhealthy", "Liveness probe failed: c", 3));
        let messages: Vec<&str> = events.iter().map(|event| &*event.message).collect();
        assert_eq!(messages, ["Liveness probe failed: c", "Readiness probe failed: b"]);
    }

    #[test]
    fn a_refusal_stays_apart_from_a_timeout() {
        let mut events = Vec::new();
        merge(
            &mut events,
            event("FailedCreate", "Error creating: exceeded quota: q", 1),
        );
        merge(
            &mut events,
            event("FailedCreate", "Error creating: etcdserver: request timed out", 2),
        );
        merge(
            &mut events,
            event("FailedCreate", "Error creating: exceeded quota: r", 3),
        );
        let messages: Vec<&str> = events.iter().map(|event| &*event.message).collect();
        assert_eq!(
            messages,
            [
                "Error creating: exceeded quota: r",
                "Error creating: etcdserver: request timed out"
            ]
        );
    }

    #[test]
    fn an_older_repetition_does_not_replace_the_message() {
        let mut events = Vec::new();
        merge(&mut events, event("FailedCreate", "Error creating: new", 5));
        merge(&mut events, event("FailedCreate", "Error creating: old", 4));
        assert_eq!(&*events[0].message, "Error creating: new");
        assert_eq!(events.len(), 1);
    }

    #[test]
    fn a_retry_does_not_replace_the_error() {
        let mut events = Vec::new();
        let error = "MountVolume.SetUp failed for volume \"v\" : secret \"s\" not found";
        let late = "MountVolume.SetUp failed for volume \"v\" : timed out waiting for the condition";
        for (message, last) in [(late, 1), (error, 2), (late, 3)] {
            merge(&mut events, event("FailedMount", message, last));
        }
        merge(&mut events, event("FailedMount", &format!("{COMBINED}{late}"), 4));
        assert_eq!((events.len(), &*events[0].message), (1, error));
        assert_eq!(events[0].last.get(), jiff::Timestamp::from_second(4).ok());

        for n in 0..99 {
            merge(
                &mut events,
                event("FailedMount", &format!("unmounted volumes=[v{n}]: {late}"), 9 + n),
            );
        }
        assert!(events.iter().any(|event| &*event.message == error));
    }

    #[test]
    fn frequent_events_do_not_evict_others() {
        let mut events = vec![event("FailedMount", "no such secret", 0)];
        for n in 1..200 {
            merge(&mut events, event(SUCCESSFUL_CREATE, &format!("Created pod: p-{n}"), n));
            merge(&mut events, event(SUCCESSFUL_DELETE, &format!("Deleted pod: p-{n}"), n));
            merge(&mut events, event("Killing", &format!("Stopping container c-{n}"), n));
        }
        assert_eq!(events.len(), 1 + CREATIONS + DELETIONS + STAGES);
        for kept in ["Created pod: p-199", "Deleted pod: p-199", "no such secret"] {
            assert!(events.iter().any(|event| &*event.message == kept), "{kept}");
        }
        for n in 0..200 {
            merge(&mut events, event(&format!("R{n}"), "m", n));
        }
        assert_eq!(events.len(), PER_OBJECT + CREATIONS + DELETIONS + STAGES);
        assert!(events.iter().any(|event| &*event.reason == "R199"));
    }

    #[test]
    fn cuts_texts_between_characters() {
        assert_eq!(shorten("añb", 2), "a");
        assert_eq!(shorten("ab", 2), "ab");
    }
}
