//! `google.rpc.Status`, which OTLP servers send with an error: as the body over HTTP, in the trailers over gRPC.

use std::time::Duration;

use prost::Message;

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
    /// The wait that the server asks for; `None` without `RetryInfo`, and nothing to wait for if it names no delay.
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
    fn the_delay_is_found_among_other_details() {
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
