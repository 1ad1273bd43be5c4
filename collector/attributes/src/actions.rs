//! Actions on a list of attributes.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use regex::Regex;

use crate::list::{find, find_mut, set};
use crate::text::text;

/// Actions in the order in which they apply. [`ActionSettings::read`](crate::ActionSettings::read) makes them.
#[derive(Clone, Debug)]
pub struct Actions(pub(crate) Vec<Action>);

#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Sets `key` where `when` allows it.
    Put {
        key: String,
        source: ValueSource,
        when: When,
    },
    /// Removes the attribute `key`, and those whose keys match.
    Delete { key: String, pattern: Option<Regex> },
    /// Sets an attribute for each named group of a pattern that matches a text.
    Extract { key: String, pattern: Regex },
    /// Changes the type of a value.
    Convert { key: String, to: Type },
}

#[derive(Clone, Debug)]
pub(crate) enum ValueSource {
    Value(AnyValue),
    Attribute(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// `insert`
    Missing,
    /// `update`
    Present,
    /// `upsert`
    Always,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    String,
    Int,
    Double,
}

impl Actions {
    /// Applies all actions, each to the result of those before it.
    pub fn apply(&self, attributes: &mut Vec<KeyValue>) {
        for action in &self.0 {
            action.apply(attributes);
        }
    }
}

impl Action {
    fn apply(&self, attributes: &mut Vec<KeyValue>) {
        match self {
            Action::Put { key, source, when } => {
                let applies = match when {
                    When::Missing => find(attributes, key).is_none(),
                    When::Present => find(attributes, key).is_some(),
                    When::Always => true,
                };
                let value = match source {
                    _ if !applies => None,
                    ValueSource::Value(value) => Some(Some(value.clone())),
                    ValueSource::Attribute(source) => find(attributes, source).cloned(),
                };
                if let Some(value) = value {
                    set(attributes, key, value);
                }
            }
            Action::Delete { key, pattern } => {
                let matches = |name: &str| pattern.as_ref().is_some_and(|pattern| pattern.is_match(name));
                attributes.retain(|attribute| attribute.key != *key && !matches(&attribute.key));
            }
            Action::Extract { key, pattern } => extract(attributes, key, pattern),
            Action::Convert { key, to } => {
                if let Some(value) = find_mut(attributes, key)
                    && let Some(converted) = converted(value.as_ref(), *to)
                {
                    *value = Some(AnyValue { value: Some(converted) });
                }
            }
        }
    }
}

fn extract(attributes: &mut Vec<KeyValue>, key: &str, pattern: &Regex) {
    let value = find(attributes, key).and_then(|value| value.as_ref()?.value.as_ref());
    let Some(Value::StringValue(source)) = value else {
        return;
    };
    let source = source.clone();
    let Some(found) = pattern.captures(&source) else { return };
    for (name, group) in pattern.capture_names().zip(found.iter()).skip(1) {
        let group = group.map_or("", |group| group.as_str()).to_owned();
        let value = Value::StringValue(group);
        set(
            attributes,
            name.unwrap_or_default(),
            Some(AnyValue { value: Some(value) }),
        );
    }
}

/// The value in another type; `None` if it has that type, or cannot be converted.
fn converted(value: Option<&AnyValue>, to: Type) -> Option<Value> {
    let value = value.and_then(|value| value.value.as_ref());
    match (to, value) {
        (Type::String, Some(Value::StringValue(_)))
        | (Type::Int, Some(Value::IntValue(_)))
        | (Type::Double, Some(Value::DoubleValue(_))) => None,
        (Type::String, value) => {
            let value = value.cloned().map(|value| AnyValue { value: Some(value) });
            Some(Value::StringValue(text(value.as_ref())))
        }
        (Type::Int, Some(Value::DoubleValue(number))) => Some(Value::IntValue(*number as i64)),
        (Type::Int, Some(Value::BoolValue(value))) => Some(Value::IntValue((*value).into())),
        (Type::Int, Some(Value::StringValue(text))) => text.parse().ok().map(Value::IntValue),
        (Type::Double, Some(Value::IntValue(number))) => Some(Value::DoubleValue(*number as f64)),
        (Type::Double, Some(Value::BoolValue(value))) => Some(Value::DoubleValue(u8::from(*value).into())),
        (Type::Double, Some(Value::StringValue(text))) => parse_double(text).map(Value::DoubleValue),
        _ => None,
    }
}

/// As Go's `strconv.ParseFloat`: a number beyond the range is an error, not infinity.
fn parse_double(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    let is_named = text.contains(['i', 'I']);
    (number.is_finite() || number.is_nan() || is_named).then_some(number)
}
