//! One event as the API shows it: short in lists, whole on its own.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use job_event::attributes as attr;

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum EventKind {
    /// A Job has ended.
    #[serde(rename = "k8s.job.finished")]
    Finished,
    /// A Job makes no progress.
    #[serde(rename = "k8s.job.stalled")]
    Stalled,
    /// A stalled Job makes progress again, or has ended.
    #[serde(rename = "k8s.job.recovered")]
    Recovered,
    /// Runs of a CronJob did not start.
    #[serde(rename = "k8s.cronjob.missed")]
    Missed,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [EventKind; 4] = [
        EventKind::Finished,
        EventKind::Stalled,
        EventKind::Recovered,
        EventKind::Missed,
    ];

    /// The name of the event.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Finished => attr::EVENT_NAME,
            EventKind::Stalled => attr::STALLED_EVENT,
            EventKind::Recovered => attr::RECOVERED_EVENT,
            EventKind::Missed => attr::MISSED_EVENT,
        }
    }

    /// The last word of the name: `finished`.
    pub fn short(self) -> &'static str {
        match self {
            EventKind::Finished => "finished",
            EventKind::Stalled => "stalled",
            EventKind::Recovered => "recovered",
            EventKind::Missed => "missed",
        }
    }

    /// The kind of that name, whole or short.
    pub fn from_name(name: &str) -> Option<EventKind> {
        EventKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name || kind.short() == name)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The owner of a Job, within its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Owner {
    /// `CronJob`, `Job`, or the kind of another object; empty if unknown.
    pub kind: Box<str>,
    /// The name; empty if unknown.
    pub name: Box<str>,
    /// The rule by which it was found, as in `k8s.job.owner.rule`; empty if unknown.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub rule: Box<str>,
}

/// An event as lists show it. Names and texts are cut to a bounded length; absent ones are empty.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// The kind.
    pub event: EventKind,
    /// `log.record.uid`: identifies the event, also when it is sent again.
    pub id: Box<str>,
    /// The time of the event.
    pub time: Timestamp,
    /// The namespace.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub namespace: Box<str>,
    /// The Job's name; absent on missed runs.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: Box<str>,
    /// The Job's UID; on missed runs that of the CronJob.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub uid: Box<str>,
    /// The owner.
    pub owner: Owner,
    /// The cluster.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub cluster: Box<str>,
    /// `Succeeded`, `Failed`, `Deleted`, `Replaced`; absent while the Job is unfinished.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub outcome: Box<str>,
    /// The verdict's reason; on missed runs the reason for which they did not start.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: Box<str>,
    /// The cause of a failure or a stall; on a recovery all causes, separated by commas.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub cause: Box<str>,
    /// The category of the cause.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub category: Box<str>,
    /// The effect of a retry of the unchanged Job: `yes`, `no`, `maybe`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub retry: Box<str>,
    /// The sentence.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub summary: Box<str>,
    /// The start of the Job; on missed runs the first slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// The beginning of a stall.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// From start to verdict, or of the stall; seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// The number of finished attempts, at most 100.
    #[serde(skip_serializing_if = "is_zero")]
    pub attempt_count: u32,
    /// The number of missed runs.
    #[serde(skip_serializing_if = "is_zero_u64")]
    pub missed_runs: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero_u64(number: &u64) -> bool {
    *number == 0
}

/// A whole event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WholeEvent {
    /// The part that lists show; its texts are cut, those below are not.
    #[serde(flatten)]
    pub listed: Listed,
    /// The verdict's message, or the CronJob controller's about missed runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// The time of the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_time: Option<Timestamp>,
    /// The finished attempts, oldest first: maps with the keys of `docs/events.md`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Value>,
    /// The evidence, in the serde form of `job_event::Evidence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Value>,
    /// The attributes of the record, without evidence and attempts.
    pub attributes: Map<String, Value>,
    /// The attributes of the resource.
    pub resource: Map<String, Value>,
}
