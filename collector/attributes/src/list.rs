//! Access to a list of attributes by key.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

/// The position of an attribute, the first one with this key.
fn position(attributes: &[KeyValue], key: &str) -> Option<usize> {
    attributes.iter().position(|attribute| attribute.key == key)
}

/// The value of an attribute; `None` if the attribute is missing. An attribute without a value has the empty value.
pub(crate) fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Option<AnyValue>> {
    position(attributes, key).map(|at| &attributes[at].value)
}

/// The value of an attribute, for a change in place.
pub(crate) fn find_mut<'a>(attributes: &'a mut [KeyValue], key: &str) -> Option<&'a mut Option<AnyValue>> {
    position(attributes, key).map(|at| &mut attributes[at].value)
}

/// Sets an attribute; replaces the value of an existing one.
pub(crate) fn set(attributes: &mut Vec<KeyValue>, key: &str, value: Option<AnyValue>) {
    match find_mut(attributes, key) {
        Some(existing) => *existing = value,
        None => attributes.push(KeyValue {
            key: key.to_owned(),
            value,
            ..Default::default()
        }),
    }
}
