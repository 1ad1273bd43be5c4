//! Actions as they are configured, on lists of attributes.

use collector_config::{Diagnostics, Settings};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde::Deserialize;

use crate::text::text;
use crate::{ActionSettings, Actions};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Processor {
    actions: Vec<ActionSettings>,
}

fn read(actions: &str) -> Result<Actions, Diagnostics> {
    let settings = Settings::from_yaml(&format!("actions:\n{actions}\n")).unwrap();
    let processor: Processor = settings.read()?;
    ActionSettings::read(processor.actions, &settings, "actions")
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    }
}

fn before() -> Vec<KeyValue> {
    vec![
        attribute("team", Value::StringValue("data".into())),
        attribute("path", Value::StringValue("/jobs/nightly".into())),
        attribute("exit", Value::IntValue(137)),
        attribute("ok", Value::BoolValue(false)),
        attribute("seconds", Value::DoubleValue(1.75)),
        attribute("code", Value::StringValue("12".into())),
    ]
}

/// The attributes after the actions: `key=value`, texts quoted.
fn after(actions: &str) -> Vec<String> {
    let actions = read(actions).unwrap_or_else(|errors| panic!("{errors}"));
    let mut attributes = before();
    actions.apply(&mut attributes);
    attributes.iter().map(shown).collect()
}

fn shown(attribute: &KeyValue) -> String {
    let value = attribute.value.as_ref();
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => format!("{}={text:?}", attribute.key),
        _ => format!("{}={}", attribute.key, text(value)),
    }
}

/// The changes that the actions make to `before()`: attributes that are new or changed, and `-key` for removed ones.
fn changes(actions: &str) -> String {
    let after = after(actions);
    let old: Vec<String> = before().iter().map(shown).collect();
    let key = |text: &String| text.split('=').next().unwrap_or_default().to_owned();
    let gone = old
        .iter()
        .map(key)
        .filter(|old| !after.iter().any(|new| key(new) == *old));
    let gone: Vec<String> = gone.map(|key| format!("-{key}")).collect();
    let new = after.iter().filter(|new| !old.contains(new)).cloned();
    new.chain(gone).collect::<Vec<_>>().join(" ")
}

#[test]
fn insert_update_and_upsert_differ_by_presence() {
    for (actions, expected) in [
        ("- {key: team, value: x, action: insert}", ""),
        ("- {key: env, value: prod, action: insert}", "env=\"prod\""),
        ("- {key: team, value: x, action: update}", "team=\"x\""),
        ("- {key: env, value: x, action: update}", ""),
        ("- {key: team, value: x, action: upsert}", "team=\"x\""),
        ("- {key: env, value: x, action: UPSERT}", "env=\"x\""),
        ("- {key: env, from_attribute: team, action: insert}", "env=\"data\""),
        ("- {key: env, from_attribute: exit, action: upsert}", "env=137"),
        ("- {key: team, from_attribute: none, action: upsert}", ""),
    ] {
        assert_eq!(changes(actions), expected, "{actions}");
    }
}

#[test]
fn values_have_the_type_of_their_yaml() {
    for (value, expected) in [
        ("5", "a=5"),
        ("'5'", "a=\"5\""),
        ("1.5", "a=1.5"),
        ("true", "a=true"),
        ("[x, 1]", "a=[\"x\",1]"),
        ("{b: {c: 1}}", "a={\"b\":{\"c\":1}}"),
        ("0123", "a=\"0123\""),
    ] {
        assert_eq!(
            changes(&format!("- {{key: a, value: {value}, action: insert}}")),
            expected
        );
    }
}

#[test]
fn delete_removes_a_key_and_all_that_match() {
    assert_eq!(changes("- {key: team, action: delete}"), "-team");
    assert_eq!(changes("- {key: none, action: delete}"), "");
    assert_eq!(
        changes("- {key: ok, pattern: '^(exit|code)$', action: delete}"),
        "-exit -ok -code"
    );
    assert_eq!(
        changes("- {pattern: 'e', action: delete}"),
        "-team -exit -seconds -code"
    );
}

