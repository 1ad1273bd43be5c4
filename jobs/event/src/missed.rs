//! The event of missed runs as connectors read it: typed.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;

use crate::attributes as attr;
use crate::notice::MissReason;
use crate::otlp::{self, DecodeError};

/// The event of runs of a CronJob that did not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// `log.record.uid`: identifies the event.
    pub uid: String,
    /// Why they did not start.
    pub reason: MissReason,
    /// The number of runs, 1 or more.
    pub count: u64,
}

impl Missed {
    /// Reads the event; `None` if the record is not an event of missed runs.
    ///
    /// # Errors
    /// If the record has the event's name but lacks an attribute, or one has another form.
    pub fn read(record: &LogRecord) -> Result<Option<Missed>, DecodeError> {
        if record.event_name != attr::MISSED_EVENT {
            return Ok(None);
        }
        let text = |name| otlp::find_text(&record.attributes, name).ok_or(DecodeError::Missing(name));
        let reason = text(attr::MISSED_REASON)?;
        Ok(Some(Missed {
            uid: text(attr::RECORD_UID)?.to_owned(),
            reason: MissReason::from_name(reason).ok_or_else(|| DecodeError::Invalid {
                name: attr::MISSED_REASON,
                found: format!("{reason:?}"),
                expected: "ConcurrencyForbidden, StartingDeadlineExceeded, TooManyMissedTimes, ControllerLate, \
                           InvalidSchedule or Unknown",
            })?,
            count: count(record)?,
        }))
    }
}

fn count(record: &LogRecord) -> Result<u64, DecodeError> {
    let name = attr::MISSED_COUNT;
    let value = otlp::find(&record.attributes, name).ok_or(DecodeError::Missing(name))?;
    let count = match value.value {
        Some(Value::IntValue(count)) => u64::try_from(count).ok().filter(|count| *count > 0),
        _ => None,
    };
    count.ok_or_else(|| DecodeError::Invalid {
        name,
        found: format!("{:?}", value.value),
        expected: "a whole number, 1 or more",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{CronJob, Job};
    use crate::notice::{MissedRuns, Notice};

    fn event(reason: MissReason) -> LogRecord {
        let slot = "2026-11-28T10:05:00Z".parse().unwrap();
        let notice = Notice::Missed(Box::new(MissedRuns {
            cronjob: Job {
                cronjob: Some(Box::new(CronJob {
                    uid: "c-1".into(),
                    ..Default::default()
                })),
                ..Default::default()
            },
            time_zone: None,
            reason,
            message: String::new(),
            first: slot,
            last: slot,
            count: 3,
            at: slot,
        }));
        let mut resource = otlp::encode_notice(&notice, None, slot);
        resource.scope_logs.remove(0).log_records.remove(0)
    }

    #[test]
    fn reads_what_the_receiver_encodes() {
        for reason in MissReason::ALL {
            let read = Missed::read(&event(reason)).unwrap().unwrap();
            let uid = "c-1/missed/2026-11-28T10:05:00Z".to_owned();
            assert_eq!(read, Missed { uid, reason, count: 3 });
        }
    }

    #[test]
    fn an_invalid_event_is_an_error_that_names_the_attribute() {
        let error = |name: &str, value| {
            let mut record = event(MissReason::Unknown);
            otlp::set(&mut record.attributes, otlp::key_value(name, value));
            Missed::read(&record).unwrap_err().to_string()
        };
        let found = error(attr::MISSED_REASON, Value::StringValue("Lazy".into()));
        assert!(
            found.starts_with("attribute k8s.cronjob.missed.reason holds \"Lazy\", expected Concurrency"),
            "{found}"
        );
        for value in [Value::IntValue(0), Value::IntValue(-1), Value::StringValue("3".into())] {
            let found = error(attr::MISSED_COUNT, value);
            assert!(
                found.contains("k8s.cronjob.missed.count") && found.contains("1 or more"),
                "{found}"
            );
        }
        for name in [attr::RECORD_UID, attr::MISSED_REASON, attr::MISSED_COUNT] {
            let mut record = event(MissReason::Unknown);
            otlp::remove(&mut record.attributes, name);
            let found = Missed::read(&record).unwrap_err().to_string();
            assert_eq!(found, format!("attribute {name} is missing"));
        }
    }

    #[test]
    fn other_events_are_not_read() {
        let mut record = event(MissReason::Unknown);
        record.event_name = attr::STALLED_EVENT.into();
        assert_eq!(Missed::read(&record).unwrap(), None);
    }
}
