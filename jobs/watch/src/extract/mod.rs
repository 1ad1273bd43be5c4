//! Rules that select labels and annotations of watched objects, and the names of the attributes they become.
//!
//! The keys and names are those of the Collector's `k8sattributesprocessor`; the default names are those of the semantic
//! conventions. Nothing is decoded without a rule.

mod found;
mod rule;

use std::sync::Arc;

pub use found::Extracted;
pub(crate) use found::Found;
pub use rule::{LabelSource, MetadataField, Rule, RuleError, check_references};

use crate::Kind;
use crate::watch::request::Target;

/// The longest extracted value, bytes. Longer ones are cut: an annotation may have 256 KiB.
pub const MAX_VALUE: usize = 1024;
/// The most attributes from one object.
pub const MAX_ATTRIBUTES: usize = 64;

/// The rules, by the objects they read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extraction {
    jobs: Option<Arc<Wanted>>,
    cronjobs: Option<Arc<Wanted>>,
    pods: Option<Arc<Wanted>>,
    namespaces: Option<Arc<Wanted>>,
}

/// The labels and annotations to decode of one kind of objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// In the order of the settings; a later one wins.
    rules: Vec<Rule>,
    /// Labels whose values are kept by their keys.
    labels: Vec<Box<str>>,
}

impl Extraction {
    /// Adds a rule. If several rules give one object's values the same name, the last rule wins.
    pub fn add(&mut self, rule: Rule) {
        self.wanted(rule.origin()).rules.push(rule);
    }

    /// Keeps the value of a label under its key, for [`Extracted::label`]; it becomes no attribute.
    pub fn keep_label(&mut self, origin: LabelSource, key: &str) {
        let labels = &mut self.wanted(origin).labels;
        if !labels.iter().any(|label| &**label == key) {
            labels.push(key.into());
        }
    }

    /// The labels and annotations to decode of the objects of this kind; `None` if there are none.
    pub fn of(&self, kind: Kind) -> Option<&Arc<Wanted>> {
        match kind {
            Kind::Jobs => self.jobs.as_ref(),
            Kind::CronJobs => self.cronjobs.as_ref(),
            Kind::Pods => self.pods.as_ref(),
            Kind::Namespaces => self.namespaces.as_ref(),
            _ => None,
        }
    }

    /// Makes these lists and watches decode what the rules select.
    pub fn apply(&self, targets: &mut [Target]) {
        for target in targets {
            target.wanted = self.of(target.source.kind).cloned();
        }
    }

    fn wanted(&mut self, origin: LabelSource) -> &mut Wanted {
        let wanted = match origin {
            LabelSource::Job => &mut self.jobs,
            LabelSource::CronJob => &mut self.cronjobs,
            LabelSource::Pod => &mut self.pods,
            LabelSource::Namespace => &mut self.namespaces,
        };
        Arc::make_mut(wanted.get_or_insert_default())
    }
}

impl Wanted {
    /// True if anything of this field is to be decoded.
    pub(crate) fn reads(&self, field: MetadataField) -> bool {
        self.rules.iter().any(|rule| rule.field() == field)
            || (field == MetadataField::Labels && !self.labels.is_empty())
    }
}
