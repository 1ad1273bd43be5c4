//! The tables of settings in `docs/configuration.md` against the binary.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::markdown::Page;
use crate::{folder, root, stderr, validate};

/// Keys below keys; `name[]` is a list.
#[derive(Default)]
struct Tree(BTreeMap<String, Tree>);

impl Tree {
    fn insert(&mut self, path: &str) {
        let mut tree = self;
        for part in path.split("::") {
            tree = tree.0.entry(part.to_owned()).or_default();
        }
    }

    /// YAML with a value at each leaf and, at each level, an unknown key.
    fn yaml(&self, leaf: &str, unknown: Option<&str>) -> String {
        let entries = self.0.iter().map(|(key, below)| {
            let (key, list) = match key.strip_suffix("[]") {
                Some(key) => (key, true),
                None => (key.as_str(), false),
            };
            match (below.0.is_empty(), list) {
                (true, _) => format!("{key}: {leaf}"),
                (false, false) => format!("{key}: {}", below.yaml(leaf, unknown)),
                (false, true) => format!("{key}: [{}]", below.yaml(leaf, unknown)),
            }
        });
        let entries: Vec<String> = entries.chain(unknown.map(|key| format!("{key}: {leaf}"))).collect();
        format!("{{{}}}", entries.join(", "))
    }

    /// The keys below a path of the form `exporters::x::list::0::key`.
    fn keys(&self, path: &[&str]) -> BTreeSet<String> {
        match path.split_first() {
            None => self.0.keys().map(|key| key.trim_end_matches("[]").to_owned()).collect(),
            Some((&"0", rest)) => self.keys(rest),
            Some((part, rest)) => {
                let below = self.0.get(*part).or_else(|| self.0.get(&format!("{part}[]")));
                below.map(|tree| tree.keys(rest)).unwrap_or_default()
            }
        }
    }
}

/// The documented settings, by their path in a configuration.
fn documented() -> Tree {
    let page = Page::read(root(), "docs/configuration.md");
    let mut tree = Tree::default();
    let kinds = [
        ("Receiver", "receivers"),
        ("Processor", "processors"),
        ("Connector", "connectors"),
        ("Exporter", "exporters"),
        ("Extension", "extensions"),
    ];
    for section in page.sections() {
        let place = match kinds.iter().find(|(kind, _)| section.first_word() == *kind) {
            Some((_, kind)) => format!("{kind}::{}", section.heading),
            None if section.heading == "`service::telemetry`" => "service::telemetry".to_owned(),
            None => continue,
        };
        for key in section.first_cells() {
            tree.insert(&format!("{place}::{key}"));
        }
    }
    // A list of maps is documented by itself and by the keys of its entries.
    if let Some(metrics) = tree
        .0
        .get_mut("service")
        .and_then(|service| service.0.get_mut("telemetry")?.0.get_mut("metrics"))
    {
        metrics.0.remove("readers");
    }
    tree
}

#[test]
fn every_setting_is_documented_and_no_other() {
    const UNKNOWN: &str = "qqqqqqqqqqqqqqqq";
    let documented = documented();
    assert_eq!(documented.0.len(), 6, "sections");
    let folder = folder("settings");

    // A value of the wrong type leads to errors, but never to that of an unknown key.
    std::fs::write(folder.join("all.yaml"), documented.yaml("{}", None)).expect("a file");
    let found = stderr(&validate(&folder, &["all.yaml"], &[]));
    let unknown: Vec<&str> = found
        .lines()
        .filter(|line| line.contains("unknown") || line.contains("not YAML"))
        .collect();
    assert!(unknown.is_empty(), "documented, but unknown:\n{}", unknown.join("\n"));

    // The error of an unknown key names the known ones.
    std::fs::write(folder.join("none.yaml"), documented.yaml("~", Some(UNKNOWN))).expect("a file");
    let found = stderr(&validate(&folder, &["none.yaml"], &[]));
    let mut levels = 0;
    let mut lines = found.lines();
    while let Some(line) = lines.next() {
        let Some((place, _)) = line.split_once(&format!("::{UNKNOWN}: unknown key")) else {
            continue;
        };
        let (_, place) = place.split_once(": ").expect("position: path");
        let path: Vec<&str> = place.split("::").collect();
        // A level with very many keys is not listed.
        let Some(known) = lines
            .clone()
            // After the line of the file, and the caret.
            .find(|line| !line.contains(" | "))
            .and_then(|line| line.trim().strip_prefix("known here: "))
        else {
            continue;
        };
        if path.as_slice() == ["service"] {
            continue;
        }
        let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
        assert_eq!(documented.keys(&path), known, "the keys of {place}");
        levels += 1;
    }
    assert!(levels >= 12, "only {levels} levels were checked:\n{found}");
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn every_component_is_documented() {
    let output = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"))
        .arg("components")
        .output()
        .expect("the collector runs");
    let list = String::from_utf8(output.stdout).expect("UTF-8");
    let documented = documented();
    let mut section = "";
    let mut seen = 0;
    for line in list.lines() {
        if let Some(name) = line.strip_prefix("  - name: ") {
            assert!(
                documented.keys(&[section]).contains(name),
                "{section}::{name} has no table"
            );
            seen += 1;
        } else if let Some(name) = line.strip_suffix(':') {
            section = name;
        }
    }
    assert!(seen >= 6, "{list}");
}
