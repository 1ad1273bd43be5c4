//! The configurations that are deployed together are valid together.

use std::process::Command;

use super::{kustomize, text};

#[test]
fn a_changed_config_map_applies_without_a_restart() {
    let deployment = documents("base/deployment.yaml").remove(0);
    let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
    assert!(args.as_array().expect("arguments").contains(&"--watch-config".into()));
    // Another name would be another Pod template.
    for file in [
        "base",
        "components/high-availability",
        "components/file-storage",
        "components/k8s-events",
        "components/shards",
    ] {
        let kustomization = documents(&format!("{file}/kustomization.yaml")).remove(0);
        let generator = &kustomization["configMapGenerator"][0];
        assert_eq!(generator["options"]["disableNameSuffixHash"], true, "{file}");
    }
}

/// The documents of a file.
fn documents(file: &str) -> Vec<serde_json::Value> {
    super::documents(&text(&kustomize().join(file)))
}

/// The ConfigMaps of these names without shards, in all shards, and in those of each smaller number of which theirs is a multiple.
pub(super) fn with_shards(names: &[String], shards: u16) -> Vec<String> {
    let counts = (2..=shards).filter(|count| shards.is_multiple_of(*count));
    let suffixes: Vec<String> = counts
        .flat_map(|count| (0..count).map(move |index| format!("-{index}-of-{count}")))
        .collect();
    let all = |name: &String| {
        let suffixes: Vec<String> = suffixes.iter().map(|suffix| format!("{name}{suffix}")).collect();
        std::iter::once(name.clone()).chain(suffixes)
    };
    names.iter().flat_map(all).collect()
}

#[test]
fn roles_allow_only_the_objects_of_the_extensions() {
    let rules = |file: &str| {
        let role = documents(file).into_iter().find(|document| document["kind"] == "Role");
        role.expect("a Role")["rules"].clone()
    };
    let allowed = |group: &str, resource: &str, names: &[&str]| {
        serde_json::json!([
            {"apiGroups": [group], "resources": [resource], "resourceNames": names, "verbs": ["get", "update"]},
            {"apiGroups": [group], "resources": [resource], "verbs": ["create"]},
        ])
    };
    let named = |kind, type_name: &str| {
        let id = collector_config::ComponentId {
            type_name: type_name.into(),
            name: None,
        };
        k8s_storage_extension::config_map_name("kube-job-collector", kind, &id)
    };
    let receiver = named(collector_runtime::component::Kind::Receiver, "k8s_job");
    let connector = named(collector_runtime::component::Kind::Connector, "job_metrics");
    assert_eq!(
        rules("base/rbac.yaml"),
        allowed("", "configmaps", &[&receiver, &connector])
    );
    // The base has those without shards.
    let shards = [receiver, connector].map(|name| with_shards(&[name], 4).split_off(1));
    let shards: Vec<&str> = shards.iter().flatten().map(String::as_str).collect();
    assert_eq!(
        rules("components/shards/state.yaml"),
        serde_json::json!([
            {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": shards, "verbs": ["get", "update"]},
        ])
    );
    assert_eq!(
        rules("components/high-availability/lease.yaml"),
        allowed("coordination.k8s.io", "leases", &["kube-job-collector"])
    );
}

#[test]
fn events_need_only_the_permission_to_create() {
    let documents = documents("components/k8s-events/rbac.yaml");
    let roles: Vec<_> = documents
        .iter()
        .filter(|document| document["kind"] == "ClusterRole")
        .collect();
    assert_eq!(roles.len(), 1);
    assert_eq!(
        roles[0]["rules"],
        serde_json::json!([{"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}])
    );
}

#[test]
fn only_the_metrics_port_can_be_reached() {
    let policy = documents("base/network.yaml").remove(0);
    assert_eq!(policy["kind"], "NetworkPolicy");
    assert_eq!(policy["spec"]["podSelector"], serde_json::json!({}));
    assert_eq!(policy["spec"]["policyTypes"], serde_json::json!(["Ingress"]));
    let rules = policy["spec"]["ingress"].as_array().expect("rules");
    let ports: Vec<_> = rules.iter().map(|rule| rule["ports"].clone()).collect();
    assert_eq!(ports, [serde_json::json!([{"protocol": "TCP", "port": "metrics"}])]);
    assert!(
        rules
            .iter()
            .all(|rule| rule["from"].as_array().is_some_and(|from| !from.is_empty()))
    );
}

#[test]
fn the_image_links_no_simulator() {
    let linked = |features: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--package", "kube-job-collector"])
            .args(["--edges", "normal", "--prefix", "none"])
            .args(features)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo tree runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let crates = String::from_utf8(output.stdout).expect("UTF-8");
        crates.lines().any(|line| line.starts_with("simulator v"))
    };
    assert!(linked(&[]), "`demo` is a default feature");
    assert!(!linked(&["--no-default-features"]), "the simulator serves `demo` only");
    for (file, text) in [
        ("Dockerfile", include_str!("../../deploy/Dockerfile")),
        ("licences.sh", include_str!("../../deploy/licences.sh")),
    ] {
        let builds = text
            .lines()
            .filter(|line| line.contains("cargo ") && !line.starts_with('#'));
        for build in builds {
            assert!(build.contains("--no-default-features"), "deploy/{file}: {build}");
        }
    }
}
