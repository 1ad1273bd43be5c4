//! Conditions: paths, literals, comparison, computation and converters.
#![allow(clippy::unwrap_used)]

mod support;

use collector_ottl::Context;
use support::items;

fn all_hold(context: Context, conditions: &[&str]) {
    let items = items();
    for condition in conditions {
        assert_eq!(items.test(context, condition), Ok(true), "{condition}");
    }
}

fn none_holds(context: Context, conditions: &[&str]) {
    let items = items();
    for condition in conditions {
        assert_eq!(items.test(context, condition), Ok(false), "{condition}");
    }
}

fn all_fail(conditions: &[&str]) {
    let items = items();
    for condition in conditions {
        assert!(items.test(Context::Log, condition).is_err(), "{condition}");
    }
}

#[test]
fn log_paths_read_the_record_and_its_owners() {
    all_hold(
        Context::Log,
        &[
            r#"attributes["s"] == "text""#,
            r#"log.attributes["s"] == "text""#,
            r#"attributes["map"]["n"]["deep"] == 1"#,
            r#"attributes["list"][1] == 2"#,
            r#"attributes["missing"]["deeper"] == nil"#,
            r#"attributes["none"] == nil"#,
            r#"resource.attributes["service.name"] == "shop""#,
            r#"scope.name == "collector" and instrumentation_scope.version == """#,
            r#"resource.schema_url == "https://opentelemetry.io/schemas/1.37.0""#,
            "severity_number == SEVERITY_NUMBER_ERROR and severity_number < SEVERITY_NUMBER_FATAL4",
            r#"severity_text == "ERROR" and event_name == "k8s.job.finished""#,
            r#"body == body.string and IsMatch(body, "exit code [0-9]+$")"#,
            "time_unix_nano == 1700000000000000000 and observed_time_unix_nano == 0",
            "time > observed_time and time - observed_time == time - observed_time",
            r#"trace_id.string == "01010101010101010101010101010101""#,
            r#"span_id == SpanID("0202020202020202") and trace_id == TraceID(0x01010101010101010101010101010101)"#,
            "flags == 0 and dropped_attributes_count == 0",
            r#"attributes[attributes["key of nothing"]] == nil or true"#,
            r#"Len(cache) == 0"#,
        ],
    );
    all_fail(&[
        r#"attributes["s"]["k"] == nil"#,
        r#"attributes["list"][2] == nil"#,
        r#"attributes["list"]["a"] == nil"#,
        r#"attributes["map"][0] == nil"#,
        r#"body["k"] == nil"#,
        r#"attributes[1] == nil"#,
    ]);
}

