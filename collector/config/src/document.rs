//! The sections of a configuration.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::diagnostics::{Diagnostic, Diagnostics, Position, Warnings};
use super::ids::{self, IdError, PipelineId};
use super::node::{Entry, Node, Value};
use super::settings::Settings;
use super::suggest;
use crate::ComponentId;

pub(super) const SECTIONS: [&str; 6] = [
    "receivers",
    "processors",
    "connectors",
    "exporters",
    "extensions",
    "service",
];
const SERVICE: [&str; 3] = ["extensions", "pipelines", "telemetry"];
const PIPELINE: [&str; 3] = ["receivers", "processors", "exporters"];

/// A whole configuration: every section read, each component's settings still to be read by the component.
#[derive(Clone, Debug)]
pub struct Config {
    /// `receivers`
    pub receivers: BTreeMap<ComponentId, Settings>,
    /// `processors`
    pub processors: BTreeMap<ComponentId, Settings>,
    /// `connectors`
    pub connectors: BTreeMap<ComponentId, Settings>,
    /// `exporters`
    pub exporters: BTreeMap<ComponentId, Settings>,
    /// `extensions`
    pub extensions: BTreeMap<ComponentId, Settings>,
    /// `service`
    pub service: Service,
    /// Warnings; components add to it while they are created.
    pub warnings: Warnings,
}

/// The section `service`: the parts that run.
#[derive(Clone, Debug)]
pub struct Service {
    /// The extensions that run, in the order in which they start.
    pub extensions: Vec<Located<ComponentId>>,
    /// The pipelines.
    pub pipelines: BTreeMap<PipelineId, Pipeline>,
    /// The collector's own logs and metrics; empty if not given.
    pub telemetry: Settings,
}

/// One pipeline, as configured.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The position of the pipeline's key.
    pub position: Position,
    /// Receivers, and connectors that end in it.
    pub receivers: Vec<Located<ComponentId>>,
    /// Processors, in the order in which data passes them.
    pub processors: Vec<Located<ComponentId>>,
    /// Exporters, and connectors that begin in it.
    pub exporters: Vec<Located<ComponentId>>,
}

/// A reference with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The target of the reference.
    pub value: T,
    /// The position of the reference.
    pub position: Position,
}

impl<T: fmt::Display> fmt::Display for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// Reads the sections. Parts with errors are left out, and their errors are added to `errors`.
pub(crate) fn read(root: &Node, errors: &mut Diagnostics) -> Config {
    let warnings = Warnings::default();
    let mut reader = SectionReader {
        errors,
        warnings: warnings.clone(),
    };
    let sections = reader.mapping(root, "");
    reader.check_keys(sections, "", &SECTIONS);
    let service = root.get("service");
    let (service_node, service_position) = match (service, sections.iter().find(|e| e.key == "service")) {
        (Some(node), Some(entry)) => (node, &entry.key_position),
        _ => (root, &root.position),
    };
    let service_entries = match service {
        Some(node) => reader.mapping(node, "service"),
        None => &[],
    };
    reader.check_keys(service_entries, "service", &SERVICE);
    let telemetry = service_entries.iter().find(|e| e.key == "telemetry");
    let telemetry = match telemetry {
        Some(entry) => Settings::new(
            entry.node.clone(),
            "service::telemetry",
            entry.key_position.clone(),
            warnings.clone(),
        ),
        None => Settings::empty("service::telemetry", service_position.clone(), warnings.clone()),
    };
    let extensions = service.and_then(|node| node.get("extensions"));
    let pipelines = service.and_then(|node| node.get("pipelines"));
    Config {
        receivers: reader.components(root, "receivers"),
        processors: reader.components(root, "processors"),
        connectors: reader.components(root, "connectors"),
        exporters: reader.components(root, "exporters"),
        extensions: reader.components(root, "extensions"),
        service: Service {
            extensions: reader.references(extensions, "service::extensions"),
            pipelines: reader.pipelines(pipelines, service_node, service_position),
            telemetry,
        },
        warnings,
    }
}

struct SectionReader<'a> {
    errors: &'a mut Diagnostics,
    warnings: Warnings,
}

