//! Events, as evidence: one record for each kind of thing that was said about an object, however often it was said.

use job_event::evidence;

use crate::model;

/// How many different Events are kept for each object, besides deletions of Pods.
const PER_OBJECT: usize = 16;
/// How many deletions of Pods are kept for each Job. Each names a Pod that its Job's controller killed.
const DELETIONS: usize = 64;
/// The longest message that is kept, bytes. The API server allows 1 KiB in Events of the newer kind.
const MESSAGE: usize = 2048;

/// Reason of the Job controller's Events that name a Pod it deleted.
const SUCCESSFUL_DELETE: &str = "SuccessfulDelete";

/// An Event as evidence.
pub fn to_evidence(event: &model::Event) -> evidence::Event {
    let series = event.series.as_ref();
    let first = event.first_timestamp.or(event.event_time);
    evidence::Event {
        kind: event.involved_object.kind.clone(),
        name: event.involved_object.name.clone(),
        uid: event.involved_object.uid.clone(),
        field_path: event.involved_object.field_path.clone(),
        reason: event.reason.clone(),
        message: shorten(&event.message, MESSAGE).into(),
        count: series.map_or(event.count, |series| series.count).max(1),
        first: first.or(event.metadata.creation_timestamp),
        last: series
            .and_then(|series| series.last_observed_time)
            .or(event.last_timestamp)
            .or(first)
            .or(event.metadata.creation_timestamp),
    }
}

/// Adds an Event to those of a Job and its Pods, or merges it with one that says the same.
pub fn merge(events: &mut Vec<evidence::Event>, new: evidence::Event) {
    if let Some(known) = events.iter_mut().find(|known| says_the_same(known, &new)) {
        if new.last >= known.last {
            known.message = new.message;
            known.last = new.last;
        }
        known.first = match (known.first, new.first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        known.count = known.count.max(new.count);
        return;
    }
    let is_deletion = &*new.reason == SUCCESSFUL_DELETE;
    let room = if is_deletion { DELETIONS } else { PER_OBJECT };
    let same_kind = |e: &evidence::Event| e.uid == new.uid && (&*e.reason == SUCCESSFUL_DELETE) == is_deletion;
    if events.iter().filter(|event| same_kind(event)).count() >= room {
        let oldest = events
            .iter()
            .enumerate()
            .filter(|(_, event)| same_kind(event))
            .min_by_key(|(_, event)| event.last)
            .map(|(at, _)| at);
        if let Some(oldest) = oldest {
            events.remove(oldest);
        }
    }
    events.reserve_exact(1);
    events.push(new);
}

/// Whether two Events are repetitions of one. Messages count up to their first colon: `Liveness probe failed: ...` and
/// `Readiness probe failed: ...` share a reason and mean different things, while what follows the colon often
/// holds a random name. Deletions name the Pod after the colon, and that is what they are kept for.
fn says_the_same(a: &evidence::Event, b: &evidence::Event) -> bool {
    let head = |event: &evidence::Event| {
        let end = match &*event.reason {
            SUCCESSFUL_DELETE => None,
            _ => event.message.find(':'),
        };
        end.unwrap_or(event.message.len())
    };
    a.uid == b.uid
        && a.reason == b.reason
        && a.field_path == b.field_path
        && a.message[..head(a)] == b.message[..head(b)]
}

/// At most `limit` bytes of a text, whole characters.
pub fn shorten(text: &str, limit: usize) -> &str {
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

    fn event(reason: &str, message: &str, last: i64) -> evidence::Event {
        evidence::Event {
            uid: "u".into(),
            reason: reason.into(),
            message: message.into(),
            count: 1,
            last: jiff::Timestamp::from_second(last).ok(),
            ..Default::default()
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
    fn an_older_repetition_does_not_replace_the_message() {
        let mut events = Vec::new();
        merge(&mut events, event("FailedCreate", "Error creating: new", 5));
        merge(&mut events, event("FailedCreate", "Error creating: old", 4));
        assert_eq!(&*events[0].message, "Error creating: new");
        assert_eq!(events.len(), 1);
    }

    #[test]
    fn deletions_name_each_pod_and_all_is_bounded() {
        let mut events = Vec::new();
        for n in 0..200 {
            merge(&mut events, event(SUCCESSFUL_DELETE, &format!("Deleted pod: p-{n}"), n));
            merge(&mut events, event(&format!("R{n}"), "m", n));
        }
        assert_eq!(events.len(), PER_OBJECT + DELETIONS);
        assert!(events.iter().any(|event| &*event.message == "Deleted pod: p-199"));
        assert!(events.iter().any(|event| &*event.reason == "R199"));
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(shorten("añb", 2), "a");
        assert_eq!(shorten("ab", 2), "ab");
    }
}
