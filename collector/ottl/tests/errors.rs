//! Errors of texts: what they say, where they point, and how they help.
#![allow(clippy::unwrap_used)]

mod support;

use collector_ottl::{Condition, Context, ParseError, Statement, infer_context};
use support::{condition_error, statement_error};

/// The error points at `word`, its message contains `message`, its help contains `help`.
fn check(text: &str, error: &ParseError, word: &str, message: &str, help: &str) {
    assert_eq!(&text[error.range.clone()], word, "{text}: {error:?}");
    assert!(error.message.contains(message), "{text}: {error:?}");
    assert!(
        error.help.as_deref().unwrap_or_default().contains(help),
        "{text}: {error:?}"
    );
}

#[test]
fn syntax_errors_point_at_the_wrong_word() {
    for (text, word, message, help) in [
        (
            r#"attributes["a"] = 1"#,
            "=",
            "expected a comparison operator, found `=`",
            "`==`",
        ),
        (r#"attributes["a"] == 'x'"#, "'", "found `'`", "double quotes"),
        (r#"attributes["a"] == "x"#, "\"x", "no closing quote", ""),
        (r#"body == "\d""#, r"\d", r"unknown escape `\d`", r"`\\`"),
        (r#"body == "x" AND true"#, "AND", "found `AND`", "lower case"),
        (r#"body == "x" && true"#, "&", "found `&`", "`and`"),
        (r#"!(body == "x")"#, "!", "found `!`", "`not`"),
        ("body == 0x1", "0x1", "even number", ""),
        ("body == 99999999999999999999", "99999999999999999999", "64 bits", ""),
        ("body == 08", "08", "octal", ""),
        ("(body == 1", "", "`)`, found the end of the text", ""),
        ("body == 1)", ")", "the end of the condition, found `)`", ""),
        (r#"attributes["a" == 1"#, "==", "expected `]`", ""),
        (r#"attributes["a"]] == 1"#, "]", "expected a comparison operator", ""),
        ("", "", "found the end of the text", ""),
        ("body == (x) => x", "=>", "lambda", ""),
        ("body == {\"a\" 1}", "1", "expected `:`", ""),
        ("not not true", "not", "found `not`", ""),
        ("Body == 1", "Body", "unknown enumeration", ""),
        ("log.Body == 1", "Body", "lower case", ""),
    ] {
        check(text, &condition_error(text), word, message, help);
    }
}

#[test]
fn a_value_alone_is_no_condition() {
    for (text, word) in [
        (r#"attributes["a"]"#, "attributes"),
        (r#"not attributes["a"] and true"#, "attributes"),
        (r#""text""#, "\"text\""),
        ("1 + 1 or true", "1 + 1"),
    ] {
        check(
            text,
            &condition_error(text),
            word,
            "a condition needs a comparison",
            "!= nil",
        );
    }
    let text = r#"Concat(["a"], "")"#;
    check(text, &condition_error(text), text, "`Concat` does not give a bool", "");
}

#[test]
fn unknown_functions_are_named_with_those_that_exist() {
    let text = r#"IsMach(body, "x")"#;
    let error = condition_error(text);
    check(
        text,
        &error,
        "IsMach",
        "unknown converter `IsMach`",
        "did you mean `IsMatch`?",
    );
    check(text, &error, "IsMach", "", "converters are IsMatch, IsString");
    let text = r#"delete_keys(attributes, "x")"#;
    check(
        text,
        &statement_error(text),
        "delete_keys",
        "unknown editor `delete_keys`",
        "did you mean `delete_key`?",
    );
    let text = "frobnicate(body)";
    check(
        text,
        &statement_error(text),
        "frobnicate",
        "unknown editor",
        "editors are set, delete_key",
    );
    let text = r#"set(body, "x") == 1"#;
    check(
        text,
        &condition_error(text),
        "set",
        "`set` is an editor, expected a converter",
        "",
    );
    let text = r#"IsMatch(body, "x")"#;
    check(
        text,
        &statement_error(text),
        "IsMatch",
        "`IsMatch` is a converter, expected an editor",
        "",
    );
    let text = "IsRootSpan()";
    check(text, &condition_error(text), "IsRootSpan", "unknown converter", "");
}

#[test]
fn unknown_paths_are_named_with_the_nearest() {
    for (text, word, message, help) in [
        (
            r#"atributes["a"] == 1"#,
            "atributes",
            "`log` has no path `atributes`",
            "did you mean `attributes`?",
        ),
        (
            "attributes.a == 1",
            "attributes.a",
            "no path `attributes.a`",
            r#"`attributes["a"]`"#,
        ),
        (
            r#"resource.attribute["a"] == 1"#,
            "attribute",
            "`resource` has no path",
            "did you mean `attributes`?",
        ),
        (
            "span.name == 1",
            "span",
            "paths of `span` do not exist in the context `log`",
            "`log`, `scope`, `resource`",
        ),
        (
            "spanevent.name == 1",
            "spanevent",
            "the context `spanevent` is not supported",
            "",
        ),
        ("resource.cache == nil", "cache", "no path `cache`", "`log.cache`"),
        (
            "schema_url == nil",
            "schema_url",
            "no path `schema_url`",
            "did you mean `scope.schema_url`?",
        ),
        (
            r#"severity_text["a"] == 1"#,
            "severity_text",
            "neither a map nor a list",
            "",
        ),
        (
            r#"attributes["a"].b == 1"#,
            r#"attributes["a"].b"#,
            "no path `attributes.b`",
            "",
        ),
    ] {
        check(text, &condition_error(text), word, message, help);
    }
    let error = Condition::parse("status.cod == 1", Context::Span).unwrap_err();
    check(
        "status.cod == 1",
        &error,
        "status.cod",
        "",
        "did you mean `status.code`?",
    );
    let error = Condition::parse("positive == nil", Context::DataPoint).unwrap_err();
    check(
        "positive == nil",
        &error,
        "positive",
        "",
        "`positive.offset`, `positive.bucket_counts`",
    );
}

#[test]
fn wrong_arguments_are_named() {
    for (text, word, message, help) in [
        (
            "set(body)",
            "set(body)",
            "`set` takes 2 arguments, found 1",
            "set(target, value)",
        ),
        (r#"set("a", "b")"#, "\"a\"", "`target` of `set` takes a path to set", ""),
        (
            r#"delete_key(severity_text, "b")"#,
            "severity_text",
            "a path to a map",
            "",
        ),
        (
            "delete_key(attributes, 5)",
            "5",
            "`key` of `delete_key` takes a string",
            "",
        ),
        (r#"keep_keys(attributes, "a")"#, "\"a\"", "a list in brackets", ""),
        (r#"limit(attributes, "a", [])"#, "\"a\"", "a whole number", ""),
        ("limit(attributes, -1, [])", "-1", "not negative", ""),
        (
            r#"limit(attributes, 1, ["a", "b"])"#,
            "1",
            "less than the number of priority keys",
            "",
        ),
        ("limit(attributes, 1, [a])", "a", "a string in double quotes", ""),
        (
            r#"truncate_all(attributes, 2, true, "...")"#,
            "\"...\"",
            "more than the limit of 2",
            "",
        ),
        (
            r#"merge_maps(attributes, body, "x")"#,
            "\"x\"",
            r#"one of "insert", "update", "upsert""#,
            "",
        ),
        (
            r#"replace_all_patterns(attributes, "x", "a", "b")"#,
            "\"x\"",
            r#"one of "key", "value""#,
            "",
        ),
        (
            r#"replace_pattern(body, "(", "b")"#,
            "\"(\"",
            "the pattern is invalid: unclosed group",
            "",
        ),
        (
            r#"replace_pattern(body, "a", "b", SHA256)"#,
            "SHA256",
            "`function` of `replace_pattern` is not supported",
            "",
        ),
    ] {
        check(text, &statement_error(text), word, message, help);
    }
    let error = Statement::parse("set(events, name)", Context::Span).unwrap_err();
    assert!(error.message.contains("can only be read"), "{error:?}");
}

#[test]
fn wrong_calls_and_names_are_named() {
    for (text, word, message, help) in [
        (
            "set(target = body, valeu = 1)",
            "valeu",
            "`set` has no argument `valeu`",
            "target, value",
        ),
        ("set(value = 1, body)", "body", "without a name", ""),
        ("set(body, target = body)", "body", "occurs twice", ""),
        (r#"set(body, "x")["a"]"#, r#"set(body, "x")"#, "cannot be indexed", ""),
        (r#"set(body, "x") were true"#, "were", "expected `where`", ""),
        (r#"set(body, "x") where"#, "", "expected a value", ""),
        ("body == 1", "body", "expected the call of an editor", ""),
        (
            "set(body, ERROR)",
            "ERROR",
            "unknown enumeration `ERROR`",
            "double quotes",
        ),
        (
            "set(body, SEVERITY_NUMBER_EROR)",
            "SEVERITY_NUMBER_EROR",
            "",
            "did you mean `SEVERITY_NUMBER_ERROR`?",
        ),
        (
            r#"set(trace_id, TraceID("x"))"#,
            r#"TraceID("x")"#,
            "16 bytes or 32 hexadecimal digits",
            "",
        ),
        (r#"set(body, Int("x"))"#, "\"x\"", "expected a number", "not an integer"),
    ] {
        check(text, &statement_error(text), word, message, help);
    }
}

#[test]
fn long_and_deep_texts_are_rejected() {
    let deep = format!("{}true{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(condition_error(&deep).message.contains("64 nested levels"));
    let deep = format!("body == {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(condition_error(&deep).message.contains("64 nested levels"));
    let deep = format!("body == {}1{}", "Int(".repeat(5_000), ")".repeat(5_000));
    assert!(condition_error(&deep).message.contains("64 nested levels"));
    let long = format!("body == \"{}\"", "x".repeat(70_000));
    assert!(condition_error(&long).message.contains("at most 65536 bytes"));
    let chain = vec!["true"; 5_000].join(" and ");
    assert!(Condition::parse(&chain, Context::Log).is_ok());
    let sum = format!("body == {}", vec!["1"; 10_000].join(" + "));
    assert!(Condition::parse(&sum, Context::Log).is_ok());
}

const LOGS: &[Context] = &[Context::Resource, Context::Scope, Context::Log];
const METRICS: &[Context] = &[Context::Resource, Context::Scope, Context::Metric, Context::DataPoint];

#[test]
fn context_is_the_innermost_that_a_path_names() {
    for (candidates, statements, conditions, expected) in [
        (
            LOGS,
            vec![r#"set(resource.attributes["a"], 1)"#],
            vec![],
            Context::Resource,
        ),
        (
            LOGS,
            vec![r#"set(resource.attributes["a"], scope.name)"#],
            vec![],
            Context::Scope,
        ),
        (
            LOGS,
            vec![r#"set(resource.attributes["a"], 1) where log.body == nil"#],
            vec![],
            Context::Log,
        ),
        (
            LOGS,
            vec![r#"set(resource.attributes["a"], 1)"#],
            vec!["log.body != nil"],
            Context::Log,
        ),
        (METRICS, vec![r#"set(metric.name, "a")"#], vec![], Context::Metric),
        (
            METRICS,
            vec![r#"set(metric.name, datapoint.attributes["a"])"#],
            vec![],
            Context::DataPoint,
        ),
        (
            METRICS,
            vec![r#"set(metric.name, "a") where metric.type == FLAG_NONE"#],
            vec![],
            Context::DataPoint,
        ),
        (
            METRICS,
            vec![],
            vec![r#"resource.attributes["a"] == nil and HasAttrKeyOnDatapoint("a")"#],
            Context::Metric,
        ),
    ] {
        assert_eq!(
            infer_context(candidates, &statements, &conditions),
            Ok(expected),
            "{statements:?} {conditions:?}"
        );
    }
}

#[test]
fn errors_of_contexts_name_the_text_and_the_path() {
    for (statement, word, message) in [
        (
            r#"set(attributes["a"], 1)"#,
            "attributes",
            "needs the name of its context",
        ),
        ("set(span.name, 1)", "span", "do not belong to this signal"),
        (
            "set(instrumentation_scope.name, 1)",
            "instrumentation_scope",
            "is named `scope`",
        ),
        ("set(spanevent.name, 1)", "spanevent", "`spanevent` is not supported"),
        ("set(log.body", "", "found the end of the text"),
    ] {
        let error = infer_context(LOGS, &["set(log.body, 1)", statement], &[]).unwrap_err();
        assert_eq!(error.index, Some(1));
        check(statement, &error.error, word, message, "");
    }
    assert!(
        infer_context(LOGS, &[], &["true"])
            .unwrap_err()
            .error
            .message
            .contains("cannot be inferred")
    );
}