impl SectionReader<'_> {
    fn error(&mut self, position: &Position, path: &str, message: impl Into<String>, help: Option<String>) {
        self.errors.push(Diagnostic {
            position: Some(position.clone()),
            path: path.to_owned(),
            message: message.into(),
            help,
        });
    }

    /// The entries of a mapping; none of null.
    fn mapping<'n>(&mut self, node: &'n Node, path: &str) -> &'n [Entry] {
        if !matches!(node.value, Value::Mapping(_) | Value::Invalid) && !node.is_null() {
            let found = format!("found {}, expected a mapping", node.found());
            self.error(&node.position, path, found, None);
        }
        node.entries()
    }

    fn check_keys(&mut self, entries: &[Entry], path: &str, known: &[&str]) {
        for entry in entries.iter().filter(|e| !known.contains(&e.key.as_str())) {
            let found = format!("unknown key `{}`", entry.key);
            let help = suggest::help(&entry.key, known);
            self.error(&entry.key_position, &join(path, &entry.key), found, help);
        }
    }

    fn id<T>(&mut self, id: Result<T, IdError>, position: &Position, path: &str) -> Option<T> {
        id.map_err(|(found, help)| self.error(position, path, found, help)).ok()
    }

    fn components(&mut self, root: &Node, section: &str) -> BTreeMap<ComponentId, Settings> {
        let mut components: BTreeMap<ComponentId, Settings> = BTreeMap::new();
        let entries = match root.get(section) {
            Some(node) => self.mapping(node, section),
            None => &[],
        };
        for entry in entries {
            let path = join(section, &entry.key);
            let Some(id) = self.id(ids::component_id(&entry.key), &entry.key_position, &path) else {
                continue;
            };
            if let Some(first) = components.get(&id) {
                let found = format!("duplicate component `{id}`; first defined at {}", first.position());
                self.error(&entry.key_position, &path, found, None);
                continue;
            }
            let settings = Settings::new(
                entry.node.clone(),
                join(section, &id.to_string()),
                entry.key_position.clone(),
                self.warnings.clone(),
            );
            components.insert(id, settings);
        }
        components
    }

    fn pipelines(
        &mut self,
        node: Option<&Node>,
        service: &Node,
        position: &Position,
    ) -> BTreeMap<PipelineId, Pipeline> {
        let mut pipelines: BTreeMap<PipelineId, Pipeline> = BTreeMap::new();
        let entries = match node {
            Some(node) => self.mapping(node, "service::pipelines"),
            None => &[],
        };
        for entry in entries {
            let path = join("service::pipelines", &entry.key);
            let Some(id) = self.id(ids::pipeline_id(&entry.key), &entry.key_position, &path) else {
                continue;
            };
            if let Some(first) = pipelines.get(&id) {
                let found = format!("duplicate pipeline `{id}`; first defined at {}", first.position);
                self.error(&entry.key_position, &path, found, None);
                continue;
            }
            let pipeline = self.pipeline(entry, &path);
            pipelines.insert(id, pipeline);
        }
        // Reported only if the section above it has no error of its own.
        let nothing = match node {
            Some(node) => node.is_null() || matches!(&node.value, Value::Mapping(entries) if entries.is_empty()),
            None => service.is_null() || matches!(service.value, Value::Mapping(_)),
        };
        if nothing {
            let position = node.map_or(position, |n| &n.position);
            let help =
                "write for example `logs: {receivers: [k8s_job], exporters: [debug]}` under `service::pipelines`";
            let found = "no pipeline is defined, so nothing would run";
            self.error(position, "service::pipelines", found, Some(help.to_owned()));
        }
        pipelines
    }

    fn pipeline(&mut self, entry: &Entry, path: &str) -> Pipeline {
        let lists = self.mapping(&entry.node, path);
        self.check_keys(lists, path, &PIPELINE);
        let mut list = |kind: &str| self.references(entry.node.get(kind), &join(path, kind));
        let pipeline = Pipeline {
            position: entry.key_position.clone(),
            receivers: list("receivers"),
            processors: list("processors"),
            exporters: list("exporters"),
        };
        if entry.node.is_null() || matches!(entry.node.value, Value::Mapping(_)) {
            for kind in ["receivers", "exporters"] {
                let list = entry.node.get(kind);
                let empty = list.is_none_or(|n| n.is_null() || matches!(&n.value, Value::Sequence(l) if l.is_empty()));
                if empty {
                    let position = list.map_or(&entry.key_position, |n| &n.position);
                    let found = format!("a pipeline needs at least one of `{kind}`");
                    self.error(position, &join(path, kind), found, None);
                }
            }
        }
        pipeline
    }

    fn references(&mut self, node: Option<&Node>, path: &str) -> Vec<Located<ComponentId>> {
        let mut references: Vec<Located<ComponentId>> = Vec::new();
        let mut known = HashSet::new();
        let items = match node.map(|n| (n, &n.value)) {
            Some((_, Value::Sequence(items))) => items,
            None | Some((_, Value::Invalid)) => return references,
            Some((node, _)) if node.is_null() => return references,
            Some((node, _)) => {
                let found = format!(
                    "found {}, expected a list of ids such as `[debug, otlp_http/eu]`",
                    node.found()
                );
                self.error(&node.position, path, found, None);
                return references;
            }
        };
        for (index, item) in items.iter().enumerate() {
            let path = join(path, &index.to_string());
            let text = match &item.value {
                Value::Scalar(scalar) if !item.is_null() => &scalar.text,
                Value::Invalid => continue,
                _ => {
                    let found = format!("found {}, expected the id of a component", item.found());
                    self.error(&item.position, &path, found, None);
                    continue;
                }
            };
            let id = ids::component_id(text).map_err(|error| match &item.value {
                Value::Scalar(s) if s.holds_variable() => {
                    (format!("found {}, expected the id of a component", item.found()), None)
                }
                _ => error,
            });
            let Some(value) = self.id(id, &item.position, &path) else {
                continue;
            };
            if !known.insert(value.clone()) {
                self.error(
                    &item.position,
                    &path,
                    format!("found {} a second time", item.found()),
                    None,
                );
                continue;
            }
            let position = item.position.clone();
            references.push(Located { value, position });
        }
        references
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}::{key}")
    }
}
