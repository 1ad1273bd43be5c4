//! The setting `owner`: which Jobs belong together. `docs/owners.md` has the order of the rules.

use job_tracker::{NamingRule, OwnerSettings};
use job_watch::extract::{Extraction, LabelSource, RuleError, check_references};
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::notice_config::Problem;

/// The setting `owner`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OwnerConfig {
    /// The object that controls a Job is its owner, whatever its kind. A CronJob always is.
    pub controller: bool,
    /// Jobs with generated names belong to the prefix `generateName`.
    pub generate_name: bool,
    /// Rules that name the owner of some Jobs. The first one that applies decides.
    pub rules: Vec<OwnerRuleConfig>,
}

/// One of `owner::rules`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("anyOf" = [{"required": ["match", "name"]}, {"required": ["label"]}]))]
pub struct OwnerRuleConfig {
    /// A regular expression of the Job's name, or with `kind` of the name of the object that controls the Job. It may match
    /// a part.
    #[serde(rename = "match")]
    pub pattern: Option<String>,
    /// The name of the owner; `$1` is the first group of `match`.
    #[schemars(length(min = 1))]
    pub name: Option<String>,
    /// The label whose value is the name of the owner, instead of `match` and `name`.
    pub label: Option<String>,
    /// A regular expression of the namespaces to which the rule applies.
    pub namespace: Option<String>,
    /// The kind of the object that controls the Job, such as `Workflow`. The rule then comes before `controller`.
    #[schemars(length(min = 1))]
    pub kind: Option<String>,
}

impl Default for OwnerConfig {
    fn default() -> Self {
        let settings = OwnerSettings::default();
        OwnerConfig {
            controller: settings.controller,
            generate_name: settings.generate_name,
            rules: Vec::new(),
        }
    }
}

impl OwnerConfig {
    /// All invalid values.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let rules = self.rules.iter().enumerate();
        let problems = rules.flat_map(|(at, rule)| {
            let path = move |key: &str| match key {
                "" => format!("owner::rules::{at}"),
                key => format!("owner::rules::{at}::{key}"),
            };
            let problems = rule.naming().err().unwrap_or_default().into_iter();
            problems.map(move |problem| Problem {
                path: path(&problem.path),
                ..problem
            })
        });
        problems.collect()
    }

    /// The settings of the tracker; without invalid rules.
    pub(crate) fn settings(&self) -> OwnerSettings {
        OwnerSettings {
            controller: self.controller,
            generate_name: self.generate_name,
            rules: self.rules.iter().filter_map(|rule| rule.naming().ok()).collect(),
        }
    }

    /// Makes the watch of Jobs decode the labels that rules read.
    pub(crate) fn keep_labels(&self, extraction: &mut Extraction) {
        for label in self.rules.iter().filter_map(|rule| rule.label.as_ref()) {
            extraction.keep_label(LabelSource::Job, label);
        }
    }
}

impl OwnerRuleConfig {
    fn naming(&self) -> Result<NamingRule, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut note = |problem: Problem| problems.push(problem);
        let namespace = self.namespace.as_ref().map(|pattern| regex("namespace", pattern));
        let namespace = namespace.transpose().map_err(&mut note);
        let naming = self.names().map_err(&mut note);
        match self.kind.as_deref() {
            Some("") => note(Problem::new(
                "kind",
                "expected a kind, such as Workflow, found an empty text",
            )),
            Some("CronJob") => note(Problem {
                help: Some("remove the rule".to_owned()),
                ..Problem::new(
                    "kind",
                    "expected another kind: a run of a CronJob always belongs to its CronJob",
                )
            }),
            _ => {}
        }
        let (Ok(namespace), Ok(mut rule), true) = (namespace, naming, problems.is_empty()) else {
            return Err(problems);
        };
        if let Some(namespace) = namespace {
            rule = rule.in_namespaces(namespace);
        }
        if let Some(kind) = &self.kind {
            rule = rule.of_kind(&**kind);
        }
        Ok(rule)
    }

    /// The rule by its `match` and `name`, or by its `label`.
    fn names(&self) -> Result<NamingRule, Problem> {
        match (&self.pattern, &self.name, &self.label) {
            (Some(pattern), Some(name), None) => {
                let pattern = regex("match", pattern)?;
                if name.is_empty() {
                    return Err(Problem::new("name", "expected a name, such as $1, found an empty text"));
                }
                check_references(name, &pattern).map_err(|error| reference_problem(&error, "name", "match"))?;
                Ok(NamingRule::of_match(pattern, &**name))
            }
            (None, None, Some(label)) if is_label_key(label) => Ok(NamingRule::of_label(&**label)),
            (None, None, Some(label)) => Err(Problem::new(
                "label",
                format!("expected the key of a label, such as app.kubernetes.io/instance, found {label:?}"),
            )),
            (Some(_), None, None) => Err(Problem {
                help: Some("add `name`, such as `name: $1`".to_owned()),
                ..Problem::new("match", "expected `name` as well: the name of the owner")
            }),
            (None, Some(_), None) => Err(Problem {
                help: Some("add `match`, such as `match: ^(.+)-[0-9]+$`".to_owned()),
                ..Problem::new("name", "expected `match` as well: the names to which the rule applies")
            }),
            (Some(_), _, Some(_)) | (None, Some(_), Some(_)) => {
                let other = if self.pattern.is_some() { "match" } else { "name" };
                Err(Problem {
                    help: Some("make two rules of it; the first one that applies gives the name".to_owned()),
                    ..Problem::new(
                        "label",
                        format!("expected `label`, or `match` with `name`, found `label` and `{other}`"),
                    )
                })
            }
            (None, None, None) => Err(Problem::new(
                "",
                "expected `match` with `name`, or `label`, found neither",
            )),
        }
    }
}

