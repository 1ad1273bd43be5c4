//! The settings of actions, with an error at each wrong one.

use collector_config::schema::any_case;
use collector_config::{Diagnostic, Diagnostics, Settings, nearest};
use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::actions::{Action, Actions, Type, ValueSource, When};
use crate::value::Configured;

/// The supported actions.
const ACTIONS: [&str; 6] = ["insert", "update", "upsert", "delete", "extract", "convert"];
/// The types of `convert`.
const TYPES: [&str; 3] = ["string", "int", "double"];

/// One action as it is configured: the keys of the Collector's `ActionKeyValue`. An empty text counts as absent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["action"], "anyOf" = [{"required": ["key"]}, {"required": ["pattern"]}]))]
pub struct ActionSettings {
    /// The attribute to change. Only `delete` with a `pattern` needs none.
    key: String,
    /// `insert` adds the attribute if it is missing, `update` changes it if it is present, `upsert` does both; `delete`
    /// removes it; `extract` adds an attribute for each named group of `pattern`; `convert` changes its type.
    #[schemars(schema_with = "action_names")]
    action: String,
    /// The new value, with its YAML type, for `insert`, `update` and `upsert`.
    value: Option<Configured>,
    /// The attribute whose value is used instead of `value`. Without it the action does nothing.
    from_attribute: String,
    /// A regular expression: `delete` removes all attributes whose keys match, and `extract` needs named groups such as
    /// `(?P<team>…)`.
    pattern: String,
    /// The type for `convert`: `string`, `int` or `double`. A value that cannot be converted stays.
    #[schemars(extend("enum" = ["string", "int", "double", ""]))]
    converted_type: String,
}

fn action_names(_: &mut SchemaGenerator) -> Schema {
    any_case(&ACTIONS, &[])
}

impl ActionSettings {
    /// Checks the actions at `path` in a component's settings.
    ///
    /// # Errors
    /// An empty list, and every wrong setting of every action.
    pub fn read(actions: Vec<ActionSettings>, settings: &Settings, path: &str) -> Result<Actions, Diagnostics> {
        if actions.is_empty() {
            let message = format!("`{path}` is empty, expected at least one action");
            let help = "write `- {key: KEY, value: VALUE, action: upsert}`";
            return Err(settings.error(path, message).with_help(help).into());
        }
        let mut errors = Diagnostics::default();
        let mut read = Vec::with_capacity(actions.len());
        for (index, action) in actions.into_iter().enumerate() {
            let path = format!("{path}::{index}");
            let check = Check {
                action,
                settings,
                path: &path,
            };
            match check.action() {
                Ok(action) => read.push(action),
                Err(found) => errors.append(found),
            }
        }
        errors.into_result(Actions(read))
    }
}

/// The check of one action.
struct Check<'a> {
    action: ActionSettings,
    settings: &'a Settings,
    path: &'a str,
}

