//! The fields of a message as they are on the wire.

use std::fmt;

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

const VARINT: u8 = WireType::Varint as u8;
const LENGTH_DELIMITED: u8 = WireType::LengthDelimited as u8;

/// The reason why bytes are not the expected message.
#[derive(Debug)]
pub(crate) struct WireError(Box<str>);

impl WireError {
    pub(super) fn new(problem: impl Into<Box<str>>) -> Self {
        WireError(problem.into())
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WireError {}

impl serde::de::Error for WireError {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        WireError::new(problem.to_string())
    }
}

impl From<prost::DecodeError> for WireError {
    fn from(error: prost::DecodeError) -> Self {
        WireError::new(error.to_string())
    }
}

/// A value.
#[derive(Clone, Copy, Debug)]
pub(super) enum WireValue<'a> {
    Varint(u64),
    /// A text, a message, or packed values.
    Bytes(&'a [u8]),
    /// A type that is never read; it was skipped.
    Other,
}

/// A message from its next field on.
#[derive(Clone, Copy, Debug)]
pub(super) struct WireFields<'a>(pub(super) &'a [u8]);

impl<'a> WireFields<'a> {
    /// The number and value of the next field; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, WireValue<'a>)>, WireError> {
        let Some((&key, rest)) = self.0.split_first() else {
            return Ok(None);
        };
        // The key of a field below 16 has one byte.
        let number = u32::from(key >> 3);
        let value = match (key, key & 7) {
            (0x08..0x80, VARINT) => {
                self.0 = rest;
                WireValue::Varint(self.varint()?)
            }
            (0x08..0x80, LENGTH_DELIMITED) => {
                self.0 = rest;
                WireValue::Bytes(self.bytes()?)
            }
            _ => return self.any_field().map(Some),
        };
        Ok(Some((number, value)))
    }

    fn any_field(&mut self) -> Result<(u32, WireValue<'a>), WireError> {
        let (number, wire_type) = decode_key(&mut self.0)?;
        let value = match wire_type {
            WireType::Varint => WireValue::Varint(self.varint()?),
            WireType::LengthDelimited => WireValue::Bytes(self.bytes()?),
            other => {
                // Groups, which may hold groups, up to a limit.
                skip_field(other, number, &mut self.0, DecodeContext::default())?;
                WireValue::Other
            }
        };
        Ok((number, value))
    }

    /// A number. Most have one byte; `decode_varint` is for the others, and slower.
    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        match self.0.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.0 = rest;
                Ok(byte.into())
            }
            _ => Ok(decode_varint(&mut self.0)?),
        }
    }

    #[inline]
    fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.varint()?;
        let bytes = usize::try_from(length)
            .ok()
            .and_then(|length| self.0.split_at_checked(length));
        let Some((bytes, rest)) = bytes else {
            let left = self.0.len();
            return Err(WireError::new(format!(
                "a field of {length} bytes begins where {left} are left"
            )));
        };
        self.0 = rest;
        Ok(bytes)
    }
}

/// The bytes of a field of type string, bytes or message.
pub(super) fn bytes<'a>(name: &str, value: WireValue<'a>) -> Result<&'a [u8], WireError> {
    match value {
        WireValue::Bytes(bytes) => Ok(bytes),
        _ => Err(other_type(name)),
    }
}

/// The number in a field of type int32, int64 or bool.
pub(super) fn varint(name: &str, value: WireValue<'_>) -> Result<u64, WireError> {
    match value {
        WireValue::Varint(number) => Ok(number),
        _ => Err(other_type(name)),
    }
}

fn other_type(name: &str) -> WireError {
    WireError::new(format!("field {name} has another wire type than in the API"))
}
