//! Decodes `application/vnd.kubernetes.protobuf`, the API server's form of its own storage.
//!
//! [`schema`] holds the fields that the models read; everything else is skipped without a copy. [`reader`] shows a message
//! to serde with the names of JSON, so one model, its leniency and its rules for labels serve both forms.
//!
//! A whole object, a list and a `Status` begin with four bytes, `k8s` and a zero, and are a message `Unknown`: type,
//! content type and the bytes of the object. A watch is a sequence of frames, each a `WatchEvent` without these four bytes;
//! the object in it has them. Source: `pkg/runtime/serializer/protobuf/protobuf.go` of `k8s.io/apimachinery`, and
//! `pkg/endpoints/handlers/watch.go` of `k8s.io/apiserver`.

mod reader;
pub(crate) mod schema;
#[cfg(test)]
mod tests;
mod wire;

use serde::de::DeserializeOwned;
use serde::de::value::MapAccessDeserializer;

use super::DecodeError;
use super::line::{Bookmark, WatchEvent};
use super::list::{ListError, ListMetadata, ListPage, checked_page};
use super::names::{self, clipped};
use super::typed::{check_type, read_object, with_uid};
use crate::extract::Wanted;
use crate::model::{Metadata, Status, TypeMeta, Watched};
use reader::{MessageMap, text};
use schema::WireMessage;
use wire::{WireError, WireFields, WireValue, bytes};

/// The first bytes of an object.
const PREFIX: &[u8] = b"k8s\0";

/// The reason why a frame gives no event.
#[derive(Debug)]
pub enum FrameError {
    /// It is not an event of a watch, so that what follows cannot be trusted either.
    Broken(String),
    /// Its object is unusable.
    Event(DecodeError),
}

impl From<WireError> for FrameError {
    fn from(error: WireError) -> Self {
        FrameError::Broken(clipped(&error.to_string()))
    }
}

/// Reads one frame of a watch, with the labels and annotations that are wanted of its object.
///
/// # Errors
/// It is no event, or its object is of another type or has no UID.
pub fn watch_frame<T: Watched>(frame: &[u8], wanted: Option<&Wanted>) -> Result<WatchEvent<T>, FrameError> {
    let (mut kind, mut object): (&[u8], &[u8]) = (&[], &[]);
    let mut fields = WireFields(frame);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => kind = bytes("type", value)?,
            2 => object = raw_extension(bytes("object", value)?)?,
            _ => {}
        }
    }
    let envelope = Envelope::read(object)?;
    match kind {
        b"BOOKMARK" => {
            let bookmark: Bookmark = message(envelope.raw, &schema::BOOKMARK)?;
            Ok(bookmark.into())
        }
        b"ERROR" => Ok(WatchEvent::Error(message(envelope.raw, &schema::STATUS)?)),
        b"ADDED" => Ok(WatchEvent::Added(envelope.object(wanted).map_err(FrameError::Event)?)),
        b"MODIFIED" => Ok(WatchEvent::Modified(
            envelope.object(wanted).map_err(FrameError::Event)?,
        )),
        b"DELETED" => Ok(WatchEvent::Deleted(envelope.object(wanted).map_err(FrameError::Event)?)),
        _ => Err(FrameError::Event(DecodeError::UnknownType {
            object: envelope.name(),
            found: clipped(&text(kind)),
        })),
    }
}

/// The bytes in a `RawExtension`.
fn raw_extension(message: &[u8]) -> Result<&[u8], WireError> {
    let mut raw: &[u8] = &[];
    let mut fields = WireFields(message);
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            raw = bytes("object.raw", value)?;
        }
    }
    Ok(raw)
}

/// Reads a page of a list of objects of type `expected`.
///
/// # Errors
/// If it is not a page of such a list.
pub fn protobuf_page(body: &[u8], expected: TypeMeta) -> Result<ListPage<'_>, ListError> {
    let form = |error: WireError| ListError::Protobuf {
        expected,
        problem: clipped(&error.to_string()),
    };
    let envelope = Envelope::read(body).map_err(form)?;
    let (api_version, kind) = (text(envelope.api_version), text(envelope.kind));
    if *api_version != *expected.api_version || kind.strip_suffix("List") != Some(expected.kind) {
        let found = match &*kind {
            "" => "an object without kind".to_owned(),
            "Status" => super::list::describe(&status(body).unwrap_or_default()),
            kind => format!("a {} ({})", clipped(kind), clipped(&api_version)),
        };
        return Err(ListError::OtherType { expected, found });
    }
    let (metadata, items) = list_of(envelope.raw).map_err(form)?;
    checked_page(expected, metadata, super::list::PageItems::Protobuf(items))
}

