//! One rule: a key or a pattern of keys, and the name of the attribute.

use std::sync::Arc;

use regex::Regex;

/// The object that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelSource {
    /// The Job.
    Job,
    /// A Pod of the Job.
    Pod,
    /// The CronJob that controls the Job.
    CronJob,
    /// The namespace of the Job.
    Namespace,
}

impl LabelSource {
    /// All origins: if several give an attribute the same name, the first one that has it wins.
    pub const ALL: [LabelSource; 4] = [
        LabelSource::Job,
        LabelSource::Pod,
        LabelSource::CronJob,
        LabelSource::Namespace,
    ];

    /// The name in settings and in the names of attributes.
    pub fn as_str(self) -> &'static str {
        match self {
            LabelSource::Job => "job",
            LabelSource::Pod => "pod",
            LabelSource::CronJob => "cronjob",
            LabelSource::Namespace => "namespace",
        }
    }
}

/// A field of `metadata` with keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataField {
    /// `labels`.
    Labels,
    /// `annotations`.
    Annotations,
}

impl MetadataField {
    /// The word in the names of attributes.
    fn word(self) -> &'static str {
        match self {
            MetadataField::Labels => "label",
            MetadataField::Annotations => "annotation",
        }
    }
}

/// A rule is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The pattern is not a regular expression.
    #[error("{0}")]
    Pattern(String),
    /// The name refers to a group that the pattern does not have.
    #[error(
        "found the reference {reference}, expected a group of key_regex, which has {groups}; where a letter, digit or _ follows \
         the reference, write $${{{name}}}"
    )]
    Group {
        /// The reference as written.
        reference: String,
        /// The likely name of the group.
        name: String,
        /// The groups of the pattern.
        groups: String,
    },
}

/// Selects the values of one key or of all keys that match a pattern.
#[derive(Clone, Debug)]
pub struct Rule {
    origin: LabelSource,
    field: MetadataField,
    key: KeyMatch,
}

#[derive(Clone, Debug)]
enum KeyMatch {
    Exact {
        key: Box<str>,
        name: Arc<str>,
    },
    /// `template` refers to groups of the pattern; `None` for the default name.
    Pattern {
        regex: Regex,
        template: Option<Box<str>>,
    },
}

impl Rule {
    /// Selects the value of `key`; `name` is the attribute's, empty for the default.
    pub fn exact(origin: LabelSource, field: MetadataField, key: &str, name: &str) -> Rule {
        let name = match name {
            "" => default_name(origin, field, key),
            name => name.into(),
        };
        let key = KeyMatch::Exact { key: key.into(), name };
        Rule { origin, field, key }
    }

    /// Selects the values of all keys that match the whole of `pattern`. `template` names the attributes; `$1`, `$name` and
    /// `${1}` in it are groups of the pattern. As in the Collector, it has no effect if the pattern has no group. Then, or if it is
    /// empty, the attributes have their default names.
    ///
    /// # Errors
    /// The pattern is invalid, or `template` refers to a group that does not exist.
    pub fn pattern(
        origin: LabelSource,
        field: MetadataField,
        pattern: &str,
        template: &str,
    ) -> Result<Rule, RuleError> {
        let problem = |error: regex::Error| RuleError::Pattern(error.to_string());
        // Alone first, so that an error shows the pattern as written.
        Regex::new(pattern).map_err(problem)?;
        let regex = Regex::new(&format!("^(?:{pattern})$")).map_err(problem)?;
        let has_groups = regex.captures_len() > 1;
        if has_groups {
            check_references(template, &regex)?;
        }
        let template = (has_groups && !template.is_empty()).then(|| template.into());
        let key = KeyMatch::Pattern { regex, template };
        Ok(Rule { origin, field, key })
    }

    /// The object it reads.
    pub fn origin(&self) -> LabelSource {
        self.origin
    }

    /// The field it reads.
    pub(crate) fn field(&self) -> MetadataField {
        self.field
    }

    /// True for a pattern without a group: its attributes have their default names.
    pub fn ignores_name(&self) -> bool {
        matches!(&self.key, KeyMatch::Pattern { regex, .. } if regex.captures_len() == 1)
    }

    /// True if it selects the values of several keys. As in the Collector, such a rule skips empty values.
    pub(crate) fn is_pattern(&self) -> bool {
        matches!(self.key, KeyMatch::Pattern { .. })
    }

    /// The attribute's name for this key; `None` if the rule does not select it.
    pub(crate) fn name_of(&self, found: &str) -> Option<Arc<str>> {
        match &self.key {
            KeyMatch::Exact { key, name } => (**key == *found).then(|| name.clone()),
            KeyMatch::Pattern { regex, template: None } => {
                let is_match = regex.is_match(found);
                is_match.then(|| default_name(self.origin, self.field, found))
            }
            KeyMatch::Pattern {
                regex,
                template: Some(template),
            } => {
                let groups = regex.captures(found)?;
                let mut name = String::new();
                groups.expand(template, &mut name);
                (!name.is_empty()).then(|| name.into())
            }
        }
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        let key = match (&self.key, &other.key) {
            (KeyMatch::Exact { key, name }, KeyMatch::Exact { key: other, name: n }) => (key, name) == (other, n),
            (
                KeyMatch::Pattern { regex, template },
                KeyMatch::Pattern {
                    regex: other,
                    template: t,
                },
            ) => regex.as_str() == other.as_str() && template == t,
            _ => false,
        };
        key && self.origin == other.origin && self.field == other.field
    }
}

