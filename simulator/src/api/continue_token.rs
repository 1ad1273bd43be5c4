//! The opaque token that continues a list (`k8s.io/apiserver/pkg/storage/continue.go`): URL-safe base64 of a small
//! JSON document. Clients must not look inside; errors show that the server does.

use base64::DecodeError;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Value, json};

/// Go ignores the bits that are left over at the end of a text.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Where a list continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContinueToken {
    /// The version of the list; `None` continues with the present objects.
    pub(crate) version: Option<u64>,
    /// The key of the last object already sent.
    pub(crate) after: String,
}

impl ContinueToken {
    pub(crate) fn encode(&self) -> String {
        let version = self
            .version
            .map_or(-1, |version| i64::try_from(version).unwrap_or(i64::MAX));
        let start = format!("/{}\0", self.after);
        ENGINE.encode(json!({"v": "meta.k8s.io/v1", "rv": version, "start": start}).to_string())
    }

    /// Reads a token; the error is the message of a 400.
    pub(crate) fn decode(text: &str) -> Result<ContinueToken, String> {
        let invalid = |why: &str| format!("invalid continue token: continue key is not valid: {why}");
        let bytes = ENGINE.decode(text).map_err(|error| match error {
            DecodeError::InvalidByte(at, _) => invalid(&format!("illegal base64 data at input byte {at}")),
            other => invalid(&other.to_string()),
        })?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| match bytes.first() {
            // Go shows a byte as the code point of that number.
            Some(byte) if !byte.is_ascii_graphic() => invalid(&format!(
                "invalid character '\\u{byte:04x}' looking for beginning of value"
            )),
            _ => invalid(&error.to_string()),
        })?;
        let start = value["start"].as_str().unwrap_or_default();
        let start = start.trim_start_matches('/').trim_end_matches('\0');
        match value["rv"].as_i64().unwrap_or(0) {
            0 => Err(invalid(
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            )),
            _ if start.is_empty() => Err(invalid("encoded start key empty (version meta.k8s.io/v1)")),
            version => Ok(ContinueToken {
                version: u64::try_from(version).ok(),
                after: start.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip() {
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
    fn refuses_invalid_tokens_as_a_real_server() {
        let expected = "invalid continue token: continue key is not valid: \
                        invalid character '\\u009e' looking for beginning of value";
        assert_eq!(ContinueToken::decode("nonsense"), Err(expected.to_owned()));
        let expected = "invalid continue token: continue key is not valid: illegal base64 data at input byte 0";
        assert_eq!(ContinueToken::decode("!!"), Err(expected.to_owned()));
    }
}
