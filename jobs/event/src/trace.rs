//! The trace and spans of a Job, its Pods and their containers.
//!
//! Every id follows from UIDs alone: a second description of a Job has the same trace, and a UID is enough to find it,
//! since the trace id of a Job is its UID without hyphens.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::uid::Uid;

/// Identifies a trace.
pub type TraceId = [u8; 16];
/// Identifies a span of a trace.
pub type SpanId = [u8; 8];

/// The span of another program, in the form of W3C Trace Context's header `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Traceparent {
    /// The trace; not zero.
    pub trace_id: TraceId,
    /// The span; not zero.
    pub span_id: SpanId,
    /// The flags; bit 0: sampled.
    pub flags: u8,
}

/// The text is not a `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected 00-, 32 hexadecimal digits, -, 16 hexadecimal digits, -, 2 hexadecimal digits, as in W3C Trace Context"
)]
pub struct NotTraceparent;

impl FromStr for Traceparent {
    type Err = NotTraceparent;

    /// By the rules of W3C Trace Context, 3.2: a later version may have more at its end.
    fn from_str(text: &str) -> Result<Self, NotTraceparent> {
        let bytes = text.as_bytes();
        let (Some(known), Some(rest)) = (bytes.get(..55), bytes.get(55..)) else {
            return Err(NotTraceparent);
        };
        let hyphens = known[2] == b'-' && known[35] == b'-' && known[52] == b'-';
        let mut version = [0];
        let (mut trace_id, mut span_id, mut flags) = ([0; 16], [0; 8], [0]);
        let digits = hex(&known[..2], &mut version)
            && hex(&known[3..35], &mut trace_id)
            && hex(&known[36..52], &mut span_id)
            && hex(&known[53..], &mut flags);
        let has_length = match version[0] {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest[0] == b'-',
        };
        if hyphens && digits && has_length && trace_id != [0; 16] && span_id != [0; 8] {
            let [flags] = flags;
            Ok(Traceparent {
                trace_id,
                span_id,
                flags,
            })
        } else {
            Err(NotTraceparent)
        }
    }
}

/// Reads lower-case hexadecimal digits, two for each byte.
fn hex(digits: &[u8], bytes: &mut [u8]) -> bool {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let pairs = digits
        .chunks_exact(2)
        .map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?));
    bytes.iter_mut().zip(pairs).all(|(byte, pair)| {
        *byte = pair.unwrap_or_default();
        pair.is_some()
    })
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.span_id));
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", self.flags)
    }
}

impl Serialize for Traceparent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Traceparent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The span of the Job with this UID: the root of its trace, or a child of the span that started the Job.
pub fn of_job(uid: &str, parent: Option<Traceparent>) -> (TraceId, SpanId) {
    let trace_id = parent.map_or_else(|| trace_id(uid), |parent| parent.trace_id);
    (trace_id, span_id(&["job", uid]))
}

/// The trace of the Job with this UID.
fn trace_id(uid: &str) -> TraceId {
    match Uid::odd_text(uid) {
        None => Uid::new(uid).to_bytes(),
        Some(_) => {
            let halves = [span_id(&["trace", uid]), span_id(&["trace", uid, "low"])];
            let mut id = [0; 16];
            id.copy_from_slice(halves.as_flattened());
            id
        }
    }
}

/// The span named by these texts, such as a Pod's UID and a container's name. Never zero, which is not a valid span id.
pub fn span_id(texts: &[&str]) -> SpanId {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for text in texts {
        // No UTF-8 text contains this byte, so it separates texts.
        for byte in text.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    // FNV-1a alone leaves similar texts similar; MurmurHash3's finalizer spreads them.
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    (hash ^ hash >> 33).max(1).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn reads_and_writes_a_traceparent() {
        let parent: Traceparent = PARENT.parse().unwrap();
        assert_eq!(parent.flags, 1);
        assert_eq!(parent.to_string(), PARENT);
        let json = serde_json::to_string(&parent).unwrap();
        assert_eq!(serde_json::from_str::<Traceparent>(&json).unwrap(), parent);
        // A version that is not known yet: its end is not read.
        let later = format!("cc{}-what-the-future-holds", &PARENT[2..]);
        assert_eq!(later.parse(), Ok(parent));
    }

    #[test]
    fn refuses_an_invalid_traceparent() {
        for text in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0ä",
        ] {
            assert_eq!(text.parse::<Traceparent>(), Err(NotTraceparent), "{text}");
        }
    }

    /// Ids are part of the contract: the next version must find the traces of this one.
    #[test]
    fn ids_follow_from_uids_and_never_change() {
        let uid = "de3a51b8-55e3-4fe0-8237-514a566ec862";
        let (trace, span) = of_job(uid, None);
        assert_eq!(u128::from_be_bytes(trace), 0xde3a_51b8_55e3_4fe0_8237_514a_566e_c862);
        assert_eq!(u64::from_be_bytes(span), 0xb295_4686_281c_a664);
        let parent: Traceparent = PARENT.parse().unwrap();
        assert_eq!(of_job(uid, Some(parent)), (parent.trace_id, span));
        assert_eq!(
            u128::from_be_bytes(of_job("odd", None).0),
            0xa21a_efad_caa5_5e76_f299_23f9_4652_2031
        );
    }

    #[test]
    fn different_texts_have_different_spans() {
        let mut ids = BTreeSet::new();
        for pod in 0..200 {
            for container in ["main", "mainx", "init", ""] {
                for run in ["0", "1", "10"] {
                    assert!(ids.insert(span_id(&[&format!("pod-{pod}"), container, run])));
                }
            }
        }
        assert_ne!(span_id(&["a", "b"]), span_id(&["ab"]));
    }
}
