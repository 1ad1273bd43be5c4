//! Events for the tests of this crate, as the receiver and the processor write them.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

use std::sync::{Arc, Mutex};

use collector_config::component_id;
use collector_data::Payload;
use collector_runtime::health::Health;
use collector_runtime::process_status::Process;
use collector_testing::OwnMetrics;
use jiff::Timestamp;
use job_event::attributes as attr;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::state::{Contents, Environment, Web};
use crate::store::StoreLimits;
use crate::telemetry::WebTelemetry;

/// A time on the day of the tests.
pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-11-28T{time}Z").parse().unwrap()
}

pub(crate) fn attribute(key: &str, value: impl Into<Value>) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue {
            value: Some(value.into()),
        }),
        ..Default::default()
    }
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// An event of a CronJob `report` in namespace `shop`.
#[derive(Clone, Debug)]
pub(crate) struct TestEvent {
    pub(crate) resource: Vec<KeyValue>,
    pub(crate) record: LogRecord,
}

impl TestEvent {
    fn new(event: &str, id: &str, time: &str, attributes: Vec<KeyValue>) -> Self {
        TestEvent {
            resource: vec![text(attr::NAMESPACE_NAME, "shop"), text(attr::CRONJOB_NAME, "report")],
            record: LogRecord {
                time_unix_nano: u64::try_from(at(time).as_nanosecond()).unwrap(),
                event_name: event.into(),
                body: Some(AnyValue {
                    value: Some(Value::StringValue(format!("{event} {id}"))),
                }),
                attributes: [vec![text(attr::RECORD_UID, id)], attributes].concat(),
                ..Default::default()
            },
        }
        .with(attr::OWNER_RULE, "cronjob")
        .with(attr::OWNER_KIND, "CronJob")
        .with(attr::OWNER_NAME, "report")
    }

    /// The end of the Job `report-NUMBER` with UID `NUMBER`.
    pub(crate) fn finished(number: u32, outcome: &str, time: &str) -> Self {
        let job = vec![
            text(attr::JOB_NAME, &format!("report-{number}")),
            text(attr::JOB_UID, &number.to_string()),
            text(attr::OUTCOME, outcome),
            attribute(attr::DURATION, Value::DoubleValue(60.0)),
        ];
        TestEvent::new(attr::EVENT_NAME, &number.to_string(), time, job)
    }

    /// Its failure for a cause.
    pub(crate) fn failed(number: u32, cause: &str, time: &str) -> Self {
        TestEvent::finished(number, "Failed", time)
            .with(attr::FAILURE_CAUSE, cause)
            .with(attr::FAILURE_CATEGORY, "application")
            .with(attr::FAILURE_REASON, "BackoffLimitExceeded")
    }

    /// A stall of that Job.
    pub(crate) fn stalled(number: u32, cause: &str, time: &str) -> Self {
        let job = vec![
            text(attr::JOB_NAME, &format!("report-{number}")),
            text(attr::JOB_UID, &number.to_string()),
            text(attr::STALL_CAUSE, cause),
            text(attr::STALL_SINCE, &at(time).to_string()),
        ];
        TestEvent::new(attr::STALLED_EVENT, &format!("{number}/stalled/{cause}"), time, job)
    }

    /// The end of stalls with these causes, joined by commas.
    pub(crate) fn recovered(number: u32, causes: &str, time: &str) -> Self {
        let job = vec![
            text(attr::JOB_NAME, &format!("report-{number}")),
            text(attr::JOB_UID, &number.to_string()),
            text(attr::STALL_CAUSE, causes),
        ];
        TestEvent::new(
            attr::RECOVERED_EVENT,
            &format!("{number}/recovered/{causes}"),
            time,
            job,
        )
    }

    /// Runs that did not start.
    pub(crate) fn missed(count: i64, reason: &str, time: &str) -> Self {
        let mut event = TestEvent::new(
            attr::MISSED_EVENT,
            &format!("c-1/missed/{}", at(time)),
            time,
            vec![
                text(attr::CRONJOB_UID, "c-1"),
                text(attr::MISSED_REASON, reason),
                attribute(attr::MISSED_COUNT, Value::IntValue(count)),
            ],
        );
        // The receiver writes no owner into these.
        event.record.attributes.retain(|pair| !pair.key.contains(".owner."));
        event
    }

    /// The same with another value of an attribute.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.record.attributes.retain(|pair| pair.key != key);
        self.record.attributes.push(text(key, value));
        self
    }

    /// The same without an attribute.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.record.attributes.retain(|pair| pair.key != key);
        self.resource.retain(|pair| pair.key != key);
        self
    }

    /// The same of another owner.
    pub(crate) fn of(self, kind: &str, name: &str) -> Self {
        self.with(attr::OWNER_KIND, kind).with(attr::OWNER_NAME, name)
    }

    pub(crate) fn payload(self) -> Payload {
        Payload::Logs(vec![ResourceLogs {
            resource: Some(Resource {
                attributes: self.resource,
                ..Default::default()
            }),
            scope_logs: vec![ScopeLogs {
                log_records: vec![self.record],
                ..Default::default()
            }],
            ..Default::default()
        }])
    }
}

/// A state with a clock that tests set.
pub(crate) struct TestWeb {
    pub(crate) web: Web,
    pub(crate) now: Arc<Mutex<Timestamp>>,
}

pub(crate) const LIMITS: StoreLimits = StoreLimits {
    max_events: 2000,
    max_bytes: 8 << 20,
};

impl TestWeb {
    /// Without events, at noon.
    pub(crate) fn new() -> Self {
        TestWeb::with_limits(LIMITS)
    }

    pub(crate) fn with_limits(limits: StoreLimits) -> Self {
        let now = Arc::new(Mutex::new(at("12:00:00")));
        let clock = Arc::clone(&now);
        let health = Health::new();
        let environment = Environment {
            clock: Arc::new(move || *clock.lock().unwrap()),
            process: Process::new(&health),
            health,
            elector: None,
            telemetry: WebTelemetry::new(&OwnMetrics::new().meter(), &component_id("web").unwrap()),
        };
        let web = Web::new(Contents::new(limits), environment);
        web.set_restored(true);
        TestWeb { web, now }
    }

    /// The state with these events, received in this order.
    pub(crate) fn of(events: impl IntoIterator<Item = TestEvent>) -> Web {
        let test = TestWeb::new();
        for event in events {
            test.web.keep(&event.payload());
        }
        test.web
    }
}
