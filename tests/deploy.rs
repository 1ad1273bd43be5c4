//! The configurations that are deployed together are valid together.

use std::path::{Path, PathBuf};
use std::process::Command;

fn kustomize() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kustomize")
}

/// `validate` on these files of `deploy/kustomize`, in this order.
fn validate(files: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"));
    command.arg("validate").env_clear().env("DD_API_KEY", "key");
    for file in files {
        command.arg("--config").arg(kustomize().join(file));
    }
    let output = command.output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{files:?}: {said}");
    assert_eq!(said, "", "{files:?}: no warning");
}

#[test]
fn what_is_deployed_is_valid() {
    for storage in [
        "base/storage.yaml",
        "components/high-availability/storage.yaml",
        "components/file-storage/storage.yaml",
    ] {
        validate(&["base/pipeline.yaml", storage]);
    }
}

/// What a Role of these files allows: group, resource, verb.
#[test]
fn roles_allow_what_the_extensions_ask_for() {
    let rules = |file: &str| {
        let text = std::fs::read_to_string(kustomize().join(file)).expect("a file");
        let documents: Vec<serde_json::Value> = serde_yaml::from_multiple(&text).expect("YAML");
        let role = documents.into_iter().find(|document| document["kind"] == "Role");
        role.expect("a Role")["rules"].clone()
    };
    let rule = |group: &str, resource: &str| serde_json::json!([{"apiGroups": [group], "resources": [resource], "verbs": ["get", "create", "update"]}]);
    assert_eq!(rules("base/rbac.yaml"), rule("", "configmaps"));
    assert_eq!(
        rules("components/high-availability/lease.yaml"),
        rule("coordination.k8s.io", "leases")
    );
}
