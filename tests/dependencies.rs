//! Which crate may depend on which: components know the pipeline and the event, nothing else of ours; the pipeline
//! knows neither Kubernetes nor a transport; only the binary knows every component.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// What each member may depend on among the members, outside its tests.
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    const COMPONENT: &[&str] = &["pipeline", "job-event", "proxy", "client-tls"];
    const SERVED: &[&str] = &["pipeline", "job-event", "http-server"];
    const OF_KUBERNETES: &[&str] = &["pipeline", "job-event", "kubernetes-client", "proxy"];
    BTreeMap::from([
        ("pipeline", &[][..]),
        ("http-server", &[]),
        ("job-event", &[]),
        ("simulator", &[]),
        ("proxy", &[]),
        ("client-tls", &["pipeline"]),
        ("kubernetes-client", &["proxy"]),
        ("kubernetes-job-receiver", OF_KUBERNETES),
        ("reason-enrichment-processor", COMPONENT),
        ("job-metrics-connector", COMPONENT),
        ("job-traces-connector", COMPONENT),
        ("otlp-exporter", COMPONENT),
        ("debug-exporter", COMPONENT),
        ("prometheus-exporter", SERVED),
        ("file-exporter", COMPONENT),
        ("health-check-extension", SERVED),
        ("file-storage-extension", COMPONENT),
        ("basic-auth-extension", COMPONENT),
        ("bearer-token-auth-extension", COMPONENT),
        ("oauth2-client-extension", COMPONENT),
        ("k8s-leader-elector-extension", OF_KUBERNETES),
        ("k8s-storage-extension", OF_KUBERNETES),
    ])
}

/// Libraries that would let Kubernetes or a transport into a crate that should not know them.
const FOREIGN_TO_PIPELINE: &[&str] = &["kube", "k8s-openapi", "reqwest", "hyper", "tonic", "job-event"];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

fn dependencies<'a>(package: &'a Value, kinds: &[&str]) -> Vec<&'a str> {
    package["dependencies"]
        .as_array()
        .expect("dependencies")
        .iter()
        .filter(|d| kinds.contains(&d["kind"].as_str().unwrap_or("normal")))
        .map(|d| d["name"].as_str().expect("a name"))
        .collect()
}

#[test]
fn arrows_point_one_way() {
    let allowed = allowed();
    let packages = packages();
    let names: Vec<&str> = packages.iter().map(|p| p["name"].as_str().expect("a name")).collect();
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        if name == "kube-job-collector" {
            continue;
        }
        let may = allowed
            .get(name)
            .unwrap_or_else(|| panic!("{name} is new: say in this test what it may depend on"));
        for dependency in dependencies(package, &["normal", "build"]) {
            assert!(
                !names.contains(&dependency) || may.contains(&dependency),
                "{name} depends on {dependency}; it may depend on {may:?} only"
            );
        }
        // The simulator stands in for the outside world, so tests of a component may use it; components never use
        // each other.
        for dependency in dependencies(package, &["dev"]) {
            assert!(
                !names.contains(&dependency) || may.contains(&dependency) || dependency == "simulator",
                "the tests of {name} depend on {dependency}"
            );
        }
    }
}

#[test]
fn the_pipeline_knows_neither_kubernetes_nor_a_transport() {
    let packages = packages();
    let pipeline = packages
        .iter()
        .find(|p| p["name"] == "pipeline")
        .expect("the crate pipeline");
    for dependency in dependencies(pipeline, &["normal", "build"]) {
        assert!(
            !FOREIGN_TO_PIPELINE.contains(&dependency),
            "pipeline depends on {dependency}"
        );
    }
}

#[test]
fn the_deployed_pipeline_is_the_shipped_one() {
    assert_eq!(
        include_str!("../deploy/kustomize/base/pipeline.yaml"),
        include_str!("../pipeline.yaml"),
        "deploy/kustomize/base/pipeline.yaml must be a copy of pipeline.yaml"
    );
}
