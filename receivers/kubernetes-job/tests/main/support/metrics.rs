//! The receiver's own metrics.

use collector_testing::OwnMetrics;
use kubernetes_job_receiver::telemetry::Telemetry;

/// The telemetry of a receiver that a test reads.
pub(crate) fn telemetry(metrics: &OwnMetrics) -> Telemetry {
    Telemetry::new(&metrics.meter(), "k8s_job".into())
}
