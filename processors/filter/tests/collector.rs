//! The processor agrees with the Collector's `filterprocessor`; see `collector/ottl/tests/vectors/README.md`.

use collector_data::Signal;
use collector_testing::ottl_vectors::compare;
use filter_processor::factory;

#[tokio::test]
async fn filters_logs_as_the_collector() {
    compare("filter-logs", Signal::Logs, factory(), &[]).await;
}

#[tokio::test]
async fn filters_metrics_as_the_collector() {
    compare("filter-metrics", Signal::Metrics, factory(), &[]).await;
}

#[tokio::test]
async fn filters_traces_as_the_collector() {
    compare("filter-traces", Signal::Traces, factory(), &[]).await;
}
