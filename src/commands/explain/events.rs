//! `explain --recording --events`: the events that the collector would emit, as records for programs and as lines for people.

use jiff::Timestamp;
use job_event::attributes::EVENT_NAME;
use job_event::notice::MissedRuns;
use job_event::{Evidence, Notice, Outcome};
use job_judge::judge_at;
use job_schedule::Schedule;
use serde::Serialize;

use super::notes::one_line;
use super::report::json_line;
use crate::cli::Format;
use crate::commands::Failure;

/// The most slots of one event that are listed.
const SLOTS: u64 = 10_000;
/// Where the text of a line of an event continues.
const INDENT: usize = 22;

/// One event, for programs. A key without a value is `null`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct EventRecord {
    /// `k8s.job.finished`, `k8s.job.stalled`, `k8s.job.recovered` or `k8s.cronjob.missed`.
    event: &'static str,
    /// When it happened.
    pub time: Option<Timestamp>,
    namespace: String,
    /// The name of the Job, or of the CronJob of missed runs.
    name: String,
    /// The UID of the Job, or of the CronJob of missed runs.
    uid: String,
    /// The CronJob that controls the Job, or that missed runs.
    cronjob: Option<String>,
    /// The outcome of a Job that has ended.
    outcome: Option<Outcome>,
    /// The verdict condition's reason, or the reason of a missed run.
    reason: Option<String>,
    /// The cause of a failure or of a stall.
    cause: Option<String>,
    summary: String,
    /// The slot of a missed run.
    slot: Option<Timestamp>,
}

/// The record of a finished Job.
pub(super) fn finished(evidence: &Evidence, end: Timestamp) -> EventRecord {
    let judgement = judge_at(evidence, end);
    let job = &evidence.job;
    EventRecord {
        event: EVENT_NAME,
        time: Some(job.decided_at().unwrap_or(end)),
        namespace: job.namespace.to_string(),
        name: job.name.to_string(),
        uid: job.uid.to_string(),
        cronjob: job.cronjob.as_ref().map(|cronjob| cronjob.name.to_string()),
        outcome: Some(judgement.outcome),
        reason: judgement.reason,
        cause: judgement.cause.map(|cause| cause.as_str().to_owned()),
        summary: judgement.summary,
        slot: None,
    }
}

/// The records of a notice: one for each slot of missed runs if they are known, else one.
pub(super) fn of_notice(notice: &Notice) -> Vec<EventRecord> {
    let job = notice.job();
    let (_, name) = notice.subject();
    let cronjob = job.cronjob.as_deref();
    let record = EventRecord {
        event: notice.event_name(),
        namespace: job.namespace.to_string(),
        name: name.to_owned(),
        uid: job.uid.to_string(),
        cronjob: cronjob.map(|cronjob| cronjob.name.to_string()),
        summary: notice.summary(),
        ..EventRecord::default()
    };
    match notice {
        Notice::Stalled(stalled) => vec![EventRecord {
            time: Some(stalled.at),
            cause: Some(stalled.cause.to_owned()),
            ..record
        }],
        Notice::Recovered(recovered) => vec![EventRecord {
            time: Some(recovered.at),
            outcome: recovered.outcome,
            cause: Some(recovered.causes.join(",")),
            ..record
        }],
        Notice::Missed(missed) => {
            let of_slot = |slot| EventRecord {
                time: Some(missed.at),
                uid: cronjob.map_or_else(String::new, |cronjob| cronjob.uid.to_string()),
                reason: Some(missed.reason.as_str().to_owned()),
                slot: Some(slot),
                ..record.clone()
            };
            slots(missed).into_iter().map(of_slot).collect()
        }
    }
}