impl Check<'_> {
    /// An error in the value of a key of the action; of the whole action if `key` is empty.
    fn error(&self, key: &str, message: impl Into<String>) -> Diagnostic {
        match key {
            "" => self.settings.error(self.path, message),
            _ => self.settings.error(&format!("{}::{key}", self.path), message),
        }
    }

    fn action(mut self) -> Result<Action, Diagnostics> {
        let ActionSettings { key, action, .. } = &self.action;
        let name = action.to_lowercase();
        let key = key.clone();
        self.check_name(&name)?;
        let mut errors = self.unused(&name);
        if key.is_empty() && (name != "delete" || self.action.pattern.is_empty()) {
            let needed = if name == "delete" {
                "`key` or `pattern`"
            } else {
                "`key`"
            };
            errors.push(self.error("", format!("`{name}` needs {needed}")));
        }
        let action = match name.as_str() {
            "insert" | "update" | "upsert" => self.source(&name).map(|source| Action::Put {
                key,
                source,
                when: match name.as_str() {
                    "insert" => When::Missing,
                    "update" => When::Present,
                    _ => When::Always,
                },
            }),
            "delete" if self.action.pattern.is_empty() => Ok(Action::Delete { key, pattern: None }),
            "delete" => self.pattern().map(|pattern| Action::Delete {
                key,
                pattern: Some(pattern),
            }),
            "extract" => self.groups().map(|pattern| Action::Extract { key, pattern }),
            _ => self.converted_type().map(|to| Action::Convert { key, to }),
        };
        match action {
            Ok(action) => errors.into_result(action),
            Err(error) => {
                errors.push(error);
                Err(errors)
            }
        }
    }

    fn check_name(&self, name: &str) -> Result<(), Diagnostic> {
        if ACTIONS.contains(&name) {
            return Ok(());
        }
        let expected = format!("expected one of {}", ACTIONS.join(", "));
        if name.is_empty() {
            return Err(self.error("", format!("`action` is missing, {expected}")));
        }
        let error = self.error("action", format!("the action `{name}` is not supported, {expected}"));
        Err(match nearest(name, ACTIONS) {
            _ if name == "hash" => error.with_help("delete the attribute, or hash it in an OpenTelemetry Collector"),
            Some(nearest) => error.with_help(format!("did you mean `{nearest}`?")),
            None => error,
        })
    }

    /// Errors about settings that the action does not use.
    fn unused(&self, name: &str) -> Diagnostics {
        let ActionSettings {
            value,
            from_attribute,
            pattern,
            converted_type,
            ..
        } = &self.action;
        let sets = ["insert", "update", "upsert"].contains(&name);
        let matches = ["delete", "extract"].contains(&name);
        [
            ("value", value.is_some() && !sets),
            ("from_attribute", !from_attribute.is_empty() && !sets),
            ("pattern", !pattern.is_empty() && !matches),
            ("converted_type", !converted_type.is_empty() && name != "convert"),
        ]
        .into_iter()
        .filter(|(_, is_unused)| *is_unused)
        .map(|(key, _)| {
            self.error(key, format!("`{name}` does not use `{key}`"))
                .with_help("remove it")
        })
        .collect()
    }

    fn source(&mut self, name: &str) -> Result<ValueSource, Diagnostic> {
        let value = self.action.value.take();
        match (value, &*self.action.from_attribute) {
            (None, "") => Err(self.error("", format!("`{name}` needs `value` or `from_attribute`"))),
            (Some(Configured(value)), "") => Ok(ValueSource::Value(value)),
            (None, source) => Ok(ValueSource::Attribute(source.to_owned())),
            (Some(_), _) => Err(self.error(
                "from_attribute",
                "`value` and `from_attribute` are both set, expected one of them",
            )),
        }
    }

    fn pattern(&self) -> Result<Regex, Diagnostic> {
        Regex::new(&self.action.pattern).map_err(|error| {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default();
            let why = last.strip_prefix("error: ").unwrap_or(last);
            self.error("pattern", format!("invalid regular expression: {why}"))
        })
    }

    fn groups(&self) -> Result<Regex, Diagnostic> {
        const EXAMPLE: &str = "name each group: `(?P<KEY>…)`; a group without a name is `(?:…)`";
        if self.action.pattern.is_empty() {
            return Err(self.error("", "`extract` needs `pattern`"));
        }
        let pattern = self.pattern()?;
        let mut groups = pattern.capture_names().skip(1);
        let problem = match groups.len() {
            0 => "the pattern has no named group",
            _ if groups.any(|name| name.is_none()) => "the pattern has a group without a name",
            _ => return Ok(pattern),
        };
        Err(self.error("pattern", problem).with_help(EXAMPLE))
    }

    fn converted_type(&self) -> Result<Type, Diagnostic> {
        let found = &*self.action.converted_type;
        match found {
            "string" => Ok(Type::String),
            "int" => Ok(Type::Int),
            "double" => Ok(Type::Double),
            "" => Err(self.error("", "`convert` needs `converted_type`")),
            _ => {
                let message = format!("found `{found}`, expected one of {}", TYPES.join(", "));
                let error = self.error("converted_type", message);
                Err(match nearest(found, TYPES) {
                    Some(nearest) => error.with_help(format!("did you mean `{nearest}`?")),
                    None => error,
                })
            }
        }
    }
}
