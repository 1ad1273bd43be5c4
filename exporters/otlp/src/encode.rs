//! Request bodies: the export request as protobuf or JSON, compressed, within the limits of the backend.

use std::sync::Arc;

use bytes::Bytes;
use collector_data::{Payload, Signal, json, proto, split};
use collector_sending::Request;

use crate::compression::{self, Compression};

/// The form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Protobuf; over gRPC too, where its frame is made when it is sent.
    Proto,
    /// OTLP/JSON.
    Json,
}

impl Format {
    /// The name in settings and in requests.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Format::Proto => "proto",
            Format::Json => "json",
        }
    }

    /// The format of a name, with what is wrong with it.
    pub(crate) fn of(name: &str) -> Result<Format, String> {
        match name {
            "proto" => Ok(Format::Proto),
            "json" => Ok(Format::Json),
            other => Err(format!("unknown encoding `{other}`, expected proto or json")),
        }
    }
}

/// How requests are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoding {
    pub(crate) format: Format,
    pub(crate) compression: Compression,
}

/// The largest bodies that are sent, in bytes; what is larger is cut before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Before compression.
    pub(crate) raw: usize,
    /// As sent.
    pub(crate) sent: usize,
}

/// What a gRPC server takes unless it is configured otherwise: 4 MiB before compression.
pub(crate) const GRPC_LIMITS: Limits = Limits {
    raw: 4 * 1024 * 1024,
    sent: 4 * 1024 * 1024,
};

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
pub(crate) fn requests(payload: Arc<Payload>, encoding: Encoding, limits: Limits) -> Result<Vec<Request>, String> {
    let mut requests = Vec::new();
    // The next one to make stands last.
    let mut todo = vec![payload];
    while let Some(payload) = todo.pop() {
        if payload.items() == 0 {
            continue;
        }
        let raw = encode(&payload, encoding.format)?;
        let too_large = raw.len() > limits.raw;
        // Compressing is the larger work, so it is spared when the raw size tells already.
        if too_large && let Some((left, right)) = split::halves(&payload) {
            todo.extend([Arc::new(right), Arc::new(left)]);
            continue;
        }
        let body = encoding
            .compression
            .compress(raw)
            .map_err(|why| format!("the request cannot be compressed: {why}"))?;
        if body.len() > limits.sent
            && let Some((left, right)) = split::halves(&payload)
        {
            todo.extend([Arc::new(right), Arc::new(left)]);
            continue;
        }
        let compressed = encoding.compression.content_encoding().unwrap_or_default();
        requests.push(Request::new(&payload, encoding.format.as_str(), compressed, body));
    }
    Ok(requests)
}

/// The data that a request holds, however the settings were when it was made.
///
/// # Errors
/// If it is damaged, or in a form that this program does not know.
pub(crate) fn unpack(request: &Request) -> Result<Payload, String> {
    let format = Format::of(&request.encoding)?;
    let raw = compression::decompress(&request.compression, &request.body)?;
    let decoded = match format {
        Format::Proto => proto::decode(request.signal, raw).map_err(|error| error.to_string()),
        Format::Json => json::decode(request.signal, &raw).map_err(|error| error.to_string()),
    };
    decoded.map_err(|why| format!("it cannot be decoded: {why}"))
}

/// The body as a gRPC message: that of a request that was stored as JSON, when the settings were others, made anew.
///
/// # Errors
/// If it is damaged, or in a form that this program does not know.
pub(crate) fn proto_body(request: &Request) -> Result<Bytes, String> {
    if Format::of(&request.encoding)? == Format::Proto {
        return Ok(request.body.clone());
    }
    let raw = encode(&unpack(request)?, Format::Proto)?;
    compression::compress(&request.compression, raw)
}

/// The export request, not compressed.
fn encode(payload: &Payload, format: Format) -> Result<Bytes, String> {
    match format {
        Format::Proto => Ok(proto::encode(payload)),
        Format::Json => match json::encode(payload) {
            Ok(text) => Ok(text.into()),
            Err(error) => Err(format!("the request cannot be written as JSON: {error}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
    use opentelemetry_proto::tonic::trace::v1::ResourceSpans;

    use super::*;

    fn with(compression: Compression) -> Encoding {
        Encoding {
            format: Format::Proto,
            compression,
        }
    }

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
        let Payload::Logs(resources) = unpack(request).unwrap() else {
            panic!()
        };
        let records = resources.into_iter().flat_map(|resource| resource.scope_logs);
        let records = records.flat_map(|scope| scope.log_records);
        records.map(|record| record.event_name).collect()
    }

    #[test]
    fn what_is_too_large_is_cut_in_order_and_a_single_item_goes_as_it_is() {
        let all: Vec<String> = ["a", "b", "c", "d", "e"].iter().map(|name| name.repeat(100)).collect();
        let limits = Limits { raw: 250, sent: 250 };
        let requests = requests(Arc::new(logs(&all)), with(Compression::None), limits).unwrap();
        assert_eq!(
            requests.iter().map(|request| request.items).collect::<Vec<_>>(),
            [2, 1, 2]
        );
        assert!(requests.iter().all(|request| request.body.len() <= 250));
        assert_eq!(requests.iter().flat_map(names).collect::<Vec<_>>(), all);

        let large = Arc::new(logs(&["x".repeat(1000)]));
        assert_eq!(
            super::requests(large, with(Compression::None), limits).unwrap().len(),
            1
        );
        assert!(
            super::requests(Arc::new(logs(&[])), with(Compression::None), limits)
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
        let packed = requests(Arc::new(logs(&all)), with(Compression::Gzip(6)), limits).unwrap();
        assert_eq!(packed.len(), 1);
        let plain = requests(Arc::new(logs(&all)), with(Compression::None), limits).unwrap();
        assert_eq!(plain.len(), 4);
    }

    #[test]
    fn a_request_is_unpacked_whatever_its_form_and_compression() {
        let payload = logs(&["a".into(), "b".repeat(300)]);
        for format in [Format::Proto, Format::Json] {
            for compression in [Compression::None, Compression::Gzip(6), Compression::Zstd(3)] {
                let limits = limits(Signal::Logs);
                let encoding = Encoding { format, compression };
                let made = requests(Arc::new(payload.clone()), encoding, limits).unwrap();
                assert_eq!(unpack(&made[0]), Ok(payload.clone()));
                let damaged = Request {
                    body: made[0].body.slice(1..),
                    ..made[0].clone()
                };
                assert!(unpack(&damaged).is_err());
                // As protobuf it is the same, whatever form was stored.
                let as_proto = Request {
                    encoding: "proto".into(),
                    body: proto_body(&made[0]).unwrap(),
                    ..made[0].clone()
                };
                assert_eq!(unpack(&as_proto), Ok(payload.clone()));
            }
        }
        for payload in [
            Payload::Metrics(vec![ResourceMetrics::default()]),
            Payload::Traces(vec![ResourceSpans::default()]),
        ] {
            for format in [Format::Proto, Format::Json] {
                let body = encode(&payload, format).unwrap();
                let request = Request::new(&payload, format.as_str(), "", body);
                assert_eq!(unpack(&request), Ok(payload.clone()));
            }
        }
        let unknown = Request::new(&payload, "xml", "", Bytes::new());
        assert_eq!(
            unpack(&unknown).unwrap_err(),
            "unknown encoding `xml`, expected proto or json"
        );
    }
}
