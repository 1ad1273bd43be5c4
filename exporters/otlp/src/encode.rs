//! Request bodies: the export request as protobuf or JSON, compressed, within the limits of the backend.

use std::sync::Arc;

use bytes::Bytes;
use collector_data::{Payload, Signal, json, proto, split};
use collector_sending::Request;

use crate::compression::{self, Compression};

/// The form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    /// Protobuf; for gRPC too, whose prefix is added by the call.
    Proto,
    /// OTLP/JSON.
    Json,
}

impl BodyFormat {
    /// The name in settings and in requests.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            BodyFormat::Proto => "proto",
            BodyFormat::Json => "json",
        }
    }

    /// The format of this name.
    ///
    /// # Errors
    /// If the name is unknown.
    pub(crate) fn of(name: &str) -> Result<BodyFormat, String> {
        match name {
            "proto" => Ok(BodyFormat::Proto),
            "json" => Ok(BodyFormat::Json),
            other => Err(format!("unknown encoding `{other}`, expected proto or json")),
        }
    }
}

/// Format and compression of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoding {
    pub(crate) format: BodyFormat,
    pub(crate) compression: Compression,
}

/// The largest bodies in bytes; larger ones are split.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SizeLimits {
    /// Before compression.
    pub(crate) raw: usize,
    /// As sent.
    pub(crate) sent: usize,
}

/// The default limit of gRPC servers: 4 MiB before compression.
pub(crate) const GRPC_LIMITS: SizeLimits = SizeLimits {
    raw: 4 * 1024 * 1024,
    sent: 4 * 1024 * 1024,
};

/// The limits of Datadog's OTLP intake, the narrowest of the larger backends: 512 KiB compressed for metrics, 5.1 MiB
/// before compression for logs (5 MiB here), 15 MiB for traces. A backend with a smaller limit answers 413, and the
/// request is split then.
pub(crate) fn limits(signal: Signal) -> SizeLimits {
    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;
    match signal {
        Signal::Metrics => SizeLimits {
            raw: 15 * MIB,
            sent: 512 * KIB,
        },
        Signal::Logs => SizeLimits {
            raw: 5 * MIB,
            sent: 5 * MIB,
        },
        Signal::Traces => SizeLimits {
            raw: 15 * MIB,
            sent: 15 * MIB,
        },
    }
}

/// The requests that together contain the payload, in order; none if it has no items. A single item above the limits is
/// sent as it is.
///
/// # Errors
/// If compression fails.
pub(crate) fn requests(payload: Arc<Payload>, encoding: Encoding, limits: SizeLimits) -> Result<Vec<Request>, String> {
    let mut requests = Vec::new();
    // The next payload is the last one.
    let mut todo = vec![payload];
    while let Some(payload) = todo.pop() {
        if payload.items() == 0 {
            continue;
        }
        let raw = encode(&payload, encoding.format)?;
        let too_large = raw.len() > limits.raw;
        // Compression costs most, so a body whose raw size is too large is split before.
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

/// The data of a request, also of one that was stored under other settings.
///
/// # Errors
/// If it is damaged, or in an unknown format.
pub(crate) fn unpack(request: &Request) -> Result<Payload, String> {
    let format = BodyFormat::of(&request.encoding)?;
    let raw = compression::decompress(&request.compression, &request.body)?;
    let decoded = match format {
        BodyFormat::Proto => proto::decode(request.signal, raw).map_err(|error| error.to_string()),
        BodyFormat::Json => json::decode(request.signal, &raw).map_err(|error| error.to_string()),
    };
    decoded.map_err(|why| format!("it cannot be decoded: {why}"))
}

/// The body as a gRPC message; a request that was stored as JSON, under other settings, is encoded again.
///
/// # Errors
/// If it is damaged, or in an unknown format.
pub(crate) fn proto_body(request: &Request) -> Result<Bytes, String> {
    if BodyFormat::of(&request.encoding)? == BodyFormat::Proto {
        return Ok(request.body.clone());
    }
    let raw = encode(&unpack(request)?, BodyFormat::Proto)?;
    compression::compress(&request.compression, raw)
}

/// The export request, not compressed.
fn encode(payload: &Payload, format: BodyFormat) -> Result<Bytes, String> {
    match format {
        BodyFormat::Proto => Ok(proto::encode(payload)),
        BodyFormat::Json => match json::encode(payload) {
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
            format: BodyFormat::Proto,
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
    fn splits_large_payloads_in_order_down_to_single_items() {
        let all: Vec<String> = ["a", "b", "c", "d", "e"].iter().map(|name| name.repeat(100)).collect();
        let limits = SizeLimits { raw: 250, sent: 250 };
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
    fn the_limit_of_sent_bytes_applies_after_compression() {
        let all: Vec<String> = vec!["a".repeat(10_000); 4];
        let limits = SizeLimits {
            raw: 1_000_000,
            sent: 2_000,
        };
        let packed = requests(Arc::new(logs(&all)), with(Compression::Gzip(6)), limits).unwrap();
        assert_eq!(packed.len(), 1);
        let plain = requests(Arc::new(logs(&all)), with(Compression::None), limits).unwrap();
        assert_eq!(plain.len(), 4);
    }

    #[test]
    fn unpacks_requests_of_every_format_and_compression() {
        let payload = logs(&["a".into(), "b".repeat(300)]);
        for format in [BodyFormat::Proto, BodyFormat::Json] {
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
                // As protobuf, the data is the same.
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
            for format in [BodyFormat::Proto, BodyFormat::Json] {
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
