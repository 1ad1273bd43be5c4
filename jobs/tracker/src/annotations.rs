//! Annotations of the collector that cannot be read, until they are logged.

use job_watch::model::Metadata;

use super::Tracker;
use super::stalls::StalledAfter;

/// How many of them wait to be logged.
const WAITING: usize = 16;

/// An annotation of the collector that cannot be read. It is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidAnnotation {
    /// The kind of the object.
    pub kind: &'static str,
    /// The namespace of the object.
    pub namespace: Box<str>,
    /// The name of the object.
    pub name: Box<str>,
    /// The name of the annotation.
    pub annotation: &'static str,
    /// The value that was found.
    pub value: Box<str>,
    /// The values that are expected.
    pub expected: &'static str,
}

impl Tracker {
    /// The next invalid annotation that was observed; each object is returned once for each change to an invalid value.
    pub fn take_invalid_annotation(&mut self) -> Option<InvalidAnnotation> {
        self.invalid_annotations.pop_front()
    }

    /// An annotation was read: remembers it if it is invalid and `before` was not.
    pub(crate) fn note_annotation(&mut self, kind: &'static str, metadata: &Metadata, before: StalledAfter) {
        let Some(value) = &metadata.annotations.stalled_after else {
            return;
        };
        if !before.is_invalid() && StalledAfter::parse(Some(value)).is_invalid() {
            self.add_invalid_annotation(InvalidAnnotation {
                kind,
                namespace: metadata.namespace.as_str().into(),
                name: metadata.name.as_str().into(),
                annotation: "k8s-job-collector/stalled-after",
                value: value.clone(),
                expected: "a duration such as 30m, or off",
            });
        }
    }

    /// Remembers an invalid annotation, up to a number that no cluster needs.
    pub(crate) fn add_invalid_annotation(&mut self, invalid: InvalidAnnotation) {
        if self.invalid_annotations.len() < WAITING {
            self.invalid_annotations.push_back(invalid);
        }
    }
}
