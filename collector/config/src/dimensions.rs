//! Attributes that become attributes of metric points: the setting `dimensions`, as the Collector's `spanmetrics` has it.

use collector_data::cardinality::OVERFLOW;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::nearest;

/// An attribute that becomes an attribute of metric points.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// The name of the attribute, on the data and on the points.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The value if the data has no such attribute. Without it the points have no such attribute either.
    #[serde(default)]
    pub default: Option<String>,
}

/// An invalid entry of a list of dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DimensionProblem {
    /// The path below the component, as [`Settings::error`](crate::Settings::error) takes it: `dimensions::0::name`.
    pub path: String,
    /// The found and the expected value, one clause.
    pub message: String,
}

/// The invalid names in the list under `key`: empty or repeated ones, [`OVERFLOW`], and those in `built_in`, which the
/// points have anyway.
pub fn dimension_problems(key: &str, dimensions: &[Dimension], built_in: &[&str]) -> Vec<DimensionProblem> {
    let mut problems = Vec::new();
    for (index, Dimension { name, .. }) in dimensions.iter().enumerate() {
        let first = dimensions.iter().position(|earlier| earlier.name == *name);
        let message = if name.is_empty() {
            "is empty, expected the name of an attribute".to_owned()
        } else if name.trim() != name {
            format!("{name:?} begins or ends with white space; write {:?}", name.trim())
        } else if name == OVERFLOW {
            format!("`{OVERFLOW}` marks the point that holds what exceeds the limit; choose another attribute")
        } else if built_in.contains(&&**name) {
            format!("the points have `{name}` already; remove this entry")
        } else if let Some(first) = first.filter(|first| *first < index) {
            format!("repeats `{name}` of {key}::{first}; remove one of them")
        } else {
            continue;
        };
        let path = format!("{key}::{index}::name");
        problems.push(DimensionProblem { path, message });
    }
    problems
}

/// The invalid names in the list under `key` of built-in attributes that points shall not have: the Collector's
/// `exclude_dimensions`.
pub fn excluded_dimension_problems(key: &str, excluded: &[String], built_in: &[&str]) -> Vec<DimensionProblem> {
    let unknown = excluded.iter().enumerate();
    let unknown = unknown.filter(|(_, name)| !built_in.contains(&&***name));
    let problem = |(index, name): (usize, &String)| {
        let known = || format!("expected one of {}", built_in.join(", "));
        let hint = nearest(name, built_in.iter().copied());
        let hint = hint.map_or_else(known, |known| format!("did you mean `{known}`?"));
        DimensionProblem {
            path: format!("{key}::{index}"),
            message: format!("the points have no attribute {name:?}; {hint}"),
        }
    };
    unknown.map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn read(yaml: &str) -> Vec<Dimension> {
        Settings::from_yaml(yaml).unwrap().read().unwrap()
    }

    #[test]
    fn a_dimension_has_a_name_and_perhaps_a_default() {
        let dimensions =
            read("[{name: team}, {name: env, default: dev}, {name: tier, default: ''}, {name: x, default: }]");
        let read: Vec<_> = dimensions.iter().map(|d| (&*d.name, d.default.as_deref())).collect();
        assert_eq!(
            read,
            [("team", None), ("env", Some("dev")), ("tier", Some("")), ("x", None)]
        );
        assert!(dimension_problems("dimensions", &dimensions, &["reason"]).is_empty());
    }

    #[test]
    fn a_misspelled_key_of_a_dimension_has_a_position() {
        let settings = Settings::from_yaml("dimensions: [{name: team, defualt: x}]").unwrap();
        #[derive(Debug, Deserialize)]
        struct List {
            #[serde(rename = "dimensions")]
            _dimensions: Vec<Dimension>,
        }
        let error = settings.read::<List>().unwrap_err().to_string();
        assert!(
            error.contains("1:27") && error.contains("did you mean `default`?"),
            "{error}"
        );
    }

    #[test]
    fn invalid_names_are_named_with_their_place() {
        let dimensions = read(
            "[{name: ''}, {name: team}, {name: ' env'}, {name: reason}, {name: team}, {name: otel.metric.overflow}]",
        );
        let problems = dimension_problems("dimensions", &dimensions, &["reason"]);
        let paths: Vec<_> = problems.iter().map(|problem| &*problem.path).collect();
        let at = |index: usize| format!("dimensions::{index}::name");
        assert_eq!(paths, [at(0), at(2), at(3), at(4), at(5)]);
        assert!(problems[3].message.contains("dimensions::1"), "{problems:?}");
    }

    #[test]
    fn excluded_names_must_be_built_in() {
        let excluded = ["category".to_owned(), "reasn".to_owned(), "x.y.z".to_owned()];
        let problems = excluded_dimension_problems("exclude_dimensions", &excluded, &["reason", "category"]);
        let problems: Vec<_> = problems.iter().map(|p| (&*p.path, &*p.message)).collect();
        assert_eq!(problems.len(), 2);
        assert_eq!(problems[0].0, "exclude_dimensions::1");
        assert!(problems[0].1.contains("did you mean `reason`?"), "{problems:?}");
        assert!(
            problems[1].1.contains("expected one of reason, category"),
            "{problems:?}"
        );
    }
}
