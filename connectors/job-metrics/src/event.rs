//! The events that are counted.

use job_event::finished::Finished;
use job_event::missed::Missed;
use job_event::otlp::DecodeError;
use job_event::{Outcome, Uid};
use opentelemetry_proto::tonic::logs::v1::LogRecord;

/// An event that is counted.
#[derive(Clone, Debug, PartialEq)]
pub enum CountedEvent {
    /// A Job that failed or completed. A deleted or replaced one has done neither.
    Finished(Box<Finished>),
    /// Runs of a CronJob that did not start.
    Missed(Missed),
}

impl CountedEvent {
    /// Reads a record; `None` if it is another event, or one that is not counted.
    ///
    /// # Errors
    /// If the record has the name of such an event but not its form.
    pub fn read(record: &LogRecord) -> Result<Option<CountedEvent>, DecodeError> {
        if let Some(missed) = Missed::read(record)? {
            return Ok(Some(CountedEvent::Missed(missed)));
        }
        let is_counted = |event: &Finished| matches!(event.outcome, Outcome::Failed | Outcome::Succeeded);
        let finished = Finished::read(record)?.filter(is_counted);
        Ok(finished.map(|event| CountedEvent::Finished(Box::new(event))))
    }

    /// Identifies the event, also when it is sent again.
    pub fn key(&self) -> Uid {
        match self {
            CountedEvent::Finished(event) => Uid::new(&event.uid),
            CountedEvent::Missed(event) => Uid::new(&event.uid),
        }
    }
}
