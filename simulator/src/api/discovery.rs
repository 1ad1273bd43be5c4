//! What `kubectl` asks before it asks for anything.

use super::status::with_type;
use crate::resource::Resource;
use serde_json::{Value, json};

/// The answer of `/version`, laid out as the real server does.
pub(crate) fn version() -> String {
    let version = json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": "v1.36.2",
        "gitCommit": "simulator",
        "gitTreeState": "clean",
        "buildDate": "2026-08-21T00:00:00Z",
        "goVersion": "none",
        "compiler": "rustc",
        "platform": "linux/amd64",
    });
    format!("{version:#}")
}

/// The answer to a discovery path, if it is one.
pub(crate) fn discover(path: &str, address: &str) -> Option<String> {
    let groups = ["batch", "coordination.k8s.io", "authorization.k8s.io"];
    match path.trim_end_matches('/') {
        "/api" => {
            let addresses = json!([{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]);
            Some(
                json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}).to_string(),
            )
        }
        "/apis" => {
            let groups: Vec<Value> = groups.into_iter().map(group).collect();
            Some(with_type("APIGroupList", "v1", &json!({"groups": groups}).to_string()))
        }
        "/api/v1" => Some(resources("v1", "")),
        path => {
            let rest = path.strip_prefix("/apis/")?;
            match rest.split_once('/') {
                None if groups.contains(&rest) => Some(with_type("APIGroup", "v1", &group(rest).to_string())),
                Some((name, "v1")) if groups.contains(&name) => Some(resources(&format!("{name}/v1"), name)),
                _ => None,
            }
        }
    }
}

fn group(name: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
    json!({"name": name, "versions": [version], "preferredVersion": version})
}

fn resources(group_version: &str, group: &str) -> String {
    let mut resources = Vec::new();
    for resource in Resource::ALL.into_iter().filter(|resource| resource.group() == group) {
        let entry = |name: String, verbs: &[&str]| {
            json!({
                "name": name,
                "singularName": resource.kind().to_lowercase(),
                "namespaced": resource.namespaced(),
                "kind": resource.kind(),
                "verbs": verbs,
                "shortNames": resource.short_names(),
            })
        };
        let verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
        resources.push(entry(resource.plural().to_owned(), &verbs));
        if matches!(resource, Resource::Jobs | Resource::CronJobs | Resource::Pods) {
            resources.push(entry(
                format!("{}/status", resource.plural()),
                &["get", "patch", "update"],
            ));
        }
        if resource == Resource::Pods {
            resources.push(entry("pods/log".to_owned(), &["get"]));
        }
    }
    if group == "authorization.k8s.io" {
        resources.push(json!({
            "name": "selfsubjectaccessreviews",
            "singularName": "selfsubjectaccessreview",
            "namespaced": false,
            "kind": "SelfSubjectAccessReview",
            "verbs": ["create"],
        }));
    }
    with_type(
        "APIResourceList",
        "v1",
        &json!({"groupVersion": group_version, "resources": resources}).to_string(),
    )
}
