//! One page of a list.
//!
//! Objects missing in a list are deleted, so a reply counts as a page only if it is the requested list. The API
//! guarantees for one (apimachinery's `ListMeta` and the API conventions): `apiVersion` and `kind` of the list,
//! `resourceVersion`, `items` as an array in JSON (servers have written `[]` for an empty one since 1.5.3), and on the
//! last page no `remainingItemCount`.

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::names::{self, clipped};
use super::typed::{Typed, TypedSeed};
use super::{DecodeError, Escaped, WireFormat, protobuf, protobuf_page};
use crate::extract::Wanted;
use crate::model::lenient::{Object, lenient};
use crate::model::{Status, TypeMeta, Watched};

/// The reason why a reply is not a page of the requested list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Not JSON, or not of the form of a list.
    #[error("expected a {}List ({}), found something else: {}", .expected.kind, .expected.api_version, Escaped(.problem))]
    Form {
        /// The type of the items.
        expected: TypeMeta,
        /// The problem.
        problem: String,
    },
    /// Not protobuf, though its content type says so.
    #[error("expected a {}List ({}) in protobuf, found something else: {}", .expected.kind, .expected.api_version, Escaped(.problem))]
    Protobuf {
        /// The type of the items.
        expected: TypeMeta,
        /// The problem.
        problem: String,
    },
    /// The object is of another type.
    #[error("expected a {}List ({}), found {}", .expected.kind, .expected.api_version, Escaped(.found))]
    OtherType {
        /// The type of the items.
        expected: TypeMeta,
        /// Its description.
        found: String,
    },
    /// No version, so no watch can begin after it.
    #[error("the {}List has no metadata.resourceVersion", .0.kind)]
    NoVersion(TypeMeta),
    /// No array of items. An empty list has an empty one.
    #[error("the {}List has no items: expected an array, found none", .0.kind)]
    NoItems(TypeMeta),
    /// The list has more items but no continue token.
    #[error("the {}List says that {more} more items follow (remainingItemCount), but has no continue token", .expected.kind)]
    Cut {
        /// The type of the items.
        expected: TypeMeta,
        /// The number of missing items.
        more: i64,
    },
}

/// A page of a list.
#[derive(Debug)]
pub struct ListPage<'a> {
    /// The version of the whole list, at which a watch starts.
    pub resource_version: SmolStr,
    /// The continue token of the next page; empty on the last one.
    pub next: Box<str>,
    items: PageItems<'a>,
}

/// The items of a page, not decoded yet.
#[derive(Debug)]
pub(super) enum PageItems<'a> {
    Json(Vec<&'a RawValue>),
    Protobuf(Vec<&'a [u8]>),
}

/// The body of a reply to a list.
#[derive(Debug)]
pub enum Body {
    /// JSON.
    Json(String),
    /// Protobuf.
    Protobuf(Vec<u8>),
}

impl Body {
    /// The body in its form.
    pub fn new(encoding: WireFormat, body: Vec<u8>) -> Self {
        match encoding {
            WireFormat::Json => Body::Json(text(body)),
            WireFormat::Protobuf => Body::Protobuf(body),
        }
    }

    /// Reads a page of a list of objects of type `expected`.
    ///
    /// # Errors
    /// If it is not a page of such a list.
    pub fn page(&self, expected: TypeMeta) -> Result<ListPage<'_>, ListError> {
        match self {
            Body::Json(body) => list_page(body, expected),
            Body::Protobuf(body) => protobuf_page(body, expected),
        }
    }
}

/// The body of a reply as text. A byte that is not UTF-8 damages one character, not the page.
pub fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Reads a page of a list of objects of type `expected`.
///
/// # Errors
/// If it is not a page of such a list.
pub fn list_page(body: &str, expected: TypeMeta) -> Result<ListPage<'_>, ListError> {
    let list: List = serde_json::from_str(body).map_err(|problem| ListError::Form {
        expected,
        problem: clipped(&problem.to_string()),
    })?;
    let TypeMeta { api_version, kind } = expected;
    if *list.api_version != *api_version || list.kind.strip_suffix("List") != Some(kind) {
        let found = match &*list.kind {
            "" => "an object without kind".to_owned(),
            "Status" => describe(&serde_json::from_str(body).unwrap_or_default()),
            kind => format!("a {} ({})", clipped(kind), clipped(&list.api_version)),
        };
        return Err(ListError::OtherType { expected, found });
    }
    let page = checked_page(expected, list.metadata, PageItems::Json(Vec::new()))?;
    let items = PageItems::Json(list.items.ok_or(ListError::NoItems(expected))?);
    Ok(ListPage { items, ..page })
}

