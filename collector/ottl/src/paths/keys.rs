//! Keys into maps and lists: `["a"][0]`.
//!
//! Reading a missing key gives nil. Setting one creates it, with the maps and lists on the path to it. Both as in
//! `contexts/internal/ctxutil` of the Collector's `pkg/ottl`.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};

use crate::expression::Expression;
use crate::value::{OttlValue, get, get_or_insert};
use crate::{EvalError, View};

/// The longest list that a statement creates by setting one of its elements; the index may come from data.
const LONGEST_CREATED: i64 = 10_000;

#[derive(Clone, Debug)]
pub(crate) enum PathKey {
    Text(String),
    Index(i64),
    Computed(Box<Expression>),
}

impl PathKey {
    /// The key without anything to compute.
    fn resolve<'a>(&'a self, view: View<'a>) -> Result<Resolved<'a>, EvalError> {
        match self {
            PathKey::Text(text) => Ok(Resolved::Text(Cow::Borrowed(text))),
            PathKey::Index(index) => Ok(Resolved::Index(*index)),
            PathKey::Computed(expression) => match expression.evaluate(view)? {
                OttlValue::Text(text) => Ok(Resolved::Text(text)),
                OttlValue::Int(index) => Ok(Resolved::Index(index)),
                other => Err(other.mismatch("a key that is a string or an int")),
            },
        }
    }
}

enum Resolved<'a> {
    Text(Cow<'a, str>),
    Index(i64),
}

impl Resolved<'_> {
    fn text(&self) -> Result<&str, EvalError> {
        match self {
            Resolved::Text(text) => Ok(text),
            Resolved::Index(_) => Err(EvalError::new("a map needs a string as key, found an int")),
        }
    }

    fn index(&self, length: usize) -> Result<usize, EvalError> {
        match self {
            Resolved::Text(_) => Err(EvalError::new("a list needs an int as index, found a string")),
            Resolved::Index(index) => usize::try_from(*index)
                .ok()
                .filter(|index| *index < length)
                .ok_or_else(|| EvalError::new(format!("index {index} is out of bounds of a list of {length}"))),
        }
    }
}

/// Keys whose computed ones are replaced by their values, so that the item may be changed.
pub(super) fn resolved<'k>(keys: &'k [PathKey], view: View<'_>) -> Result<Cow<'k, [PathKey]>, EvalError> {
    if !keys.iter().any(|key| matches!(key, PathKey::Computed(_))) {
        return Ok(Cow::Borrowed(keys));
    }
    let keys = keys.iter().map(|key| {
        Ok(match key.resolve(view)? {
            Resolved::Text(text) => PathKey::Text(text.into_owned()),
            Resolved::Index(index) => PathKey::Index(index),
        })
    });
    keys.collect::<Result<Vec<_>, _>>().map(Cow::Owned)
}

/// Reads what the keys lead to, from a map or a list.
pub(super) fn read<'a>(
    mut value: OttlValue<'a>,
    keys: &'a [PathKey],
    view: View<'a>,
) -> Result<OttlValue<'a>, EvalError> {
    for key in keys {
        let inner = match &value {
            OttlValue::Map(Cow::Borrowed(map)) => match get(map, key.resolve(view)?.text()?) {
                Some(entry) => entry.value.as_ref(),
                None => return Ok(OttlValue::Nil),
            },
            OttlValue::List(Cow::Borrowed(list)) => Some(&list[key.resolve(view)?.index(list.len())?]),
            other => return Err(other.mismatch("a map or a list to index")),
        };
        value = OttlValue::of(inner);
    }
    Ok(value)
}

/// Reads a key of a computed value. A missing key is an error here, unlike in paths.
pub(crate) fn index_value<'a>(
    value: OttlValue<'a>,
    key: &'a PathKey,
    view: View<'a>,
) -> Result<OttlValue<'a>, EvalError> {
    let inner = match (&value, key.resolve(view)?) {
        (OttlValue::Map(map), Resolved::Text(key)) => {
            let entry = get(map, &key).ok_or_else(|| EvalError::new("the map has no such key"))?;
            entry.value.clone()
        }
        (OttlValue::List(list), key) => Some(list[key.index(list.len())?].clone()),
        (OttlValue::TypedList(list), key) => Some(list[key.index(list.len())?].clone()),
        (OttlValue::Bytes(bytes), key) => return Ok(OttlValue::Int(bytes[key.index(bytes.len())?].into())),
        (other, _) => return Err(other.mismatch("a map or a list to index")),
    };
    Ok(OttlValue::of(inner.as_ref()).into_owned())
}

