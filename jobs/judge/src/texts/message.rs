//! A message in which many patterns are searched.

use super::status;

/// How many bits the pairs of two 7-bit characters need, in words of 64.
const WORDS: usize = 128 * 128 / 64;

/// A message in lower case. Nearly all patterns are absent, and most of those have a pair of characters that the message does not
/// have, so the pairs are noted once.
pub(super) struct Message {
    text: String,
    pairs: [u64; WORDS],
}

impl Message {
    pub(super) fn new(message: &str) -> Self {
        let text = message.to_ascii_lowercase();
        let mut pairs = [0; WORDS];
        for pair in text.as_bytes().windows(2) {
            let (word, bit) = place(pair);
            pairs[word] |= bit;
        }
        Message { text, pairs }
    }

    /// True if the parts of the pattern, which `*` separates, follow each other in the message; for `http 403`, if it names that
    /// status code.
    pub(super) fn contains(&self, pattern: &str) -> bool {
        if let Some(code) = pattern.strip_prefix("http ") {
            return (code.ends_with("xx") || self.has_pairs(code)) && status::contains(&self.text, code);
        }
        if !self.has_pairs(pattern) {
            return false;
        }
        let mut rest = &*self.text;
        pattern.split('*').all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    }

    fn has_pairs(&self, pattern: &str) -> bool {
        pattern.as_bytes().windows(2).all(|pair| {
            let (word, bit) = place(pair);
            self.pairs[word] & bit != 0 || pair.contains(&b'*')
        })
    }
}

/// The word and the bit of a pair of characters; those beyond ASCII share bits.
fn place(pair: &[u8]) -> (usize, u64) {
    let number = pair
        .iter()
        .fold(0, |number, byte| number << 7 | usize::from(byte & 127));
    (number / 64, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(message: &str, pattern: &str) -> bool {
        Message::new(message).contains(pattern)
    }

    #[test]
    fn a_pattern_matches_its_parts_in_order() {
        assert!(contains("No match for platform in Manifest", "no match*manifest"));
        assert!(!contains("manifest has no match", "no match*manifest"));
        assert!(contains("a*b", "a*b") && contains("xab", "a*b") && !contains("ba", "a*b"));
        assert!(contains("x", "") && contains("x", "x") && !contains("", "x"));
        assert!(contains("größer als 5", "größer"));
        assert!(!contains("grosser als 5", "größer"));
    }

    #[test]
    fn a_status_code_is_no_text() {
        assert!(contains("unexpected status: 403 Forbidden", "http 403"));
        assert!(!contains("http 4030", "http 403"));
    }
}
