//! Schemas of texts with a syntax of their own.

use schemars::{Schema, SchemaGenerator, json_schema};

/// The type in the id of a component, as [`component_id`](crate::component_id) reads it.
const TYPE: &str = "[A-Za-z][0-9A-Za-z_]{0,62}";

/// The name after the `/` in an id.
pub(super) const NAME: &str = r"[^\s\u0000-\u001f\u007f-\u009f$+<=>^`|~]{1,1024}";

/// The schema of the id of a component: `type` or `type/name`.
pub fn component_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": format!(r"^\s*{TYPE}\s*(/\s*{NAME}\s*)?$"),
        "patternErrorMessage": "expected the id of a component, such as `file_storage` or `file_storage/events`",
    })
}

/// The schema of the id of a component, or an empty text for none.
pub fn optional_component_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": format!(r"^\s*({TYPE}\s*(/\s*{NAME}\s*)?)?$"),
        "patternErrorMessage": "expected the id of a component, such as `file_storage` or `file_storage/events`",
    })
}

/// The schema of a URL with `https://` or `http://`. Null is refused: an empty URL is an error.
pub fn url(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "not": {"type": "null"},
        "pattern": r"^\s*https?://[^\s/?#]",
        "patternErrorMessage": "expected a URL that begins with `https://` or `http://`",
    })
}

/// The pattern of a [`Duration`](crate::Duration), without anchors.
pub fn duration_pattern() -> &'static str {
    r"[+-]?0|\+?((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+"
}

/// The schema of a number where a [`Duration`](crate::Duration) is expected: `0` alone needs no unit.
pub fn no_unit() -> Schema {
    json_schema!({"const": 0, "errorMessage": "expected a duration with a unit, such as `30s`"})
}

/// The schema of a text that is one of `names` in any case; `others` are accepted, too, but not suggested.
pub fn any_case(names: &[&str], others: &[&str]) -> Schema {
    let letter = |letter: char| match letter.is_ascii_alphabetic() {
        true => format!("[{}{}]", letter.to_ascii_uppercase(), letter.to_ascii_lowercase()),
        false => letter.to_string(),
    };
    let all: Vec<String> = names
        .iter()
        .chain(others)
        .map(|name| name.chars().map(letter).collect())
        .collect();
    json_schema!({
        "anyOf": [
            {"enum": names},
            {"type": "string", "pattern": format!("^({})$", all.join("|"))},
        ]
    })
}
