//! From the bytes of a reply to objects: the lines of a watch, the pages of a list.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::model::lenient::{Lax, Object, lenient};
use crate::model::{Metadata, Status, Watched};

/// The longest line of a watch that is read, bytes. etcd refuses objects over 1.5 MiB by default; JSON escapes and
/// larger etcd limits leave room above that.
pub const MAX_LINE: usize = 16 * 1024 * 1024;

/// What one line of a watch says.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent<T> {
    /// The object came into being, or into the selection.
    Added(T),
    /// The object changed.
    Modified(T),
    /// The object is gone, or left the selection. Holds its last state.
    Deleted(T),
    /// Nothing changed up to this version.
    Bookmark {
        /// The version up to which the watch has delivered.
        resource_version: Box<str>,
        /// Whether the initial events of a streaming list end here.
        initial_events_end: bool,
    },
    /// The server ends the watch.
    Error(Status),
}

/// Why a line, a page or an object in it could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A line is longer than allowed.
    #[error("a line of the watch is longer than {MAX_LINE} bytes")]
    LineTooLong,
    /// Not JSON, or not of this form.
    #[error("{object}: {source}")]
    Json {
        /// What can be told of the object: kind, namespace and name.
        object: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The event is of a type nobody knows.
    #[error("{object}: expected type ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, found {found:?}")]
    UnknownType {
        /// What can be told of the object: kind, namespace and name.
        object: String,
        /// The type.
        found: Box<str>,
    },
    /// The object has no UID, so nothing can be kept about it.
    #[error("{0}: metadata.uid is missing")]
    NoUid(String),
}

/// Cuts a stream of bytes into lines, wherever its chunks end.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes the next chunk and hands every complete line to `line`, without its end.
    ///
    /// # Errors
    /// [`DecodeError::LineTooLong`]; the stream cannot be read on then.
    pub fn push(&mut self, mut chunk: &[u8], mut line: impl FnMut(&[u8])) -> Result<(), DecodeError> {
        while let Some(end) = memchr::memchr(b'\n', chunk) {
            let (head, tail) = (&chunk[..end], &chunk[end + 1..]);
            if self.rest.is_empty() {
                line(head);
            } else {
                self.append(head)?;
                line(&self.rest);
                // A single large object must not keep its memory for as long as the watch lives.
                self.rest = Vec::new();
            }
            chunk = tail;
        }
        self.append(chunk)
    }

    /// Whether the stream ended inside a line.
    pub fn is_cut(&self) -> bool {
        !self.rest.is_empty()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        if self.rest.len() + bytes.len() > MAX_LINE {
            return Err(DecodeError::LineTooLong);
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }
}

/// Reads one line of a watch.
///
/// # Errors
/// If it is not JSON, of an unknown type, or its object has no UID.
pub fn watch_line<T: Watched>(line: &[u8]) -> Result<WatchEvent<T>, DecodeError> {
    let fail = |source| DecodeError::Json {
        object: describe(line),
        source,
    };
    let mut raw: Raw<T> = read_line(line, "".into()).map_err(fail)?;
    if raw.object.is_none() {
        // The object came before its type. No server writes it so; read it again, now that the type is known.
        raw = read_line(line, raw.kind).map_err(fail)?;
    }
    let kind = raw.kind;
    match (&*kind, raw.object.unwrap_or_default()) {
        ("BOOKMARK", Payload::Bookmark(bookmark)) => Ok(WatchEvent::Bookmark {
            resource_version: bookmark.metadata.resource_version,
            initial_events_end: &*bookmark.metadata.annotations.initial_events_end == "true",
        }),
        ("ERROR", Payload::Status(status)) => Ok(WatchEvent::Error(status)),
        (known @ ("ADDED" | "MODIFIED" | "DELETED"), Payload::Object(object)) => {
            if object.metadata().uid.is_empty() {
                return Err(DecodeError::NoUid(describe(line)));
            }
            Ok(match known {
                "ADDED" => WatchEvent::Added(object),
                "MODIFIED" => WatchEvent::Modified(object),
                _ => WatchEvent::Deleted(object),
            })
        }
        _ => Err(DecodeError::UnknownType {
            object: describe(line),
            found: kind,
        }),
    }
}

/// A page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// The version of the whole list: where a watch goes on.
    pub resource_version: Box<str>,
    /// How to ask for the next page; empty on the last one.
    pub next: Box<str>,
    /// The objects.
    pub items: Vec<T>,
    /// Objects that could not be used.
    pub undecodable: Vec<DecodeError>,
}

