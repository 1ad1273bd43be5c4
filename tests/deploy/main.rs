//! The deployment: the manifests of `deploy/kustomize` and the chart of `deploy/helm`.
//!
//! `helm` renders the chart for each file of `deploy/helm/tests/values`; its output is stored in `deploy/helm/tests/rendered` with a
//! digest of what it was made from, so the tests of the objects need no helm.

#[path = "../support/oracle.rs"]
mod oracle;

mod chart;
mod kinds;
mod manifests;
mod overlays;
mod permissions;
mod pipelines;
mod ports;
mod rendered;
mod values;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A value for a variable from a Secret that every backend accepts as a key.
const DUMMY: &str = "0123456789abcdef0123456789abcdef";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn kustomize() -> PathBuf {
    root().join("deploy/kustomize")
}

fn chart() -> PathBuf {
    root().join("deploy/helm/kube-job-collector")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents of a YAML text; empty ones are left out.
fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_yaml::from_multiple(text).expect("YAML");
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// The files of a folder with this extension, in order.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// The name of a file without folder and extension.
fn stem(path: &Path) -> String {
    path.file_stem().expect("a file").to_string_lossy().into_owned()
}

/// The objects of a kind.
fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents.iter().filter(|document| document["kind"] == kind).collect()
}

/// The template of the Pods of the only Deployment, or StatefulSet.
fn pods(documents: &[Value]) -> &Value {
    let mut workloads = of_kind(documents, "Deployment");
    workloads.extend(of_kind(documents, "StatefulSet"));
    assert_eq!(workloads.len(), 1, "one Deployment or StatefulSet");
    &workloads[0]["spec"]["template"]
}

/// The first container of the Pods.
fn container(documents: &[Value]) -> &Value {
    &pods(documents)["spec"]["containers"][0]
}

/// A list as a slice; a missing one is empty.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text; empty if it is none.
fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The pipelines of `docs/backends.md`: the heading, and the YAML.
fn documented() -> Vec<(String, String)> {
    let page = text(&root().join("docs/backends.md"));
    let sections = page.split("\n## ").skip(1);
    let pipelines = sections.filter_map(|section| {
        let heading = section.lines().next()?.to_owned();
        let yaml = section.split_once("```yaml\n")?.1.split_once("```")?.0.to_owned();
        Some((heading, yaml))
    });
    pipelines.collect()
}

/// `validate` of the collector in an otherwise empty environment: standard error, and success.
fn validate(arguments: &[String], environment: &[(String, String)]) -> (String, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"));
    command.arg("validate").args(arguments).env_clear();
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let output = command.output().expect("the binary runs");
    (
        String::from_utf8_lossy(&output.stderr).into_owned(),
        output.status.success(),
    )
}

/// The environment of a container; variables from objects have a dummy value.
fn environment(container: &Value) -> Vec<(String, String)> {
    let variable = |entry: &Value| {
        let value = match (word(&entry["name"]), entry["value"].as_str()) {
            ("POD_IP", _) => "10.1.2.3".to_owned(),
            ("POD_NAME", _) => "kube-job-collector-1".to_owned(),
            (_, Some(value)) => value.to_owned(),
            (_, None) => DUMMY.to_owned(),
        };
        (word(&entry["name"]).to_owned(), value)
    };
    list(&container["env"]).iter().map(variable).collect()
}

/// A new folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("deploy-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Validates what the container runs: its arguments, with the files of the ConfigMaps. Fails on a warning, too.
fn validate_deployed(name: &str, documents: &[Value]) {
    let container = container(documents);
    let folder = folder(name);
    for map in of_kind(documents, "ConfigMap") {
        for (file, content) in map["data"].as_object().expect("data") {
            std::fs::write(folder.join(file), word(content)).expect("a file");
        }
    }
    let arguments: Vec<&str> = list(&container["args"]).iter().map(word).collect();
    let mut validated = Vec::new();
    for pair in arguments.windows(2).filter(|pair| pair[0].ends_with("config")) {
        if let Some(file) = pair[1].strip_prefix("/etc/kube-job-collector/") {
            validated.extend([pair[0].to_owned(), folder.join(file).display().to_string()]);
        }
    }
    assert!(!validated.is_empty(), "{name}: {arguments:?} names a file");
    let (errors, is_valid) = validate(&validated, &environment(container));
    assert!(is_valid && errors.is_empty(), "{name}:\n{errors}");
    let _ = std::fs::remove_dir_all(folder);
}
