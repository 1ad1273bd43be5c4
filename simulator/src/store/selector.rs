//! Label and field selectors, with the errors of the API server.

use super::object::{StoredObject, selectable_fields};
use super::shard::ShardSelector;
use crate::resource::Resource;

/// The objects that a list or watch selects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Only this namespace.
    pub namespace: Option<String>,
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
    /// Only objects of these hash ranges.
    pub shard: Option<ShardSelector>,
}

#[derive(Clone, Debug, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

impl Selection {
    /// Reads the selectors of a request; the error is the message of a 400.
    pub(crate) fn parse(
        resource: Resource,
        namespace: Option<&str>,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Selection, String> {
        Ok(Selection {
            namespace: namespace.map(str::to_owned),
            labels: parse_labels(labels.unwrap_or_default())?,
            fields: parse_fields(resource, fields.unwrap_or_default())?,
            shard: None,
        })
    }

    /// True with a label, field or shard selector.
    pub(crate) fn has_selectors(&self) -> bool {
        !self.labels.is_empty() || !self.fields.is_empty() || self.shard.is_some()
    }

    /// The prefix of the keys of selected objects.
    pub(crate) fn key_prefix(&self) -> String {
        self.namespace
            .as_ref()
            .map(|namespace| format!("{namespace}/"))
            .unwrap_or_default()
    }

    /// True for selected objects.
    pub(crate) fn matches(&self, object: &StoredObject) -> bool {
        self.namespace
            .as_deref()
            .is_none_or(|namespace| namespace == object.namespace())
            && self.shard.as_ref().is_none_or(|shard| shard.matches(object))
            && self
                .labels
                .iter()
                .all(|requirement| requirement.test(object.labels.get(&requirement.key)))
            && self.fields.iter().all(|requirement| {
                requirement.test(Some(match requirement.key.as_str() {
                    "metadata.name" => object.name(),
                    "metadata.namespace" => object.namespace(),
                    key => object.fields.get(key).unwrap_or_default(),
                }))
            })
    }
}

impl Requirement {
    fn test(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::In(values) => value.is_some_and(|value| values.iter().any(|wanted| wanted == value)),
            Test::NotIn(values) => !value.is_some_and(|value| values.iter().any(|unwanted| unwanted == value)),
            Test::Greater(bound) => number().is_some_and(|number| number > *bound),
            Test::Less(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

/// Field selectors: `path=value`, `path==value`, `path!=value`, joined by commas.
fn parse_fields(resource: Resource, text: &str) -> Result<Vec<Requirement>, String> {
    let mut requirements = Vec::new();
    for term in text.split(',').filter(|term| !term.is_empty()) {
        let (key, test): (&str, fn(Vec<String>) -> Test) = if let Some((key, _)) = term.split_once("!=") {
            (key, Test::NotIn)
        } else if let Some((key, _)) = term.split_once('=') {
            (key, Test::In)
        } else {
            return Err(format!("invalid selector: '{text}'; can't understand '{term}'"));
        };
        let value = term[key.len()..].trim_start_matches(['!', '=']).to_owned();
        if !matches!(key, "metadata.name" | "metadata.namespace") && !selectable_fields(resource).contains(&key) {
            return Err(unsupported_field(resource, key));
        }
        requirements.push(Requirement {
            key: key.to_owned(),
            test: test(vec![value]),
        });
    }
    Ok(requirements)
}

fn unsupported_field(resource: Resource, key: &str) -> String {
    match resource {
        Resource::Jobs => format!("field label \"{key}\" not supported for batchv1.Job"),
        Resource::CronJobs | Resource::Leases | Resource::ConfigMaps => {
            format!("\"{key}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
        }
        _ => format!("field label not supported: {key}"),
    }
}

/// Label selectors, in the grammar of `k8s.io/apimachinery/pkg/labels`.
fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    let mut tokens = Tokens { rest: text };
    let mut requirements = Vec::new();
    if text.trim().is_empty() {
        return Ok(requirements);
    }
    loop {
        requirements.push(tokens.requirement()?);
        match tokens.next() {
            "," => {}
            "" => return Ok(requirements),
            other => return Err(format!("found '{other}', expected: ',' or 'end of string'")),
        }
    }
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn next(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let special = |c: char| "()!,=<>".contains(c);
        let length = if self.rest.starts_with(['(', ')', ',']) {
            1
        } else if self.rest.starts_with(special) {
            if self.rest.starts_with("==") || self.rest.starts_with("!=") {
                2
            } else {
                1
            }
        } else {
            self.rest
                .find(|c: char| c.is_whitespace() || special(c))
                .unwrap_or(self.rest.len())
        };
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        token
    }

    fn peek(&self) -> &'a str {
        Tokens { rest: self.rest }.next()
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let problem = |found: &str, expected: &str| {
            Err(format!(
                "unable to parse requirement: found '{found}', expected: {expected}"
            ))
        };
        let first = self.next();
        let (key, absent) = if first == "!" {
            (self.next(), true)
        } else {
            (first, false)
        };
        if key.is_empty() || key.chars().any(|c| "()!,=<>".contains(c)) {
            return problem(key, "!, identifier, or 'end of string'");
        }
        let requirement = |test| {
            Ok(Requirement {
                key: key.to_owned(),
                test,
            })
        };
        if absent {
            return requirement(Test::Absent);
        }
        if matches!(self.peek(), "" | ",") {
            return requirement(Test::Exists);
        }
        match self.next() {
            "=" | "==" => requirement(Test::In(vec![self.value()])),
            "!=" => requirement(Test::NotIn(vec![self.value()])),
            "in" => requirement(Test::In(self.set()?)),
            "notin" => requirement(Test::NotIn(self.set()?)),
            operator @ (">" | "<" | "gt" | "lt") => {
                let value = self.value();
                let Ok(bound) = value.parse() else {
                    return Err(format!(
                        "values[0][{key}]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
                    ));
                };
                requirement(if matches!(operator, ">" | "gt") {
                    Test::Greater(bound)
                } else {
                    Test::Less(bound)
                })
            }
            found => problem(found, "in, notin, =, ==, !=, gt, lt"),
        }
    }

    fn value(&mut self) -> String {
        // An empty value is allowed: `key=`.
        if matches!(self.peek(), "," | "") {
            String::new()
        } else {
            self.next().to_owned()
        }
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        let open = self.next();
        if open != "(" {
            return Err(format!("unable to parse requirement: found '{open}', expected: '('"));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value());
            match self.next() {
                "," => {}
                ")" => return Ok(values),
                found => {
                    return Err(format!(
                        "unable to parse requirement: found '{found}', expected: ',' or ')'"
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selects(labels: &str, fields: &str) -> Result<bool, String> {
        let object = json!({
            "metadata": {"name": "j", "namespace": "n", "labels": {"app": "etl", "tier": "3", "empty": ""}},
            "status": {"phase": "Failed"},
        });
        let stored = StoredObject::new(Resource::Pods, "n/j".into(), object, 7);
        Ok(Selection::parse(Resource::Pods, None, Some(labels), Some(fields))?.matches(&stored))
    }

    #[test]
    fn labels_follow_the_kubernetes_grammar() {
        for yes in [
            "",
            "app",
            "!nope",
            "app=etl",
            "app==etl",
            "app!=web",
            "nope!=x",
            "app in (web, etl)",
            "app notin (web)",
            "nope notin (web)",
            "app=etl,tier>2",
            "tier lt 4",
            "empty=",
            "app in (etl),!nope,tier=3",
        ] {
            assert_eq!(selects(yes, ""), Ok(true), "{yes}");
        }
        for no in [
            "nope",
            "!app",
            "app=web",
            "app!=etl",
            "app in (web)",
            "app notin (etl)",
            "tier>3",
            "app=etl,nope",
        ] {
            assert_eq!(selects(no, ""), Ok(false), "{no}");
        }
        for wrong in ["a b c", "=x", "app in etl", "app in (etl", "app=etl)", "tier>x", ","] {
            assert!(selects(wrong, "").is_err(), "{wrong}");
        }
    }

    #[test]
    fn fields_are_those_of_the_resource() {
        for (text, expected) in [
            ("metadata.name=j", true),
            ("metadata.namespace!=n", false),
            ("status.phase=Failed,spec.nodeName=", true),
            ("status.phase==Running", false),
        ] {
            assert_eq!(selects("", text), Ok(expected), "{text}");
        }
        assert_eq!(selects("", "nope=1"), Err("field label not supported: nope".to_owned()));
        assert!(selects("", "status.phase").is_err());
    }
}
