//! An encoded request: queued, stored, and sent unchanged by every attempt.

use std::borrow::Cow;

use bytes::Bytes;
use prost::Message;

use collector_data::{Payload, Signal};

/// The version of the stored format, its first byte. New fields need no new version: an older program skips them.
const VERSION: u8 = 1;
/// Version and checksum.
const PREFIX: usize = 9;

/// A request as it is stored, after the version and the checksum.
#[derive(Clone, PartialEq, prost::Message)]
struct Stored {
    #[prost(string, tag = "1")]
    signal: String,
    #[prost(uint64, tag = "2")]
    items: u64,
    #[prost(fixed64, optional, tag = "3")]
    oldest_point: Option<u64>,
    #[prost(string, tag = "4")]
    encoding: String,
    #[prost(string, tag = "5")]
    compression: String,
    /// When it was queued, in nanoseconds since 1970.
    #[prost(fixed64, tag = "6")]
    queued: u64,
    #[prost(bytes = "bytes", tag = "15")]
    body: Bytes,
}

/// One request, encoded once and sent unchanged by every attempt, also after a restart if it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The signal of its data.
    pub signal: Signal,
    /// The number of its log records, metric points or spans.
    pub items: u64,
    /// The time of its oldest metric point, in nanoseconds since 1970; `None` if it has none.
    pub oldest_point: Option<u64>,
    /// The encoding of the body before compression, as the exporter names it (`proto`). It may differ from the settings,
    /// which may have changed since the request was stored.
    pub encoding: Cow<'static, str>,
    /// The value of `Content-Encoding`; empty if the body is not compressed.
    pub compression: Cow<'static, str>,
    /// The body to send.
    pub body: Bytes,
}

impl Request {
    /// A request with the payload encoded as `body`.
    pub fn new(payload: &Payload, encoding: &'static str, compression: &'static str, body: Bytes) -> Self {
        Request {
            signal: payload.signal(),
            items: payload.items() as u64,
            oldest_point: payload.oldest_point(),
            encoding: encoding.into(),
            compression: compression.into(),
            body,
        }
    }

    /// The stored form of a request that was queued at `queued`, in nanoseconds since 1970.
    pub fn to_stored(&self, queued: u64) -> Bytes {
        let message = Stored {
            signal: self.signal.as_str().into(),
            items: self.items,
            oldest_point: self.oldest_point,
            encoding: self.encoding.to_string(),
            compression: self.compression.to_string(),
            queued,
            body: self.body.clone(),
        };
        let mut stored = vec![0; PREFIX];
        stored.reserve(message.encoded_len());
        // Writing to a Vec cannot fail.
        let _ = message.encode(&mut stored);
        let sum = checksum(&stored[PREFIX..]);
        stored[0] = VERSION;
        stored[1..PREFIX].copy_from_slice(&sum.to_le_bytes());
        stored.into()
    }

    /// The request in stored bytes, and the time when it was queued.
    ///
    /// # Errors
    /// Why this program cannot read the bytes.
    pub fn from_stored(stored: &Bytes) -> Result<(Request, u64), String> {
        let Some(version) = stored.first() else {
            return Err("it is empty".into());
        };
        if *version != VERSION {
            return Err(format!(
                "found stored format {version}, expected {VERSION}: a later release of the collector wrote it"
            ));
        }
        let sum = stored.get(1..PREFIX).and_then(|sum| sum.try_into().ok());
        if sum.map(u64::from_le_bytes) != Some(checksum(&stored[PREFIX.min(stored.len())..])) {
            return Err("its checksum is wrong, so it is damaged".into());
        }
        let message = Stored::decode(stored.slice(PREFIX..)).map_err(|why| format!("it cannot be decoded: {why}"))?;
        let signal = Signal::ALL.into_iter().find(|signal| signal.as_str() == message.signal);
        let request = Request {
            signal: signal.ok_or_else(|| format!("it has the unknown signal {:?}", message.signal))?,
            items: message.items,
            oldest_point: message.oldest_point,
            encoding: message.encoding.into(),
            compression: message.compression.into(),
            body: message.body,
        };
        Ok((request, message.queued))
    }
}

/// FNV-1a: detects damage and truncation, not manipulation.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            signal: Signal::Metrics,
            items: 3,
            oldest_point: Some(1_700_000_000_000_000_000),
            encoding: "proto".into(),
            compression: "gzip".into(),
            body: Bytes::from_static(b"\x00\x01body"),
        }
    }

    #[test]
    fn a_stored_request_reads_back_unchanged() {
        let plain = Request {
            signal: Signal::Logs,
            oldest_point: None,
            compression: "".into(),
            body: Bytes::new(),
            ..request()
        };
        for request in [request(), plain] {
            assert_eq!(Request::from_stored(&request.to_stored(42)), Ok((request, 42)));
        }
    }

    #[test]
    fn detects_every_flipped_bit_and_truncation() {
        let stored = request().to_stored(42);
        for at in 0..stored.len() * 8 {
            let mut damaged = stored.to_vec();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(Request::from_stored(&damaged.into()).is_err(), "bit {at}");
        }
        for length in 0..stored.len() {
            assert!(
                Request::from_stored(&stored.slice(..length)).is_err(),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn an_unreadable_request_has_a_reason() {
        let mut newer = request().to_stored(42).to_vec();
        newer[0] = 2;
        let error = Request::from_stored(&newer.into()).unwrap_err();
        assert_eq!(
            error,
            "found stored format 2, expected 1: a later release of the collector wrote it"
        );
        let error = Request::from_stored(&Bytes::new()).unwrap_err();
        assert_eq!(error, "it is empty");
    }
}
