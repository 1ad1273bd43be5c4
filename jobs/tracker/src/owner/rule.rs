//! A rule of the user.

use job_watch::model::Metadata;
use regex::Regex;

/// A rule that names the owner of some Jobs.
#[derive(Clone, Debug)]
pub struct NamingRule {
    naming: Naming,
    /// Jobs of other namespaces are not affected.
    namespace: Option<Regex>,
    /// Only Jobs that an object of this kind controls are affected, and the pattern is that of the object's name.
    kind: Option<Box<str>>,
}

#[derive(Clone, Debug)]
enum Naming {
    Match { pattern: Regex, name: Box<str> },
    Label(Box<str>),
}

impl NamingRule {
    /// Applies to names that contain a match of `pattern`. `name` is the owner's name; it refers to groups of the pattern as
    /// `$1`, `${1}` or `${name}`.
    pub fn of_match(pattern: Regex, name: impl Into<Box<str>>) -> NamingRule {
        NamingRule::new(Naming::Match {
            pattern,
            name: name.into(),
        })
    }

    /// Applies to Jobs with the label `key`, whose value is the owner's name.
    pub fn of_label(key: impl Into<Box<str>>) -> NamingRule {
        NamingRule::new(Naming::Label(key.into()))
    }

    fn new(naming: Naming) -> NamingRule {
        NamingRule {
            naming,
            namespace: None,
            kind: None,
        }
    }

    /// The rule for the namespaces that contain a match of `pattern`.
    #[must_use]
    pub fn in_namespaces(mut self, pattern: Regex) -> NamingRule {
        self.namespace = Some(pattern);
        self
    }

    /// The rule for Jobs that an object of `kind` controls; it reads the name of that object instead of the Job's.
    #[must_use]
    pub fn of_kind(mut self, kind: impl Into<Box<str>>) -> NamingRule {
        self.kind = Some(kind.into());
        self
    }

    /// The label that it reads.
    pub fn label(&self) -> Option<&str> {
        match &self.naming {
            Naming::Label(key) => Some(key),
            Naming::Match { .. } => None,
        }
    }

    /// True if it is for Jobs that an object of this kind controls.
    pub(super) fn is_for(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    /// True if it is for Jobs whatever controls them.
    pub(super) fn is_for_any(&self) -> bool {
        self.kind.is_none()
    }

    /// The owner's name; `None` if the rule does not apply to the Job, or the name is empty.
    pub(super) fn name(&self, job: &Metadata, subject: &str) -> Option<Box<str>> {
        if self
            .namespace
            .as_ref()
            .is_some_and(|pattern| !pattern.is_match(&job.namespace))
        {
            return None;
        }
        let name = match &self.naming {
            Naming::Match {
                pattern,
                name: template,
            } => {
                let mut name = String::new();
                pattern.captures(subject)?.expand(template, &mut name);
                name.into_boxed_str()
            }
            Naming::Label(key) => job.label(key)?.into(),
        };
        (!name.is_empty()).then_some(name)
    }
}
