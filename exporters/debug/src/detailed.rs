//! All fields, indented, except those that OTLP counts as absent (empty text, zero counts).

use collector_data::Payload;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::detailed_metrics;
use crate::text::Text;
use crate::value::{hex, member, name, time};

pub(crate) fn render(payload: &Payload) -> String {
    let mut text = Text::default();
    match payload {
        Payload::Logs(resources) => text.blocks("ResourceLogs", resources, |text, resource| {
            about_resource(text, resource.resource.as_ref(), &resource.schema_url);
            text.blocks("ScopeLogs", &resource.scope_logs, |text, scope| {
                about_scope(text, scope.scope.as_ref(), &scope.schema_url);
                text.blocks("LogRecord", &scope.log_records, log);
            });
        }),
        Payload::Metrics(resources) => text.blocks("ResourceMetrics", resources, |text, resource| {
            about_resource(text, resource.resource.as_ref(), &resource.schema_url);
            text.blocks("ScopeMetrics", &resource.scope_metrics, |text, scope| {
                about_scope(text, scope.scope.as_ref(), &scope.schema_url);
                text.blocks("Metric", &scope.metrics, detailed_metrics::metric);
            });
        }),
        Payload::Traces(resources) => text.blocks("ResourceSpans", resources, |text, resource| {
            about_resource(text, resource.resource.as_ref(), &resource.schema_url);
            text.blocks("ScopeSpans", &resource.scope_spans, |text, scope| {
                about_scope(text, scope.scope.as_ref(), &scope.schema_url);
                text.blocks("Span", &scope.spans, span);
            });
        }),
    }
    text.finish()
}

