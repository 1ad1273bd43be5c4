//! The owner of a Job, by rules. Pure.
//!
//! The order: the CronJob that controls the Job; a rule of the user for the object that controls it; that object; a rule of
//! the user for its name or a label; the prefix of its generated name; the Job itself. `docs/owners.md` has the reasons.

mod rule;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use job_event::Uid;
use job_event::evidence::{self, OwnerRule};
use job_watch::model::Metadata;

pub use rule::NamingRule;

use crate::job::JobRecord;
use crate::pool::Pool;

/// How the owner of a Job is found.
#[derive(Clone, Debug)]
pub struct OwnerSettings {
    /// True if an object that controls a Job is its owner, whatever its kind. A CronJob always is.
    pub controller: bool,
    /// True if Jobs with generated names belong to their common prefix.
    pub generate_name: bool,
    /// The user's rules; the first one that applies gives the name.
    pub rules: Vec<NamingRule>,
}

impl Default for OwnerSettings {
    fn default() -> Self {
        OwnerSettings {
            controller: true,
            generate_name: true,
            rules: Vec::new(),
        }
    }
}

/// The owner of Jobs that are not their own owners.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OwnerRecord {
    pub(crate) rule: OwnerRule,
    /// The kind of the object that controls the Jobs, other than a CronJob; empty if the owner is only a name.
    pub(crate) kind: Box<str>,
    pub(crate) name: Box<str>,
    /// The UID of a CronJob. Other objects of the same kind and name are one owner, also if one replaces the other.
    pub(crate) uid: Box<str>,
}

impl OwnerRecord {
    pub(crate) fn is_cronjob(&self) -> bool {
        self.rule == OwnerRule::CronJob
    }

    /// True if an object controls the Job. A later version without it is that of an orphaned Job.
    fn is_controller(&self) -> bool {
        self.is_cronjob() || !self.kind.is_empty()
    }

    /// The owner as evidence; that of a CronJob is [`evidence::CronJob`].
    pub(crate) fn to_evidence(&self) -> Option<Box<evidence::JobOwner>> {
        (!self.is_cronjob()).then(|| {
            Box::new(evidence::JobOwner {
                rule: self.rule,
                kind: self.kind.clone(),
                name: self.name.clone(),
            })
        })
    }
}

impl OwnerSettings {
    /// The owner of a Job; `None` if that is the Job itself.
    pub(crate) fn owner(&self, job: &Metadata) -> Option<OwnerRecord> {
        if let Some(cronjob) = job.controller("CronJob") {
            return Some(OwnerRecord {
                rule: OwnerRule::CronJob,
                name: cronjob.name.as_str().into(),
                uid: cronjob.uid.as_str().into(),
                ..Default::default()
            });
        }
        let named = |rule, name| OwnerRecord {
            rule,
            name,
            ..Default::default()
        };
        if let Some(controller) = job.any_controller() {
            let of_kind = |rule, name| OwnerRecord {
                kind: controller.kind.as_str().into(),
                ..named(rule, name)
            };
            let mut rules = self.rules.iter().filter(|rule| rule.is_for(&controller.kind));
            if let Some(name) = rules.find_map(|rule| rule.name(job, &controller.name)) {
                return Some(of_kind(OwnerRule::Rule, name));
            }
            if self.controller {
                return Some(of_kind(OwnerRule::Controller, controller.name.as_str().into()));
            }
        }
        let mut rules = self.rules.iter().filter(|rule| rule.is_for_any());
        if let Some(name) = rules.find_map(|rule| rule.name(job, &job.name)) {
            return Some(named(OwnerRule::Rule, name));
        }
        let prefix = job.generated_prefix().filter(|_| self.generate_name)?;
        let prefix = prefix.trim_end_matches(['-', '.']);
        (!prefix.is_empty()).then(|| named(OwnerRule::GenerateName, prefix.into()))
    }

    /// True if labels decide, which may change.
    fn reads_labels(&self) -> bool {
        self.rules.iter().any(|rule| rule.label().is_some())
    }
}

/// The owners of a tracker's Jobs, each once.
#[derive(Debug, Default)]
pub(crate) struct OwnerPool {
    settings: OwnerSettings,
    pool: Pool<OwnerRecord>,
}

impl OwnerPool {
    pub(crate) fn new(settings: OwnerSettings) -> OwnerPool {
        OwnerPool {
            settings,
            pool: Pool::default(),
        }
    }

    /// The owner of a Job that is seen for the first time; `None` if that is the Job itself.
    pub(crate) fn of(&mut self, job: &Metadata) -> Option<Arc<OwnerRecord>> {
        let owner = self.settings.owner(job)?;
        Some(self.pool.get(owner))
    }

    /// Updates the owner from a later version of the Job. An object that controlled it remains its owner: an orphaned Job
    /// loses its owner references.
    pub(crate) fn update(&mut self, owner: &mut Option<Arc<OwnerRecord>>, job: &Metadata) {
        let was_controlled = owner.as_ref().is_some_and(|owner| owner.is_controller());
        let is_controlled = job.any_controller().is_some();
        let is_orphaned = was_controlled && !is_controlled;
        if !is_orphaned && (is_controlled != was_controlled || self.settings.reads_labels()) {
            *owner = self.of(job);
        }
    }
}

impl JobRecord {
    /// Identifies the owner among the completed runs, if it is not a CronJob: by the namespace and the name, with the kind of an
    /// object, or with the hyphen that ends the prefix of generated names.
    pub(crate) fn owner_without_cronjob(&self) -> Uid {
        let namespace = &self.namespace;
        Uid::new(&match self.owner.as_deref() {
            Some(owner) if !owner.kind.is_empty() => format!("{namespace}/{}/{}", owner.kind, owner.name),
            Some(owner) if owner.rule == OwnerRule::GenerateName => format!("{namespace}/{}-", owner.name),
            Some(owner) => format!("{namespace}/{}", owner.name),
            None => format!("{namespace}/{}", self.name),
        })
    }
}
