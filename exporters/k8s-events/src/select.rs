//! The records that become Events, with the attributes that Events need: evidence stays behind, so that the queue is small.

use std::sync::Arc;

use collector_data::{Batch, Payload};
use collector_runtime::Inbox;
use futures_util::future;
use job_event::Outcome;
use job_event::attributes as attr;
use job_event::otlp::find_text;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::sync::mpsc;

/// The attributes of a resource that Events need.
const OF_RESOURCE: [&str; 2] = [attr::NAMESPACE_NAME, attr::CRONJOB_NAME];
/// The attributes of a record that Events need.
const OF_RECORD: [&str; 11] = [
    attr::RECORD_UID,
    attr::JOB_NAME,
    attr::JOB_UID,
    attr::CRONJOB_UID,
    attr::OUTCOME,
    attr::FAILURE_REASON,
    attr::FAILURE_CAUSE,
    attr::FAILURE_NEXT_STEP,
    attr::STALL_CAUSE,
    attr::STALL_NEXT_STEP,
    attr::MISSED_REASON,
];

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    Finished,
    Stalled,
    Recovered,
    Missed,
}

impl RecordKind {
    pub(crate) const ALL: [RecordKind; 4] = [
        RecordKind::Finished,
        RecordKind::Stalled,
        RecordKind::Recovered,
        RecordKind::Missed,
    ];

    /// The kind of the records with this event name.
    pub(crate) fn of(event_name: &str) -> Option<RecordKind> {
        RecordKind::ALL.into_iter().find(|kind| kind.event_name() == event_name)
    }

    pub(crate) fn event_name(self) -> &'static str {
        match self {
            RecordKind::Finished => attr::EVENT_NAME,
            RecordKind::Stalled => attr::STALLED_EVENT,
            RecordKind::Recovered => attr::RECOVERED_EVENT,
            RecordKind::Missed => attr::MISSED_EVENT,
        }
    }
}

/// The records that become Events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventSelection {
    pub(crate) kinds: Vec<RecordKind>,
    /// The outcomes of finished Jobs.
    pub(crate) outcomes: Vec<Outcome>,
}

impl EventSelection {
    fn selects(&self, record: &LogRecord) -> bool {
        let Some(kind) = RecordKind::of(&record.event_name).filter(|kind| self.kinds.contains(kind)) else {
            return false;
        };
        let outcome = || find_text(&record.attributes, attr::OUTCOME).and_then(Outcome::from_name);
        kind != RecordKind::Finished || outcome().is_some_and(|outcome| self.outcomes.contains(&outcome))
    }

    /// The selected records, each with its own resource; none of another signal.
    fn apply(&self, payload: &Payload) -> Vec<ResourceLogs> {
        let Payload::Logs(resources) = payload else {
            return Vec::new();
        };
        let mut selected = Vec::new();
        for logs in resources {
            let resource = logs.resource.as_ref().map_or(&[][..], |resource| &resource.attributes);
            let records = logs.scope_logs.iter().flat_map(|scope| &scope.log_records);
            selected.extend(
                records
                    .filter(|record| self.selects(record))
                    .map(|record| without_the_rest(resource, record)),
            );
        }
        selected
    }
}

fn without_the_rest(resource: &[KeyValue], record: &LogRecord) -> ResourceLogs {
    let only = |attributes: &[KeyValue], keys: &[&str]| -> Vec<KeyValue> {
        let kept = attributes.iter().filter(|attribute| keys.contains(&&*attribute.key));
        kept.cloned().collect()
    };
    let record = LogRecord {
        time_unix_nano: record.time_unix_nano,
        observed_time_unix_nano: record.observed_time_unix_nano,
        severity_number: record.severity_number,
        event_name: record.event_name.clone(),
        body: record.body.clone(),
        attributes: only(&record.attributes, &OF_RECORD),
        ..LogRecord::default()
    };
    ResourceLogs {
        resource: Some(Resource {
            attributes: only(resource, &OF_RESOURCE),
            ..Resource::default()
        }),
        scope_logs: vec![ScopeLogs {
            log_records: vec![record],
            ..ScopeLogs::default()
        }],
        ..ResourceLogs::default()
    }
}