/// A page whose metadata are those of a list.
pub(super) fn checked_page(
    expected: TypeMeta,
    metadata: ListMetadata,
    items: PageItems<'_>,
) -> Result<ListPage<'_>, ListError> {
    let ListMetadata {
        resource_version,
        next,
        remaining_item_count: more,
    } = metadata;
    // "0" stands for any version in a request; no list has it.
    if matches!(&*resource_version, "" | "0") {
        return Err(ListError::NoVersion(expected));
    }
    if next.is_empty() && more > 0 {
        return Err(ListError::Cut { expected, more });
    }
    Ok(ListPage {
        resource_version,
        next,
        items,
    })
}

impl<'a> ListPage<'a> {
    /// The number of items, usable or not.
    pub fn len(&self) -> usize {
        match &self.items {
            PageItems::Json(items) => items.len(),
            PageItems::Protobuf(items) => items.len(),
        }
    }

    /// True if it has no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items as JSON; none of a page in protobuf.
    pub fn raw_items(&self) -> impl Iterator<Item = &'a str> {
        let items = match &self.items {
            PageItems::Json(items) => &**items,
            PageItems::Protobuf(_) => &[],
        };
        items.iter().map(|item| item.get())
    }

    /// The items. An unusable one does not affect the others.
    pub fn objects<T: Watched>(&self) -> impl Iterator<Item = Result<T, DecodeError>> {
        self.objects_with(None)
    }

    /// The items, with the labels and annotations that are wanted of them. An unusable one does not affect the others.
    pub fn objects_with<T: Watched>(&self, wanted: Option<&Wanted>) -> impl Iterator<Item = Result<T, DecodeError>> {
        (0..self.len()).map(move |index| match &self.items {
            PageItems::Json(items) => json_item(items[index].get(), wanted),
            PageItems::Protobuf(items) => protobuf::item(items[index], wanted),
        })
    }
}

fn json_item<T: Watched>(item: &str, wanted: Option<&Wanted>) -> Result<T, DecodeError> {
    let object = read_item(item, wanted).map_err(|problem| DecodeError::json(item, &problem))?;
    object.checked(|| names::of_json(item))
}

fn read_item<T: Watched>(item: &str, wanted: Option<&Wanted>) -> Result<Typed<T>, serde_json::Error> {
    let object = PhantomData;
    let mut deserializer = serde_json::Deserializer::from_str(item);
    let read = TypedSeed { wanted, object }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(read)
}

/// A `Status` in the place of a list.
pub(super) fn describe(status: &Status) -> String {
    format!("a Status: {} {}", status.code, clipped(&status.message))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    #[serde(default, deserialize_with = "lenient")]
    api_version: Box<str>,
    #[serde(default, deserialize_with = "lenient")]
    kind: Box<str>,
    #[serde(default, deserialize_with = "lenient")]
    metadata: ListMetadata,
    #[serde(default, borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ListMetadata {
    #[serde(deserialize_with = "lenient")]
    resource_version: SmolStr,
    #[serde(rename = "continue", deserialize_with = "lenient")]
    next: Box<str>,
    #[serde(deserialize_with = "lenient")]
    remaining_item_count: i64,
}

