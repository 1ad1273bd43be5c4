//! The settings that say which cluster a receiver watches and what in it; every receiver of Kubernetes objects has them.

use std::path::Path;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::Kind;
use crate::client::{AuthType, auth_errors, is_dns_label};
use crate::shard::Sharding;
use crate::watch::request::{Target, targets};

/// More than this many namespaces are better served by watching the cluster: each has seven watches.
const MAX_NAMESPACES: usize = 100;

/// The setting `namespaces`. With `include`, each namespace has its own watches, so that Roles suffice; otherwise the
/// whole cluster is watched, without `exclude`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Namespaces {
    /// The only namespaces to watch, at most 100. Each has its own watches, so that Roles suffice. Empty: the whole cluster.
    #[schemars(schema_with = "namespace_names")]
    pub include: Vec<String>,
    /// Namespaces that are not watched.
    #[schemars(schema_with = "namespace_names")]
    pub exclude: Vec<String>,
}

fn namespace_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            // The name may consist of digits.
            "type": ["string", "integer", "boolean"],
            "minimum": 0,
            "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
            "patternErrorMessage": "expected the name of a namespace; patterns are not supported",
        },
        "maxItems": MAX_NAMESPACES,
        "uniqueItems": true,
    })
}

/// The cluster to connect to and the objects to watch, from the settings of a receiver.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// The setting `auth_type`.
    pub auth_type: AuthType,
    /// The setting `kubeconfig`.
    pub kubeconfig: Option<&'a Path>,
    /// The setting `context`.
    pub context: Option<&'a str>,
    /// The setting `namespaces`.
    pub namespaces: &'a Namespaces,
    /// The setting `label_selector`.
    pub label_selector: &'a str,
    /// The setting `cluster_name`.
    pub cluster_name: Option<&'a str>,
    /// The setting `sharding`.
    pub sharding: &'a Sharding,
}

impl Selection<'_> {
    /// The lists and watches of these kinds.
    pub fn targets(&self, kinds: &[Kind]) -> Vec<Target> {
        let Namespaces { include, exclude } = self.namespaces;
        let mut targets = targets(kinds, include, exclude, self.label_selector);
        if let Some(shard) = self.sharding.shard() {
            targets.iter_mut().for_each(|target| target.set_shard(shard));
        }
        targets
    }

    /// All invalid values: the key, and what was found and expected.
    pub fn errors(&self) -> Vec<(&'static str, String)> {
        let mut errors = auth_errors(self.auth_type, self.kubeconfig.is_some(), self.context.is_some());
        let Namespaces { include, exclude } = self.namespaces;
        for (key, names) in [("namespaces::include", include), ("namespaces::exclude", exclude)] {
            for (at, name) in names.iter().enumerate() {
                if !is_dns_label(name) {
                    let expected = "lower-case letters, digits and '-', at most 63 of them; patterns are not supported";
                    errors.push((
                        key,
                        format!("expected the name of a namespace ({expected}), found {name:?}"),
                    ));
                } else if names[..at].contains(name) {
                    errors.push((key, format!("{name:?} is listed twice")));
                }
            }
        }
        if let Some(name) = include.iter().find(|name| exclude.contains(name)) {
            errors.push((
                "namespaces::exclude",
                format!("{name:?} is included as well; remove one of the two"),
            ));
        }
        if include.len() > MAX_NAMESPACES {
            let found = include.len();
            errors.push((
                "namespaces::include",
                format!(
                    "expected at most {MAX_NAMESPACES} namespaces, found {found}; leave it empty to watch them all"
                ),
            ));
        }
        errors.extend(self.sharding.errors());
        if self.sharding.shards > 1 && !include.is_empty() {
            errors.push((
                "sharding",
                format!(
                    "found shards: {} and namespaces::include, expected one of the two: each shard has namespaces of its own; remove the other",
                    self.sharding.shards
                ),
            ));
        }
        if let Some(problem) = selector_problem(self.label_selector) {
            errors.push(("label_selector", problem));
        }
        if self.cluster_name == Some("") {
            errors.push((
                "cluster_name",
                "expected a name, found an empty text; remove the key instead".into(),
            ));
        }
        errors
    }
}

/// The obvious problem of a label selector; the API server checks the rest.
fn selector_problem(selector: &str) -> Option<String> {
    let depth = selector.bytes().try_fold(0i32, |depth, byte| match byte {
        b'(' => Some(depth + 1),
        b')' if depth == 0 => None,
        b')' => Some(depth - 1),
        _ => Some(depth),
    });
    let invalid = selector
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "-_./=!,() ".contains(*c)));
    match (depth, invalid) {
        (_, Some(invalid)) => Some(format!(
            "found {invalid:?}, which is not allowed in a label selector; expected e.g. team=a,tier!=test"
        )),
        (Some(0), None) => None,
        _ => Some("the parentheses do not match; expected e.g. team in (a,b)".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(include: &[&str], exclude: &[&str], label_selector: &str) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let namespaces = Namespaces {
            include: owned(include),
            exclude: owned(exclude),
        };
        let selection = Selection {
            auth_type: AuthType::ServiceAccount,
            kubeconfig: None,
            context: Some("c"),
            namespaces: &namespaces,
            label_selector,
            cluster_name: Some(""),
            sharding: &Sharding::default(),
        };
        let errors = selection.errors().into_iter();
        errors.map(|(key, problem)| format!("{key}: {problem}")).collect()
    }

    #[test]
    fn reports_every_error() {
        let found = errors(&["A", "b", "b"], &["b"], "team in (a");
        let keys: Vec<_> = found.iter().filter_map(|error| error.split(": ").next()).collect();
        assert_eq!(
            keys,
            [
                "context",
                "namespaces::include",
                "namespaces::include",
                "namespaces::exclude",
                "label_selector",
                "cluster_name",
            ]
        );
        assert!(found[1].ends_with("found \"A\""));
    }

    #[test]
    fn accepts_set_based_selectors() {
        let found = errors(&["a", "b-1"], &[], "team in (a,b),!x");
        assert_eq!(found.len(), 2, "context and cluster_name: {found:?}");
    }

    #[test]
    fn targets_only_the_requested_kinds() {
        let selection = Selection {
            auth_type: AuthType::Auto,
            kubeconfig: None,
            context: None,
            namespaces: &Namespaces::default(),
            label_selector: "team=a",
            cluster_name: None,
            sharding: &Sharding::default(),
        };
        let targets = selection.targets(&[Kind::Jobs, Kind::CronJobs]);
        let found: Vec<_> = targets.iter().map(|t| (t.source.kind, &*t.label_selector)).collect();
        assert_eq!(found, [(Kind::CronJobs, ""), (Kind::Jobs, "team=a")]);
    }
}
