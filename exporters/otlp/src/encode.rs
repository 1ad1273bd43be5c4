//! From data to request bodies: `Export{Logs,Metrics,Trace}ServiceRequest`, compressed, within the backend's limits.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use pipeline::sending::Request;
use pipeline::{Payload, Signal, split};
use prost::Message;

use crate::compression::{self, Compression};

/// The only form of a body.
pub(crate) const PROTO: &str = "proto";

/// The largest bodies that are sent, in bytes; what is larger is cut before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Before compression.
    pub(crate) raw: usize,
    /// As sent.
    pub(crate) sent: usize,
}

/// The limits of Datadog's OTLP intake, the narrowest of the larger backends: 512 KiB compressed for metrics, 5.1 MiB
/// before compression for logs (5 MiB here), 15 MiB for traces. Where a backend takes less, it answers 413 and the
/// request is cut then.
pub(crate) fn limits(signal: Signal) -> Limits {
    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;
    match signal {
        Signal::Metrics => Limits {
            raw: 15 * MIB,
            sent: 512 * KIB,
        },
        Signal::Logs => Limits {
            raw: 5 * MIB,
            sent: 5 * MIB,
        },
        Signal::Traces => Limits {
            raw: 15 * MIB,
            sent: 15 * MIB,
        },
    }
}

/// The requests that together hold the payload, in order; none if it has no items. A single item above the limits is
/// left to the backend's judgement.
///
/// # Errors
/// If compression fails.
pub(crate) fn requests(
    payload: Arc<Payload>,
    compression: Compression,
    limits: Limits,
) -> Result<Vec<Request>, String> {
    let mut requests = Vec::new();
    // The next one to make stands last.
    let mut todo = vec![payload];
    while let Some(payload) = todo.pop() {
        if payload.items() == 0 {
            continue;
        }
        let raw = encode(&payload);
        let too_large = raw.len() > limits.raw;
        // Compressing is the larger work, so it is spared when the raw size tells already.
        if too_large && let Some((left, right)) = split::halves(&payload) {
            todo.extend([Arc::new(right), Arc::new(left)]);
            continue;
        }
        let body = compression
            .compress(raw)
            .map_err(|why| format!("the request cannot be compressed: {why}"))?;
        if body.len() > limits.sent
            && let Some((left, right)) = split::halves(&payload)
        {
            todo.extend([Arc::new(right), Arc::new(left)]);
            continue;
        }
        let compressed = compression.content_encoding().unwrap_or_default();
        requests.push(Request::new(&payload, PROTO, compressed, body));
    }
    Ok(requests)
}

/// The data that a request holds, however the settings were when it was made.
///
/// # Errors
/// If it is damaged, or in a form that this program does not know.
pub(crate) fn unpack(request: &Request) -> Result<Payload, String> {
    if request.encoding != PROTO {
        return Err(format!(
            "it has the unknown encoding {:?}, expected {PROTO}",
            request.encoding
        ));
    }
    let raw = compression::decompress(&request.compression, &request.body)?;
    decode(request.signal, raw).map_err(|why| format!("it cannot be decoded: {why}"))
}

fn decode(signal: Signal, raw: Bytes) -> Result<Payload, prost::DecodeError> {
    Ok(match signal {
        Signal::Logs => Payload::Logs(ExportLogsServiceRequest::decode(raw)?.resource_logs),
        Signal::Metrics => Payload::Metrics(ExportMetricsServiceRequest::decode(raw)?.resource_metrics),
        Signal::Traces => Payload::Traces(ExportTraceServiceRequest::decode(raw)?.resource_spans),
    })
}

/// The protobuf form of the export request. In all three the resources are the repeated field 1 and nothing else is
/// there (opentelemetry-proto, collector/*/v1), so they are written from where they are, without a copy.
fn encode(payload: &Payload) -> Bytes {
    match payload {
        Payload::Logs(resources) => repeated_field_1(resources),
        Payload::Metrics(resources) => repeated_field_1(resources),
        Payload::Traces(resources) => repeated_field_1(resources),
    }
}