/// Reads a page of a list. An object in it that cannot be used is set aside.
///
/// # Errors
/// If the page is not JSON.
pub fn list_page<T: Watched>(body: &[u8]) -> Result<Page<T>, DecodeError> {
    let list: List<T> = serde_json::from_slice(body).map_err(|source| DecodeError::Json {
        object: "a page of the list".into(),
        source,
    })?;
    let mut page = Page {
        resource_version: list.metadata.resource_version,
        next: list.metadata.next,
        items: Vec::with_capacity(list.items.len()),
        undecodable: Vec::new(),
    };
    for item in list.items {
        let item = item.unwrap_or_default();
        let metadata = item.metadata();
        if metadata.uid.is_empty() {
            let name = format!("object {:?} in namespace {:?}", metadata.name, metadata.namespace);
            page.undecodable.push(DecodeError::NoUid(name));
        } else {
            page.items.push(item);
        }
    }
    Ok(page)
}

/// Kind, namespace and name of the object in a line, as far as they can be read.
fn describe(line: &[u8]) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Named {
        #[serde(deserialize_with = "lenient")]
        kind: Box<str>,
        #[serde(deserialize_with = "lenient")]
        metadata: Metadata,
    }
    impl Object for Named {}
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Any {
        #[serde(deserialize_with = "lenient")]
        object: Named,
    }
    let any: Any = serde_json::from_slice(line).unwrap_or_default();
    let Named { kind, metadata } = any.object;
    if metadata.name.is_empty() {
        return format!("an object that cannot be named ({} bytes)", line.len());
    }
    format!("{kind} {:?} in namespace {:?}", metadata.name, metadata.namespace)
}

