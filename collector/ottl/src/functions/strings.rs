//! Functions of strings, as Go's `strings` package has them.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;

use crate::EvalError;

/// Bytes `start` to `start + length`. OTLP strings are UTF-8: at both ends the range shrinks to whole characters, whatever
/// `utf8_safe` says.
pub(super) fn substring(text: Cow<'_, str>, start: i64, length: i64) -> Result<Cow<'_, str>, EvalError> {
    if start < 0 {
        return Err(EvalError::new("the start of a substring cannot be negative"));
    }
    if length <= 0 {
        return Err(EvalError::new("the length of a substring must be positive"));
    }
    let range = usize::try_from(start).ok().zip(usize::try_from(length).ok());
    let range = range.and_then(|(start, length)| Some((start, start.checked_add(length)?)));
    let Some((mut start, mut end)) = range.filter(|(_, end)| *end <= text.len()) else {
        return Err(EvalError::new("the substring ends behind the end of the string"));
    };
    while !text.is_char_boundary(start) {
        start += 1;
    }
    while start < end && !text.is_char_boundary(end) {
        end -= 1;
    }
    end = end.max(start);
    Ok(match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[start..end]),
        Cow::Owned(text) => Cow::Owned(text[start..end].to_owned()),
    })
}

/// An empty delimiter splits into characters.
pub(super) fn split(text: &str, delimiter: &str) -> Vec<AnyValue> {
    let part = |part: &str| AnyValue {
        value: Some(Any::StringValue(part.to_owned())),
    };
    if delimiter.is_empty() {
        return text.chars().map(|c| part(c.encode_utf8(&mut [0; 4]))).collect();
    }
    text.split(delimiter).map(part).collect()
}

/// Go maps each character to one: a longer lower case form is shortened.
pub(super) fn lower_case(text: &str) -> String {
    text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect()
}

/// Go maps each character to one: a longer upper case form is not used.
pub(super) fn upper_case(text: &str) -> String {
    let upper = text.chars().map(|c| {
        let mut forms = c.to_uppercase();
        match (forms.next(), forms.next()) {
            (Some(upper), None) => upper,
            _ => c,
        }
    });
    upper.collect()
}
