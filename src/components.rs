//! The one table of every component this binary knows. A new component is one line here.

use collector_runtime::component::Factories;

use crate::migration::unneeded;

/// Every component, by kind.
pub(crate) fn factories() -> Factories {
    Factories {
        receivers: vec![
            kubernetes_job_receiver::factory(),
            kube_state_metrics_receiver::factory(),
        ],
        processors: vec![
            attributes_processor::factory(),
            filter_processor::factory(),
            reason_enrichment_processor::factory(),
            resource_processor::factory(),
            resource_detection_processor::factory(),
            transform_processor::factory(),
            unneeded::batch(),
            unneeded::memory_limiter(),
        ],
        connectors: vec![job_metrics_connector::factory(), job_traces_connector::factory()],
        exporters: vec![
            otlp_exporter::http::factory(),
            otlp_exporter::grpc::factory(),
            debug_exporter::factory(),
            file_exporter::factory(),
            k8s_events_exporter::factory(),
            prometheus_exporter::factory(),
            web_exporter::factory(),
        ],
        extensions: vec![
            health_check_extension::factory(),
            file_storage_extension::factory(),
            k8s_storage_extension::factory(),
            k8s_leader_elector_extension::factory(),
            bearer_token_auth_extension::factory(),
            basic_auth_extension::factory(),
            oauth2_client_extension::factory(),
        ],
    }
}