fn repeated_field_1<M: Message>(messages: &[M]) -> Bytes {
    /// Field 1, length-delimited.
    const TAG: u8 = (1 << 3) | 2;
    let mut buffer = BytesMut::new();
    for message in messages {
        let length = message.encoded_len();
        buffer.reserve(1 + prost::length_delimiter_len(length) + length);
        buffer.put_u8(TAG);
        // BytesMut grows, so writing to it cannot fail.
        let _ = message.encode_length_delimited(&mut buffer);
    }
    buffer.freeze()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
    use opentelemetry_proto::tonic::trace::v1::ResourceSpans;

    use super::*;

    fn logs(names: &[String]) -> Payload {
        Payload::Logs(
            names
                .iter()
                .map(|name| ResourceLogs {
                    scope_logs: vec![ScopeLogs {
                        log_records: vec![LogRecord {
                            event_name: name.clone(),
                            ..Default::default()
                        }],
                        ..Default::default()
                    }],
                    ..Default::default()
                })
                .collect(),
        )
    }

    fn names(request: &Request) -> Vec<String> {
        let decoded = ExportLogsServiceRequest::decode(request.body.clone()).unwrap();
        let records = decoded
            .resource_logs
            .into_iter()
            .flat_map(|resource| resource.scope_logs);
        let records = records.flat_map(|scope| scope.log_records);
        records.map(|record| record.event_name).collect()
    }

    #[test]
    fn the_body_is_the_export_request() {
        let payload = logs(&["a".into(), "b".repeat(300)]);
        let Payload::Logs(resource_logs) = payload.clone() else {
            panic!()
        };
        let expected = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
        assert_eq!(encode(&payload), expected);
    }

    #[test]
    fn what_is_too_large_is_cut_in_order_and_a_single_item_goes_as_it_is() {
        let all: Vec<String> = ["a", "b", "c", "d", "e"].iter().map(|name| name.repeat(100)).collect();
        let limits = Limits { raw: 250, sent: 250 };
        let requests = requests(Arc::new(logs(&all)), Compression::None, limits).unwrap();
        assert_eq!(
            requests.iter().map(|request| request.items).collect::<Vec<_>>(),
            [2, 1, 2]
        );
        assert!(requests.iter().all(|request| request.body.len() <= 250));
        assert_eq!(requests.iter().flat_map(names).collect::<Vec<_>>(), all);

        let large = Arc::new(logs(&["x".repeat(1000)]));
        assert_eq!(super::requests(large, Compression::None, limits).unwrap().len(), 1);
        assert!(
            super::requests(Arc::new(logs(&[])), Compression::None, limits)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn the_limit_on_what_is_sent_looks_at_the_compressed_body() {
        let all: Vec<String> = vec!["a".repeat(10_000); 4];
        let limits = Limits {
            raw: 1_000_000,
            sent: 2_000,
        };
        let packed = requests(Arc::new(logs(&all)), Compression::Gzip(6), limits).unwrap();
        assert_eq!(packed.len(), 1);
        let plain = requests(Arc::new(logs(&all)), Compression::None, limits).unwrap();
        assert_eq!(plain.len(), 4);
    }

    #[test]
    fn a_request_is_unpacked_whatever_its_compression() {
        let payload = logs(&["a".into(), "b".repeat(300)]);
        for compression in [Compression::None, Compression::Gzip(6), Compression::Zstd(3)] {
            let limits = limits(Signal::Logs);
            let made = requests(Arc::new(payload.clone()), compression, limits).unwrap();
            assert_eq!(unpack(&made[0]), Ok(payload.clone()));
            let damaged = Request {
                body: made[0].body.slice(1..),
                ..made[0].clone()
            };
            assert!(unpack(&damaged).is_err());
        }
        for payload in [
            Payload::Metrics(vec![ResourceMetrics::default()]),
            Payload::Traces(vec![ResourceSpans::default()]),
        ] {
            let request = Request::new(&payload, PROTO, "", encode(&payload));
            assert_eq!(unpack(&request), Ok(payload));
        }
        let unknown = Request::new(&payload, "xml", "", Bytes::new());
        assert_eq!(
            unpack(&unknown).unwrap_err(),
            "it has the unknown encoding \"xml\", expected proto"
        );
    }
}
