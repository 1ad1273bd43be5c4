//! The opaque token that continues a list (`k8s.io/apiserver/pkg/storage/continue.go`): URL-safe base64 of a small
//! JSON document. Clients must not look inside; errors show that the server does.

use serde_json::{Value, json};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContinueToken {
    /// The version of the list; `None` if it goes on with whatever is there now.
    pub version: Option<u64>,
    /// The key of the last object already sent.
    pub after: String,
}

impl ContinueToken {
    pub fn encode(&self) -> String {
        let version = self
            .version
            .map_or(-1, |version| i64::try_from(version).unwrap_or(i64::MAX));
        let start = format!("/{}\0", self.after);
        encode(
            json!({"v": "meta.k8s.io/v1", "rv": version, "start": start})
                .to_string()
                .as_bytes(),
        )
    }

    /// Reads a token; the error is the message of a 400.
    pub fn decode(text: &str) -> Result<ContinueToken, String> {
        let invalid = |why: String| format!("invalid continue token: continue key is not valid: {why}");
        let bytes = decode(text).map_err(|at| invalid(format!("illegal base64 data at input byte {at}")))?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| match bytes.first() {
            // Go shows a byte as the code point of that number.
            Some(byte) if !byte.is_ascii_graphic() => invalid(format!(
                "invalid character '\\u{byte:04x}' looking for beginning of value"
            )),
            Some(byte) if *byte != b'{' => invalid(format!(
                "invalid character '{}' looking for beginning of value",
                char::from(*byte)
            )),
            _ => invalid(error.to_string()),
        })?;
        let version = value["rv"].as_i64().unwrap_or(0);
        let start = value["start"]
            .as_str()
            .unwrap_or_default()
            .trim_start_matches('/')
            .trim_end_matches('\0');
        match version {
            0 => Err(invalid(
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)".to_owned(),
            )),
            _ if start.is_empty() => Err(invalid("encoded start key empty (version meta.k8s.io/v1)".to_owned())),
            _ => Ok(ContinueToken {
                version: u64::try_from(version).ok(),
                after: start.to_owned(),
            }),
        }
    }
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * position)) & 63;
            text.extend(ALPHABET.get(index as usize).copied().map(char::from));
        }
    }
    text
}

/// Decodes; the error is the position of the first byte that does not belong there.
fn decode(text: &str) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::new();
    let (mut bits, mut have) = (0u32, 0);
    for (at, byte) in text.bytes().enumerate() {
        let value = ALPHABET.iter().position(|known| *known == byte).ok_or(at)?;
        bits = (bits << 6 | value as u32) & 0xffff;
        have += 6;
        if have >= 8 {
            have -= 8;
            bytes.push((bits >> have) as u8);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for after in ["n/j", "a-longer-namespace/name.with-dots", "x"] {
            for version in [Some(14745), None] {
                let token = ContinueToken {
                    version,
                    after: after.to_owned(),
                };
                assert_eq!(ContinueToken::decode(&token.encode()), Ok(token));
            }
        }
    }

    #[test]
    fn reads_the_token_of_a_real_server() {
        let token =
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTQ3NDUsInN0YXJ0IjoiL2JhY2tvZmYtZXBoZW1lcmFsLXN0b3JhZ2Uvalx1MDAwMCJ9";
        let expected = ContinueToken {
            version: Some(14745),
            after: "backoff-ephemeral-storage/j".to_owned(),
        };
        assert_eq!(ContinueToken::decode(token), Ok(expected));
    }

    #[test]
    fn refuses_nonsense_in_the_servers_words() {
        let expected = "invalid continue token: continue key is not valid: \
                        invalid character '\\u009e' looking for beginning of value";
        assert_eq!(ContinueToken::decode("nonsense"), Err(expected.to_owned()));
        assert!(ContinueToken::decode("!!").is_err());
    }
}