/// The slots of an event; only the first one if the schedule has another number of them until the last one.
fn slots(missed: &MissedRuns) -> Vec<Timestamp> {
    let schedule = missed.cronjob.cronjob.as_ref().and_then(|cronjob| {
        let schedule = cronjob.schedule.as_deref()?;
        Schedule::parse(schedule, missed.time_zone.as_deref()).ok()
    });
    let next = |slot: &Timestamp| schedule.as_ref()?.next(*slot).filter(|next| *next <= missed.last);
    if missed.count > SLOTS {
        return vec![missed.first];
    }
    let limit = usize::try_from(missed.count).unwrap_or(usize::MAX).saturating_add(1);
    let slots: Vec<Timestamp> = std::iter::successors(Some(missed.first), next).take(limit).collect();
    if slots.len() + 1 == limit {
        slots
    } else {
        vec![missed.first]
    }
}

/// The records as one JSON object a line, or as one line of text each that fits into `width`.
pub(super) fn written(records: &[EventRecord], format: Format, width: Option<usize>) -> Result<String, Failure> {
    let mut out = String::new();
    for record in records {
        match format {
            Format::Json => out.push_str(&json_line(record)?),
            Format::Text => out.push_str(&line(record, width.unwrap_or(usize::MAX))),
        }
    }
    Ok(out)
}

/// `2026-11-28T12:18:00Z  missed     shop/nightly  ControllerLate, slot 12:17:00`
fn line(record: &EventRecord, width: usize) -> String {
    let time = record.time.map_or_else(String::new, second);
    let event = record.event.rsplit('.').next().unwrap_or_default();
    let subject = format!("{}/{}", one_line(&record.namespace), one_line(&record.name));
    let of = [
        record.outcome.map(|outcome| outcome.as_str().to_owned()),
        record.reason.as_deref().map(one_line),
        record.cause.clone(),
        record.slot.map(|slot| format!("slot {}", second(slot))),
    ];
    let detail = of.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let head = format!("{time:20}  {event:9}  {subject}");
    let break_line = head.chars().count() + 2 + detail.chars().count() > width;
    let gap = if break_line {
        format!("\n{:INDENT$}", "")
    } else {
        "  ".into()
    };
    format!("{head}{gap}{detail}\n")
}

/// A time without fractions of a second.
fn second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

#[cfg(test)]
mod tests {
    use job_event::evidence::{CronJob, Job};
    use job_event::notice::MissReason;

    use super::*;

    fn missed(schedule: &str, first: &str, last: &str, count: u64) -> Notice {
        Notice::Missed(Box::new(MissedRuns {
            cronjob: Job {
                namespace: "shop".into(),
                cronjob: Some(Box::new(CronJob {
                    name: "nightly".into(),
                    uid: "c".into(),
                    schedule: Some(schedule.into()),
                    ..CronJob::default()
                })),
                ..Job::default()
            },
            time_zone: None,
            reason: MissReason::ControllerLate,
            message: String::new(),
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
            count,
            at: "2026-11-28T12:18:57.5Z".parse().unwrap(),
        }))
    }

    #[test]
    fn an_event_of_unknown_slots_has_one_record() {
        let notice = missed("no schedule", "2026-11-28T12:15:00Z", "2026-11-28T12:17:00Z", 3);
        let records = of_notice(&notice);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].slot, "2026-11-28T12:15:00Z".parse().ok());
        assert_eq!((&*records[0].name, &*records[0].uid), ("nightly", "c"));
        assert_eq!(records[0].cronjob.as_deref(), Some("nightly"));
    }

    #[test]
    fn an_event_is_one_line_of_text() {
        let records = of_notice(&missed("", "2026-11-28T12:17:00Z", "2026-11-28T12:17:00Z", 1));
        let text = |width| written(&records, Format::Text, width).unwrap();
        assert_eq!(
            text(None),
            "2026-11-28T12:18:57Z  missed     shop/nightly  ControllerLate, slot 2026-11-28T12:17:00Z\n"
        );
        assert_eq!(
            text(Some(80)),
            "2026-11-28T12:18:57Z  missed     shop/nightly\n                      ControllerLate, slot \
             2026-11-28T12:17:00Z\n"
        );
    }
}