impl Object for ListMetadata {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Event, Job};

    fn error(body: &str) -> String {
        list_page(body, Job::TYPE).unwrap_err().to_string()
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = list_page(&text(bytes), Event::TYPE);
        }
    }

    #[test]
    fn accepts_only_the_requested_list() {
        for (body, found) in [
            ("{}", "an object without kind"),
            (r#"{"message":"ok"}"#, "an object without kind"),
            (
                r#"{"metadata":{"resourceVersion":"9"},"items":[]}"#,
                "an object without kind",
            ),
            (
                r#"{"kind":"Status","apiVersion":"v1","code":500,"message":"etcd"}"#,
                "a Status: 500 etcd",
            ),
            (
                r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[]}"#,
                "a PodList (v1)",
            ),
            (
                r#"{"kind":"JobList","apiVersion":"batch.volcano.sh/v1","metadata":{"resourceVersion":"9"},"items":[]}"#,
                "a JobList (batch.volcano.sh/v1)",
            ),
            (
                r#"{"kind":"Job","apiVersion":"batch/v1","metadata":{"resourceVersion":"9"},"items":[]}"#,
                "a Job (batch/v1)",
            ),
        ] {
            assert_eq!(error(body), format!("expected a JobList (batch/v1), found {found}"));
        }
        for body in [
            "",
            "<html>sign in</html>",
            "[]",
            "null",
            "7",
            r#"{"kind":"JobList","items":["#,
        ] {
            assert!(
                error(body).starts_with("expected a JobList (batch/v1), found "),
                "{}",
                error(body)
            );
        }
    }

    #[test]
    fn a_list_has_a_version_and_an_array_of_items() {
        let list = |rest: &str| format!(r#"{{"kind":"JobList","apiVersion":"batch/v1",{rest}}}"#);
        let version = "the JobList has no metadata.resourceVersion";
        let items = "the JobList has no items: expected an array, found none";
        for (rest, problem) in [
            (r#""items":[]"#, version),
            (r#""metadata":{},"items":[]"#, version),
            (r#""metadata":null,"items":[]"#, version),
            (r#""metadata":{"resourceVersion":""},"items":[]"#, version),
            (r#""metadata":{"resourceVersion":"0"},"items":[]"#, version),
            (r#""metadata":{"resourceVersion":"9"}"#, items),
            (r#""metadata":{"resourceVersion":"9"},"items":null"#, items),
            (
                r#""metadata":{"resourceVersion":"9","remainingItemCount":7},"items":[]"#,
                "the JobList says that 7 more items follow (remainingItemCount), but has no continue token",
            ),
        ] {
            assert_eq!(error(&list(rest)), problem);
        }
        for items in ["{}", "\"\"", "7"] {
            let body = list(&format!(r#""metadata":{{"resourceVersion":"9"}},"items":{items}"#));
            assert!(error(&body).contains("expected a sequence"), "{}", error(&body));
        }
        let twice = list(r#""metadata":{"resourceVersion":"9"},"items":[],"items":[]"#);
        assert!(error(&twice).contains("duplicate field"));
    }

    #[test]
    fn one_bad_object_does_not_lose_the_page() {
        let mut body = br#"{"kind":"JobList","apiVersion":"batch/v1","metadata":{"resourceVersion":"9","continue":"c"},"items":[
            null,{"metadata":{"uid":"u"}},{"metadata":{"name":"x"}},3,{"metadata":{"uid":"p"},"kind":"Pod"},{"spec":{"parallelism":1e999},"metadata":{"uid":"v"}},
            {"metadata":{"uid":"w","name":"?"},"kind":"Job","apiVersion":"batch/v1"}]}"#
            .to_vec();
        for byte in body.iter_mut().filter(|byte| **byte == b'?') {
            *byte = 0xff;
        }
        let body = text(body);
        let page = list_page(&body, Job::TYPE).unwrap();
        assert_eq!((&*page.resource_version, &*page.next, page.len()), ("9", "c", 7));
        let (jobs, errors): (Vec<_>, Vec<_>) = page.objects::<Job>().partition(Result::is_ok);
        let jobs: Vec<Job> = jobs.into_iter().map(Result::unwrap).collect();
        assert_eq!(errors.len(), 5);
        assert_eq!((&*jobs[0].metadata.uid, &*jobs[1].metadata.uid), ("u", "w"));
        assert_eq!(&*jobs[1].metadata.name, "\u{fffd}");
    }
}
