//! Own metrics that Prometheus scrapes. A manual reader collects them for each scrape, and the code of the exporter
//! `prometheus` names and writes them, so own metrics and those of pipelines have one set of rules for names.

use std::sync::{Arc, Weak};
use std::time::Duration;

use collector_http::server::{Endpoint as Address, Server};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, Temporality};
use prometheus_exporter::server::{PATH, SERVICE, Served, router};
use prometheus_text::{Format, Options, Suffixes, gather, write};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

/// The setting `pull`.
#[derive(Clone, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Pull {
    /// The exporter of the reader.
    exporter: PullExporter,
}

#[derive(Clone, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
struct PullExporter {
    /// An endpoint for Prometheus.
    prometheus: Prometheus,
}

#[derive(Clone, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Prometheus {
    /// The host to listen on; plain HTTP.
    host: String,
    /// The port to listen on.
    port: u16,
    /// Additional host names of requests, such as `metrics.example.com`, `*.example.com`, or `*` for any.
    allowed_hosts: Vec<String>,
    /// Omits the labels `otel_scope_…`.
    without_scope_info: bool,
    /// Omits units at the end of names.
    without_units: bool,
    /// Omits `_total` and `_ratio` at the end of names.
    without_type_suffix: bool,
}

impl Default for Prometheus {
    fn default() -> Self {
        Prometheus {
            host: "localhost".into(),
            port: 8888,
            allowed_hosts: Vec::new(),
            without_scope_info: false,
            without_units: false,
            without_type_suffix: false,
        }
    }
}

/// A reader and the endpoint that serves its metrics.
pub(super) struct Endpoint {
    /// The path of the settings, for errors.
    section: String,
    settings: Prometheus,
    reader: Shared,
}

/// A reader that the SDK and the endpoint share.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<ManualReader>);

impl Endpoint {
    /// The endpoint of the reader with this index; does not listen yet.
    pub(super) fn new(pull: &Pull, index: usize) -> Self {
        Endpoint {
            section: format!("service::telemetry::metrics::readers::{index}::pull::exporter::prometheus"),
            settings: pull.exporter.prometheus.clone(),
            reader: Shared(Arc::new(ManualReader::builder().build())),
        }
    }

    /// The reader for the SDK.
    pub(super) fn reader(&self) -> Shared {
        self.reader.clone()
    }

    /// Listens; the returned future serves until `shutdown`.
    pub(super) async fn serve(
        &self,
        shutdown: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send + use<>, String> {
        let Prometheus {
            host,
            port,
            allowed_hosts,
            ..
        } = &self.settings;
        let endpoint = Address::new(host, *port);
        let server = Server::listen(SERVICE, &endpoint, &self.section, "port", allowed_hosts).await?;
        tracing::info!(url = server.url(PATH), "serving own metrics");
        let (reader, options) = (self.reader(), self.settings.options());
        let served = Served {
            page: Arc::new(move |format| reader.page(&options, format)),
            open_metrics: true,
        };
        Ok(server.serve(router(served), shutdown))
    }
}

impl Prometheus {
    fn options(&self) -> Options {
        Options {
            suffixes: Suffixes {
                unit: !self.without_units,
                kind: !self.without_type_suffix,
            },
            scope_labels: !self.without_scope_info,
            // Prometheus sets job and instance of the metrics it scrapes.
            job_labels: false,
            ..Options::default()
        }
    }
}

impl Shared {
    fn page(&self, options: &Options, format: Format) -> String {
        let mut metrics = ResourceMetrics::default();
        let mut text = String::new();
        match self.0.collect(&mut metrics) {
            Ok(()) => {
                let request = ExportMetricsServiceRequest::from(&metrics);
                write(
                    &mut text,
                    &gather(&request.resource_metrics, options).families,
                    format,
                    false,
                );
            }
            Err(error) => tracing::warn!(%error, "cannot collect own metrics"),
        }
        if format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

impl MetricReader for Shared {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;
    use opentelemetry::metrics::MeterProvider;
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::metrics::SdkMeterProvider;

    use super::*;

    #[test]
    fn own_metrics_have_the_names_of_the_collectors() {
        let endpoint = Endpoint::new(
            &Pull {
                exporter: PullExporter {
                    prometheus: Prometheus::default(),
                },
            },
            0,
        );
        let resource = Resource::builder_empty().with_attributes([KeyValue::new("service.name", "me")]);
        let meters = SdkMeterProvider::builder()
            .with_resource(resource.build())
            .with_reader(endpoint.reader())
            .build();
        let meter = meters.meter("kube-job-collector");
        let sent = meter
            .u64_counter("otelcol_exporter_sent_log_records")
            .with_unit("{records}");
        sent.build().add(3, &[KeyValue::new("exporter", "otlp_http/datadog")]);
        let gap = meter.f64_histogram("otelcol_receiver_watch_gap").with_unit("s");
        gap.with_boundaries(vec![1.0, 10.0]).build().record(2.5, &[]);

        let page = |options: &Options| endpoint.reader.page(options, Format::Text);
        let text = page(&endpoint.settings.options());
        for line in [
            "# TYPE otelcol_exporter_sent_log_records_total counter",
            "otelcol_exporter_sent_log_records_total{exporter=\"otlp_http/datadog\",otel_scope_name=\"kube-job-collector\"} 3",
            "otelcol_receiver_watch_gap_seconds_bucket{otel_scope_name=\"kube-job-collector\",le=\"10\"} 1",
            "target_info{service_name=\"me\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        let bare = Prometheus {
            without_scope_info: true,
            without_units: true,
            without_type_suffix: true,
            ..Prometheus::default()
        };
        let text = page(&bare.options());
        assert!(
            text.contains("\notelcol_exporter_sent_log_records{exporter=\"otlp_http/datadog\"} 3\n"),
            "{text}"
        );
        assert!(text.contains("\notelcol_receiver_watch_gap_count 1\n"), "{text}");
    }
}
