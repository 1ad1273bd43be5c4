//! What becomes of a request's data, whatever the transport.

use std::io::{self, Read};
use std::sync::Arc;

use http::HeaderMap;
use jiff::Timestamp;

use super::received::{Payload, Received, Signal};
use super::{Shared, judge};

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
    /// The key that came with it.
    pub key: Option<&'a [u8]>,
    /// Without the key.
    pub headers: &'a HeaderMap,
    pub form: Form,
    /// How the body is compressed.
    pub encoding: &'a [u8],
    pub body: &'a [u8],
    /// The most bytes a body may have, before and after decompression, besides the intake's own limits.
    pub cap: usize,
}

/// Data that was taken, or a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub rejected: usize,
    /// The message of a partial success.
    pub message: String,
}

/// Why nothing was taken.
#[derive(Debug)]
pub(super) enum Refusal {
    Key,
    Encoding,
    TooLarge { size: usize, limit: usize },
    Malformed(String),
}

/// The intake's own rules, in the order in which it applies them. `rejected`: how many of the first items to refuse, and
/// the message of a partial success.
pub(super) fn take(shared: &Shared, message: &Message<'_>, rejected: Option<(usize, &str)>) -> Result<Taken, Refusal> {
    let profile = &shared.options.profile;
    let expected = shared.options.api_key.as_ref();
    let expected = expected.map(|key| format!("{}{key}", profile.key_prefix));
    if expected.is_some() && message.key != expected.as_deref().map(str::as_bytes) {
        return Err(Refusal::Key);
    }
    let judged = judge::judge(profile, read(shared, message)?, Timestamp::now());
    let mut taken = judged.kept;
    shared.state().lost.extend(judged.lost);
    if let Some((items, words)) = judged.rejected {
        shared.state().rejected += items;
        if taken.items() > 0 {
            keep(shared, message, taken);
        }
        return Ok(Taken {
            rejected: items,
            message: words.into(),
        });
    }
    let mut answer = Taken::default();
    if let Some((items, words)) = rejected {
        let refused = taken.split_off_first(items);
        answer.rejected = refused.items();
        answer.message = words.into();
        if answer.rejected > 0 {
            refuse(shared, message, refused);
        }
    }
    keep(shared, message, taken);
    Ok(answer)
}

/// Reads the data.
pub(super) fn read(shared: &Shared, message: &Message<'_>) -> Result<Payload, Refusal> {
    let limits = &shared.options.limits;
    let (signal, body) = (message.signal, message.body);
    let (compressed, decompressed) = (limits.compressed(signal), limits.decompressed(signal));
    let profile = &shared.options.profile;
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
    if !profile.encodings.iter().any(|taken| taken.as_bytes() == encoding) {
        return Err(Refusal::Encoding);
    }
    let content = decompress(encoding, body, decompressed.min(message.cap))?;
    match message.form {
        Form::Proto => Payload::decode(signal, &content)
            .map_err(|failure| Refusal::Malformed(format!("not an OTLP message: {failure}"))),
        Form::Json => Payload::decode_json(signal, &content)
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

fn received(message: &Message<'_>, payload: Payload) -> Arc<Received> {
    Arc::new(Received {
        signal: message.signal,
        payload,
        at: Timestamp::now(),
        headers: message.headers.clone(),
    })
}

fn keep(shared: &Shared, message: &Message<'_>, payload: Payload) {
    let received = received(message, payload);
    let mut state = shared.state();
    for point in received.payload.points() {
        state.overwrites.see(point);
    }
    state.received.push(Arc::clone(&received));
    // Under the lock, so that subscribers see the same order; nobody may be listening.
    let _ = shared.arrivals.send(received);
}

/// Keeps it among what was refused for good.
pub(super) fn refuse(shared: &Shared, message: &Message<'_>, payload: Payload) {
    shared.state().refused.push(received(message, payload));
}
