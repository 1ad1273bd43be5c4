//! The setting `extract`: labels and annotations that become attributes of events, in the manner of the Collector's
//! `k8sattributesprocessor`.

use collector_config::nearest;
use job_event::attributes::is_reserved;
use job_watch::extract::{Extraction, LabelSource, MetadataField, Rule, RuleError};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::notice_config::Problem;
use crate::owner_config::{reference_problem, regex_reason};

/// Objects that the Collector reads, and a Job's event does not.
const NOT_HERE: [&str; 5] = ["node", "deployment", "statefulset", "daemonset", "replicaset"];

/// The setting `extract`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExtractConfig {
    /// Rules for labels.
    pub labels: Vec<ExtractRule>,
    /// Rules for annotations.
    pub annotations: Vec<ExtractRule>,
}

/// One rule of `extract`. An empty text is the same as an absent key, as in the Collector.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("anyOf" = [{"required": ["key"]}, {"required": ["key_regex"]}]))]
pub struct ExtractRule {
    /// The name of the attribute; with `key_regex` it refers to groups of the pattern, such as `$1`. By default it is
    /// `k8s.job.label.KEY`, or the same of the other objects and of annotations.
    pub tag_name: String,
    /// The key of the label or annotation.
    pub key: String,
    /// A regular expression of whole keys, instead of `key`.
    pub key_regex: String,
    /// The object that has the label or annotation: `job` (default), `cronjob`, `pod` or `namespace`.
    #[schemars(extend("enum" = ["job", "cronjob", "pod", "namespace", ""]))]
    pub from: String,
}

impl ExtractConfig {
    /// All invalid values.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let problems = self.all().filter_map(|(path, field, rule)| {
            let problem = rule.rule(field).err()?;
            Some(Problem {
                path: path + &problem.path,
                ..problem
            })
        });
        problems.collect()
    }

    /// Valid values that have no effect.
    pub(crate) fn warnings(&self) -> Vec<Problem> {
        let ignored = self.all().filter(|(_, field, rule)| {
            let ignores = |valid: Rule| !rule.tag_name.is_empty() && valid.ignores_name();
            !rule.key_regex.is_empty() && rule.rule(*field).is_ok_and(ignores)
        });
        let warning = |(path, ..): (String, MetadataField, &ExtractRule)| Problem {
            help: Some(
                "put the part of the key that the name shall have in parentheses and write `$1` in `tag_name`".into(),
            ),
            ..Problem::new(
                path + "::tag_name",
                "has no effect, as in the Collector: `key_regex` has no group, so the attributes have their default names",
            )
        };
        ignored.map(warning).collect()
    }

    /// Makes the lists and watches decode what the rules select; without invalid rules.
    pub(crate) fn add_to(&self, extraction: &mut Extraction) {
        for rule in self.all().filter_map(|(_, field, rule)| rule.rule(field).ok()) {
            extraction.add(rule);
        }
    }

    /// All rules with their paths, in the order in which later ones win.
    fn all(&self) -> impl Iterator<Item = (String, MetadataField, &ExtractRule)> {
        let lists = [
            ("labels", MetadataField::Labels, &self.labels),
            ("annotations", MetadataField::Annotations, &self.annotations),
        ];
        lists.into_iter().flat_map(|(name, field, rules)| {
            let rules = rules.iter().enumerate();
            rules.map(move |(at, rule)| (format!("extract::{name}::{at}"), field, rule))
        })
    }
}

impl ExtractRule {
    /// The valid rule, or the problem with its path below the rule.
    fn rule(&self, field: MetadataField) -> Result<Rule, Problem> {
        let origin = self.origin()?;
        if is_reserved(&self.tag_name) {
            return Err(Problem {
                help: Some("choose another name, or leave `tag_name` out".into()),
                ..Problem::new(
                    "::tag_name",
                    format!("`{}` is an attribute of the event itself", self.tag_name),
                )
            });
        }
        if self.tag_name.trim() != self.tag_name {
            let message = format!("found {:?}, which begins or ends with white space", self.tag_name);
            return Err(Problem::new("::tag_name", message));
        }
        match (&*self.key, &*self.key_regex) {
            ("", "") => Err(Problem::new("", "expected `key` or `key_regex`, found neither")),
            (key, "") => Ok(Rule::exact(origin, field, key, &self.tag_name)),
            ("", pattern) => {
                Rule::pattern(origin, field, pattern, &self.tag_name).map_err(|error| pattern_problem(pattern, &error))
            }
            _ => Err(Problem {
                help: Some("make two rules of it".into()),
                ..Problem::new("::key_regex", "expected `key` or `key_regex`, found both")
            }),
        }
    }

