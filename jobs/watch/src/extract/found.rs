//! The selected labels and annotations of one object.

use std::sync::Arc;

use job_event::evidence::Attribute;

use super::{MAX_ATTRIBUTES, MAX_VALUE, MetadataField, Wanted};

/// The longest key, bytes: a prefix of 253, a slash, a name of 63 (`IsQualifiedName` of apimachinery).
const MAX_KEY: usize = 317;

/// The selected labels and annotations of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// The attributes, in the order of their names, each once.
    pub attributes: Vec<Attribute>,
    /// The labels that are kept by their keys.
    labels: Vec<(Box<str>, Box<str>)>,
}

impl Extracted {
    /// The value of a label that [`Extraction::keep_label`](super::Extraction::keep_label) names.
    pub fn label(&self, key: &str) -> Option<&str> {
        let mut labels = self.labels.iter();
        labels.find(|(found, _)| &**found == key).map(|(_, value)| &**value)
    }
}

/// At most [`MAX_VALUE`] bytes of a value.
fn cut(value: &str) -> &str {
    let mut end = value.len().min(MAX_VALUE);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}

/// Collects the selected values while the object is decoded: first a key, then its value.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    pub(crate) wanted: &'a Wanted,
    /// The rules that select the last key, with the name of the attribute.
    selected: Vec<(usize, Arc<str>)>,
    /// The last key if it is a kept label.
    label: Option<Box<str>>,
    /// The attributes with the rules that selected them.
    attributes: Vec<(usize, Attribute)>,
    labels: Vec<(Box<str>, Box<str>)>,
}

impl<'a> Found<'a> {
    pub(crate) fn new(wanted: &'a Wanted) -> Self {
        Found {
            wanted,
            selected: Vec::new(),
            label: None,
            attributes: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// Returns true if the value of this key is selected.
    pub(crate) fn key(&mut self, field: MetadataField, key: &str) -> bool {
        self.selected.clear();
        self.label = None;
        if key.len() > MAX_KEY {
            return false;
        }
        for (at, rule) in self.wanted.rules.iter().enumerate() {
            if rule.field() == field
                && let Some(name) = rule.name_of(key)
            {
                self.selected.push((at, name));
            }
        }
        if field == MetadataField::Labels && self.wanted.labels.iter().any(|label| **label == *key) {
            self.label = Some(key.into());
        }
        !self.selected.is_empty() || self.label.is_some()
    }

    /// The value of the last key.
    pub(crate) fn value(&mut self, value: &str) {
        let value = cut(value);
        if let Some(label) = self.label.take() {
            self.labels.retain(|(known, _)| *known != label);
            self.labels.push((label, value.into()));
        }
        for (rule, name) in std::mem::take(&mut self.selected) {
            if value.is_empty() && self.wanted.rules[rule].is_pattern() {
                continue;
            }
            let value = value.into();
            let has_room = self.attributes.len() < MAX_ATTRIBUTES;
            match self.attributes.iter_mut().find(|(_, known)| known.name == name) {
                Some((by, known)) if *by <= rule => (*by, known.value) = (rule, value),
                Some(_) => {}
                None if has_room => {
                    self.attributes.push((rule, Attribute { name, value }));
                }
                None => {}
            }
        }
    }

    /// All of them; `None` if there are none.
    pub(crate) fn into_extracted(self) -> Option<Box<Extracted>> {
        if self.attributes.is_empty() && self.labels.is_empty() {
            return None;
        }
        let mut attributes: Vec<Attribute> = self.attributes.into_iter().map(|(_, attribute)| attribute).collect();
        attributes.sort_by(|a, b| a.name.cmp(&b.name));
        Some(Box::new(Extracted {
            attributes,
            labels: self.labels,
        }))
    }
}
