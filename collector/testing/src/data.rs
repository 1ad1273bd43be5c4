use collector_data::{Ack, Batch, Delivery, Payload, Signal};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

/// A batch, and the future that resolves with its outcome.
pub fn batch(payload: Payload) -> (Batch, Delivery) {
    let (ack, delivery) = Ack::new();
    (Batch::new(payload, ack), delivery)
}

/// A payload with one valid item: a log record, a point of the gauge `queue.size`, or a span.
pub fn one_item(signal: Signal) -> Payload {
    const TIME: u64 = 1_700_000_000_000_000_000;
    let resource = Some(Resource {
        attributes: vec![KeyValue {
            key: "service.name".into(),
            value: Some(AnyValue {
                value: Some(Value::StringValue("test".into())),
            }),
            ..Default::default()
        }],
        ..Default::default()
    });
    match signal {
        Signal::Logs => Payload::Logs(vec![ResourceLogs {
            resource,
            scope_logs: vec![ScopeLogs {
                log_records: vec![LogRecord {
                    time_unix_nano: TIME,
                    event_name: "test".into(),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }]),
        Signal::Metrics => Payload::Metrics(vec![ResourceMetrics {
            resource,
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![Metric {
                    name: "queue.size".into(),
                    data: Some(Data::Gauge(Gauge {
                        data_points: vec![NumberDataPoint {
                            time_unix_nano: TIME,
                            value: Some(number_data_point::Value::AsInt(1)),
                            ..Default::default()
                        }],
                    })),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }]),
        Signal::Traces => Payload::Traces(vec![ResourceSpans {
            resource,
            scope_spans: vec![ScopeSpans {
                spans: vec![Span {
                    trace_id: vec![1; 16],
                    span_id: vec![1; 8],
                    name: "test".into(),
                    start_time_unix_nano: TIME,
                    end_time_unix_nano: TIME + 1,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }]),
    }
}
