//! The protobuf form: `Export{Logs,Metrics,Trace}ServiceRequest`.
//!
//! In all three messages the resources are field 1, and there is no other field (opentelemetry-proto, collector/*/v1), so
//! they are written in place, without a copy.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use crate::{Payload, Signal};

/// Field 1, length-delimited.
const TAG: u8 = (1 << 3) | 2;

/// The export request.
pub fn encode(payload: &Payload) -> Bytes {
    fn write<M: Message>(resources: &[M]) -> Bytes {
        let mut buffer = BytesMut::with_capacity(len(resources));
        for resource in resources {
            buffer.put_u8(TAG);
            // BytesMut grows, so writing to it cannot fail.
            let _ = resource.encode_length_delimited(&mut buffer);
        }
        buffer.freeze()
    }
    match payload {
        Payload::Logs(resources) => write(resources),
        Payload::Metrics(resources) => write(resources),
        Payload::Traces(resources) => write(resources),
    }
}

/// The size of the export request in bytes.
pub(crate) fn encoded_len(payload: &Payload) -> usize {
    match payload {
        Payload::Logs(resources) => len(resources),
        Payload::Metrics(resources) => len(resources),
        Payload::Traces(resources) => len(resources),
    }
}

fn len<M: Message>(resources: &[M]) -> usize {
    let fields = resources.iter().map(Message::encoded_len);
    fields.map(|len| 1 + prost::length_delimiter_len(len) + len).sum()
}

/// The data in an export request.
///
/// # Errors
/// If the bytes are not such a request.
pub fn decode(signal: Signal, request: impl Buf) -> Result<Payload, prost::DecodeError> {
    Ok(match signal {
        Signal::Logs => Payload::Logs(ExportLogsServiceRequest::decode(request)?.resource_logs),
        Signal::Metrics => Payload::Metrics(ExportMetricsServiceRequest::decode(request)?.resource_metrics),
        Signal::Traces => Payload::Traces(ExportTraceServiceRequest::decode(request)?.resource_spans),
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::logs::v1::ResourceLogs;

    use super::*;

    #[test]
    fn writes_the_export_request() {
        let resource_logs: Vec<_> = [1, 300]
            .map(|length| ResourceLogs {
                schema_url: "a".repeat(length),
                ..Default::default()
            })
            .into();
        let payload = Payload::Logs(resource_logs.clone());
        let bytes = encode(&payload);
        assert_eq!(bytes, ExportLogsServiceRequest { resource_logs }.encode_to_vec());
        assert_eq!(encoded_len(&payload), bytes.len());
        assert_eq!(decode(Signal::Logs, bytes), Ok(payload));
    }

    #[test]
    fn reads_every_signal_and_refuses_other_bytes() {
        for payload in [
            Payload::Logs(vec![Default::default()]),
            Payload::Metrics(vec![Default::default()]),
            Payload::Traces(vec![Default::default()]),
        ] {
            assert_eq!(decode(payload.signal(), encode(&payload)), Ok(payload));
        }
        assert!(decode(Signal::Logs, &b"{}"[..]).is_err());
    }
}
