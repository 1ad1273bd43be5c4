//! The limit on the series of the connector's metrics.

use collector_data::cardinality::{Join, OverflowRules};
use collector_runtime::component::Create;
use collector_runtime::limited::{LimitSettings, LimitTelemetry, LimitedMetrics};
use job_event::attributes as attr;
use opentelemetry::KeyValue;

/// At most `limit` series for each metric.
pub(crate) fn limited(limit: usize, create: &Create<'_>) -> LimitedMetrics {
    let id = KeyValue::new("connector", create.id.to_string());
    let telemetry = LimitTelemetry::new(
        create.meter,
        id,
        "otelcol_job_metrics_series",
        "otelcol_job_metrics_overflowed_points",
    );
    let settings = LimitSettings {
        limit,
        rules: OverflowRules {
            is_owner: attr::is_owner,
            // Sums and histograms only.
            gauges: |_| Join::Sum,
        },
        help: "every event has its Job or CronJob; join Jobs with random names under one owner, use fewer dimensions, or raise the limit",
    };
    LimitedMetrics::new(
        settings,
        telemetry,
        format!("{}::cardinality_limit", create.settings.path()),
    )
}
