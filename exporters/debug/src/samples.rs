//! Data for the tests of every verbosity.

use collector_data::Payload;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::*;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};

/// 2023-11-14T22:13:20Z
const AT: u64 = 1_700_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(any(value)),
        ..Default::default()
    }
}

fn text(value: &str) -> Value {
    Value::StringValue(value.into())
}

fn map(values: Vec<KeyValue>) -> Value {
    Value::KvlistValue(KeyValueList { values })
}

fn array(values: Vec<Value>) -> Value {
    Value::ArrayValue(ArrayValue {
        values: values.into_iter().map(any).collect(),
    })
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: vec![
            pair("k8s.namespace.name", text("shop")),
            pair("k8s.cronjob.name", text("report")),
        ],
        ..Default::default()
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "kube-job-collector".into(),
        version: "0.1.0".into(),
        ..Default::default()
    })
}

/// One event with nested evidence.
pub(crate) fn logs() -> Payload {
    let job = map(vec![pair("uid", text("u-1")), pair("pods", array(Vec::new()))]);
    let attempts = array(vec![map(vec![pair("exit_code", Value::IntValue(137))])]);
    let evidence = vec![
        pair("job", job),
        pair("attempts", attempts),
        pair("raw", Value::BytesValue(vec![0x0a, 0xff])),
    ];
    let record = LogRecord {
        time_unix_nano: AT,
        observed_time_unix_nano: AT + SECOND,
        severity_number: 17,
        severity_text: "ERROR".into(),
        event_name: "k8s.job.finished".into(),
        body: Some(any(text("Job shop/report-1 failed:\nit ran too long"))),
        attributes: vec![
            pair("k8s.job.failure.reason", text("DeadlineExceeded")),
            pair("k8s.job.duration", Value::DoubleValue(10.5)),
            pair("k8s.job.evidence", map(evidence)),
        ],
        ..Default::default()
    };
    Payload::Logs(vec![ResourceLogs {
        resource: resource(),
        scope_logs: vec![ScopeLogs {
            scope: scope(),
            log_records: vec![record],
            ..Default::default()
        }],
        ..Default::default()
    }])
}

fn number_point(value: number_data_point::Value) -> NumberDataPoint {
    NumberDataPoint {
        time_unix_nano: AT,
        value: Some(value),
        ..Default::default()
    }
}

fn failures() -> Sum {
    Sum {
        aggregation_temporality: AggregationTemporality::Delta as i32,
        is_monotonic: true,
        data_points: vec![NumberDataPoint {
            attributes: vec![pair("reason", text("DeadlineExceeded"))],
            start_time_unix_nano: AT - SECOND,
            exemplars: vec![Exemplar {
                trace_id: vec![1],
                value: Some(exemplar::Value::AsDouble(1.5)),
                ..Default::default()
            }],
            ..number_point(number_data_point::Value::AsInt(1))
        }],
    }
}

fn duration() -> ExponentialHistogram {
    ExponentialHistogram {
        aggregation_temporality: AggregationTemporality::Delta as i32,
        data_points: vec![ExponentialHistogramDataPoint {
            attributes: vec![pair("outcome", text("Failed"))],
            start_time_unix_nano: AT - SECOND,
            time_unix_nano: AT,
            count: 4,
            sum: Some(17.5),
            min: Some(0.0),
            max: Some(10.5),
            zero_count: 1,
            positive: Some(Buckets {
                offset: 1,
                bucket_counts: vec![1, 0, 1],
            }),
            negative: Some(Buckets {
                offset: 0,
                bucket_counts: vec![1],
            }),
            ..Default::default()
        }],
    }
}

fn nameless() -> Gauge {
    Gauge {
        data_points: vec![NumberDataPoint {
            flags: 1,
            ..number_point(number_data_point::Value::AsDouble(f64::NAN))
        }],
    }
}

fn latency() -> Histogram {
    Histogram {
        aggregation_temporality: AggregationTemporality::Cumulative as i32,
        data_points: vec![HistogramDataPoint {
            time_unix_nano: AT,
            count: 3,
            sum: Some(6.0),
            bucket_counts: vec![1, 2],
            explicit_bounds: vec![1.0],
            ..Default::default()
        }],
    }
}

fn quantiles() -> Summary {
    Summary {
        data_points: vec![SummaryDataPoint {
            time_unix_nano: AT,
            count: 2,
            sum: 3.0,
            quantile_values: vec![summary_data_point::ValueAtQuantile {
                quantile: 0.5,
                value: 1.5,
            }],
            ..Default::default()
        }],
    }
}

/// A metric of each kind, with one point each.
pub(crate) fn metrics() -> Payload {
    let metric = |name: &str, unit: &str, data| Metric {
        name: name.into(),
        unit: unit.into(),
        data: Some(data),
        ..Default::default()
    };
    let mut metrics = vec![
        metric("k8s.job.failures", "{job}", Data::Sum(failures())),
        metric("k8s.job.duration", "s", Data::ExponentialHistogram(duration())),
        metric("", "", Data::Gauge(nameless())),
        metric("latency", "ms", Data::Histogram(latency())),
        metric("quantiles", "", Data::Summary(quantiles())),
    ];
    metrics[0].description = "Jobs that failed".into();
    Payload::Metrics(vec![ResourceMetrics {
        resource: resource(),
        scope_metrics: vec![ScopeMetrics {
            scope: scope(),
            metrics,
            ..Default::default()
        }],
        ..Default::default()
    }])
}

/// A span with an event and a link, without a resource.
pub(crate) fn traces() -> Payload {
    let end = AT + 10 * SECOND + SECOND / 2;
    let one = Span {
        trace_id: (0..16).map(|i| i * 0x11).collect(),
        span_id: (0..8).map(|i| i * 0x11).collect(),
        name: "job run".into(),
        kind: span::SpanKind::Internal as i32,
        start_time_unix_nano: AT,
        end_time_unix_nano: end,
        attributes: vec![pair("attempt", Value::IntValue(1))],
        status: Some(Status {
            code: 2,
            message: "too long".into(),
        }),
        events: vec![span::Event {
            time_unix_nano: end,
            name: "killed".into(),
            ..Default::default()
        }],
        links: vec![span::Link {
            trace_id: vec![0xff],
            span_id: vec![0xee],
            ..Default::default()
        }],
        ..Default::default()
    };
    Payload::Traces(vec![ResourceSpans {
        scope_spans: vec![ScopeSpans {
            spans: vec![one],
            ..Default::default()
        }],
        ..Default::default()
    }])
}