    fn origin(&self) -> Result<LabelSource, Problem> {
        let found = &*self.from;
        let known = LabelSource::ALL.into_iter().find(|origin| origin.as_str() == found);
        if let Some(origin) = known.or_else(|| found.is_empty().then_some(LabelSource::Job)) {
            return Ok(origin);
        }
        let names = LabelSource::ALL.map(LabelSource::as_str);
        let help = match nearest(found, names) {
            _ if NOT_HERE.contains(&found) => {
                format!("`k8sattributes` of the Collector reads a {found}; events of Jobs have no labels of it")
            }
            Some(name) => format!("did you mean `{name}`?"),
            None => "leave `from` out for the Job".to_owned(),
        };
        Err(Problem {
            help: Some(help),
            ..Problem::new(
                "::from",
                format!("expected job, cronjob, pod or namespace, found {found:?}"),
            )
        })
    }
}

fn pattern_problem(pattern: &str, error: &RuleError) -> Problem {
    match error {
        RuleError::Pattern(reason) => Problem::new(
            "::key_regex",
            format!(
                "expected a regular expression, found {pattern:?}: {}",
                regex_reason(reason)
            ),
        ),
        RuleError::Group { .. } => reference_problem(error, "::tag_name", "key_regex"),
    }
}

#[cfg(test)]
mod tests {
    use collector_config::Settings;

    use super::*;

    fn read(yaml: &str) -> ExtractConfig {
        Settings::from_yaml(yaml).unwrap().read().unwrap()
    }

    fn problems(yaml: &str) -> Vec<String> {
        let problems = read(yaml).problems().into_iter();
        problems
            .map(|Problem { path, message, help }| format!("{path}: {message}; {}", help.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn accepts_rules_of_the_collector() {
        let config = read(
            "labels: [{key: team}, {tag_name: env, key: env, from: namespace}, {key_regex: 'app(.*)', tag_name: $1, from: pod}]\n\
             annotations: [{key_regex: 'a|b', from: cronjob}, {key: c, key_regex: '', tag_name: '', from: ''}]",
        );
        assert_eq!((config.problems().len(), config.warnings().len()), (0, 0));
        let mut extraction = Extraction::default();
        config.add_to(&mut extraction);
        for kind in [
            job_watch::Kind::Jobs,
            job_watch::Kind::CronJobs,
            job_watch::Kind::Pods,
            job_watch::Kind::Namespaces,
        ] {
            assert!(extraction.of(kind).is_some(), "{kind:?}");
        }
    }

    #[test]
    fn errors_name_the_key_and_a_fix() {
        for (rule, expected) in [
            ("{}", "extract::labels::0: expected `key` or `key_regex`, found neither"),
            (
                "{tag_name: a}",
                "extract::labels::0: expected `key` or `key_regex`, found neither",
            ),
            (
                "{key: a, key_regex: b}",
                "extract::labels::0::key_regex: expected `key` or `key_regex`, found both",
            ),
            (
                "{key_regex: 'a(b'}",
                "extract::labels::0::key_regex: expected a regular expression, found \"a(b\": unclosed group",
            ),
            (
                "{key_regex: 'a(b)', tag_name: $2}",
                "extract::labels::0::tag_name: found the reference $2, expected a group of `key_regex`: $1",
            ),
            (
                "{key: a, from: node}",
                "extract::labels::0::from: expected job, cronjob, pod or namespace, found \"node\"; `k8sattributes` of the",
            ),
            (
                "{key: a, from: pods}",
                "extract::labels::0::from: expected job, cronjob, pod or namespace, found \"pods\"; did you mean `pod`?",
            ),
            (
                "{key: a, tag_name: k8s.job.uid}",
                "extract::labels::0::tag_name: `k8s.job.uid` is an attribute of the event itself",
            ),
            (
                "{key: a, tag_name: ' a'}",
                "extract::labels::0::tag_name: found \" a\", which begins or ends",
            ),
        ] {
            let found = problems(&format!("labels: [{rule}]"));
            assert!(found.len() == 1 && found[0].starts_with(expected), "{rule}: {found:?}");
        }
        let found = problems("labels: [{key: a}]\nannotations: [{key: a}, {}]");
        assert!(found[0].starts_with("extract::annotations::1: "), "{found:?}");
    }

    #[test]
    fn warns_of_a_name_that_has_no_effect() {
        let config =
            read("labels: [{key_regex: a, tag_name: b}, {key_regex: '(a)', tag_name: b}, {key: a, tag_name: b}]");
        let warnings = config.warnings();
        let paths: Vec<_> = warnings.iter().map(|warning| &*warning.path).collect();
        assert_eq!(paths, ["extract::labels::0::tag_name"]);
    }
}
