//! The generated files are up to date, name only metrics, labels and tags of the table, and are valid for the tools that read them.

#[path = "../../../../tests/support/oracle.rs"]
mod oracle;

mod datadog;
mod documents;
mod files;
mod grafana;
mod names;
mod promtool;
mod terraform;

use std::path::{Path, PathBuf};

/// The top of the repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn deploy() -> PathBuf {
    root().join("deploy")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A new folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The generated JSON file with this path below `deploy/`.
fn json(path: &str) -> serde_json::Value {
    let files = deploy_generate::files();
    let (_, text) = files.iter().find(|(name, _)| name == path).expect("a generated file");
    serde_json::from_str(text).expect("JSON")
}

/// Every value of the key, at any depth.
fn values<'a>(value: &'a serde_json::Value, key: &str, found: &mut Vec<&'a serde_json::Value>) {
    match value {
        serde_json::Value::Object(object) => {
            found.extend(object.get(key));
            object.values().for_each(|value| values(value, key, found));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| values(value, key, found)),
        _ => {}
    }
}