/// Sets what the keys lead to. They hold nothing to compute.
pub(super) fn set(target: &mut AnyValue, keys: &[PathKey], value: AnyValue) -> Result<(), EvalError> {
    let mut target = target;
    for key in keys {
        target = step(target, key)?;
    }
    *target = value;
    Ok(())
}

/// Sets what the keys lead to, in a map. They hold nothing to compute.
pub(super) fn set_in_map(map: &mut Vec<KeyValue>, keys: &[PathKey], value: AnyValue) -> Result<(), EvalError> {
    let Some((first, rest)) = keys.split_first() else {
        return Err(EvalError::new("a map needs a key"));
    };
    match first {
        PathKey::Text(key) => set(get_or_insert(map, key), rest, value),
        _ => Err(EvalError::new("a map needs a string as key, found an int")),
    }
}

/// The map that the keys lead to, which exists already.
pub(super) fn existing_map<'v>(
    map: &'v mut Vec<KeyValue>,
    keys: &[PathKey],
) -> Result<&'v mut Vec<KeyValue>, EvalError> {
    let Some((first, rest)) = keys.split_first() else {
        return Ok(map);
    };
    let PathKey::Text(first) = first else {
        return Err(EvalError::new("a map needs a string as key, found an int"));
    };
    let entry = map.iter_mut().find(|entry| entry.key == *first);
    let value = entry
        .and_then(|entry| entry.value.as_mut())
        .and_then(|value| value.value.as_mut());
    existing_map_of(value, rest)
}

/// The map that a value is, or that keys lead to.
pub(super) fn existing_map_of<'v>(
    mut value: Option<&'v mut Any>,
    keys: &[PathKey],
) -> Result<&'v mut Vec<KeyValue>, EvalError> {
    for key in keys {
        let inner = match (value, key) {
            (Some(Any::KvlistValue(map)), PathKey::Text(key)) => map
                .values
                .iter_mut()
                .find(|entry| entry.key == *key)
                .and_then(|entry| entry.value.as_mut()),
            (Some(Any::ArrayValue(list)), PathKey::Index(index)) => {
                let length = list.values.len();
                Some(&mut list.values[Resolved::Index(*index).index(length)?])
            }
            _ => return Err(EvalError::new("expected a map, found a value without such a key")),
        };
        value = inner.and_then(|value| value.value.as_mut());
    }
    match value {
        Some(Any::KvlistValue(map)) => Ok(&mut map.values),
        Some(_) => Err(EvalError::new("expected a map, found another type")),
        None => Err(EvalError::new("expected a map, found nil")),
    }
}

/// One key further: into an existing map or list, or into a new one in an empty value.
fn step<'v>(target: &'v mut AnyValue, key: &PathKey) -> Result<&'v mut AnyValue, EvalError> {
    let created = target.value.is_none();
    let container = target.value.get_or_insert_with(|| match key {
        PathKey::Index(_) => Any::ArrayValue(ArrayValue::default()),
        _ => Any::KvlistValue(KeyValueList::default()),
    });
    match (container, key) {
        (Any::KvlistValue(map), PathKey::Text(key)) => Ok(get_or_insert(&mut map.values, key)),
        (Any::KvlistValue(_), _) => Err(EvalError::new("a map needs a string as key, found an int")),
        (Any::ArrayValue(list), PathKey::Index(index)) => {
            let index = if created {
                grow(list, *index)?
            } else {
                Resolved::Index(*index).index(list.values.len())?
            };
            Ok(&mut list.values[index])
        }
        (Any::ArrayValue(_), _) => Err(EvalError::new("a list needs an int as index, found a string")),
        _ => Err(EvalError::new("expected a map or a list to index, found another type")),
    }
}

/// Fills a new list up to an index. A negative one is the first, as in the Collector.
fn grow(list: &mut ArrayValue, index: i64) -> Result<usize, EvalError> {
    if index >= LONGEST_CREATED {
        return Err(EvalError::new(format!("index {index} is too large for a new list")));
    }
    let index = usize::try_from(index).unwrap_or_default();
    list.values.resize(index + 1, AnyValue::default());
    Ok(index)
}
