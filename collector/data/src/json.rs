//! The JSON form (OTLP specification, "JSON Protobuf Encoding"): one object, `{"resourceLogs": […]}`, without line breaks.
//!
//! Keys are lowerCamelCase. Trace and span ids are hexadecimal, other bytes base64; 64-bit integers are strings; enum
//! members are numbers; `NaN` and the infinities are strings. A reader also takes 64-bit integers as numbers and skips
//! unknown keys. The generated types of `opentelemetry-proto` carry these rules (feature `with-serde`).

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use serde::Serialize;

use crate::{Payload, Signal};

/// An enum's variant is written as an object with one key, so this is the export request without a copy of its data.
#[derive(Serialize)]
enum RequestRef<'a> {
    #[serde(rename = "resourceLogs")]
    Logs(&'a [ResourceLogs]),
    #[serde(rename = "resourceMetrics")]
    Metrics(&'a [ResourceMetrics]),
    #[serde(rename = "resourceSpans")]
    Traces(&'a [ResourceSpans]),
}

/// The export request.
///
/// # Errors
/// If a value has no JSON form.
pub fn encode(payload: &Payload) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&match payload {
        Payload::Logs(resources) => RequestRef::Logs(resources),
        Payload::Metrics(resources) => RequestRef::Metrics(resources),
        Payload::Traces(resources) => RequestRef::Traces(resources),
    })
}

/// The data in an export request.
///
/// # Errors
/// If the text is not such a request.
pub fn decode(signal: Signal, request: &[u8]) -> serde_json::Result<Payload> {
    Ok(match signal {
        Signal::Logs => Payload::Logs(serde_json::from_slice::<ExportLogsServiceRequest>(request)?.resource_logs),
        Signal::Metrics => {
            Payload::Metrics(serde_json::from_slice::<ExportMetricsServiceRequest>(request)?.resource_metrics)
        }
        Signal::Traces => Payload::Traces(serde_json::from_slice::<ExportTraceServiceRequest>(request)?.resource_spans),
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ScopeLogs};

    use super::*;

    fn record() -> LogRecord {
        let attribute = |key: &str, value| KeyValue {
            key: key.into(),
            value: Some(AnyValue { value: Some(value) }),
            ..Default::default()
        };
        LogRecord {
            time_unix_nano: 1_700_000_000_000_000_001,
            severity_number: 17,
            trace_id: vec![0xab; 16],
            span_id: vec![0xcd; 8],
            attributes: vec![
                attribute("int", Value::IntValue(-5)),
                attribute("bytes", Value::BytesValue(vec![0, 255])),
                attribute("text", Value::StringValue("a\nb".into())),
                attribute("double", Value::DoubleValue(1.5)),
            ],
            ..Default::default()
        }
    }

    fn logs(log_records: Vec<LogRecord>) -> Payload {
        Payload::Logs(vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records,
                ..Default::default()
            }],
            ..Default::default()
        }])
    }

    #[test]
    fn writes_ids_integers_enums_and_bytes_by_the_specification() {
        let payload = logs(vec![record()]);
        let text = String::from_utf8(encode(&payload).unwrap()).unwrap();
        for part in [
            r#"{"resourceLogs":[{"#,
            r#""timeUnixNano":"1700000000000000001""#,
            r#""severityNumber":17"#,
            r#""traceId":"abababababababababababababababab""#,
            r#""spanId":"cdcdcdcdcdcdcdcd""#,
            r#"{"key":"int","value":{"intValue":"-5"}}"#,
            r#"{"key":"bytes","value":{"bytesValue":"AP8="}}"#,
            r#"{"key":"text","value":{"stringValue":"a\nb"}}"#,
            r#"{"key":"double","value":{"doubleValue":1.5}}"#,
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains('\n'));
        assert_eq!(decode(Signal::Logs, text.as_bytes()).unwrap(), payload);
    }

    #[test]
    fn writes_the_bytes_of_the_generated_types() {
        let payload = logs(vec![record()]);
        let Payload::Logs(resource_logs) = payload.clone() else {
            panic!()
        };
        let expected = serde_json::to_vec(&ExportLogsServiceRequest { resource_logs }).unwrap();
        assert_eq!(encode(&payload).unwrap(), expected);
    }

    #[test]
    fn reads_every_signal_integers_as_numbers_and_unknown_keys() {
        for payload in [
            logs(Vec::new()),
            Payload::Metrics(vec![Default::default()]),
            Payload::Traces(vec![Default::default()]),
        ] {
            assert_eq!(decode(payload.signal(), &encode(&payload).unwrap()).unwrap(), payload);
        }
        let text = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":7,"new":1}]}]}]}"#;
        let record = LogRecord {
            time_unix_nano: 7,
            ..Default::default()
        };
        assert_eq!(decode(Signal::Logs, text).unwrap(), logs(vec![record]));
        assert!(decode(Signal::Logs, b"7").is_err());
    }
}
