use job_event::attributes as attr;

use super::filter;
use crate::testing::{TestEvent as Event, TestWeb};
use crate::views::Listed;

fn listed(event: Event) -> Listed {
    let events = TestWeb::of([event]).events(&filter(""), None, 10).unwrap().events;
    let [listed] = <[Listed; 1]>::try_from(events).unwrap();
    listed
}

#[test]
fn an_event_without_an_attribute_is_shown() {
    let whole = || Event::failed(1, "A", "09:00:00");
    let keys: Vec<String> = [whole().record.attributes, whole().resource]
        .concat()
        .into_iter()
        .map(|pair| pair.key)
        .collect();
    for key in keys {
        let without = listed(whole().without(&key));
        let changed = match &*key {
            attr::OWNER_NAME => {
                // The resource names the same owner.
                assert_eq!((&*without.owner.kind, &*without.owner.name), ("CronJob", "report"));
                continue;
            }
            attr::JOB_UID => {
                assert_eq!(&*without.uid, "1", "the UID of the record is the Job's");
                continue;
            }
            attr::RECORD_UID => {
                assert!(!without.id.is_empty());
                continue;
            }
            attr::CRONJOB_NAME => continue,
            _ => listed(whole()),
        };
        assert_ne!(without, changed, "{key}");
        assert_eq!(without.id, changed.id, "{key}");
    }
}

#[test]
fn an_event_without_any_attribute_is_shown() {
    let mut event = Event::failed(1, "A", "09:00:00");
    event.record.attributes.clear();
    event.resource.clear();
    event.record.body = None;
    event.record.time_unix_nano = 0;
    let listed = listed(event);
    assert_eq!((&*listed.name, &*listed.owner.name, &*listed.namespace), ("", "", ""));
    assert_eq!(listed.time, crate::testing::at("12:00:00"), "the time of its receipt");
    let json = serde_json::to_value(&listed).unwrap();
    let mut keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["event", "id", "owner", "time"]);
}

#[test]
fn events_without_an_id_are_kept_once_each() {
    let event = |number, time: &str| Event::failed(number, "A", time).without(attr::RECORD_UID);
    let web = TestWeb::of([
        event(1, "09:00:00"),
        event(1, "09:00:00"),
        event(1, "10:00:00"),
        event(2, "09:00:00"),
    ]);
    assert_eq!(web.events(&filter(""), None, 10).unwrap().events.len(), 3);
}

#[test]
fn hostile_texts_are_cut_in_lists_and_whole_in_events() {
    let long = "\u{202e}<script>\u{1b}[2J\r\n".repeat(10_000);
    let event = || {
        Event::failed(1, "A", "09:00:00")
            .with(attr::FAILURE_REASON, &long)
            .with(attr::FAILURE_MESSAGE, &long)
    };
    let listed = listed(event());
    assert!(
        listed.reason.len() <= 512 && listed.reason.ends_with('…'),
        "{}",
        listed.reason.len()
    );
    let web = TestWeb::of([event()]);
    let event = web.job("shop", "report-1", None).unwrap().unwrap().events.remove(0);
    assert_eq!(event.message.as_deref(), Some(&*long));
}

#[test]
fn a_very_long_name_is_found_by_its_url() {
    let name = "ж".repeat(600);
    let event = Event::failed(1, "A", "09:00:00")
        .with(attr::JOB_NAME, &name)
        .of("Workflow", &name);
    let web = TestWeb::of([event]);
    assert!(web.job("shop", &name, None).unwrap().is_some());
    assert!(web.owner("shop", "Workflow", &name).unwrap().is_some());
}

#[test]
fn values_of_another_type_are_ignored() {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    for value in [
        Value::BoolValue(true),
        Value::DoubleValue(f64::NAN),
        Value::IntValue(-5),
        Value::BytesValue(vec![0xff]),
    ] {
        let mut event = Event::failed(1, "A", "09:00:00");
        for pair in &mut event.record.attributes {
            *pair = crate::testing::attribute(&pair.key, value.clone());
        }
        let web = TestWeb::of([event]);
        let events = web.events(&filter(""), None, 10).unwrap().events;
        assert_eq!(&*events[0].outcome, "");
        serde_json::to_string(&events).unwrap();
        web.overview(&filter("")).unwrap();
    }
}

#[test]
fn other_records_are_ignored() {
    let mut event = Event::failed(1, "A", "09:00:00");
    event.record.event_name = "k8s.pod.finished".into();
    assert_eq!(TestWeb::of([event]).events(&filter(""), None, 10).unwrap().events, []);
}
