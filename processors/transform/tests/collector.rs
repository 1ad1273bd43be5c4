//! The processor agrees with the Collector's `transformprocessor`; see `collector/ottl/tests/vectors/README.md`.

use collector_data::Signal;
use collector_testing::ottl_vectors::{Difference, compare};
use transform_processor::factory;

/// `docs/ottl.md` names these differences.
const LOGS: &[Difference] = &[
    (
        r#"{"error_mode":"propagate","log_statements":[{"context":"log","statements":["set(attributes[\"new\"], attributes)"]}]}"#,
        "the copy has no entry for itself; in the Collector it has an empty one",
    ),
    (
        r#"{"error_mode":"propagate","log_statements":[{"context":"log","statements":["set(body, {\"message\": body})"]}]}"#,
        "a list from a path is accepted inside of a map literal",
    ),
    (
        r#"{"error_mode":"propagate","log_statements":[{"context":"log","statements":["truncate_all(attributes, 3, false)"]}]}"#,
        "strings stay UTF-8",
    ),
];

const TRACES: &[Difference] = &[
    (
        r#"{"error_mode":"propagate","trace_statements":["set(spanevent.name, \"x\")"]}"#,
        "the context `spanevent` is not supported",
    ),
    (
        r#"{"error_mode":"propagate","trace_statements":[{"context":"spanevent","statements":["set(name, \"x\")"]}]}"#,
        "the context `spanevent` is not supported",
    ),
];

#[tokio::test]
async fn transforms_logs_as_the_collector() {
    compare("transform-logs", Signal::Logs, factory(), LOGS).await;
}

#[tokio::test]
async fn transforms_metrics_as_the_collector() {
    compare("transform-metrics", Signal::Metrics, factory(), &[]).await;
}

#[tokio::test]
async fn transforms_traces_as_the_collector() {
    compare("transform-traces", Signal::Traces, factory(), TRACES).await;
}
