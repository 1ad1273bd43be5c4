//! The arrows of `docs/architecture.md`: components use `jobs/*` and `collector/*`; neither of those two uses the other; both
//! may use the leaf crates in `common/`; only the binary names components.

use std::process::Command;

use serde_json::Value;

/// The folder of a crate, which determines its allowed dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Area {
    Binary,
    Collector,
    Common,
    Component,
    Deploy,
    Jobs,
    Simulator,
}

/// Exporters do not depend on Jobs, except these, whose purpose is Jobs.
const JOB_EXPORTERS: &[&str] = &["k8s-events-exporter", "web-exporter"];

/// Libraries for Kubernetes, which the collector does not use.
const KUBERNETES: &[&str] = &["kube", "k8s-openapi"];

impl Area {
    fn of(folder: &str) -> Area {
        match folder.split('/').next().unwrap_or_default() {
            "" => Area::Binary,
            "collector" => Area::Collector,
            "common" => Area::Common,
            "deploy" => Area::Deploy,
            "jobs" => Area::Jobs,
            "simulator" => Area::Simulator,
            "receivers" | "processors" | "connectors" | "exporters" | "extensions" => Area::Component,
            other => panic!("a crate in a new folder: {other}"),
        }
    }

    fn may_use(self, other: Area) -> bool {
        match self {
            Area::Binary => true,
            Area::Component => matches!(other, Area::Jobs | Area::Collector | Area::Common),
            Area::Deploy | Area::Jobs => matches!(other, Area::Jobs | Area::Common),
            Area::Collector => matches!(other, Area::Collector | Area::Common),
            Area::Common => other == Area::Common,
            Area::Simulator => other == Area::Common,
        }
    }
}

struct Package {
    name: String,
    folder: String,
    /// Name and kind (normal, build, dev) of each dependency.
    dependencies: Vec<(String, String)>,
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let package = |package: &Value| {
        let manifest = text(&package["manifest_path"]);
        let folder = manifest
            .strip_prefix(env!("CARGO_MANIFEST_DIR"))
            .expect("inside the workspace");
        let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
        Package {
            name: text(&package["name"]),
            folder: folder.trim_start_matches('/').trim_end_matches("Cargo.toml").to_owned(),
            dependencies: dependencies
                .map(|d| (text(&d["name"]), d["kind"].as_str().unwrap_or("normal").to_owned()))
                .collect(),
        }
    };
    metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(package)
        .collect()
}

#[test]
fn arrows_point_one_way() {
    let packages = packages();
    for package in &packages {
        let area = Area::of(&package.folder);
        for (dependency, kind) in &package.dependencies {
            let Some(used) = packages.iter().find(|other| other.name == *dependency) else {
                continue;
            };
            let other = Area::of(&used.folder);
            // Tests may run against the simulator, which replaces the cluster and the backends, and may send a component what
            // another one makes, as a pipeline does.
            let in_tests =
                kind == "dev" && (other == Area::Simulator || (area, other) == (Area::Component, Area::Component));
            assert!(
                area.may_use(other) || in_tests,
                "{} ({}) may not use {dependency} ({})",
                package.name,
                package.folder,
                used.folder
            );
        }
    }
}

#[test]
fn exporters_know_nothing_of_jobs() {
    let packages = packages();
    let jobs: Vec<&str> = packages
        .iter()
        .filter(|package| Area::of(&package.folder) == Area::Jobs)
        .map(|package| &*package.name)
        .collect();
    for package in packages
        .iter()
        .filter(|package| package.folder.starts_with("exporters/"))
    {
        for (dependency, kind) in &package.dependencies {
            assert!(
                kind == "dev" || !jobs.contains(&&**dependency) || JOB_EXPORTERS.contains(&&*package.name),
                "{} uses {dependency}",
                package.name
            );
        }
    }
}

#[test]
fn the_collector_knows_no_kubernetes() {
    for package in packages() {
        if Area::of(&package.folder) == Area::Collector {
            for (dependency, _) in &package.dependencies {
                assert!(
                    !KUBERNETES.contains(&&**dependency),
                    "{} uses {dependency}",
                    package.name
                );
            }
        }
    }
}

#[test]
fn the_deployed_pipeline_is_the_shipped_one() {
    assert_eq!(
        include_str!("../../deploy/kustomize/base/pipeline.yaml"),
        include_str!("../../pipeline.yaml"),
        "deploy/kustomize/base/pipeline.yaml must be a copy of pipeline.yaml"
    );
}
