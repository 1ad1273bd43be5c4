//! A cluster, the exporter, and records.

use std::sync::Arc;

use collector_data::{Outcome, Payload};
use collector_runtime::health::Status;
use collector_testing::{Folder, Host, Running};
use job_event::attributes as attr;
use job_event::otlp::text;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyText;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource as OtlpResource;
use serde_json::Value;
use simulator::{Fault, Matching, Resource, Simulator, SimulatorOptions, Verb};

pub(crate) const CREATE: Matching = Matching {
    resource: Some(Resource::Events),
    verb: Some(Verb::Create),
};

/// A cluster with a folder for its kubeconfig.
pub(crate) struct Cluster {
    pub(crate) simulator: Simulator,
    folder: Folder,
}

impl Cluster {
    pub(crate) async fn start(name: &str) -> Cluster {
        let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
        let folder = Folder::new(&format!("k8s-events-{name}"));
        simulator.write_kubeconfig(&folder.path().join("kubeconfig")).unwrap();
        Cluster { simulator, folder }
    }

    /// The settings of an exporter that retries at once, and these.
    pub(crate) fn settings(&self, more: &str) -> String {
        format!(
            "kubeconfig: {}\nretry_on_failure: {{initial_interval: 1ms, max_interval: 1ms}}\n{more}",
            self.folder.path().join("kubeconfig").display()
        )
    }

    /// A running exporter with these settings.
    pub(crate) async fn exporter(&self, more: &str) -> (Host, Running) {
        let host = Host::new("k8s_events");
        let exporter = host
            .create(&k8s_events_exporter::factory(), &self.settings(more))
            .unwrap_or_else(|errors| panic!("{errors}"));
        let running = Running::exporter(&host, exporter).await.unwrap();
        (host, running)
    }

    pub(crate) fn answer_next(&self, count: usize, code: u16) {
        let fault = Fault::Status {
            code,
            retry_after: None,
        };
        self.simulator.answer_next(count, CREATE, fault);
    }

    /// The Events of the cluster, in the order of their names.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.simulator.store().list(Resource::Events)
    }

    /// `KIND/NAME REASON` of each Event, sorted.
    pub(crate) fn summary(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut summary: Vec<String> = self
            .events()
            .iter()
            .map(|event| {
                let object = &event["involvedObject"];
                let (kind, name) = (text(&object["kind"]), text(&object["name"]));
                format!("{kind}/{name} {}", text(&event["reason"]))
            })
            .collect();
        summary.sort();
        summary
    }

    /// The number of requests to create an Event.
    pub(crate) fn attempts(&self) -> usize {
        let requests = self.simulator.requests();
        let created = requests
            .iter()
            .filter(|request| request.verb == Some(Verb::Create) && request.resource == Some(Resource::Events));
        created.count()
    }
}

fn logs(resource: &[(&str, &str)], event_name: &str, body: &str, attributes: &[(&str, &str)]) -> ResourceLogs {
    let texts =
        |pairs: &[(&str, &str)]| -> Vec<KeyValue> { pairs.iter().map(|(key, value)| text(key, value)).collect() };
    ResourceLogs {
        resource: Some(OtlpResource {
            attributes: texts(resource),
            ..OtlpResource::default()
        }),
        scope_logs: vec![ScopeLogs {
            log_records: vec![LogRecord {
                time_unix_nano: 1_795_450_466_000_000_000,
                event_name: event_name.into(),
                body: Some(AnyValue {
                    value: Some(AnyText::StringValue(body.into())),
                }),
                attributes: texts(attributes),
                ..LogRecord::default()
            }],
            ..ScopeLogs::default()
        }],
        ..ResourceLogs::default()
    }
}

/// A failed Job without an owner, in namespace `shop`.
pub(crate) fn failed(name: &str) -> Payload {
    finished(name, "Failed")
}

/// A finished Job without an owner.
pub(crate) fn finished(name: &str, outcome: &str) -> Payload {
    let uid = format!("uid-of-{name}");
    Payload::Logs(vec![logs(
        &[(attr::NAMESPACE_NAME, "shop"), (attr::JOB_NAME, name)],
        attr::EVENT_NAME,
        &format!("Job {name}: Failed: container main ran out of memory."),
        &[
            (attr::RECORD_UID, &uid),
            (attr::JOB_NAME, name),
            (attr::JOB_UID, &uid),
            (attr::OUTCOME, outcome),
            (attr::FAILURE_REASON, "BackoffLimitExceeded"),
            (attr::FAILURE_CAUSE, "OutOfMemory"),
            (attr::FAILURE_NEXT_STEP, "Raise resources.limits.memory."),
        ],
    )])
}

/// A failed run of CronJob `report`, a stall of it before, and a missed run, in one batch.
pub(crate) fn cronjob() -> Payload {
    let resource = [(attr::NAMESPACE_NAME, "shop"), (attr::CRONJOB_NAME, "report")];
    let run = [
        (attr::JOB_NAME, "report-29"),
        (attr::JOB_UID, "u-29"),
        (attr::CRONJOB_UID, "c-1"),
    ];
    let stalled = [
        (attr::RECORD_UID, "u-29/stalled/ImagePull"),
        (attr::STALL_CAUSE, "ImagePull"),
        (attr::STALL_NEXT_STEP, "Correct the image."),
    ];
    let failed = [
        (attr::RECORD_UID, "u-29"),
        (attr::OUTCOME, "Failed"),
        (attr::FAILURE_CAUSE, "ImagePull"),
    ];
    let missed = [
        (attr::RECORD_UID, "c-1/missed/2026-11-28T10:05:00Z"),
        (attr::CRONJOB_UID, "c-1"),
        (attr::MISSED_REASON, "ConcurrencyForbidden"),
    ];
    let of_run = |more: &[(&'static str, &'static str)]| [&run, more].concat();
    Payload::Logs(vec![
        logs(
            &resource,
            attr::STALLED_EVENT,
            "Job report-29: Stalled for 2 min.",
            &of_run(&stalled),
        ),
        logs(&resource, attr::EVENT_NAME, "Job report-29: Failed.", &of_run(&failed)),
        logs(&resource, attr::MISSED_EVENT, "CronJob report: Missed 1 run.", &missed),
    ])
}

/// All records of these payloads in one.
pub(crate) fn together(payloads: impl IntoIterator<Item = Payload>) -> Payload {
    let logs = payloads.into_iter().flat_map(|payload| match payload {
        Payload::Logs(logs) => logs,
        other => panic!("{other:?} are no logs"),
    });
    Payload::Logs(logs.collect())
}

/// Exports a payload; returns its outcome.
pub(crate) async fn export(running: &Running, payload: Payload) -> Outcome {
    running.send(payload).await.await
}

/// The problem of a component that reports a recoverable error.
pub(crate) async fn problem(host: &Host) -> Arc<str> {
    match host.until(|status| matches!(status, Status::RecoverableError(_))).await {
        Status::RecoverableError(why) => why.as_str().into(),
        other => panic!("{other:?}"),
    }
}
