//! `google.rpc.Status`, which OTLP servers send with an error: as the body over HTTP, in the trailers over gRPC; and the
//! status of a gRPC call itself.

use std::time::Duration;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost::Message;
use reqwest::header::HeaderMap;
use tonic::Code;

/// Binary metadata: base64, with padding or without.
const BINARY: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The status of a gRPC call (gRPC, "Responses"). tonic's reader panics where the details are not base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrpcStatus {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// A [`RpcStatus`], if the server sent one.
    pub(crate) details: Vec<u8>,
}

impl GrpcStatus {
    /// Reads trailers; `None` without a status. An invalid code is UNKNOWN; other invalid fields are empty.
    pub(crate) fn read(trailers: &HeaderMap) -> Option<GrpcStatus> {
        let code = trailers.get("grpc-status")?;
        let code = code.to_str().ok().and_then(|code| code.trim().parse().ok());
        let bytes = |name| trailers.get(name).map_or(&b""[..], |value| value.as_bytes());
        Some(GrpcStatus {
            code: Code::from_i32(code.unwrap_or(Code::Unknown as i32)),
            message: String::from_utf8_lossy(&percent_decoded(bytes("grpc-message"))).into_owned(),
            details: BINARY.decode(bytes("grpc-status-details-bin")).unwrap_or_default(),
        })
    }

    /// The delay that the server requests.
    pub(crate) fn retry_delay(&self) -> Option<Duration> {
        RpcStatus::decode(&self.details[..]).ok()?.retry_delay()
    }
}

/// `%41` is `A`; a `%` without two hex digits stays.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                // Two hex digits fit a byte.
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Detail {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Delay {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

impl RpcStatus {
    /// The delay that the server requests; `None` without `RetryInfo`, zero for one without a delay.
    pub(crate) fn retry_delay(&self) -> Option<Duration> {
        let detail = self
            .details
            .iter()
            .find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))?;
        let delay = RetryInfo::decode(&detail.value[..])
            .ok()?
            .retry_delay
            .unwrap_or_default();
        let (seconds, nanos) = (u64::try_from(delay.seconds), u32::try_from(delay.nanos));
        Some(Duration::from_secs(seconds.unwrap_or(0)) + Duration::from_nanos(nanos.unwrap_or(0).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_grpc_status_with_invalid_fields() {
        let read = |pairs: &[(&'static str, &[u8])]| {
            let pairs = pairs.iter().map(|(name, value)| {
                let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
                (reqwest::header::HeaderName::from_static(name), value)
            });
            GrpcStatus::read(&pairs.collect())
        };
        let status = |code, message: &str, details: &[u8]| {
            Some(GrpcStatus {
                code,
                message: message.into(),
                details: details.into(),
            })
        };
        assert_eq!(read(&[("grpc-message", b"no")]), None);
        assert_eq!(read(&[("grpc-status", b"x")]), status(Code::Unknown, "", b""));
        assert_eq!(read(&[("grpc-status", b"99")]), status(Code::Unknown, "", b""));
        let words = ("grpc-message", &b"100%25 full%, %c3%a4 %e4 %4"[..]);
        for (details, expected) in [
            (&b"CA4="[..], &[8, 14][..]),
            (b"CA4", &[8, 14]),
            (b"}", b""),
            (b"\xff", b""),
        ] {
            assert_eq!(
                read(&[("grpc-status", b"14"), words, ("grpc-status-details-bin", details)]),
                status(Code::Unavailable, "100% full%, ä \u{fffd} %4", expected)
            );
        }
    }

    #[test]
    fn finds_the_delay_among_other_details() {
        let info = |delay| Detail {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
            value: RetryInfo { retry_delay: delay }.encode_to_vec(),
        };
        let other = Detail {
            type_url: "type.googleapis.com/google.rpc.DebugInfo".into(),
            value: vec![1, 2, 3],
        };
        let status = |details| RpcStatus {
            details,
            ..Default::default()
        };
        let delay = Delay {
            seconds: 7,
            nanos: 500_000_000,
        };
        assert_eq!(
            status(vec![other.clone(), info(Some(delay))]).retry_delay(),
            Some(Duration::from_millis(7500))
        );
        assert_eq!(status(vec![info(None)]).retry_delay(), Some(Duration::ZERO));
        let negative = Delay { seconds: -1, nanos: 0 };
        assert_eq!(status(vec![info(Some(negative))]).retry_delay(), Some(Duration::ZERO));
        assert_eq!(status(vec![other]).retry_delay(), None);
    }
}
