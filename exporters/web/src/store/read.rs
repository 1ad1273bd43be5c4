//! The row of an event. Nothing here fails: `filter` and `transform` may have removed or changed any attribute.

use jiff::Timestamp;
use job_event::attributes as attr;
use job_event::otlp::{find, find_text};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::views::{EventKind, Listed, Owner};

/// The longest name, bytes. Names of Kubernetes have at most 253.
const LONGEST_NAME: usize = 512;
/// The longest sentence in a list, bytes.
const LONGEST_SUMMARY: usize = 640;
/// The kind of CronJobs.
const CRONJOB: &str = "CronJob";
/// The kind of Jobs.
const JOB: &str = "Job";

/// The attribute as text.
pub(crate) fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    find_text(attributes, key).filter(|text| !text.is_empty())
}

/// The kind and the name of the owner in a resource.
pub(crate) fn owner_of_resource(attributes: &[KeyValue]) -> Option<(&str, &str)> {
    if let Some(name) = text(attributes, attr::CRONJOB_NAME) {
        return Some((CRONJOB, name));
    }
    if let Some(name) = text(attributes, attr::OWNERREF_NAME) {
        return Some((text(attributes, attr::OWNERREF_KIND).unwrap_or_default(), name));
    }
    text(attributes, attr::JOB_NAME).map(|name| (JOB, name))
}

/// The row of a record; `None` if it is another event.
pub(crate) fn listed(resource: Option<&Resource>, record: &LogRecord, received: Timestamp) -> Option<Listed> {
    let event = EventKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == record.event_name)?;
    let resource = resource.map(|resource| &*resource.attributes).unwrap_or_default();
    let own = |key: &str| text(&record.attributes, key);
    // `transform` may have moved an attribute from the resource to the record or back.
    let either = |key: &str| name(own(key).or_else(|| text(resource, key)));
    let is_stall = matches!(event, EventKind::Stalled | EventKind::Recovered);
    let pick = |stall: &str, other: &str| name(own(if is_stall { stall } else { other }));
    let time = time(record, received);
    let mut listed = Listed {
        event,
        id: name(own(attr::RECORD_UID)),
        time,
        namespace: either(attr::NAMESPACE_NAME),
        name: match event {
            EventKind::Missed => Box::default(),
            _ => name(own(attr::JOB_NAME)),
        },
        uid: name(own(match event {
            EventKind::Missed => attr::CRONJOB_UID,
            _ => attr::JOB_UID,
        })),
        owner: owner(event, &record.attributes, resource),
        cluster: either(attr::CLUSTER_NAME),
        outcome: name(own(attr::OUTCOME)),
        reason: name(own(match event {
            EventKind::Missed => attr::MISSED_REASON,
            _ => attr::FAILURE_REASON,
        })),
        cause: pick(attr::STALL_CAUSE, attr::FAILURE_CAUSE),
        category: pick(attr::STALL_CATEGORY, attr::FAILURE_CATEGORY),
        retry: pick(attr::STALL_RETRY, attr::FAILURE_RETRY),
        summary: cut(body(record), LONGEST_SUMMARY),
        start_time: timestamp(own(match event {
            EventKind::Missed => attr::CRONJOB_SCHEDULED,
            _ => attr::START_TIME,
        })),
        since: timestamp(own(attr::STALL_SINCE)),
        duration: number(
            &record.attributes,
            if is_stall { attr::STALL_DURATION } else { attr::DURATION },
        ),
        attempt_count: attempts(&record.attributes),
        missed_runs: match event {
            EventKind::Missed => count(&record.attributes, attr::MISSED_COUNT).max(1),
            _ => 0,
        },
    };
    complete(&mut listed);
    Some(listed)
}

/// Fills in what other attributes imply.
fn complete(listed: &mut Listed) {
    // The UID of the record is the Job's, or begins with it.
    if listed.uid.is_empty() {
        let (uid, _) = listed.id.split_once('/').unwrap_or((&listed.id, ""));
        listed.uid = uid.into();
    }
    if listed.owner.name.is_empty() && !listed.name.is_empty() {
        listed.owner = Owner {
            kind: JOB.into(),
            name: listed.name.clone(),
            rule: Box::default(),
        };
    }
    if listed.id.is_empty() {
        let Listed {
            event,
            namespace,
            name,
            uid,
            owner,
            cause,
            time,
            ..
        } = &*listed;
        listed.id = format!("{event}/{uid}/{namespace}/{name}/{}/{cause}/{time}", owner.name).into();
    }
}

fn owner(event: EventKind, own: &[KeyValue], resource: &[KeyValue]) -> Owner {
    if let Some(found) = text(own, attr::OWNER_NAME) {
        return Owner {
            kind: name(text(own, attr::OWNER_KIND).or(Some(JOB))),
            name: name(Some(found)),
            rule: name(text(own, attr::OWNER_RULE)),
        };
    }
    let (kind, found) = owner_of_resource(resource)
        .or_else(|| owner_of_resource(own).filter(|_| event == EventKind::Missed))
        .unwrap_or_default();
    Owner {
        kind: name(Some(kind)),
        name: name(Some(found)),
        rule: match kind {
            CRONJOB => "cronjob".into(),
            _ => Box::default(),
        },
    }
}

/// OTLP writes an unknown time as 0.
fn time(record: &LogRecord, received: Timestamp) -> Timestamp {
    let times = [record.time_unix_nano, record.observed_time_unix_nano];
    let known = times.into_iter().find(|nanos| *nanos != 0);
    known
        .and_then(|nanos| Timestamp::from_nanosecond(nanos.into()).ok())
        .unwrap_or(received)
}

fn timestamp(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

fn body(record: &LogRecord) -> &str {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        _ => "",
    }
}

fn number(attributes: &[KeyValue], key: &str) -> Option<f64> {
    match find(attributes, key)?.value.as_ref()? {
        Value::DoubleValue(number) => number.is_finite().then_some(*number),
        Value::IntValue(number) => Some(*number as f64),
        _ => None,
    }
}

fn count(attributes: &[KeyValue], key: &str) -> u64 {
    match find(attributes, key).and_then(|value| value.value.as_ref()) {
        Some(Value::IntValue(count)) => u64::try_from(*count).unwrap_or(0),
        _ => 0,
    }
}

fn attempts(attributes: &[KeyValue]) -> u32 {
    match find(attributes, attr::ATTEMPTS) {
        Some(AnyValue {
            value: Some(Value::ArrayValue(array)),
        }) => u32::try_from(array.values.len()).unwrap_or(u32::MAX),
        _ => 0,
    }
}

fn name(text: Option<&str>) -> Box<str> {
    cut(text.unwrap_or_default(), LONGEST_NAME)
}

/// The text, cut at a character and marked with `…` if it is longer.
fn cut(text: &str, longest: usize) -> Box<str> {
    if text.len() <= longest {
        return text.into();
    }
    let end = (0..=longest - '…'.len_utf8())
        .rev()
        .find(|end| text.is_char_boundary(*end));
    format!("{}…", &text[..end.unwrap_or(0)]).into()
}

/// A name in a query, cut as the names of rows are.
pub(crate) fn comparable(text: &str) -> Box<str> {
    cut(text, LONGEST_NAME)
}