#[derive(Deserialize)]
#[serde(default, bound(deserialize = "T: Watched"))]
struct List<T> {
    #[serde(deserialize_with = "lenient")]
    metadata: ListMetadata,
    #[serde(deserialize_with = "lenient")]
    items: Vec<Option<T>>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List {
            metadata: ListMetadata::default(),
            items: Vec::new(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ListMetadata {
    #[serde(deserialize_with = "lenient")]
    resource_version: Box<str>,
    #[serde(rename = "continue", deserialize_with = "lenient")]
    next: Box<str>,
}

impl Object for ListMetadata {}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Bookmark {
    #[serde(deserialize_with = "lenient")]
    metadata: BookmarkMetadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BookmarkMetadata {
    #[serde(deserialize_with = "lenient")]
    resource_version: Box<str>,
    #[serde(deserialize_with = "lenient")]
    annotations: BookmarkAnnotations,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BookmarkAnnotations {
    #[serde(rename = "k8s.io/initial-events-end", deserialize_with = "lenient")]
    initial_events_end: Box<str>,
}

impl Object for Bookmark {}
impl Object for BookmarkMetadata {}
impl Object for BookmarkAnnotations {}

/// The object of a line, by the line's type.
enum Payload<T> {
    Object(T),
    Bookmark(Bookmark),
    Status(Status),
}

impl<T: Watched> Default for Payload<T> {
    fn default() -> Self {
        Payload::Object(T::default())
    }
}

/// A line as read; without `object` if that stood before `type`.
struct Raw<T> {
    kind: Box<str>,
    object: Option<Payload<T>>,
}

/// Reads a line whose type is known beforehand, or (empty) stands in front of the object.
fn read_line<T: Watched>(line: &[u8], kind: Box<str>) -> Result<Raw<T>, serde_json::Error> {
    let visitor = LineVisitor {
        kind,
        object: PhantomData,
    };
    serde_json::Deserializer::from_slice(line).deserialize_map(visitor)
}

struct LineVisitor<T> {
    kind: Box<str>,
    object: PhantomData<T>,
}

impl<'de, T: Watched> Visitor<'de> for LineVisitor<T> {
    type Value = Raw<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the keys type and object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut raw = Raw {
            kind: self.kind,
            object: None,
        };
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                "type" => raw.kind = map.next_value::<Lax<Box<str>>>()?.0,
                "object" if raw.kind.is_empty() => {
                    map.next_value::<IgnoredAny>()?;
                }
                "object" => {
                    raw.object = Some(match &*raw.kind {
                        "BOOKMARK" => Payload::Bookmark(map.next_value::<Lax<Bookmark>>()?.0),
                        "ERROR" => Payload::Status(map.next_value::<Lax<Status>>()?.0),
                        _ => Payload::Object(map.next_value::<Lax<T>>()?.0),
                    });
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(raw)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Event, Job, Pod};

    fn lines_of(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for chunk in chunks {
            lines.push(chunk, |line| all.push(line.to_vec())).unwrap();
        }
        assert!(!lines.is_cut());
        all
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_where_chunks_end(
            texts in prop::collection::vec("[^\n]{0,40}", 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let whole: Vec<u8> = texts.iter().flat_map(|text| format!("{text}\n").into_bytes()).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&whole[from..cut]);
                from = cut;
            }
            chunks.push(&whole[from..]);
            let expected: Vec<Vec<u8>> = texts.iter().map(|text| text.clone().into_bytes()).collect();
            prop_assert_eq!(lines_of(&chunks), expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = watch_line::<Pod>(&bytes);
            let _ = list_page::<Event>(&bytes);
        }
    }

    #[test]
    fn a_line_that_never_ends_is_an_error_before_memory_is() {
        let mut lines = Lines::default();
        let chunk = vec![b'x'; 1024 * 1024];
        let mut pushed = 0;
        let error = loop {
            match lines.push(&chunk, |_| {}) {
                Ok(()) => pushed += chunk.len(),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, DecodeError::LineTooLong));
        assert_eq!(pushed, MAX_LINE);
    }

    #[test]
    fn every_type_of_line() {
        let job = watch_line::<Job>(br#"{"type":"MODIFIED","object":{"metadata":{"uid":"u","name":"n"}}}"#).unwrap();
        assert!(matches!(job, WatchEvent::Modified(job) if &*job.metadata.name == "n"));
        let bookmark = br#"{"type":"BOOKMARK","object":{"kind":"Job","metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
        assert_eq!(
            watch_line::<Job>(bookmark).unwrap(),
            WatchEvent::Bookmark {
                resource_version: "7".into(),
                initial_events_end: true
            }
        );
        let error = br#"{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old","reason":"Expired","code":410,"details":{"retryAfterSeconds":3}}}"#;
        let WatchEvent::Error(status) = watch_line::<Job>(error).unwrap() else {
            panic!("not an error");
        };
        assert_eq!((status.code, &*status.reason), (410, "Expired"));
        assert_eq!(status.details.retry_after_seconds, Some(3));
    }

    #[test]
    fn the_object_may_stand_before_its_type() {
        let line = br#"{"object":{"metadata":{"uid":"u"}},"type":"DELETED"}"#;
        assert!(matches!(watch_line::<Job>(line).unwrap(), WatchEvent::Deleted(_)));
    }

    #[test]
    fn odd_fields_do_not_lose_the_object() {
        let line = br#"{"type":"ADDED","object":{
            "metadata":{"uid":"u","name":"n","labels":[1,2],"annotations":null,"deletionGracePeriodSeconds":"soon",
                "creationTimestamp":"yesterday","ownerReferences":{"a":1},"resourceVersion":12},
            "spec":{"backoffLimit":99999999999,"completions":1.5,"suspend":"no","template":7,"parallelism":3},
            "status":{"conditions":[null,5,{"type":"Failed","status":true},{"type":"FailureTarget","status":"True","reason":"New"}],
                "active":{"x":[[[]]]},"failed":2}}}"#;
        let WatchEvent::Added(job) = watch_line::<Job>(line).unwrap() else {
            panic!("not added");
        };
        assert_eq!(&*job.metadata.resource_version, "12");
        let evidence = job.to_evidence();
        assert_eq!(evidence.spec.parallelism, Some(3));
        assert_eq!(evidence.spec.completions, None);
        assert_eq!(evidence.status.failed, 2);
        assert_eq!(evidence.reason(), Some("New"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let error =
            watch_line::<Job>(br#"{"type":"ADDED","object":{"kind":"Job","metadata":{"name":"n","namespace":"s"}}}"#);
        assert_eq!(
            error.unwrap_err().to_string(),
            "Job \"n\" in namespace \"s\": metadata.uid is missing"
        );
        let error = watch_line::<Job>(br#"{"type":"RENAMED","object":{"metadata":{"uid":"u"}}}"#).unwrap_err();
        assert!(matches!(error, DecodeError::UnknownType { found, .. } if &*found == "RENAMED"));
        assert!(matches!(
            watch_line::<Job>(b"{\"type\":\"ADD"),
            Err(DecodeError::Json { .. })
        ));
    }

    #[test]
    fn one_bad_object_does_not_lose_the_page() {
        let body = br#"{"metadata":{"resourceVersion":"9","continue":"c"},"items":[null,{"metadata":{"uid":"u"}},{"metadata":{"name":"x"}},3]}"#;
        let page = list_page::<Job>(body).unwrap();
        assert_eq!((&*page.resource_version, &*page.next), ("9", "c"));
        assert_eq!(page.items.len(), 1);
        assert_eq!(page.undecodable.len(), 3);
    }
}
