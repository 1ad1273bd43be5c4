//! One line of a watch.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use smol_str::SmolStr;

use super::typed::{Key, Typed, TypedSeed};
use super::{DecodeError, names};
use crate::extract::Wanted;
use crate::model::lenient::{Lax, Lenient, Object, lenient};
use crate::model::{Status, Watched};

/// A decoded line of a watch.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent<T> {
    /// The object was created, or entered the selection.
    Added(T),
    /// The object changed.
    Modified(T),
    /// The object was deleted, or left the selection. Holds its last state.
    Deleted(T),
    /// No object changed up to this version.
    Bookmark {
        /// The version up to which the watch has delivered.
        resource_version: SmolStr,
        /// True for the bookmark that ends the initial events of a streaming list.
        initial_events_end: bool,
    },
    /// The server ends the watch.
    Error(Status),
}

/// Reads one line of a watch.
///
/// # Errors
/// If it is not JSON, of an unknown type, or its object is of another type or has no UID.
pub fn watch_line<T: Watched>(line: &[u8]) -> Result<WatchEvent<T>, DecodeError> {
    watch_line_with(line, None)
}

/// Reads one line of a watch, with the labels and annotations that are wanted of its object.
///
/// # Errors
/// If it is not JSON, of an unknown type, or its object is of another type or has no UID.
pub fn watch_line_with<T: Watched>(line: &[u8], wanted: Option<&Wanted>) -> Result<WatchEvent<T>, DecodeError> {
    // A byte that is not UTF-8 damages one character, not the object.
    let line = &*String::from_utf8_lossy(line);
    let fail = |source| DecodeError::json(line, &source);
    let mut raw: Raw<T> = read_line(line, "".into(), wanted).map_err(fail)?;
    if raw.object.is_none() {
        // The object precedes its type, which no known server writes: read it again with the type.
        raw = read_line(line, raw.kind, wanted).map_err(fail)?;
    }
    let kind = raw.kind;
    match (&*kind, raw.object.unwrap_or_default()) {
        ("BOOKMARK", Payload::Bookmark(bookmark)) => Ok(bookmark.into()),
        ("ERROR", Payload::Status(status)) => Ok(WatchEvent::Error(status)),
        (known @ ("ADDED" | "MODIFIED" | "DELETED"), Payload::Object(object)) => {
            let object = object.checked(|| names::of_json(line))?;
            Ok(match known {
                "ADDED" => WatchEvent::Added(object),
                "MODIFIED" => WatchEvent::Modified(object),
                _ => WatchEvent::Deleted(object),
            })
        }
        _ => Err(DecodeError::UnknownType {
            object: names::of_json(line),
            found: names::clipped(&kind),
        }),
    }
}

/// The object of a bookmark.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Bookmark {
    #[serde(deserialize_with = "lenient")]
    metadata: BookmarkMetadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BookmarkMetadata {
    #[serde(deserialize_with = "lenient")]
    resource_version: SmolStr,
    #[serde(deserialize_with = "lenient")]
    annotations: BookmarkAnnotations,
}

/// Source: `InitialEventsAnnotationKey` in `k8s.io/apimachinery/pkg/apis/meta/v1/types.go`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BookmarkAnnotations {
    #[serde(rename = "k8s.io/initial-events-end", deserialize_with = "lenient")]
    initial_events_end: IsTrue,
}

/// True for the text `true`.
#[derive(Debug, Default)]
struct IsTrue(bool);

impl Lenient for IsTrue {
    fn from_text(text: &str) -> Option<Self> {
        Some(IsTrue(text == "true"))
    }
}

impl<T> From<Bookmark> for WatchEvent<T> {
    fn from(bookmark: Bookmark) -> Self {
        let metadata = bookmark.metadata;
        WatchEvent::Bookmark {
            resource_version: metadata.resource_version,
            initial_events_end: metadata.annotations.initial_events_end.0,
        }
    }
}

impl Object for Bookmark {}
impl Object for BookmarkMetadata {}
impl Object for BookmarkAnnotations {}

/// The object of a line, by the line's type.
enum Payload<T> {
    Object(Typed<T>),
    Bookmark(Bookmark),
    Status(Status),
}

impl<T: Watched> Default for Payload<T> {
    fn default() -> Self {
        Payload::Object(Typed::default())
    }
}

/// A line as read; without `object` if that precedes `type`.
struct Raw<T> {
    kind: Box<str>,
    object: Option<Payload<T>>,
}

/// Reads a line whose type is known in advance or, if empty, precedes the object.
fn read_line<T: Watched>(line: &str, kind: Box<str>, wanted: Option<&Wanted>) -> Result<Raw<T>, serde_json::Error> {
    let visitor = LineVisitor {
        kind,
        wanted,
        object: PhantomData,
    };
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let raw = deserializer.deserialize_map(visitor)?;
    // A second object after the first would be lost.
    deserializer.end()?;
    Ok(raw)
}

struct LineVisitor<'w, T> {
    kind: Box<str>,
    wanted: Option<&'w Wanted>,
    object: PhantomData<T>,
}