/// The attribute's name in the semantic conventions.
///
/// Source: `k8s.job.label`, `k8s.job.annotation`, ... among the attributes of Kubernetes in the semantic conventions.
fn default_name(origin: LabelSource, field: MetadataField, key: &str) -> Arc<str> {
    format!("k8s.{}.{}.{key}", origin.as_str(), field.word()).into()
}

/// Checks that each reference of `template` is to a group. The names of references are as long as possible, as in Go:
/// `$1x` refers to the group `1x`.
///
/// # Errors
/// A reference to a group that the pattern does not have.
pub fn check_references(template: &str, regex: &Regex) -> Result<(), RuleError> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let exists = |name: &str| match name.parse::<usize>() {
        Ok(number) => number < regex.captures_len(),
        Err(_) => regex.capture_names().flatten().any(|group| group == name),
    };
    let mut rest = template;
    while let Some((_, after)) = rest.split_once('$') {
        if let Some(after) = after.strip_prefix('$') {
            rest = after;
            continue;
        }
        rest = after;
        let braced = after.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let (name, reference) = match braced {
            Some((name, _)) => (name, format!("${{{name}}}")),
            None => {
                let end = after.find(|c| !is_word(c)).unwrap_or(after.len());
                (&after[..end], format!("${}", &after[..end]))
            }
        };
        if name.is_empty() || exists(name) {
            continue;
        }
        let digits = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
        let groups = (1..regex.captures_len()).zip(regex.capture_names().skip(1));
        let groups: Vec<String> = groups
            .map(|(number, name)| name.map_or_else(|| format!("${number}"), |name| format!("${name}")))
            .collect();
        return Err(RuleError::Group {
            reference,
            name: if digits > 0 { &name[..digits] } else { name }.into(),
            groups: groups.join(", "),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(rule: &Rule, keys: &[&str]) -> Vec<Option<String>> {
        let name = |key: &&str| rule.name_of(key).map(|name| name.to_string());
        keys.iter().map(name).collect()
    }

    fn pattern(pattern: &str, template: &str) -> Rule {
        Rule::pattern(LabelSource::Job, MetadataField::Labels, pattern, template).unwrap()
    }

    #[test]
    fn default_names_are_those_of_the_conventions() {
        for (origin, field, expected) in [
            (LabelSource::Job, MetadataField::Labels, "k8s.job.label.team"),
            (
                LabelSource::CronJob,
                MetadataField::Annotations,
                "k8s.cronjob.annotation.team",
            ),
            (LabelSource::Pod, MetadataField::Labels, "k8s.pod.label.team"),
            (
                LabelSource::Namespace,
                MetadataField::Annotations,
                "k8s.namespace.annotation.team",
            ),
        ] {
            let rule = Rule::exact(origin, field, "team", "");
            assert_eq!(
                names(&rule, &["team", "tea", "teams"]),
                [Some(expected.into()), None, None]
            );
        }
        let named = Rule::exact(LabelSource::Job, MetadataField::Labels, "a", "b");
        assert_eq!(names(&named, &["a"]), [Some("b".into())]);
    }

    #[test]
    fn a_pattern_matches_whole_keys() {
        let rule = pattern("team|squad", "ignored");
        let found = names(&rule, &["team", "squad", "teams", "the-squad"]);
        let expected = [
            Some("k8s.job.label.team".into()),
            Some("k8s.job.label.squad".into()),
            None,
            None,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn names_refer_to_groups_of_the_pattern() {
        for (regex, template, expected) in [
            ("app\\.kubernetes\\.io/(.*)", "$1", Some("component")),
            (
                "(?P<domain>.*)/(?P<rest>.*)",
                "${rest}.of.$domain",
                Some("component.of.app.kubernetes.io"),
            ),
            ("app(.*)/(.*)", "x.$2-$$1", Some("x.component-$1")),
            ("app(.*)/(.*)", "", Some("k8s.job.label.app.kubernetes.io/component")),
            ("(none)?.*", "$1", None),
        ] {
            let found = names(&pattern(regex, template), &["app.kubernetes.io/component"]);
            assert_eq!(found[0].as_deref(), expected, "{regex} {template}");
        }
    }

    #[test]
    fn errors_name_the_pattern_or_the_reference() {
        let error = |pattern, template| {
            let rule = Rule::pattern(LabelSource::Job, MetadataField::Labels, pattern, template);
            rule.unwrap_err().to_string()
        };
        assert!(error("a(b", "").contains("a(b"), "{}", error("a(b", ""));
        assert!(error("a(b)", "$2").starts_with("found the reference $2, expected a group of key_regex, which has $1"));
        assert!(
            error("a(b)", "k.$1x").ends_with("write $${1}"),
            "{}",
            error("a(b)", "k.$1x")
        );
        assert!(error("a(?P<n>b)", "$m").contains("which has $n"));
    }
}