#[test]
fn extract_sets_each_named_group() {
    for (pattern, expected) in [
        (r"^/(?P<kind>\w+)/(?P<name>\w+)$", "kind=\"jobs\" name=\"nightly\""),
        (r"^/(?P<team>\w+)", "team=\"jobs\""),
        (r"jobs(?P<none>x)?", "none=\"\""),
        (r"^none(?P<kind>)", ""),
    ] {
        let actions = format!("- {{key: path, pattern: '{pattern}', action: extract}}");
        assert_eq!(changes(&actions), expected);
    }
    assert_eq!(
        changes("- {key: exit, pattern: '(?P<a>.)', action: extract}"),
        "",
        "not a text"
    );
}

#[test]
fn convert_changes_types_where_possible() {
    for (key, to, expected) in [
        ("exit", "string", "exit=\"137\""),
        ("seconds", "int", "seconds=1"),
        ("ok", "int", "ok=0"),
        ("code", "int", "code=12"),
        ("team", "int", ""),
        ("exit", "double", ""),
        ("code", "double", "code=12"),
        ("none", "int", ""),
    ] {
        let actions = format!("- {{key: {key}, converted_type: {to}, action: convert}}");
        assert_eq!(changes(&actions), expected, "{actions}");
    }
    let mut exit = vec![attribute("exit", Value::IntValue(137))];
    read("- {key: exit, converted_type: double, action: convert}")
        .unwrap()
        .apply(&mut exit);
    assert_eq!(exit, [attribute("exit", Value::DoubleValue(137.0))]);
}

#[test]
fn actions_see_the_results_of_those_before() {
    let moved = "- {key: squad, from_attribute: team, action: insert}\n- {key: team, action: delete}";
    assert_eq!(changes(moved), "squad=\"data\" -team");
}

#[test]
fn every_wrong_setting_has_its_position() {
    for (action, expected) in [
        (
            "{value: a, action: insert}",
            "yaml:2:3: actions::0: `insert` needs `key`",
        ),
        (
            "{key: a, action: insert}",
            "yaml:2:3: actions::0: `insert` needs `value` or `from_attribute`",
        ),
        (
            "{key: a, value: 1, from_attribute: b, action: upsert}",
            "actions::0::from_attribute: `value` and `from_attribute` are",
        ),
        (
            "{key: a, value: 1}",
            "yaml:2:3: actions::0: `action` is missing, expected one of insert, update",
        ),
        (
            "{key: a, value: 1, action: upsrt}",
            "yaml:2:30: actions::0::action: the action `upsrt` is not supported",
        ),
        (
            "{key: a, action: hash}",
            "the action `hash` is not supported, expected one of",
        ),
        (
            "{key: a, value: 1, action: delete}",
            "yaml:2:19: actions::0::value: `delete` does not use `value`",
        ),
        ("{action: delete}", "actions::0: `delete` needs `key` or `pattern`"),
        (
            "{key: a, value: 1, pattern: x, action: insert}",
            "actions::0::pattern: `insert` does not use `pattern`",
        ),
        (
            "{pattern: '(', action: delete}",
            "yaml:2:13: actions::0::pattern: invalid regular expression: unclosed group",
        ),
        ("{key: a, action: extract}", "actions::0: `extract` needs `pattern`"),
        (
            "{key: a, pattern: x, action: extract}",
            "actions::0::pattern: the pattern has no named group",
        ),
        (
            "{key: a, pattern: '(?P<a>x)(y)', action: extract}",
            "the pattern has a group without a name",
        ),
        (
            "{key: a, action: convert}",
            "actions::0: `convert` needs `converted_type`",
        ),
        (
            "{key: a, converted_type: integer, action: convert}",
            "actions::0::converted_type: found `integer`, expected one of",
        ),
        (
            "{key: a, value: 18446744073709551615, action: insert}",
            "actions::0::value: found `18446744073709551615`",
        ),
        (
            "{key: a, vale: 1, action: insert}",
            "actions::0::vale: unknown key `vale`",
        ),
    ] {
        let error = read(&format!("- {action}")).map(drop).unwrap_err().to_string();
        assert!(error.contains(expected), "{action}: {error}");
    }
    let error = read("  []").map(drop).unwrap_err().to_string();
    assert!(error.contains("expected at least one action"), "{error}");
    let both = read("- {key: a, action: insert}\n- {key: a, action: convert}")
        .map(drop)
        .unwrap_err();
    assert_eq!(both.0.len(), 2, "all errors at once: {both}");
}
