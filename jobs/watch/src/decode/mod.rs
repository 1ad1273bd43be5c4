//! Decodes the events of a watch and the pages of a list, in JSON and protobuf.
//!
//! The input is untrusted. An unusable object is skipped alone; an unexpected reply is an error as a whole.

mod events;
mod frames;
mod line;
mod lines;
mod list;
mod names;
mod protobuf;
mod tap;
mod typed;

use std::fmt;

use escape::Escaped;

use crate::model::{Metadata, TypeMeta, Watched};
pub use events::{BrokenStream, EventReader};
pub use frames::{Frame, Frames, NotFrames};
pub use line::{WatchEvent, watch_line, watch_line_with};
pub use lines::{Line, Lines, MAX_LINE};
pub use list::{Body, ListError, ListPage, list_page, text};
pub(crate) use names::{clipped, of_object as name};
pub use protobuf::schema::WireMessage;
pub use protobuf::{FrameError, protobuf_page, watch_frame};
pub(crate) use protobuf::{schema, status as protobuf_status};

/// The media type of protobuf.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// The form of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFormat {
    /// JSON, which every server and proxy offers.
    Json,
    /// Protobuf, which costs the server and the collector a fraction.
    Protobuf,
}

impl WireFormat {
    /// The form of a reply with this content type. A watch has `;stream=watch` after it.
    pub fn of_content_type(content_type: &str) -> Self {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        match media_type.eq_ignore_ascii_case(PROTOBUF) {
            true => WireFormat::Protobuf,
            false => WireFormat::Json,
        }
    }

    /// The value of `Accept` that requests it. A server without protobuf answers with JSON. The same header is that of
    /// the official clients (`rest/request.go` of `k8s.io/client-go`), for lists and watches.
    pub fn accept(self) -> &'static str {
        match self {
            WireFormat::Json => "application/json",
            WireFormat::Protobuf => "application/vnd.kubernetes.protobuf, application/json",
        }
    }
}

/// The reason why a line of a watch or an item of a list is unusable.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// An event is longer than allowed.
    #[error("an event of the watch is longer than {MAX_LINE} bytes")]
    LineTooLong,
    /// Not JSON, or not of this form.
    #[error("{}: {}", Escaped(.object), Escaped(.problem))]
    Json {
        /// Kind, namespace and name of the object, as far as they can be read.
        object: String,
        /// The problem.
        problem: String,
    },
    /// No message of protobuf, or not of this form.
    #[error("{}: {}", Escaped(.object), Escaped(.problem))]
    Protobuf {
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
