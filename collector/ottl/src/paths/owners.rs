//! Paths of resources and scopes.

use std::borrow::Cow;

use super::slot::Slot;
use crate::Item;
use crate::value::OttlValue;
use crate::view::OwnersRef;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceField {
    Attributes,
    DroppedAttributesCount,
    SchemaUrl,
}

pub(super) const RESOURCE: &[(&str, ResourceField)] = &[
    ("attributes", ResourceField::Attributes),
    ("dropped_attributes_count", ResourceField::DroppedAttributesCount),
    ("schema_url", ResourceField::SchemaUrl),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopeField {
    Name,
    Version,
    Attributes,
    DroppedAttributesCount,
    SchemaUrl,
}

pub(super) const SCOPE: &[(&str, ScopeField)] = &[
    ("name", ScopeField::Name),
    ("version", ScopeField::Version),
    ("attributes", ScopeField::Attributes),
    ("dropped_attributes_count", ScopeField::DroppedAttributesCount),
    ("schema_url", ScopeField::SchemaUrl),
];

pub(super) fn read_resource<'a>(field: ResourceField, owners: &OwnersRef<'a>) -> OttlValue<'a> {
    let resource = owners.resource;
    match field {
        ResourceField::Attributes => OttlValue::Map(Cow::Borrowed(
            resource.map_or(&[], |resource| resource.attributes.as_slice()),
        )),
        ResourceField::DroppedAttributesCount => {
            OttlValue::Int(resource.map_or(0, |resource| resource.dropped_attributes_count.into()))
        }
        ResourceField::SchemaUrl => OttlValue::text(owners.resource_schema_url),
    }
}

pub(super) fn resource_slot<'a>(field: ResourceField, item: &'a mut Item<'_>) -> Slot<'a> {
    let (resource, schema_url) = &mut item.resource;
    match field {
        ResourceField::Attributes => Slot::Map(&mut resource.get_or_insert_default().attributes),
        ResourceField::DroppedAttributesCount => {
            Slot::Count32(&mut resource.get_or_insert_default().dropped_attributes_count)
        }
        ResourceField::SchemaUrl => Slot::Text(schema_url),
    }
}

pub(super) fn read_scope<'a>(field: ScopeField, owners: &OwnersRef<'a>) -> OttlValue<'a> {
    let scope = owners.scope;
    match field {
        ScopeField::Name => OttlValue::text(scope.map_or("", |scope| &scope.name)),
        ScopeField::Version => OttlValue::text(scope.map_or("", |scope| &scope.version)),
        ScopeField::Attributes => OttlValue::Map(Cow::Borrowed(scope.map_or(&[], |scope| scope.attributes.as_slice()))),
        ScopeField::DroppedAttributesCount => {
            OttlValue::Int(scope.map_or(0, |scope| scope.dropped_attributes_count.into()))
        }
        ScopeField::SchemaUrl => OttlValue::text(owners.scope_schema_url),
    }
}

pub(super) fn scope_slot<'a>(field: ScopeField, item: &'a mut Item<'_>) -> Slot<'a> {
    let Some((scope, schema_url)) = &mut item.scope else {
        return Slot::Missing("the item has no scope");
    };
    let scope = scope.get_or_insert_default();
    match field {
        ScopeField::Name => Slot::Text(&mut scope.name),
        ScopeField::Version => Slot::Text(&mut scope.version),
        ScopeField::Attributes => Slot::Map(&mut scope.attributes),
        ScopeField::DroppedAttributesCount => Slot::Count32(&mut scope.dropped_attributes_count),
        ScopeField::SchemaUrl => Slot::Text(schema_url),
    }
}
