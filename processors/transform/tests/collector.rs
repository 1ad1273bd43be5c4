//! The processor agrees with the Collector's `transformprocessor`; see `collector/ottl/tests/vectors/README.md`.

use collector_data::Signal;
use collector_testing::ottl_vectors::compare;
use transform_processor::factory;

#[tokio::test]
async fn transforms_logs_as_the_collector() {
    compare("transform-logs", Signal::Logs, factory(), &[]).await;
}

#[tokio::test]
async fn transforms_metrics_as_the_collector() {
    compare("transform-metrics", Signal::Metrics, factory(), &[]).await;
}

#[tokio::test]
async fn transforms_traces_as_the_collector() {
    compare("transform-traces", Signal::Traces, factory(), &[]).await;
}
