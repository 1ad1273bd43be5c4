//! Statements: each editor, what `set` accepts, and `where`.
#![allow(clippy::unwrap_used)]

mod support;

use collector_ottl::Context;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use support::{attributes, bool, bytes, double, int, items, list, map, text};

fn keys(items: &support::Items) -> Vec<&str> {
    items.record.attributes.iter().map(|entry| entry.key.as_str()).collect()
}

#[test]
fn set_stores_each_type() {
    for (value, expected) in [
        (r#""x""#, text("x")),
        ("5", int(5)),
        ("-5", int(-5)),
        ("0.5", double(0.5)),
        ("true", bool(true)),
        ("0x0102", bytes(&[1, 2])),
        (r#"["a", 1]"#, list(vec![text("a"), int(1)])),
        (
            r#"{"a": {"b": nil}}"#,
            map(vec![("a", map(vec![("b", AnyValue::default())]))]),
        ),
        (r#"Split("a,b", ",")"#, list(vec![text("a"), text("b")])),
        (r#"attributes["map"]["k"]"#, text("v")),
        ("SEVERITY_NUMBER_WARN", int(13)),
    ] {
        let mut items = items();
        items.edited(&format!(r#"set(attributes["new"], {value})"#));
        assert_eq!(items.attribute("new"), Some(expected), "{value}");
    }
}

#[test]
fn set_ignores_nil() {
    let mut items = items();
    items.edited(r#"set(attributes["s"], nil)"#);
    items.edited(r#"set(severity_text, attributes["missing"])"#);
    assert_eq!(items.attribute("s"), Some(text("text")));
    assert_eq!(items.record.severity_text, "ERROR");
}

#[test]
fn set_creates_maps_and_lists_for_its_keys() {
    let mut items = items();
    items.edited(r#"set(attributes["a"]["b"][1], "x")"#);
    items.edited(r#"set(attributes["list"][0], "y")"#);
    items.edited(r#"set(attributes[Concat(["k", "ey"], "")], 1)"#);
    assert_eq!(
        items.attribute("a"),
        Some(map(vec![("b", list(vec![AnyValue::default(), text("x")]))]))
    );
    assert_eq!(items.attribute("list"), Some(list(vec![text("y"), int(2)])));
    assert_eq!(items.attribute("key"), Some(int(1)));
    for statement in [
        r#"set(attributes["list"][5], "y")"#,
        r#"set(attributes["s"]["k"], "y")"#,
        r#"set(attributes["new"][10000], "y")"#,
        r#"set(body["k"], "y")"#,
    ] {
        assert!(items.run(Context::Log, statement).is_err(), "{statement}");
    }
}

#[test]
fn set_changes_fields_and_checks_their_types() {
    let mut items = items();
    for statement in [
        "set(severity_number, SEVERITY_NUMBER_WARN)",
        r#"set(severity_text, "WARN")"#,
        r#"set(body, {"a": 1})"#,
        r#"set(body["b"], 2)"#,
        "set(time_unix_nano, 5)",
        "set(observed_time, time)",
        r#"set(trace_id.string, "02020202020202020202020202020202")"#,
        r#"set(span_id, SpanID("0303030303030303"))"#,
        r#"set(event_name, Concat([event_name, "x"], "."))"#,
        r#"set(resource.attributes["env"], "prod")"#,
        r#"set(scope.version, "2")"#,
        r#"set(cache["x"], 1)"#,
    ] {
        items.edited(statement);
    }
    let record = &items.record;
    assert_eq!((record.severity_number, record.severity_text.as_str()), (13, "WARN"));
    assert_eq!(record.body, Some(map(vec![("a", int(1)), ("b", int(2))])));
    assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (5, 5));
    assert_eq!((&record.trace_id, &record.span_id), (&vec![2; 16], &vec![3; 8]));
    assert_eq!(record.event_name, "k8s.job.finished.x");
    assert_eq!(items.resource.as_ref().unwrap().attributes[2].value, Some(text("prod")));
    assert_eq!(items.scope.as_ref().unwrap().version, "2");
    for statement in [
        r#"set(severity_number, "x")"#,
        "set(severity_text, 1)",
        r#"set(attributes, "x")"#,
        r#"set(trace_id.string, "x")"#,
        "set(time, 5)",
        r#"set(span_id, 0x01)"#,
        r#"set(attributes["new"], time)"#,
    ] {
        assert!(items.run(Context::Log, statement).is_err(), "{statement}");
    }
}

#[test]
fn set_creates_a_missing_resource() {
    let mut items = items();
    items.resource = None;
    items.edited(r#"set(resource.attributes["env"], "prod")"#);
    assert_eq!(
        items.resource.unwrap().attributes,
        attributes(vec![("env", text("prod"))])
    );
}

#[test]
fn set_changes_metrics_points_and_spans() {
    let mut items = items();
    items.run(Context::Metric, r#"set(name, "renamed")"#).unwrap();
    items.run(Context::Metric, "set(is_monotonic, false)").unwrap();
    items.run(Context::DataPoint, "set(value_double, 2.5)").unwrap();
    items
        .run(Context::DataPoint, "set(metric.unit, attributes[\"state\"])")
        .unwrap();
    assert!(items.run(Context::DataPoint, "set(count, 1)").is_err());
    items.run(Context::Span, r#"set(kind.string, "Client")"#).unwrap();
    items.run(Context::Span, r#"set(trace_state["b"], "3")"#).unwrap();
    items.run(Context::Span, "set(status.code, STATUS_CODE_OK)").unwrap();
    let Some(Data::Sum(sum)) = &items.metric.data else {
        panic!("a sum")
    };
    assert_eq!(
        (items.metric.name.as_str(), items.metric.unit.as_str(), sum.is_monotonic),
        ("renamed", "used", false)
    );
    assert_eq!(sum.data_points[0].value, Some(Number::AsDouble(2.5)));
    assert_eq!((items.span.kind, items.span.trace_state.as_str()), (3, "b=3,a=1"));
    assert_eq!(items.span.status.unwrap().code, 1);
}

#[test]
fn where_decides() {
    let mut items = items();
    assert_eq!(
        items.run(Context::Log, r#"delete_key(attributes, "s") where false"#),
        Ok(false)
    );
    assert_eq!(
        items.run(
            Context::Log,
            r#"delete_key(attributes, "s") where attributes["i"] == 41"#
        ),
        Ok(false)
    );
    assert!(items.attribute("s").is_some());
    assert_eq!(
        items.run(
            Context::Log,
            r#"delete_key(attributes, "s") where attributes["i"] == 42"#
        ),
        Ok(true)
    );
    assert!(items.attribute("s").is_none());
    assert!(
        items
            .run(
                Context::Log,
                r#"delete_key(attributes, "i") where attributes["i"] / 0 == 1"#
            )
            .is_err()
    );
}

#[test]
fn editors_of_keys() {
    let mut record = items();
    record.edited(r#"delete_key(attributes, "missing")"#);
    record.edited(r#"delete_key(attributes["map"], "n")"#);
    assert_eq!(record.attribute("map"), Some(map(vec![("k", text("v"))])));
    record.edited(r#"delete_matching_keys(attributes, "^(s|i|t)$")"#);
    assert_eq!(keys(&record), ["d", "by", "list", "map", "none"]);
    record.edited(r#"keep_matching_keys(attributes, "^[dlm]")"#);
    assert_eq!(keys(&record), ["d", "list", "map"]);
    record.edited(r#"keep_keys(attributes, ["map", "other", "d"])"#);
    assert_eq!(keys(&record), ["d", "map"]);
    record.edited(r#"keep_keys(attributes, [Concat(["d"], "")])"#);
    assert_eq!(keys(&record), ["d"]);
    record.edited("keep_keys(attributes, [])");
    assert!(keys(&record).is_empty());
    assert!(
        record.run(Context::Log, r#"delete_key(body, "x")"#).is_err(),
        "the body is no map"
    );
}

#[test]
fn replace_pattern_expands_groups() {
    for (pattern, replacement, expected) in [
        ("failed", "ended", "Job ended: exit code 137"),
        (r"code (\\d+)", "status=$1", "Job failed: exit status=137"),
        (r"code (\\d)(\\d+)", "${1}_$2", "Job failed: exit 1_37"),
        (r"(?P<word>Job)", "[$word][$wordy]", "[Job][] failed: exit code 137"),
        ("Job", "$$1", "$1 failed: exit code 137"),
        ("nothing", "x", "Job failed: exit code 137"),
        ("^", "> ", "> Job failed: exit code 137"),
    ] {
        let mut items = items();
        items.edited(&format!(r#"replace_pattern(body, "{pattern}", "{replacement}")"#));
        assert_eq!(items.record.body, Some(text(expected)), "{pattern} {replacement}");
    }
    let mut items = items();
    items.edited(r#"replace_pattern(attributes["i"], "4", "5")"#);
    items.edited(r#"replace_pattern(attributes["missing"], "4", attributes["i"])"#);
    assert_eq!(items.attribute("i"), Some(int(42)), "only strings change");
    assert!(
        items
            .run(
                Context::Log,
                r#"replace_pattern(attributes["s"], "t", attributes["i"])"#
            )
            .is_err()
    );
}

#[test]
fn replace_all_patterns_changes_values_or_keys() {
    let mut items = items();
    items.edited(r#"replace_all_patterns(attributes, "value", "^te", "TE")"#);
    assert_eq!(items.attribute("s"), Some(text("TExt")));
    items.edited(r#"replace_all_patterns(attributes, "key", "^(s|i)$", "k.$1")"#);
    assert_eq!(keys(&items), ["k.s", "k.i", "d", "t", "by", "list", "map", "none"]);
    items.edited(r#"replace_all_patterns(attributes, "key", "^k\\..$", "same")"#);
    assert_eq!(keys(&items)[..2], ["same", "d"]);
    assert_eq!(items.attribute("same"), Some(int(42)), "the last of equal keys remains");
}

#[test]
fn replace_match_replaces_whole_texts() {
    let mut record = items();
    record.edited(r#"replace_match(body, "Job*137", "$1 gone")"#);
    assert_eq!(record.record.body, Some(text("$1 gone")));
    record.edited(r#"replace_match(body, "gone", "x")"#);
    assert_eq!(record.record.body, Some(text("$1 gone")));
    record.edited(r#"replace_all_matches(attributes, "t?[xyz]t", "y")"#);
    assert_eq!(record.attribute("s"), Some(text("y")));
}

#[test]
fn truncate_all_cuts_strings() {
    let mut items = items();
    items.record.attributes = attributes(vec![("a", text("grün")), ("b", text("abc")), ("c", int(123_456))]);
    items.edited(r#"truncate_all(attributes, 4, truncation_marker = "…")"#);
    assert_eq!(items.attribute("a"), Some(text("g…")));
    items.edited("truncate_all(attributes, 3, false)");
    items.edited("truncate_all(attributes, 2)");
    assert_eq!(
        items.record.attributes,
        attributes(vec![("a", text("g")), ("b", text("ab")), ("c", int(123_456))])
    );
}

#[test]
fn limit_keeps_priority_keys_and_the_first() {
    let mut items = items();
    items.edited(r#"limit(attributes, 100, [])"#);
    assert_eq!(items.record.attributes.len(), 8);
    items.edited(r#"limit(attributes, 3, ["map", "other"])"#);
    assert_eq!(keys(&items), ["s", "i", "map"]);
    items.edited(r#"limit(priority_keys = [], target = attributes, limit = 0)"#);
    assert!(keys(&items).is_empty());
}

#[test]
fn merge_maps_by_strategy() {
    let source = r#"{"s": "new", "fresh": 1}"#;
    for (strategy, s, fresh) in [
        ("insert", "text", Some(int(1))),
        ("update", "new", None),
        ("upsert", "new", Some(int(1))),
    ] {
        let mut items = items();
        items.edited(&format!(r#"merge_maps(attributes, {source}, "{strategy}")"#));
        assert_eq!(items.attribute("s"), Some(text(s)), "{strategy}");
        assert_eq!(items.attribute("fresh"), fresh, "{strategy}");
    }
    let mut items = items();
    assert!(
        items
            .run(
                Context::Log,
                r#"merge_maps(attributes["missing"], resource.attributes, "upsert")"#
            )
            .is_err()
    );
    assert!(
        items
            .run(Context::Log, r#"merge_maps(attributes, attributes["s"], "upsert")"#)
            .is_err()
    );
    items.edited(r#"merge_maps(attributes, resource.attributes, "upsert")"#);
    assert_eq!(items.attribute("service.name"), Some(text("shop")));
}
