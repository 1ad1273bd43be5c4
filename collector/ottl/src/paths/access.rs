//! A path that is resolved: how it is read and set.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::keys::{self, Key};
use super::slot::Slot;
use super::{Field, Shape, log, metric, owners, point, span};
use crate::item::Target;
use crate::value::Value;
use crate::view::TargetRef;
use crate::{EvalError, Item, View};

/// The item belongs to another context than the condition or the statement.
const OTHER_CONTEXT: &str = "the item belongs to another context";

/// A field of an item, with keys into it.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    pub(super) field: Field,
    pub(super) keys: Vec<Key>,
}

impl Path {
    /// Says that the path may lead to a map.
    pub(crate) fn may_be_map(&self) -> bool {
        match self.field.shape() {
            Shape::Map | Shape::Any => true,
            Shape::Scalar | Shape::TraceState | Shape::ReadOnly => false,
        }
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.field.shape() == Shape::ReadOnly
    }

    pub(crate) fn read<'a>(&'a self, view: View<'a>) -> Result<Value<'a>, EvalError> {
        let value = self.read_field(view)?;
        match self.keys.as_slice() {
            [] => Ok(value),
            [Key::Text(key)] if self.field.shape() == Shape::TraceState => Ok(match &value {
                Value::Text(Cow::Borrowed(state)) => Value::text(span::trace_state_value(state, key)),
                _ => Value::Nil,
            }),
            keys => keys::read(value, keys, view),
        }
    }

    fn read_field<'a>(&self, view: View<'a>) -> Result<Value<'a>, EvalError> {
        match (self.field, view.target) {
            (Field::Cache, _) => Ok(Value::Map(Cow::Borrowed(view.cache))),
            (Field::Resource(field), _) => Ok(owners::read_resource(field, &view.owners)),
            (Field::Scope(field), _) => Ok(owners::read_scope(field, &view.owners)),
            (Field::Log(field), TargetRef::Log(record)) => Ok(log::read(field, record)),
            (Field::Metric(field), TargetRef::Metric(metric, points)) => Ok(metric::read(field, &metric, points.len())),
            (Field::Metric(field), TargetRef::DataPoint(_, metric)) => Ok(metric::read(field, &metric, None)),
            (Field::Point(field), TargetRef::DataPoint(point, _)) => Ok(point::read(field, point)),
            (Field::Span(field), TargetRef::Span(span)) => Ok(span::read(field, span)),
            _ => Err(EvalError::new(OTHER_CONTEXT)),
        }
    }

    /// Sets the field, or what the keys lead to. Nil sets nothing.
    pub(crate) fn set(&self, item: &mut Item<'_>, value: Value<'_>) -> Result<(), EvalError> {
        if matches!(value, Value::Nil) {
            return Ok(());
        }
        let keys = keys::resolved(&self.keys, item.view())?;
        let slot = self.slot(item);
        if keys.is_empty() {
            return slot.set(value);
        }
        match (slot, keys.as_ref()) {
            (Slot::Map(map), keys) => keys::set_in_map(map, keys, value.into_any()?),
            (Slot::Any(body), keys) => match body.as_mut() {
                Some(body) if body.value.is_some() => keys::set(body, keys, value.into_any()?),
                _ => Err(EvalError::new("an empty body cannot be indexed")),
            },
            (Slot::Text(state), [Key::Text(key)]) => match value {
                Value::Text(value) => {
                    span::set_trace_state(state, key, &value);
                    Ok(())
                }
                other => Err(other.mismatch("a string")),
            },
            _ => Err(EvalError::new("the field cannot be indexed")),
        }
    }

    /// The map at the path, for functions that change it. It exists already.
    pub(crate) fn map<'i>(&self, item: &'i mut Item<'_>) -> Result<&'i mut Vec<KeyValue>, EvalError> {
        let keys = keys::resolved(&self.keys, item.view())?;
        match self.slot(item) {
            Slot::Map(map) => keys::existing_map(map, &keys),
            Slot::Any(body) => keys::existing_map_of(body.as_mut().and_then(|body| body.value.as_mut()), &keys),
            _ => Err(EvalError::new("expected a map, found another type")),
        }
    }

    fn slot<'i>(&self, item: &'i mut Item<'_>) -> Slot<'i> {
        match self.field {
            Field::Cache => return Slot::Map(&mut item.cache),
            Field::Resource(field) => return owners::resource_slot(field, item),
            Field::Scope(field) => return owners::scope_slot(field, item),
            _ => {}
        }
        match (self.field, &mut item.target) {
            (Field::Log(field), Target::Log(record)) => log::slot(field, record),
            (Field::Metric(field), Target::Metric { fields, .. }) => metric::slot(field, fields),
            (Field::Metric(field), Target::DataPoint { metric, .. }) => metric::slot(field, metric),
            (Field::Point(field), Target::DataPoint { point, .. }) => point::slot(field, point),
            (Field::Span(field), Target::Span(span)) => span::slot(field, span),
            _ => Slot::Missing(OTHER_CONTEXT),
        }
    }
}
