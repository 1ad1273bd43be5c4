//! The component `reason_enrichment`.

use job_event::{attributes as attr, otlp};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use pipeline::component::{Create, Factory, Processor};
use pipeline::config::Diagnostics;
use pipeline::{Batch, Payload, Signal};
use serde::Deserialize;
use tracing::warn;

use crate::{encode, judge};

/// Settings of the processor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Whether the event keeps the evidence it was judged by, as attribute `k8s.job.evidence`.
    keep_evidence: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { keep_evidence: true }
    }
}

/// Judges the events `k8s.job.finished` that pass; everything else passes untouched.
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
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Processor>, Diagnostics> {
    let settings: Settings = create.settings.read()?;
    Ok(Box::new(ReasonEnrichment::new(settings.keep_evidence)))
}

impl ReasonEnrichment {
    /// A processor that leaves the evidence in the events, or takes it out.
    pub fn new(keep_evidence: bool) -> Self {
        ReasonEnrichment { keep_evidence }
    }

    fn enrich(&self, record: &mut LogRecord) {
        match otlp::evidence(record) {
            Ok(evidence) => {
                encode::write(record, &judge::judge(&evidence));
                if !self.keep_evidence {
                    otlp::remove(&mut record.attributes, attr::EVIDENCE);
                }
            }
            Err(error) => {
                let uid = otlp::find_text(&record.attributes, attr::RECORD_UID).unwrap_or_default();
                warn!(job_uid = uid, %error, "cannot judge an event of a finished Job; it passes on with cause Unknown");
                encode::write_unjudged(record);
            }
        }
    }
}

impl Processor for ReasonEnrichment {
    fn process(&mut self, mut batch: Batch) -> Option<Batch> {
        // A batch that others look at too is copied only if there is something to change.
        if holds_events(&batch.payload) {
            if let Payload::Logs(resources) = batch.payload_mut() {
                for record in resources
                    .iter_mut()
                    .flat_map(|resource| &mut resource.scope_logs)
                    .flat_map(|scope| &mut scope.log_records)
                    .filter(|record| is_event(record))
                {
                    self.enrich(record);
                }
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
