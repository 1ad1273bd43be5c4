//! The usual treatment of the data of a request, the same for HTTP and gRPC.

use std::io::{self, Read};
use std::sync::Arc;

use http::HeaderMap;
use jiff::Timestamp;

use super::received::{Received, ReceivedData, Signal};
use super::{IntakeState, checks};

/// The form of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Proto,
    Json,
}

/// The data of a request.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub signal: Signal,
    pub key: Option<&'a [u8]>,
    /// The headers, without the key.
    pub headers: &'a HeaderMap,
    pub form: Form,
    /// The compression of the body.
    pub encoding: &'a [u8],
    pub body: &'a [u8],
    /// The largest body, in bytes, before and after decompression, besides the limits of the intake.
    pub cap: usize,
}

/// The acknowledgement of data, or of a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Accepted {
    pub rejected: usize,
    /// The message of a partial success.
    pub message: String,
}

/// The reason all data is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    Key,
    ContentType,
    Encoding,
    TooLarge { size: usize, limit: usize },
    Malformed(String),
}

/// Applies the rules of the backend, in its order. `rejected` is the number of the first items to refuse, and the message
/// of the partial success.
pub(super) fn accept(
    state: &IntakeState,
    message: &Message<'_>,
    rejected: Option<(usize, &str)>,
) -> Result<Accepted, Refusal> {
    let profile = &state.options.profile;
    let expected = state.options.api_key.as_ref();
    let expected = expected.map(|key| format!("{}{key}", profile.key_prefix));
    if expected.is_some() && message.key != expected.as_deref().map(str::as_bytes) {
        return Err(Refusal::Key);
    }
    let checked = checks::check(profile, read(state, message)?, Timestamp::now());
    let mut kept = checked.kept;
    state.record().lost.extend(checked.lost);
    if let Some((items, reason)) = checked.rejected {
        state.record().rejected += items;
        if kept.items() > 0 {
            keep(state, message, kept);
        }
        return Ok(Accepted {
            rejected: items,
            message: reason.into(),
        });
    }
    let mut accepted = Accepted::default();
    if let Some((items, reason)) = rejected {
        let refused = kept.split_off_first(items);
        accepted.rejected = refused.items();
        accepted.message = reason.into();
        if accepted.rejected > 0 {
            refuse(state, message, refused);
        }
    }
    keep(state, message, kept);
    Ok(accepted)
}

/// Decompresses and decodes the data.
pub(super) fn read(state: &IntakeState, message: &Message<'_>) -> Result<ReceivedData, Refusal> {
    let limits = &state.options.limits;
    let (signal, body) = (message.signal, message.body);
    let (compressed, decompressed) = (limits.compressed(signal), limits.decompressed(signal));
    let profile = &state.options.profile;
    let limit = compressed.min(message.cap).min(profile.largest_sent);
    if body.len() > limit {
        let size = body.len();
        return Err(Refusal::TooLarge { size, limit });
    }
    let encoding = if message.encoding == b"identity" {
        b""
    } else {
        message.encoding
    };
    if !profile.encodings.iter().any(|accepted| accepted.as_bytes() == encoding) {
        return Err(Refusal::Encoding);
    }
    let content = decompress(encoding, body, decompressed.min(message.cap))?;
    match message.form {
        Form::Proto => ReceivedData::decode(signal, &content)
            .map_err(|failure| Refusal::Malformed(format!("not an OTLP message: {failure}"))),
        Form::Json => ReceivedData::decode_json(signal, &content)
            .map_err(|failure| Refusal::Malformed(format!("not an OTLP message in JSON: {failure}"))),
    }
}

fn decompress(encoding: &[u8], body: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let broken = |failure: io::Error| Refusal::Malformed(format!("cannot decompress the body: {failure}"));
    let reader: Box<dyn Read + '_> = match encoding {
        b"" => Box::new(body),
        b"gzip" => Box::new(flate2::read::MultiGzDecoder::new(body)),
        b"zstd" => Box::new(zstd::Decoder::new(body).map_err(broken)?),
        _ => return Err(Refusal::Encoding),
    };
    let mut content = Vec::new();
    let one_more = (limit as u64).saturating_add(1);
    reader.take(one_more).read_to_end(&mut content).map_err(broken)?;
    if content.len() > limit {
        let size = content.len();
        return Err(Refusal::TooLarge { size, limit });
    }
    Ok(content)
}

fn received(message: &Message<'_>, payload: ReceivedData) -> Arc<Received> {
    Arc::new(Received {
        signal: message.signal,
        payload,
        at: Timestamp::now(),
        headers: message.headers.clone(),
    })
}

fn keep(state: &IntakeState, message: &Message<'_>, payload: ReceivedData) {
    let received = received(message, payload);
    let mut record = state.record();
    for point in received.payload.points() {
        record.overwrites.observe(point);
    }
    record.received.push(Arc::clone(&received));
    // Under the lock, so that subscribers see the same order. An error means that there are none.
    let _ = state.arrivals.send(received);
}

/// Adds data to what was refused for good.
pub(super) fn refuse(state: &IntakeState, message: &Message<'_>, payload: ReceivedData) {
    state.record().refused.push(received(message, payload));
}
