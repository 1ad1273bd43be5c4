//! One component's settings.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::diagnostics::{Diagnostic, Diagnostics, Position, Warnings};
use super::node::{Node, Value};
use super::{de, notation, parse, redact};

/// One component's settings: part of the configuration, positions included. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Settings {
    node: Arc<Node>,
    path: Arc<str>,
    position: Position,
    warnings: Warnings,
}

impl Settings {
    /// The settings at `path`; `position` is that of their key.
    pub(super) fn new(node: Node, path: impl Into<Arc<str>>, position: Position, warnings: Warnings) -> Self {
        Settings {
            node: Arc::new(node),
            path: path.into(),
            position,
            warnings,
        }
    }

    /// Absent settings; `position` is that of the section that could contain them.
    pub(super) fn empty(path: &str, position: Position, warnings: Warnings) -> Self {
        let node = Node {
            position: position.clone(),
            value: Value::Mapping(Vec::new()),
        };
        Settings::new(node, path, position, warnings)
    }

    /// Settings from a YAML text, for tests of a component. `${…}` is not replaced; positions name the source `yaml`.
    ///
    /// # Errors
    /// If the text is not YAML.
    pub fn from_yaml(text: &str) -> Result<Settings, Diagnostics> {
        let source = Arc::from("yaml");
        let mut errors = Diagnostics::default();
        let node = parse::parse(&source, text, &mut errors);
        match node {
            Some(node) if errors.is_empty() => {
                let position = node.position.clone();
                Ok(Settings::new(node, "", position, Warnings::default()))
            }
            _ => Err(errors.sorted()),
        }
    }

    /// Reads the settings into a component's own type; settings that are null (`debug:`) read as an empty mapping.
    ///
    /// Every unknown key and wrong type, with its position. The list is empty only if these settings hold an error that
    /// [`read_all`](super::read_all) has already reported.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Diagnostics> {
        de::read(&self.node, &self.path)
    }

    /// An error in the value of a key, for checks that the type alone cannot express. `path` is relative to the
    /// component, parts separated by `::` (`retry_on_failure::max_interval`, `routes::0`); empty means the component
    /// itself. Its position is that of the value, or else of the nearest mapping around it.
    ///
    /// Values from the environment and values under keys that name a secret are replaced in the message.
    pub fn error(&self, path: &str, message: impl Into<String>) -> Diagnostic {
        let (_, position) = self.nearest(path);
        self.error_at(path, position.clone(), message.into())
    }

    /// An error in a part of the text at `path`: `at` is the byte of the text that [`read`](Self::read) has returned.
    ///
    /// Its position is exact however the text is written: plain, quoted, as a block (`|`, `>`), or with `$$`. Inside of a
    /// value from the environment it is the start of the text.
    pub fn error_within(&self, path: &str, at: usize, message: impl Into<String>) -> Diagnostic {
        let (node, position) = self.nearest(path);
        let position = match &node.value {
            Value::Scalar(scalar) => notation::position_within(scalar, position, at),
            _ => position.clone(),
        };
        self.error_at(path, position, message.into())
    }

    /// The value at a path and its position, or the nearest one around it.
    fn nearest(&self, path: &str) -> (&Node, &Position) {
        let mut node = &*self.node;
        let mut position = &self.position;
        for part in parts(path) {
            let Some(child) = node.get(part) else { break };
            node = child;
            position = &child.position;
        }
        (node, position)
    }

    fn error_at(&self, path: &str, position: Position, message: String) -> Diagnostic {
        let path = match (&*self.path, path) {
            (root, "") => root.to_owned(),
            ("", path) => path.to_owned(),
            (root, path) => format!("{root}::{path}"),
        };
        Diagnostic::new(position, path, redact::scrub_values(&self.node, &message))
    }

    /// Adds a warning to the configuration: a setting that is valid but probably unintended. `validate` prints it,
    /// `run` logs it at startup, and with `--strict` it is an error. A warning added twice counts once.
    ///
    /// ```
    /// # let settings = collector_config::Settings::from_yaml("endpoint: https://api.example.com").unwrap();
    /// settings.warn(
    ///     settings
    ///         .error("endpoint", "api.example.com is not an OTLP endpoint")
    ///         .with_help("write `https://otlp.example.com`"),
    /// );
    /// assert_eq!(settings.warnings().0.len(), 1);
    /// ```
    pub fn warn(&self, warning: Diagnostic) {
        self.warnings.push(warning);
    }

    /// The warnings of the whole configuration that these settings are part of, so far; for tests of a component.
    pub fn warnings(&self) -> Diagnostics {
        self.warnings.list()
    }

    /// True if the key at `path` (see [`error`](Self::error)) is present, even if null.
    pub fn is_set(&self, path: &str) -> bool {
        parts(path).try_fold(&*self.node, Node::get).is_some()
    }

    /// True if both hold the same values. Positions, the order of keys, and where a value comes from do not count; null
    /// (`debug:`) is an empty mapping.
    pub fn has_same_values(&self, other: &Settings) -> bool {
        let is_empty = |node: &Node| node.is_null() || matches!(&node.value, Value::Mapping(all) if all.is_empty());
        self.node.has_same_values(&other.node) || is_empty(&self.node) && is_empty(&other.node)
    }

    /// The path in the configuration: `exporters::otlp_http`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The position of the settings' own key (the component's definition).
    pub fn position(&self) -> &Position {
        &self.position
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split("::").filter(|part| !part.is_empty())
}
