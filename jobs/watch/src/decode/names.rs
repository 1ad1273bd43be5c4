//! The names of unusable objects in errors.

use serde::Deserialize;

use crate::model::Metadata;
use crate::model::lenient::{Object, lenient};

/// The most characters of a text from outside that an error repeats.
const MAX_TEXT: usize = 300;

/// An object, alone or in a line of a watch: its kind, namespace and name, as far as they can be read.
pub(super) fn of_json(json: &str) -> String {
    let Named { object, kind, metadata } = serde_json::from_str(json).unwrap_or_default();
    let (kind, metadata) = match object.metadata.name.is_empty() {
        true => (kind, metadata),
        false => (object.kind, object.metadata),
    };
    readable(&kind, &metadata, json.len())
}

/// An object of `bytes` bytes with what can be read of it.
pub(super) fn readable(kind: &str, metadata: &Metadata, bytes: usize) -> String {
    match (kind, &*metadata.name) {
        (_, "") => format!("an object without a readable name ({bytes} bytes)"),
        ("", _) => of_object("object", metadata),
        (kind, _) => of_object(kind, metadata),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    #[serde(deserialize_with = "lenient")]
    object: KindAndName,
    #[serde(deserialize_with = "lenient")]
    kind: Box<str>,
    #[serde(deserialize_with = "lenient")]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KindAndName {
    #[serde(deserialize_with = "lenient")]
    kind: Box<str>,
    #[serde(deserialize_with = "lenient")]
    metadata: Metadata,
}

impl Object for KindAndName {}

/// An object of this kind.
pub(crate) fn of_object(kind: &str, metadata: &Metadata) -> String {
    format!(
        "{} {:?} in namespace {:?}",
        clipped(kind),
        clipped(&metadata.name),
        clipped(&metadata.namespace)
    )
}

/// At most [`MAX_TEXT`] characters of a text from outside.
pub(crate) fn clipped(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