impl<'de, T: Watched> Visitor<'de> for LineVisitor<'_, T> {
    type Value = Raw<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the keys type and object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut raw = Raw {
            kind: self.kind,
            object: None,
        };
        while let Some(Key(key)) = map.next_key()? {
            match &*key {
                "type" => raw.kind = map.next_value::<Lax<Box<str>>>()?.0,
                "object" if raw.kind.is_empty() => {
                    map.next_value::<IgnoredAny>()?;
                }
                "object" => {
                    raw.object = Some(match &*raw.kind {
                        "BOOKMARK" => Payload::Bookmark(map.next_value::<Lax<Bookmark>>()?.0),
                        "ERROR" => Payload::Status(map.next_value::<Lax<Status>>()?.0),
                        _ => Payload::Object(map.next_value_seed(TypedSeed {
                            wanted: self.wanted,
                            object: self.object,
                        })?),
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
    use crate::model::{Job, Pod};

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = watch_line::<Pod>(&bytes);
        }
    }

    #[test]
    fn every_type_of_line() {
        let job = watch_line::<Job>(br#"{"type":"MODIFIED","object":{"metadata":{"uid":"u","name":"n"}}}"#).unwrap();
        assert!(matches!(job, WatchEvent::Modified(job) if &*job.metadata.name == "n"));
        for (annotations, initial_events_end) in [
            (r#"{"k8s.io/initial-events-end":"true"}"#, true),
            (r#"{"k8s.io/initial-events-end":"false"}"#, false),
            (r#"{"other":"true"}"#, false),
            ("null", false),
            ("7", false),
        ] {
            let metadata = format!(r#"{{"resourceVersion":"7","annotations":{annotations}}}"#);
            let line = format!(r#"{{"type":"BOOKMARK","object":{{"kind":"Job","metadata":{metadata}}}}}"#);
            assert_eq!(
                watch_line::<Job>(line.as_bytes()).unwrap(),
                WatchEvent::Bookmark {
                    resource_version: "7".into(),
                    initial_events_end,
                }
            );
        }
        let error = br#"{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old","reason":"Expired","code":410,"details":{"retryAfterSeconds":3}}}"#;
        let WatchEvent::Error(status) = watch_line::<Job>(error).unwrap() else {
            panic!("not an error");
        };
        assert_eq!((status.code, &*status.reason), (410, "Expired"));
        assert_eq!(status.details.retry_after_seconds, Some(3));
    }

    #[test]
    fn the_object_may_precede_its_type() {
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
    fn names_unusable_objects() {
        let error =
            watch_line::<Job>(br#"{"type":"ADDED","object":{"kind":"Job","metadata":{"name":"n","namespace":"s"}}}"#);
        assert_eq!(
            error.unwrap_err().to_string(),
            "Job \"n\" in namespace \"s\": metadata.uid is missing"
        );
        let error = watch_line::<Job>(br#"{"type":"RENAMED","object":{"metadata":{"uid":"u"}}}"#).unwrap_err();
        assert!(matches!(error, DecodeError::UnknownType { found, .. } if found == "RENAMED"));
        assert!(matches!(
            watch_line::<Job>(b"{\"type\":\"ADD"),
            Err(DecodeError::Json { .. })
        ));
    }

    #[test]
    fn replaces_invalid_utf8() {
        let line = b"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"uid\":\"u\",\"name\":\"a\xffb\"}}}";
        let WatchEvent::Added(job) = watch_line::<Job>(line).unwrap() else {
            panic!("not added");
        };
        assert_eq!(&*job.metadata.name, "a\u{fffd}b");
    }

    #[test]
    fn rejects_objects_of_another_type() {
        let line = |kind: &str, api_version: &str| {
            format!(
                r#"{{"type":"DELETED","object":{{"kind":"{kind}","metadata":{{"uid":"u","name":"n"}},"apiVersion":"{api_version}"}}}}"#
            )
        };
        for (kind, api_version) in [("Pod", "v1"), ("Job", "batch.volcano.sh/v1alpha1"), ("Status", "v1")] {
            let error = watch_line::<Job>(line(kind, api_version).as_bytes()).unwrap_err();
            let expected =
                format!("{kind} \"n\" in namespace \"\": expected a Job (batch/v1), found a {kind} ({api_version})");
            assert_eq!(error.to_string(), expected);
        }
        assert!(watch_line::<Job>(line("Job", "batch/v1").as_bytes()).is_ok());
        assert!(watch_line::<Job>(line("", "").as_bytes()).is_ok());
    }

    #[test]
    fn two_objects_on_one_line_are_an_error() {
        let line = r#"{"type":"ADDED","object":{"metadata":{"uid":"u"}}}"#;
        assert!(watch_line::<Job>(format!("{line}\r").as_bytes()).is_ok());
        assert!(watch_line::<Job>(format!("{line}{line}").as_bytes()).is_err());
    }

    #[test]
    fn an_error_repeats_little_of_what_it_was_sent() {
        let line = format!(
            r#"{{"type":"{}","object":{{"metadata":{{"name":"n"}}}}}}"#,
            "x".repeat(100_000)
        );
        assert!(watch_line::<Job>(line.as_bytes()).unwrap_err().to_string().len() < 1000);
    }
}
