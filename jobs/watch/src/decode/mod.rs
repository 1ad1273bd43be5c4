//! Decodes the lines of a watch and the pages of a list.
//!
//! The input is untrusted. An unusable object is skipped alone; an unexpected reply is an error as a whole.

mod line;
mod lines;
mod list;
mod names;
mod tap;
mod typed;

use std::fmt;

use escape::Escaped;

use crate::model::{Metadata, TypeMeta, Watched};
pub use line::{WatchEvent, watch_line, watch_line_with};
pub use lines::{Line, Lines, MAX_LINE};
pub use list::{ListError, ListPage, list_page, text};
pub(crate) use names::{clipped, of_object as name};

/// The reason why a line of a watch or an item of a list is unusable.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A line is longer than allowed.
    #[error("a line of the watch is longer than {MAX_LINE} bytes")]
    LineTooLong,
    /// Not JSON, or not of this form.
    #[error("{}: {}", Escaped(.object), Escaped(.problem))]
    Json {
        /// Kind, namespace and name of the object, as far as they can be read.
        object: String,
        /// The problem.
        problem: String,
    },
    /// The event has an unknown type.
    #[error("{}: expected type ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, found {found:?}", Escaped(.object))]
    UnknownType {
        /// Kind, namespace and name of the object, as far as they can be read.
        object: String,
        /// The type.
        found: String,
    },
    /// The object has another type than the requested one.
    #[error("{}: expected a {expected}, found a {}", Escaped(.object), Escaped(.found))]
    OtherType {
        /// Kind, namespace and name of the object.
        object: String,
        /// The requested type.
        expected: TypeMeta,
        /// The type in the object.
        found: String,
    },
    /// The object is in a namespace that was not requested.
    #[error("{}: expected an object of namespace {expected:?}", Escaped(.object))]
    OtherNamespace {
        /// Kind, namespace and name of the object.
        object: String,
        /// The requested namespace.
        expected: String,
    },
    /// The object has no UID, which identifies it.
    #[error("{}: metadata.uid is missing", Escaped(.0))]
    NoUid(String),
}

impl DecodeError {
    /// The object with this metadata is of another namespace than `expected`.
    pub(crate) fn other_namespace<T: Watched>(metadata: &Metadata, expected: &str) -> Self {
        DecodeError::OtherNamespace {
            object: names::of_object(T::TYPE.kind, metadata),
            expected: expected.to_owned(),
        }
    }

    /// A parser's message about an object or line, of limited length: it may quote all of its input.
    pub(crate) fn json(json: &str, problem: &serde_json::Error) -> Self {
        DecodeError::Json {
            object: names::of_json(json),
            problem: clipped(&problem.to_string()),
        }
    }
}

impl fmt::Display for TypeMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.kind, self.api_version)
    }
}