fn about_resource(text: &mut Text, resource: Option<&Resource>, schema_url: &str) {
    if !schema_url.is_empty() {
        text.text("Schema URL", &name(schema_url));
    }
    let Some(resource) = resource else { return };
    text.attributes("Resource attributes", &resource.attributes);
    text.count("Dropped resource attributes", resource.dropped_attributes_count);
    for entity in &resource.entity_refs {
        text.block(format_args!("Entity {}", name(&entity.r#type)), |text| {
            if !entity.schema_url.is_empty() {
                text.text("Schema URL", &name(&entity.schema_url));
            }
            text.text("Id keys", &names(&entity.id_keys));
            text.text("Description keys", &names(&entity.description_keys));
        });
    }
}

fn about_scope(text: &mut Text, scope: Option<&InstrumentationScope>, schema_url: &str) {
    if !schema_url.is_empty() {
        text.text("Schema URL", &name(schema_url));
    }
    let Some(scope) = scope else { return };
    if !scope.name.is_empty() || !scope.version.is_empty() {
        let version = match scope.version.as_str() {
            "" => String::new(),
            version => format!(" {}", name(version)),
        };
        text.line(format_args!("Scope: {}{version}", name(&scope.name)));
    }
    text.attributes("Scope attributes", &scope.attributes);
    text.count("Dropped scope attributes", scope.dropped_attributes_count);
}

fn log(text: &mut Text, record: &LogRecord) {
    text.line(format_args!("Time: {}", time(record.time_unix_nano)));
    text.line(format_args!("Observed time: {}", time(record.observed_time_unix_nano)));
    if record.severity_number != 0 {
        let severity = member(record.severity_number, "SEVERITY_NUMBER_", SeverityNumber::as_str_name);
        text.line(format_args!("Severity: {severity} ({})", record.severity_number));
    }
    if !record.severity_text.is_empty() {
        text.line(format_args!("Severity text: {}", name(&record.severity_text)));
    }
    if !record.event_name.is_empty() {
        text.line(format_args!("Event name: {}", name(&record.event_name)));
    }
    text.value("Body", record.body.as_ref());
    text.attributes("Attributes", &record.attributes);
    text.count("Dropped attributes", record.dropped_attributes_count);
    text.text("Trace id", &hex(&record.trace_id));
    text.text("Span id", &hex(&record.span_id));
    text.count("Flags", record.flags);
}

fn span(text: &mut Text, span: &Span) {
    text.line(format_args!("Name: {}", name(&span.name)));
    text.line(format_args!(
        "Kind: {}",
        member(span.kind, "SPAN_KIND_", SpanKind::as_str_name)
    ));
    text.line(format_args!("Trace id: {}", hex(&span.trace_id)));
    text.line(format_args!("Span id: {}", hex(&span.span_id)));
    text.text("Parent span id", &hex(&span.parent_span_id));
    if !span.trace_state.is_empty() {
        text.line(format_args!("Trace state: {:?}", span.trace_state));
    }
    text.line(format_args!("Start: {}", time(span.start_time_unix_nano)));
    text.line(format_args!("End: {}", time(span.end_time_unix_nano)));
    if let Some(status) = &span.status {
        text.line(format_args!(
            "Status: {}",
            member(status.code, "STATUS_CODE_", StatusCode::as_str_name)
        ));
        if !status.message.is_empty() {
            text.line(format_args!("Status message: {:?}", status.message));
        }
    }
    text.attributes("Attributes", &span.attributes);
    text.count("Dropped attributes", span.dropped_attributes_count);
    text.count("Flags", span.flags);
    text.blocks("Event", &span.events, |text, event| {
        text.line(format_args!("Name: {}", name(&event.name)));
        text.line(format_args!("Time: {}", time(event.time_unix_nano)));
        text.attributes("Attributes", &event.attributes);
        text.count("Dropped attributes", event.dropped_attributes_count);
    });
    text.count("Dropped events", span.dropped_events_count);
    text.blocks("Link", &span.links, |text, link| {
        text.line(format_args!("Trace id: {}", hex(&link.trace_id)));
        text.line(format_args!("Span id: {}", hex(&link.span_id)));
        if !link.trace_state.is_empty() {
            text.line(format_args!("Trace state: {:?}", link.trace_state));
        }
        text.attributes("Attributes", &link.attributes);
        text.count("Dropped attributes", link.dropped_attributes_count);
        text.count("Flags", link.flags);
    });
    text.count("Dropped links", span.dropped_links_count);
}

fn names(all: &[String]) -> String {
    all.iter().map(|one| name(one)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn shows_logs() {
        assert_eq!(
            render(&samples::logs()),
            r#"ResourceLogs #0
  Resource attributes:
    k8s.namespace.name: "shop"
    k8s.cronjob.name: "report"
  ScopeLogs #0
    Scope: kube-job-collector 0.1.0
    LogRecord #0
      Time: 2023-11-14T22:13:20Z
      Observed time: 2023-11-14T22:13:21Z
      Severity: ERROR (17)
      Severity text: ERROR
      Event name: k8s.job.finished
      Body: "Job shop/report-1 failed:\nit ran too long"
      Attributes:
        k8s.job.failure.reason: "DeadlineExceeded"
        k8s.job.duration: 10.5
        k8s.job.evidence:
          job:
            uid: "u-1"
            pods: []
          attempts:
            [0]:
              exit_code: 137
          raw: 0x0aff
"#
        );
    }

    #[test]
    fn shows_traces() {
        assert_eq!(
            render(&samples::traces()),
            r#"ResourceSpans #0
  ScopeSpans #0
    Span #0
      Name: "job run"
      Kind: INTERNAL
      Trace id: 00112233445566778899aabbccddeeff
      Span id: 0011223344556677
      Start: 2023-11-14T22:13:20Z
      End: 2023-11-14T22:13:30.5Z
      Status: ERROR
      Status message: "too long"
      Attributes:
        attempt: 1
      Event #0
        Name: killed
        Time: 2023-11-14T22:13:30.5Z
      Link #0
        Trace id: ff
        Span id: ee
"#
        );
    }
}
