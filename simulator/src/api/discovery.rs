//! Version and discovery, which `kubectl` reads first.

use super::error::with_type;
use crate::resource::Resource;
use serde_json::{Value, json};

/// The answer of `/version`, in the layout of a real server.
pub(crate) fn version(git_version: &str) -> String {
    let minor = git_version.split('.').nth(1).unwrap_or_default();
    let earlier = minor.parse::<u32>().unwrap_or_default().saturating_sub(1).to_string();
    let version = json!({
        "major": "1", "minor": minor, "emulationMajor": "1", "emulationMinor": minor,
        "minCompatibilityMajor": "1", "minCompatibilityMinor": earlier, "gitVersion": git_version,
        "gitCommit": "simulator", "gitTreeState": "clean", "buildDate": "2026-08-21T00:00:00Z",
        "goVersion": "none", "compiler": "rustc", "platform": "linux/amd64",
    });
    format!("{version:#}")
}

/// The answer to a discovery path, if it is one.
pub(crate) fn discover(path: &str) -> Option<String> {
    match path {
        "/api" => Some(json!({"kind": "APIVersions", "versions": ["v1"]}).to_string()),
        "/apis" => {
            let group = |name: &str| {
                let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
                json!({"name": name, "versions": [version], "preferredVersion": version})
            };
            let groups = json!({"groups": [group("batch"), group("coordination.k8s.io")]});
            Some(with_type("APIGroupList", "v1", &groups.to_string()))
        }
        "/api/v1" => Some(resources("", "v1")),
        "/apis/batch/v1" => Some(resources("batch", "batch/v1")),
        "/apis/coordination.k8s.io/v1" => Some(resources("coordination.k8s.io", "coordination.k8s.io/v1")),
        _ => None,
    }
}

fn resources(group: &str, group_version: &str) -> String {
    let of_group = Resource::ALL.into_iter().filter(|resource| resource.group() == group);
    let mut resources: Vec<Value> = of_group
        .map(|resource| {
            json!({
                "name": resource.plural(),
                "singularName": resource.kind().to_lowercase(),
                "namespaced": resource.namespaced(),
                "kind": resource.kind(),
                "verbs": ["create", "get", "list", "update", "watch"],
            })
        })
        .collect();
    if group.is_empty() {
        resources.push(json!({
            "name": "pods/log", "singularName": "", "namespaced": true, "kind": "Pod", "verbs": ["get"],
        }));
    }
    let list = json!({"groupVersion": group_version, "resources": resources});
    with_type("APIResourceList", "v1", &list.to_string())
}
