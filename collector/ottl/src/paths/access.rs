//! A path that is resolved: how it is read and set.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::keys::{self, PathKey};
use super::slot::Slot;
use super::{PathField, Shape, log, metric, owners, point, span};
use crate::item::Subject;
use crate::value::OttlValue;
use crate::view::SubjectRef;
use crate::{EvalError, Item, View};

/// The item belongs to another context than the condition or the statement.
const OTHER_CONTEXT: &str = "the item belongs to another context";

/// A field of an item, with keys into it.
#[derive(Clone, Debug)]
pub(crate) struct FieldPath {
    pub(super) field: PathField,
    pub(super) keys: Vec<PathKey>,
}

impl FieldPath {
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

    pub(crate) fn read<'a>(&'a self, view: View<'a>) -> Result<OttlValue<'a>, EvalError> {
        let value = self.read_field(view)?;
        match self.keys.as_slice() {
            [] => Ok(value),
            [PathKey::Text(key)] if self.field.shape() == Shape::TraceState => Ok(match &value {
                OttlValue::Text(Cow::Borrowed(state)) => OttlValue::text(span::trace_state_value(state, key)),
                _ => OttlValue::Nil,
            }),
            keys => keys::read(value, keys, view),
        }
    }

    fn read_field<'a>(&self, view: View<'a>) -> Result<OttlValue<'a>, EvalError> {
        match (self.field, view.target) {
            (PathField::Cache, _) => Ok(OttlValue::Map(Cow::Borrowed(view.cache))),
            (PathField::Resource(field), _) => Ok(owners::read_resource(field, &view.owners)),
            (PathField::Scope(field), _) => Ok(owners::read_scope(field, &view.owners)),
            (PathField::Log(field), SubjectRef::Log(record)) => Ok(log::read(field, record)),
            (PathField::Metric(field), SubjectRef::Metric(metric, points)) => {
                Ok(metric::read(field, &metric, points.len()))
            }
            (PathField::Metric(field), SubjectRef::DataPoint(_, metric)) => Ok(metric::read(field, &metric, None)),
            (PathField::Point(field), SubjectRef::DataPoint(point, _)) => Ok(point::read(field, point)),
            (PathField::Span(field), SubjectRef::Span(span)) => Ok(span::read(field, span)),
            _ => Err(EvalError::new(OTHER_CONTEXT)),
        }
    }

    /// Sets the field, or what the keys lead to. Nil sets nothing.
    pub(crate) fn set(&self, item: &mut Item<'_>, value: OttlValue<'_>) -> Result<(), EvalError> {
        if matches!(value, OttlValue::Nil) {
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
            (Slot::Text(state), [PathKey::Text(key)]) => match value {
                OttlValue::Text(value) => {
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
            PathField::Cache => return Slot::Map(&mut item.cache),
            PathField::Resource(field) => return owners::resource_slot(field, item),
            PathField::Scope(field) => return owners::scope_slot(field, item),
            _ => {}
        }
        match (self.field, &mut item.target) {
            (PathField::Log(field), Subject::Log(record)) => log::slot(field, record),
            (PathField::Metric(field), Subject::Metric { fields, .. }) => metric::slot(field, fields),
            (PathField::Metric(field), Subject::DataPoint { metric, .. }) => metric::slot(field, metric),
            (PathField::Point(field), Subject::DataPoint { point, .. }) => point::slot(field, point),
            (PathField::Span(field), Subject::Span(span)) => span::slot(field, span),
            _ => Slot::Missing(OTHER_CONTEXT),
        }
    }
}