/// An inbox with the selected records, and the future that fills it, which ends with its input. A batch without any is
/// acknowledged at once.
pub(crate) fn select(input: Inbox, selection: EventSelection) -> (Inbox, impl Future<Output = ()>) {
    let mut output = Inbox::empty();
    let channels = input.into_channels().into_iter().map(|channel| {
        // Capacity 1, so that batches wait in the pipeline while the queue is full.
        let (sender, selected) = mpsc::channel(1);
        output.add(selected);
        (channel, sender)
    });
    let channels: Vec<_> = channels.collect();
    let feed = async move {
        let selection = &selection;
        let forwarded = channels
            .into_iter()
            .map(|(channel, sender)| forward(channel, sender, selection));
        future::join_all(forwarded).await;
    };
    (output, feed)
}

async fn forward(mut input: mpsc::Receiver<Batch>, output: mpsc::Sender<Batch>, selection: &EventSelection) {
    while let Some(Batch { payload, ack }) = input.recv().await {
        let selected = selection.apply(&payload);
        if selected.is_empty() {
            ack.delivered();
            continue;
        }
        let payload = Arc::new(Payload::Logs(selected));
        // Without a receiver, the batch counts as lost.
        if output.send(Batch { payload, ack }).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use job_event::otlp::text;

    use super::*;

    fn record(event: &str, attributes: &[(&str, &str)]) -> LogRecord {
        LogRecord {
            event_name: event.into(),
            attributes: attributes.iter().map(|(key, value)| text(key, value)).collect(),
            ..LogRecord::default()
        }
    }

    fn logs(records: Vec<LogRecord>) -> Payload {
        Payload::Logs(vec![ResourceLogs {
            resource: Some(Resource {
                attributes: vec![text(attr::NAMESPACE_NAME, "shop"), text("service.name", "report")],
                ..Resource::default()
            }),
            scope_logs: vec![ScopeLogs {
                log_records: records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }])
    }

    /// The event names of the selected records, by the settings of the selection.
    fn names(kinds: &[RecordKind], outcomes: &[Outcome]) -> Vec<String> {
        let selection = EventSelection {
            kinds: kinds.into(),
            outcomes: outcomes.into(),
        };
        let finished = |outcome| record(attr::EVENT_NAME, &[(attr::OUTCOME, outcome)]);
        let payload = logs(vec![
            finished("Failed"),
            finished("Succeeded"),
            record(attr::EVENT_NAME, &[]),
            record(attr::STALLED_EVENT, &[]),
            record(attr::RECOVERED_EVENT, &[(attr::OUTCOME, "Failed")]),
            record(attr::MISSED_EVENT, &[]),
            record("other", &[(attr::OUTCOME, "Failed")]),
        ]);
        let selected = selection.apply(&payload);
        let records = selected.iter().flat_map(|logs| &logs.scope_logs[0].log_records);
        records
            .map(|record| {
                let outcome = find_text(&record.attributes, attr::OUTCOME).unwrap_or_default();
                format!("{} {outcome}", record.event_name)
            })
            .collect()
    }

    #[test]
    fn settings_select_records_by_event_and_outcome() {
        use RecordKind::{Finished, Missed, Recovered, Stalled};
        assert_eq!(
            names(&[Finished, Stalled, Missed], &[Outcome::Failed]),
            ["k8s.job.finished Failed", "k8s.job.stalled ", "k8s.cronjob.missed "]
        );
        assert_eq!(
            names(&[Finished, Recovered], &[Outcome::Succeeded]),
            ["k8s.job.finished Succeeded", "k8s.job.recovered Failed"]
        );
        assert_eq!(names(&[], &[Outcome::Failed]), [""; 0]);
    }

    #[test]
    fn only_the_needed_attributes_are_kept() {
        let selection = EventSelection {
            kinds: RecordKind::ALL.into(),
            outcomes: vec![Outcome::Failed],
        };
        let all: Vec<(&str, &str)> = OF_RECORD.iter().map(|key| (*key, "Failed")).collect();
        let mut with_evidence = all.clone();
        with_evidence.extend([(attr::EVIDENCE, "long"), (attr::ATTEMPTS, "long")]);
        let selected = selection.apply(&logs(vec![record(attr::EVENT_NAME, &with_evidence)]));
        let [
            ResourceLogs {
                resource: Some(resource),
                scope_logs,
                ..
            },
        ] = &*selected
        else {
            panic!("one resource: {selected:?}")
        };
        assert_eq!(resource.attributes, [text(attr::NAMESPACE_NAME, "shop")]);
        assert_eq!(scope_logs[0].log_records, [record(attr::EVENT_NAME, &all)]);
    }
}
