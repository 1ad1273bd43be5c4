//! The parameter `shardSelector` of lists and watches, with the errors of the API server.
//!
//! Source: `pkg/sharding` of `k8s.io/apiserver` and `k8s.io/apimachinery` 1.37.2. Spaces are read only where the server writes
//! them; the server reads an expression of CEL.

use super::StoredObject;

/// One above the highest hash, with 17 digits.
const END: u128 = 1 << 64;

/// Hash ranges of namespaces. The server has those of UIDs, too.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ShardSelector {
    text: String,
    /// Inclusive start and exclusive end.
    ranges: Vec<(u128, u128)>,
}

impl ShardSelector {
    /// Reads the parameter; the error is the message of a 500.
    pub(crate) fn parse(text: &str) -> Result<ShardSelector, String> {
        let ranges = text.split(" || ").map(range).collect::<Result<_, _>>();
        Ok(ShardSelector {
            text: text.to_owned(),
            ranges: ranges.map_err(|problem| format!("invalid shard selector: {problem}"))?,
        })
    }

    /// The parameter.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn matches(&self, object: &StoredObject) -> bool {
        let hash = u128::from(fnv1a(object.namespace()));
        self.ranges.iter().any(|(start, end)| (*start..*end).contains(&hash))
    }
}

fn range(term: &str) -> Result<(u128, u128), String> {
    let arguments = term.strip_prefix("shardRange(").and_then(|rest| rest.strip_suffix(')'));
    let arguments: Vec<&str> = arguments
        .ok_or_else(|| format!("unsupported expression {term:?}; only shardRange() and || are allowed"))?
        .split(", ")
        .collect();
    let [field, start, end] = arguments[..] else {
        let found = arguments.len();
        return Err(format!("shardRange() requires exactly 3 arguments, got {found}"));
    };
    match field {
        "object.metadata.namespace" => {}
        "object.metadata.uid" => return Err("the simulator has ranges of object.metadata.namespace only".into()),
        other => {
            return Err(format!(
                "unsupported field path \"{other}\"; supported: object.metadata.uid, object.metadata.namespace"
            ));
        }
    }
    let (start, end) = (bound(start, "hexStart")?, bound(end, "hexEnd")?);
    match start < end {
        true => Ok((start, end)),
        false => Err(format!(
            "shard range start {start:#018x} must be less than end {end:#018x}"
        )),
    }
}

fn bound(literal: &str, name: &str) -> Result<u128, String> {
    let text = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let text = text.ok_or_else(|| format!("{name} must be a string literal"))?;
    let digits = text
        .strip_prefix("0x")
        .ok_or_else(|| format!("{name} must have '0x' prefix, got \"{text}\""))?;
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let value = Some(digits).filter(|digits| digits.bytes().all(is_digit));
    let value = value.and_then(|digits| u128::from_str_radix(digits, 16).ok());
    match value {
        Some(value) if digits.len() == 16 || (digits.len() == 17 && value == END) => Ok(value),
        Some(_) if digits.len() < 16 => Err(format!(
            "{name} must be a 0x-prefixed 16-digit hex value, got \"{text}\" (did you mean \"0x{digits:0>16}\"?)"
        )),
        _ => Err(format!("{name}: invalid hex value \"{text}\"")),
    }
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn reads_what_the_api_server_reads() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../jobs/watch/tests/vectors/shards.json")).unwrap();
        for vector in vectors["selectors"].as_array().unwrap() {
            let text = vector["selector"].as_str().unwrap();
            assert_eq!(ShardSelector::parse(text).unwrap().text(), text);
        }
        for (text, problem) in vectors["refused"].as_object().unwrap() {
            // The server never sees an empty parameter.
            if !text.is_empty() {
                let expected = format!("invalid shard selector: {}", problem.as_str().unwrap());
                assert_eq!(ShardSelector::parse(text).unwrap_err(), expected);
            }
        }
        for vector in vectors["namespaces"].as_array().unwrap() {
            let name = vector["namespace"].as_str().unwrap();
            assert_eq!(format!("{:016x}", fnv1a(name)), vector["hash"].as_str().unwrap());
        }
    }

    #[test]
    fn ranges_can_be_joined() {
        let text = "shardRange(object.metadata.namespace, '0x0000000000000000', '0x8000000000000000')";
        assert_eq!(
            ShardSelector::parse(&format!("{text} || {text}")).unwrap().ranges.len(),
            2
        );
        assert!(ShardSelector::parse(&format!("{text} && {text}")).is_err());
    }
}
