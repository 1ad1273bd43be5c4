//! The builds of `deploy/kustomize`, and its files where `kubectl kustomize` is missing.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{documents, files, kinds, kustomize, oracle, stem, text, word};

/// Overlays that combine every component, besides those of the repository.
const COMBINED: [(&str, &str, &[&str]); 4] = [
    (
        "datadog-high-availability",
        "datadog",
        &["high-availability", "web", "namespace-labels", "k8s-events"],
    ),
    ("grafana-cloud-volume", "grafana-cloud", &["file-storage", "web"]),
    ("datadog-shards", "datadog", &["shards", "k8s-events"]),
    ("prometheus-page", "prometheus", &["web", "k8s-events"]),
];

fn build(folder: &Path) -> Option<Vec<Value>> {
    let kubectl = std::env::var("KUBECTL").unwrap_or_else(|_| "kubectl".into());
    let Ok(output) = Command::new(kubectl).arg("kustomize").arg(folder).output() else {
        oracle::skip("kubectl", "install kubectl, or set KUBECTL to its path");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", folder.display());
    Some(documents(&String::from_utf8(output.stdout).expect("UTF-8")))
}

/// Every overlay, and combinations of components; none without kubectl.
pub(super) fn builds() -> Vec<(String, Vec<Value>)> {
    let mut builds = Vec::new();
    for overlay in std::fs::read_dir(kustomize().join("overlays")).expect("a folder") {
        let folder = overlay.expect("an entry").path();
        let Some(documents) = build(&folder) else {
            return Vec::new();
        };
        builds.push((stem(&folder), documents));
    }
    for (name, overlay, components) in COMBINED {
        let folder = super::folder(&format!("overlay-{name}-{:?}", std::thread::current().id()));
        // kustomize reads relative paths only.
        let up = "../".repeat(folder.canonicalize().expect("a folder").components().count() - 1);
        let at = |path: &str| format!("{up}{}", &kustomize().join(path).display().to_string()[1..]);
        let components: Vec<String> = components
            .iter()
            .map(|name| at(&format!("components/{name}")))
            .collect();
        let content = format!(
            "resources: [\"{}\"]\ncomponents: {components:?}\n",
            at(&format!("overlays/{overlay}"))
        );
        std::fs::write(folder.join("kustomization.yaml"), content).expect("a file");
        let built = build(&folder);
        let _ = std::fs::remove_dir_all(&folder);
        builds.extend(built.map(|documents| (name.to_owned(), documents)));
    }
    builds
}

#[test]
fn every_built_object_matches_the_api() {
    for (case, documents) in builds() {
        for document in &documents {
            kinds::check(document).unwrap_or_else(|error| panic!("{case}: {} {error}", document["kind"]));
        }
    }
}

#[test]
fn every_built_pipeline_is_valid() {
    for (case, documents) in builds() {
        super::validate_deployed(&format!("overlay-{case}"), &documents);
    }
}

#[test]
fn every_object_in_a_file_matches_the_api() {
    let mut checked = 0;
    for group in ["base", "components", "overlays"] {
        let mut folders = vec![kustomize().join(group)];
        let inner = std::fs::read_dir(&folders[0])
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path());
        folders.extend(inner.filter(|path| path.is_dir()));
        for file in folders.iter().flat_map(|folder| files(folder, "yaml")) {
            // Patches are parts of objects.
            let is_patch = ["deployment.yaml", "environment.yaml", "datadog.yaml"]
                .iter()
                .any(|name| file.ends_with(name));
            let objects = documents(&text(&file))
                .into_iter()
                .filter(|document| document.get("kind").is_some());
            for object in objects.filter(|object| !word(&object["apiVersion"]).starts_with("kustomize.")) {
                match kinds::check(&object) {
                    Err(error) if !(is_patch && error.ends_with("missing, but required")) => {
                        panic!("{}: {error}", file.display())
                    }
                    _ => checked += 1,
                }
            }
        }
    }
    assert!(checked > 15, "{checked} objects");
}
