//! Conditions of the usual kind allocate nothing.
#![allow(clippy::unwrap_used)]

mod support;

use collector_ottl::{Condition, Context};
use support::items;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[test]
fn usual_conditions_allocate_nothing() {
    let items = items();
    let conditions = [
        r#"attributes["s"] == "text" and severity_number >= SEVERITY_NUMBER_WARN"#,
        r#"resource.attributes["k8s.namespace.name"] == "billing" or attributes["map"]["n"]["deep"] != 1"#,
        r#"IsMatch(body, "exit code (\\d+)$") and not HasPrefix(event_name, "x")"#,
        r#"attributes["list"] == ["a", 2] and attributes["i"] + 1 > 2"#,
        r#"IsString(attributes["s"]) and attributes["missing"] == nil and Int(attributes["i"]) == 42"#,
    ];
    let conditions = conditions.map(|text| Condition::parse(text, Context::Log).unwrap());
    let view = items.view(Context::Log);
    // A pattern allocates its scratch space when it is used for the first time.
    let hold = |condition: &Condition| assert_eq!(condition.matches(&view), Ok(true), "{}", condition.text());
    conditions.iter().for_each(hold);
    let profiler = dhat::Profiler::builder().testing().build();
    conditions.iter().for_each(hold);
    let stats = dhat::HeapStats::get();
    drop(profiler);
    assert_eq!(stats.total_blocks, 0);
}
