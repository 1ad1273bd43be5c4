//! UIDs as keys and in stores: 16 bytes instead of a string of 36.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A UID. The API server makes random UUIDs, which are stored exactly; any other text is hashed to 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid([u8; 16]);

impl Uid {
    /// The UID as written in an object.
    pub fn new(text: &str) -> Uid {
        Uid(uuid(text).unwrap_or_else(|| hash128(text)).to_be_bytes())
    }

    /// The stored form.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// From the stored form.
    pub fn from_bytes(bytes: [u8; 16]) -> Uid {
        Uid(bytes)
    }

    /// Half as long, for large tables: a collision of two random UUIDs is negligible.
    pub fn short(self) -> u64 {
        let value = u128::from_be_bytes(self.0);
        (value >> 64) as u64 ^ value as u64
    }

    /// The text that must be stored beside the UID: `None` for a UUID, which it holds exactly.
    pub fn odd_text(text: &str) -> Option<Box<str>> {
        uuid(text).is_none().then(|| text.into())
    }

    /// The UUID in its usual form.
    pub fn to_text(self) -> Box<str> {
        let mut text = String::with_capacity(36);
        for (at, byte) in self.0.into_iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        text.into()
    }
}

/// The value of a UUID in its usual form (`8-4-4-4-12` lower-case hexadecimal digits).
fn uuid(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match (at, byte) {
            (8 | 13 | 18 | 23, b'-') => {}
            (8 | 13 | 18 | 23, _) => return None,
            (_, b'0'..=b'9') => value = value << 4 | u128::from(byte - b'0'),
            (_, b'a'..=b'f') => value = value << 4 | u128::from(byte - b'a' + 10),
            _ => return None,
        }
    }
    Some(value)
}

fn hash128(text: &str) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        text.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_exact_and_other_texts_differ() {
        assert_eq!(
            Uid::new("00000000-0000-0000-0000-0000000000ff"),
            Uid(255u128.to_be_bytes())
        );
        let text = "de3a51b8-55e3-4fe0-8237-514a566ec862";
        assert_eq!((&*Uid::new(text).to_text(), Uid::odd_text(text)), (text, None));
        assert_eq!(Uid::odd_text("a").as_deref(), Some("a"));
        assert_ne!(Uid::new("a"), Uid::new("b"));
        assert_ne!(
            Uid::new("00000000-0000-0000-0000-0000000000fF"),
            Uid::new("00000000-0000-0000-0000-0000000000ff")
        );
        assert_eq!(Uid::new("a"), Uid::new("a"));
    }
}