fn regex(key: &str, pattern: &str) -> Result<Regex, Problem> {
    Regex::new(pattern).map_err(|error| {
        let error = error.to_string();
        let reason = regex_reason(&error);
        Problem::new(
            key,
            format!("expected a regular expression, found {pattern:?}: {reason}"),
        )
    })
}

/// The reason in the error of a regular expression. The lines before show the pattern, with the position in it.
pub(crate) fn regex_reason(error: &str) -> &str {
    let reason = error.lines().last().unwrap_or_default();
    reason.strip_prefix("error: ").unwrap_or(reason)
}

/// The problem of a reference in the value of `key` to a group of the pattern under `pattern`.
pub(crate) fn reference_problem(error: &RuleError, key: &str, pattern: &str) -> Problem {
    match error {
        RuleError::Group {
            reference,
            name,
            groups,
        } if groups.is_empty() => Problem {
            help: Some(format!(
                "put parentheses around the part that `{reference}` stands for, or write `$${name}` for the text"
            )),
            ..Problem::new(
                key,
                format!("found the reference {reference}, but `{pattern}` has no group"),
            )
        },
        RuleError::Group {
            reference,
            name,
            groups,
        } => Problem {
            help: Some(format!(
                "where a letter, a digit or _ follows the reference, write `$${{{name}}}`"
            )),
            ..Problem::new(
                key,
                format!("found the reference {reference}, expected a group of `{pattern}`: {groups}"),
            )
        },
        RuleError::Pattern(problem) => Problem::new(key, problem),
    }
}

/// True for the key of a label: a name, and a domain with a slash before it if it has one.
fn is_label_key(key: &str) -> bool {
    let name = key
        .rsplit_once('/')
        .map_or(key, |(domain, name)| if domain.is_empty() { "" } else { name });
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    !name.is_empty() && name.len() <= 63 && key.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use collector_config::Settings;

    use super::*;

    fn read(yaml: &str) -> OwnerConfig {
        Settings::from_yaml(yaml).unwrap().read().unwrap()
    }

    fn problems(rule: &str) -> Vec<String> {
        let problems = read(&format!("rules: [{rule}]")).problems().into_iter();
        problems
            .map(|Problem { path, message, help }| format!("{path}: {message}; {}", help.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn defaults_are_those_of_the_tracker() {
        let settings = read("{}").settings();
        let defaults = OwnerSettings::default();
        assert_eq!(
            (settings.controller, settings.generate_name, settings.rules.len()),
            (defaults.controller, defaults.generate_name, 0)
        );
        let off = read("{controller: false, generate_name: false}").settings();
        assert!(!off.controller && !off.generate_name);
    }

    #[test]
    fn accepts_patterns_and_labels() {
        for rule in [
            "{match: '^(.+)-[0-9]+$', name: $1}",
            "{match: '^(?P<app>.+)-[0-9]+$', name: '$app-all', namespace: '^ci-'}",
            "{match: ^import-, name: import}",
            "{label: app.kubernetes.io/instance}",
            "{kind: Workflow, match: '^(.+)-[a-z0-9]{5}$', name: $1}",
            "{kind: Workflow, label: team}",
        ] {
            assert_eq!(problems(rule), [""; 0], "{rule}");
            assert_eq!(read(&format!("rules: [{rule}]")).settings().rules.len(), 1, "{rule}");
        }
    }

    #[test]
    fn errors_name_the_key_and_a_fix() {
        for (rule, expected) in [
            (
                "{match: 'a(b', name: $1}",
                &["owner::rules::0::match: expected a regular expression, found \"a(b\": unclosed group"][..],
            ),
            (
                "{match: ^import-, name: $1}",
                &["owner::rules::0::name: found the reference $1, but `match` has no group"],
            ),
            (
                "{match: '(a)(?P<b>c)', name: $1x}",
                &[
                    "owner::rules::0::name: found the reference $1x, expected a group of `match`: $1, $b; where a letter, \
                   a digit or _ follows the reference, write `$${1}`",
                ],
            ),
            (
                "{match: a, label: team}",
                &["owner::rules::0::label: expected `label`, or `match` with `name`, found `label` and `match`"],
            ),
            (
                "{name: a, label: team}",
                &["owner::rules::0::label: expected `label`, or `match` with `name`, found `label` and `name`"],
            ),
            ("{match: a}", &["owner::rules::0::match: expected `name` as well"]),
            ("{name: a}", &["owner::rules::0::name: expected `match` as well"]),
            (
                "{match: a, name: ''}",
                &["owner::rules::0::name: expected a name, such as $1"],
            ),
            (
                "{label: 'team=a'}",
                &["owner::rules::0::label: expected the key of a label"],
            ),
            (
                "{kind: Workflow}",
                &["owner::rules::0: expected `match` with `name`, or `label`"],
            ),
            (
                "{kind: CronJob, namespace: '[', label: /team}",
                &[
                    "owner::rules::0::namespace: expected a regular expression, found \"[\": unclosed character class",
                    "owner::rules::0::label: expected the key of a label",
                    "owner::rules::0::kind: expected another kind",
                ],
            ),
        ] {
            let found = problems(rule);
            assert_eq!(found.len(), expected.len(), "{rule}: {found:#?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.starts_with(expected), "{found}\nexpected {expected}");
            }
        }
    }
}
