//! Arbitrary texts never panic, and an error always points into its text.
#![allow(clippy::unwrap_used)]

mod support;

use collector_ottl::{Condition, Context, Statement, infer_context};
use proptest::prelude::*;
use support::items;

/// Words of the language, so that many generated texts parse.
const WORDS: &[&str] = &[
    "attributes",
    "body",
    "resource",
    ".",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    ":",
    "\"a\"",
    "\"(\"",
    "1",
    "-",
    "+",
    "*",
    "/",
    "0.5",
    "0x01",
    "nil",
    "true",
    "false",
    "not",
    "and",
    "or",
    "==",
    "!=",
    "<",
    ">=",
    "=",
    "=>",
    "where",
    "set",
    "IsMatch",
    "Concat",
    "Int",
    "replace_pattern",
    "limit",
    "merge_maps",
    "delete_key",
    "keep_keys",
    "severity_number",
    "SEVERITY_NUMBER_ERROR",
    "cache",
    "name",
    "trace_state",
    "value_int",
    "$",
    "é",
    "\"$1\"",
    "9223372036854775807",
];

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::collection::vec(prop::sample::select(WORDS), 0..40).prop_map(|words| words.join(" ")),
        prop::collection::vec(prop::sample::select(WORDS), 0..40).prop_map(|words| words.concat()),
        // Well-formed on the outside, so that evaluation is reached.
        prop::collection::vec(prop::sample::select(WORDS), 1..6)
            .prop_map(|words| format!("set(attributes[\"x\"], {})", words.join(" "))),
        prop::collection::vec(prop::sample::select(WORDS), 1..6)
            .prop_map(|words| format!("attributes[\"s\"] == {}", words.join(" "))),
        any::<String>().prop_map(|pattern| format!("IsMatch(body, {pattern:?})")),
        ".{0,12}".prop_map(|pattern| format!("replace_match(body, {pattern:?}, \"x\")")),
        ("[a-z0-9()|*+?.{}\\[\\]\\\\^$-]{0,12}", "[$a-z0-9{}_]{0,8}")
            .prop_map(|(pattern, replacement)| format!("replace_pattern(body, {pattern:?}, {replacement:?})")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsing_and_evaluation_never_panic(text in texts()) {
        for context in Context::ALL {
            let errors = match Condition::parse(&text, context) {
                Ok(condition) => {
                    let _ = condition.matches(&items().view(context));
                    None
                }
                Err(error) => Some(error),
            };
            let statement = match Statement::parse(&text, context) {
                Ok(_) => {
                    let _ = items().run(context, &text);
                    None
                }
                Err(error) => Some(error),
            };
            for error in errors.into_iter().chain(statement) {
                prop_assert!(text.get(error.range.clone()).is_some(), "{error:?}");
                prop_assert!(!error.message.is_empty());
            }
        }
        let _ = infer_context(&Context::ALL, &[&text], &[&text]);
    }
}