#[test]
fn metric_and_point_paths() {
    all_hold(
        Context::Metric,
        &[
            r#"name == "queue.size" and metric.unit == "1" and description == """#,
            "type == METRIC_DATA_TYPE_SUM and is_monotonic == true",
            "aggregation_temporality == AGGREGATION_TEMPORALITY_DELTA",
            "Len(data_points) == 2 and IsList(data_points)",
            r#"HasAttrKeyOnDatapoint("state") and not HasAttrKeyOnDatapoint("other")"#,
            r#"HasAttrOnDatapoint("state", "used")"#,
        ],
    );
    // The first point with the key decides.
    none_holds(Context::Metric, &[r#"HasAttrOnDatapoint("state", "free")"#]);
    all_hold(
        Context::DataPoint,
        &[
            r#"attributes["state"] == "used" and datapoint.attributes["state"] == "used""#,
            "value_int == 3 and value_double == 0.0 and count == nil and sum == nil",
            r#"metric.name == "queue.size" and metric.type == METRIC_DATA_TYPE_SUM"#,
            "time_unix_nano - start_time_unix_nano == 1000",
            "flags == FLAG_NONE",
        ],
    );
}

#[test]
fn span_paths() {
    all_hold(
        Context::Span,
        &[
            r#"name == "GET /users/42" and span.kind == SPAN_KIND_SERVER"#,
            r#"kind.string == "Server" and kind.deprecated_string == "SPAN_KIND_SERVER""#,
            r#"status.code == STATUS_CODE_ERROR and status.message == "bad""#,
            "end_time_unix_nano - start_time_unix_nano == 2000 and end_time > start_time",
            r#"trace_state["b"] == "2" and trace_state["c"] == """#,
            r#"parent_span_id.string == "0000000000000000" and IsRootSpan()"#,
            "Len(events) == 0 and Len(links) == 0",
        ],
    );
}

#[test]
fn different_types_are_different() {
    all_hold(
        Context::Log,
        &[
            r#"attributes["i"] != "42""#,
            r#"attributes["t"] != 1"#,
            r#"attributes["missing"] != 0"#,
            r#"attributes["missing"] == nil and nil == attributes["missing"]"#,
            r#"attributes["s"] != nil"#,
            r#"trace_id != nil"#,
        ],
    );
    none_holds(
        Context::Log,
        &[
            r#"attributes["i"] < "43""#,
            r#"attributes["i"] >= "1""#,
            r#"attributes["missing"] < 1"#,
            r#"attributes["missing"] >= 0"#,
            r#"attributes["map"] < attributes["map"]"#,
        ],
    );
}

#[test]
fn comparison_within_a_type() {
    all_hold(
        Context::Log,
        &[
            r#"attributes["i"] == 42.0 and attributes["i"] > 41.5"#,
            r#"attributes["d"] < 2 and attributes["d"] >= 1"#,
            r#"attributes["s"] > "tex" and attributes["s"] <= "text""#,
            r#"attributes["t"] == true and attributes["t"] > false"#,
            r#"attributes["by"] == 0x01ff and attributes["by"] > 0x01"#,
            r#"attributes["map"] == {"n": {"deep": 1}, "k": "v"}"#,
            r#"attributes["list"] == ["a", 2]"#,
            r#"attributes["list"] != ["a", 2.0]"#,
            "nil == nil and nil <= nil and nil >= nil",
            r#"Split("a", ",") != ["a"]"#,
        ],
    );
    none_holds(
        Context::Log,
        &["nil < nil", "nil != nil", r#"attributes["list"] == [2, "a"]"#],
    );
}

#[test]
fn empty_bytes_count_as_nil() {
    let mut items = items();
    items.record.attributes = support::attributes(vec![("by", support::bytes(&[]))]);
    assert_eq!(items.test(Context::Log, r#"attributes["by"] == nil"#), Ok(true));
}

#[test]
fn and_or_not_stop_when_decided() {
    all_hold(
        Context::Log,
        &[
            "true or false and false",
            "not (true and false)",
            "not false and true",
            r#"true or HasPrefix(attributes["i"], "x")"#,
            r#"attributes["i"] == 42 or HasPrefix(attributes["i"], "x")"#,
            "(1 + 2) * 3 == 9 and ((true))",
        ],
    );
    none_holds(
        Context::Log,
        &[r#"HasPrefix(attributes["i"], "x") and false"#, "not true"],
    );
    all_fail(&[
        r#"HasPrefix(attributes["i"], "x") and true"#,
        r#"not HasPrefix(attributes["missing"], "x")"#,
    ]);
}

#[test]
fn computation() {
    all_hold(
        Context::Log,
        &[
            r#"attributes["i"] + 1 == 43 and attributes["i"] - 1 * 2 == 40"#,
            r#"attributes["i"] / 5 == 8 and attributes["i"] / 5.0 == 8.4"#,
            r#"-attributes["i"] == -42 and +1 == 1 and -(1 + 1) == -2"#,
            r#"attributes["d"] * 2 == 3.0"#,
            "9223372036854775807 + 1 == -9223372036854775807 - 1",
            "017 == 15",
        ],
    );
    all_fail(&[
        r#"attributes["i"] / 0 == 0"#,
        r#"attributes["d"] / 0 == 0"#,
        r#"attributes["s"] + 1 == 0"#,
        r#"attributes["missing"] + 1 == 0"#,
        r#"-attributes["s"] == 0"#,
    ]);
}

#[test]
fn converters_about_types() {
    all_hold(
        Context::Log,
        &[
            r#"IsString(attributes["s"]) and not IsString(attributes["i"]) and not IsString(attributes["missing"])"#,
            r#"IsInt(attributes["i"]) and IsDouble(attributes["d"]) and IsBool(attributes["t"])"#,
            r#"IsMap(attributes["map"]) and IsMap(attributes) and not IsMap(attributes["list"])"#,
            r#"IsList(attributes["list"]) and IsList(Split("a,b", ",")) and not IsList(attributes["map"])"#,
        ],
    );
}

#[test]
fn is_match_reads_any_type_as_text() {
    all_hold(
        Context::Log,
        &[
            r#"IsMatch(attributes["i"], "^4")"#,
            r#"IsMatch(attributes["d"], "^1\\.5$")"#,
            r#"IsMatch(attributes["t"], "^true$")"#,
            r#"IsMatch(attributes["by"], "^01ff$")"#,
            r#"IsMatch(attributes["map"], "^{\"k\":\"v\"")"#,
            r#"IsMatch(attributes["list"], "^\\[\"a\",2\\]$")"#,
            r#"not IsMatch(attributes["missing"], ".*")"#,
            r#"IsMatch(attributes["s"], attributes["s"])"#,
        ],
    );
}

#[test]
fn converters_of_strings() {
    all_hold(
        Context::Log,
        &[
            r#"HasPrefix(attributes["s"], "te") and HasSuffix(attributes["s"], "xt")"#,
            r#"Concat([attributes["s"], attributes["i"], attributes["missing"], true], "-") == "text-42-<nil>-true""#,
            r#"Concat([], "-") == """#,
            r#"Substring(attributes["s"], 1, 2) == "ex""#,
            r#"Substring("grün", 0, 3) == "gr""#,
            r#"Split("a,b,c", ",")[1] == "b""#,
            r#"ToUpperCase("straße") == "STRAßE" and ToLowerCase("ÄB") == "äb""#,
            r#"Len("grün") == 5 and Len(attributes["list"]) == 2 and Len(attributes["map"]) == 2"#,
            r#"String(attributes["i"]) == "42" and String(nil) == nil"#,
        ],
    );
    all_fail(&[
        r#"Substring(attributes["s"], 1, 4) == """#,
        r#"Substring(attributes["s"], -1, 1) == """#,
        r#"Substring(attributes["s"], 0, 0) == """#,
        r#"Split("a", ",")[1] == """#,
        r#"Len(attributes["i"]) == 1"#,
        r#"HasPrefix(attributes["missing"], "a")"#,
    ]);
}

#[test]
fn converters_of_numbers() {
    all_hold(
        Context::Log,
        &[
            r#"Int("42") == 42 and Int("-7") == -7 and Int(1.9) == 1 and Int(-1.9) == -1 and Int(true) == 1"#,
            r#"Int(attributes["missing"]) == nil and Double(attributes["missing"]) == nil"#,
            r#"Double("1.5e3") == 1500 and Double(2) == 2.0 and Double(false) == 0.0"#,
            r#"Double("0x1p4") == 16.0 and Double("1_0") == 10.0 and Double("inf") > 1"#,
            r#"Bool("true") and Bool(1) and not Bool(0.0) and not Bool("F")"#,
        ],
    );
    all_fail(&[
        r#"Int(attributes["s"]) == 0"#,
        r#"Double(attributes["s"]) == 0"#,
        r#"Int(attributes["map"]) == 0"#,
        r#"Bool(attributes["s"])"#,
        r#"Bool(attributes["missing"])"#,
    ]);
}
