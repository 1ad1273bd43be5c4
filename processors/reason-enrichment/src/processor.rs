//! The component `reason_enrichment`.

use collector_config::{Diagnostics, schema_of};
use collector_data::{Batch, Payload, Signal};
use collector_runtime::component::{Create, Factory, Processor};
use job_event::{attributes as attr, otlp};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;
use schemars::JsonSchema;
use serde::Deserialize;
use tracing::warn;

use crate::encode;
use job_judge::judge;

/// The largest evidence that an event keeps, bytes. Backends refuse larger records (many at 1 MB), and a Job with hundreds
/// of failed Pods must not lose its event.
const MAX_EVIDENCE: usize = 256 * 1024;

/// Settings of the processor.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct EnrichmentSettings {
    /// Keeps the evidence of the verdict in the event, as attribute `k8s.job.evidence`. `false` makes events smaller.
    keep_evidence: bool,
}

impl Default for EnrichmentSettings {
    fn default() -> Self {
        EnrichmentSettings { keep_evidence: true }
    }
}

/// Judges the events `k8s.job.finished`; everything else passes unchanged, also the events of stalled Jobs, which have their cause.
#[derive(Debug)]
pub struct ReasonEnrichment {
    keep_evidence: bool,
}

/// The processor's factory.
pub fn factory() -> Factory<dyn Processor> {
    Factory {
        type_name: "reason_enrichment",
        aliases: &[],
        signals: &[Signal::Logs],
        makes: &[],
        description: "Judges why a Kubernetes Job failed and writes cause, category, retry and a sentence into its event",
        schema: schema_of::<EnrichmentSettings>,
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Processor>, Diagnostics> {
    let settings: EnrichmentSettings = create.settings.read()?;
    Ok(Box::new(ReasonEnrichment::new(settings.keep_evidence)))
}

impl ReasonEnrichment {
    /// A processor that keeps the evidence in the events, or removes it.
    pub fn new(keep_evidence: bool) -> Self {
        ReasonEnrichment { keep_evidence }
    }

    fn enrich(&self, record: &mut LogRecord) {
        let attributes = &record.attributes;
        // Judged before, by a processor that removed the evidence.
        if otlp::find(attributes, attr::EVIDENCE).is_none() && otlp::find(attributes, attr::FAILURE_CAUSE).is_some() {
            return;
        }
        match otlp::evidence(record) {
            Ok(evidence) => {
                encode::write(record, &judge(&evidence));
                if self.keep_evidence {
                    omit_large_evidence(record);
                } else {
                    otlp::remove(&mut record.attributes, attr::EVIDENCE);
                }
            }
            Err(error) => {
                let uid = otlp::find_text(&record.attributes, attr::RECORD_UID).unwrap_or_default();
                warn!(job_uid = uid, %error, "cannot judge the event of a finished Job: unreadable evidence; exporting it with cause Unknown");
                encode::write_unjudged(record);
            }
        }
    }
}

/// Replaces evidence that is too large for a backend by its size.
fn omit_large_evidence(record: &mut LogRecord) {
    let size = otlp::find(&record.attributes, attr::EVIDENCE).map_or(0, Message::encoded_len);
    if size > MAX_EVIDENCE {
        otlp::remove(&mut record.attributes, attr::EVIDENCE);
        let size = Value::IntValue(i64::try_from(size).unwrap_or(i64::MAX));
        otlp::set(&mut record.attributes, otlp::key_value(attr::EVIDENCE_OMITTED, size));
    }
}

impl Processor for ReasonEnrichment {
    fn process(&mut self, mut batch: Batch) -> Option<Batch> {
        // A batch shared with other pipelines is copied only for a change.
        if holds_events(&batch.payload)
            && let Payload::Logs(resources) = batch.payload_mut()
        {
            for record in resources
                .iter_mut()
                .flat_map(|resource| &mut resource.scope_logs)
                .flat_map(|scope| &mut scope.log_records)
                .filter(|record| is_event(record))
            {
                self.enrich(record);
            }
        }
        Some(batch)
    }
}

fn is_event(record: &LogRecord) -> bool {
    record.event_name == attr::EVENT_NAME
}

fn holds_events(payload: &Payload) -> bool {
    match payload {
        Payload::Logs(resources) => resources
            .iter()
            .flat_map(|resource| &resource.scope_logs)
            .flat_map(|scope| &scope.log_records)
            .any(is_event),
        Payload::Metrics(_) | Payload::Traces(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use collector_config::ComponentId;
    use collector_data::Ack;
    use collector_runtime::health::Health;
    use job_event::evidence::{Condition, Event, Evidence, Job, JobStatus};
    use job_event::notice::{MissReason, MissedRuns, RecoveredJob, StalledJob};
    use job_event::{Notice, Outcome};
    use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};

    use super::*;

    fn failed_event() -> ResourceLogs {
        failed_event_with(vec![])
    }

    fn failed_event_with(events: Vec<Event>) -> ResourceLogs {
        let evidence = Evidence {
            job: Job {
                name: "j".into(),
                uid: "u-1".into(),
                status: JobStatus {
                    conditions: vec![Condition {
                        kind: "FailureTarget".into(),
                        is_true: true,
                        reason: "BackoffLimitExceeded".into(),
                        ..Default::default()
                    }],
                    ..Default::default()
                },
                ..Default::default()
            },
            pods: vec![],
            events,
            gaps: vec![],
        };
        otlp::encode(&evidence, None, "2026-11-23T16:14:27Z".parse().unwrap())
    }

    fn process(keep_evidence: bool, resources: Vec<ResourceLogs>) -> Vec<ResourceLogs> {
        let batch = Batch::new(Payload::Logs(resources), Ack::unwatched());
        let batch = ReasonEnrichment::new(keep_evidence).process(batch).unwrap();
        match &*batch.payload {
            Payload::Logs(resources) => resources.clone(),
            other => panic!("logs went in, {other:?} came out"),
        }
    }

    fn text<'a>(record: &'a LogRecord, name: &str) -> Option<&'a str> {
        otlp::find_text(&record.attributes, name)
    }

    #[test]
    fn judging_twice_changes_nothing() {
        let once = process(true, vec![failed_event()]);
        assert_eq!(process(true, once.clone()), once);
        let record = &once[0].scope_logs[0].log_records[0];
        let mut names: Vec<&str> = record.attributes.iter().map(|kv| &*kv.key).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(text(record, attr::FAILURE_CAUSE), Some("Unknown"));
        assert_eq!(text(record, attr::EVIDENCE_QUALITY), Some("complete"));
    }

    #[test]
    fn keep_evidence_false_removes_the_evidence() {
        let record = &process(false, vec![failed_event()])[0].scope_logs[0].log_records[0];
        assert!(otlp::find(&record.attributes, attr::EVIDENCE).is_none());
        assert_eq!(text(record, attr::FAILURE_CATEGORY), Some("unknown"));
    }

    #[test]
    fn large_evidence_is_judged_and_removed() {
        let large = Event {
            message: "x".repeat(MAX_EVIDENCE).into(),
            ..Default::default()
        };
        let small = process(true, vec![failed_event_with(vec![Event::default()])]);
        let record = &small[0].scope_logs[0].log_records[0];
        assert!(otlp::find(&record.attributes, attr::EVIDENCE).is_some());
        assert!(otlp::find(&record.attributes, attr::EVIDENCE_OMITTED).is_none());
        let large = process(true, vec![failed_event_with(vec![large])]);
        let record = &large[0].scope_logs[0].log_records[0];
        assert!(record.encoded_len() < MAX_EVIDENCE);
        assert_eq!(text(record, attr::FAILURE_CAUSE), Some("Unknown"));
        let size = otlp::find(&record.attributes, attr::EVIDENCE_OMITTED).and_then(|size| size.value.clone());
        assert!(matches!(size, Some(Value::IntValue(size)) if size > MAX_EVIDENCE as i64));
    }

    #[test]
    fn an_event_judged_before_without_evidence_is_unchanged() {
        let mut judged = process(false, vec![failed_event()]);
        let record = &mut judged[0].scope_logs[0].log_records[0];
        otlp::set(&mut record.attributes, otlp::text(attr::FAILURE_CAUSE, "OutOfMemory"));
        assert_eq!(process(true, judged.clone()), judged);
    }

    #[test]
    fn unreadable_evidence_gives_cause_unknown() {
        let mut resource = failed_event();
        let record = &mut resource.scope_logs[0].log_records[0];
        otlp::set(&mut record.attributes, otlp::text(attr::EVIDENCE, "not a map"));
        let body = record.body.clone();
        let record = &process(false, vec![resource])[0].scope_logs[0].log_records[0];
        assert_eq!(text(record, attr::FAILURE_CAUSE), Some("Unknown"));
        assert_eq!(text(record, attr::FAILURE_RETRY), Some("maybe"));
        assert_eq!(text(record, attr::FAILURE_REASON), Some("BackoffLimitExceeded"));
        assert_eq!(text(record, attr::EVIDENCE_QUALITY), Some("partial"));
        assert_eq!(text(record, attr::EVIDENCE), Some("not a map"));
        assert_eq!(record.body, body);
    }

    fn notice(notice: &Notice) -> ResourceLogs {
        otlp::encode_notice(notice, None, "2026-11-23T16:14:27Z".parse().unwrap())
    }

    #[test]
    fn stalls_and_missed_runs_pass_without_a_copy() {
        let at = "2026-11-23T16:14:27Z".parse().unwrap();
        let stalled = Notice::Stalled(Box::new(StalledJob {
            job: Job::default(),
            cause: "ImagePull",
            category: "configuration",
            retry: "no",
            summary: "Stalled.".into(),
            next_step: "Correct the image.".into(),
            container: None,
            index: None,
            since: at,
            at,
        }));
        let recovered = Notice::Recovered(Box::new(RecoveredJob {
            job: Job::default(),
            causes: vec!["ImagePull".into()],
            since: at,
            at,
            outcome: Some(Outcome::Failed),
        }));
        let missed = Notice::Missed(Box::new(MissedRuns {
            cronjob: Job::default(),
            time_zone: None,
            reason: MissReason::Unknown,
            message: String::new(),
            first: at,
            last: at,
            count: 1,
            at,
        }));
        let events: Vec<ResourceLogs> = [stalled, recovered, missed].iter().map(notice).collect();
        let batch = Batch::new(Payload::Logs(events.clone()), Ack::unwatched());
        let shared = Arc::clone(&batch.payload);
        let passed = ReasonEnrichment::new(false).process(batch).unwrap();
        assert!(Arc::ptr_eq(&passed.payload, &shared));
        // The same beside an event that is judged.
        let mut all = events.clone();
        all.push(failed_event());
        assert_eq!(process(false, all)[..3], events);
    }

    #[test]
    fn other_records_pass_without_a_copy() {
        let other = ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![LogRecord {
                    attributes: vec![otlp::key_value("a", Value::IntValue(1))],
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let batch = Batch::new(Payload::Logs(vec![other]), Ack::unwatched());
        let shared = Arc::clone(&batch.payload);
        let passed = ReasonEnrichment::new(true).process(batch).unwrap();
        assert!(Arc::ptr_eq(&passed.payload, &shared));
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let create = |yaml: &str| {
            let id = ComponentId {
                type_name: "reason_enrichment".into(),
                name: None,
            };
            let settings = collector_config::Settings::from_yaml(yaml).unwrap();
            let meter = opentelemetry::metrics::MeterProvider::meter(
                &opentelemetry::metrics::noop::NoopMeterProvider::new(),
                "test",
            );
            let health = Health::new();
            (factory().create)(&Create {
                id: &id,
                settings: &settings,
                meter: &meter,
                health: &health,
                provided: &collector_runtime::storage::Provided::new(),
            })
            .map(|_| ())
        };
        create("keep_evidence: false").unwrap();
        create("{}").unwrap();
        let errors = create("keep_evidense: false").unwrap_err().to_string();
        assert!(errors.contains("keep_evidense"), "{errors}");
    }

    #[tokio::test]
    async fn fulfils_the_contract() {
        let subject = collector_testing::contract::Subject::new(factory(), "{}");
        collector_testing::contract::processor(&subject).await;
    }
}