/// The metadata and the items of a list.
fn list_of(list: &[u8]) -> Result<(ListMetadata, Vec<&[u8]>), WireError> {
    let (mut metadata, mut items) = (ListMetadata::default(), Vec::new());
    let mut fields = WireFields(list);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => metadata = message(bytes("metadata", value)?, &schema::LIST_METADATA)?,
            2 => items.push(bytes("items", value)?),
            _ => {}
        }
    }
    Ok((metadata, items))
}

/// Reads an item of a list, which has no type of its own.
pub(super) fn item<T: Watched>(item: &[u8], wanted: Option<&Wanted>) -> Result<T, DecodeError> {
    let untyped = Envelope {
        raw: item,
        ..Default::default()
    };
    untyped.object(wanted)
}

/// Reads a `Status`; `None` if it is none.
pub(crate) fn status(body: &[u8]) -> Option<Status> {
    let envelope = Envelope::read(body).ok()?;
    message(envelope.raw, &schema::STATUS).ok()
}

fn message<T: DeserializeOwned>(bytes: &[u8], message: &'static WireMessage) -> Result<T, WireError> {
    T::deserialize(MapAccessDeserializer::new(MessageMap::new(bytes, message).find()?))
}

/// A message `Unknown`: an object and its type.
#[derive(Debug, Default)]
struct Envelope<'a> {
    api_version: &'a [u8],
    kind: &'a [u8],
    raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let Some(unknown) = bytes.strip_prefix(PREFIX) else {
            let found = text(bytes.get(..PREFIX.len()).unwrap_or(bytes));
            return Err(WireError::new(format!(
                "expected an object that begins with \"k8s\\0\", found {found:?}"
            )));
        };
        let mut envelope = Envelope::default();
        let mut fields = WireFields(unknown);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => envelope.read_type(value)?,
                2 => envelope.raw = self::bytes("raw", value)?,
                3 => expect("contentEncoding", "", value)?,
                4 => expect("contentType", super::PROTOBUF, value)?,
                _ => {}
            }
        }
        Ok(envelope)
    }

    fn read_type(&mut self, value: WireValue<'a>) -> Result<(), WireError> {
        let mut fields = WireFields(bytes("typeMeta", value)?);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => self.api_version = bytes("apiVersion", value)?,
                2 => self.kind = bytes("kind", value)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads the object.
    fn object<T: Watched>(&self, wanted: Option<&Wanted>) -> Result<T, DecodeError> {
        // The fields of another type have other numbers.
        let (api_version, kind) = (text(self.api_version), text(self.kind));
        let other = |found: &str, expected: &str| !found.is_empty() && found != expected;
        check_type::<T>(
            other(&api_version, T::TYPE.api_version).then_some(&*api_version),
            other(&kind, T::TYPE.kind).then_some(&*kind),
            || self.name(),
        )?;
        let mut fields = MessageMap::new(self.raw, T::MESSAGE);
        let read = fields.find().and_then(|fields| read_object(fields, wanted));
        let object = read.map_err(|problem| DecodeError::Protobuf {
            object: self.name(),
            problem: clipped(&problem.to_string()),
        })?;
        with_uid(object, || self.name())
    }

    /// The kind, namespace and name of the object, as far as they can be read.
    fn name(&self) -> String {
        let mut metadata = Metadata::default();
        let mut fields = WireFields(self.raw);
        while let Ok(Some((number, value))) = fields.next() {
            if let (1, WireValue::Bytes(found)) = (number, value) {
                let mut fields = WireFields(found);
                while let Ok(Some((number, value))) = fields.next() {
                    match (number, value) {
                        (1, WireValue::Bytes(name)) => metadata.name = text(name).into(),
                        (3, WireValue::Bytes(namespace)) => metadata.namespace = text(namespace).into(),
                        _ => {}
                    }
                }
            }
        }
        names::readable(&text(self.kind), &metadata, self.raw.len())
    }
}

/// Checks a field that has one value, or none.
fn expect(name: &str, expected: &str, value: WireValue<'_>) -> Result<(), WireError> {
    let found = bytes(name, value)?;
    match found.is_empty() || found == expected.as_bytes() {
        true => Ok(()),
        false => Err(WireError::new(format!(
            "expected {name} {expected:?}, found {:?}",
            clipped(&text(found))
        ))),
    }
}
