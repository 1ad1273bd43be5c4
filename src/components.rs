//! The one table of every component this binary knows. A new component is one line here.

use pipeline::component::Factories;

/// Every component, by kind.
pub fn factories() -> Factories {
    Factories {
        receivers: vec![kubernetes_job_receiver::factory()],
        processors: vec![reason_enrichment_processor::factory()],
        connectors: vec![job_metrics_connector::factory()],
        exporters: vec![
            otlp_exporter::http::factory(),
            otlp_exporter::grpc::factory(),
            debug_exporter::factory(),
        ],
        extensions: vec![health_check_extension::factory()],
    }
}
