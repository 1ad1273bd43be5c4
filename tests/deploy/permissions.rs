//! The chart grants what the manifests of `deploy/kustomize` grant, and what SECURITY.md lists.

use serde_json::{Value, json};

use super::{kustomize, list, manifests, of_kind, pipelines, rendered, text, word};

/// The rules of a role in a file of `deploy/kustomize`.
fn rules(file: &str, kind: &str) -> Value {
    let documents = super::documents(&text(&kustomize().join(file)));
    of_kind(&documents, kind)[0]["rules"].clone()
}

/// The rules of a case's role with this name.
fn rendered_rules(documents: &[Value], kind: &str, name: &str) -> Option<Value> {
    let role = of_kind(documents, kind)
        .into_iter()
        .find(|role| role["metadata"]["name"] == name)?;
    Some(role["rules"].clone())
}

/// The ConfigMaps of the components with `storage: k8s_storage`.
fn state_names(pipeline: &Value) -> Vec<String> {
    use collector_runtime::component::Kind;
    let prefix = word(&pipeline["extensions"]["k8s_storage"]["prefix"]);
    let sections = [
        ("receivers", Kind::Receiver),
        ("connectors", Kind::Connector),
        ("exporters", Kind::Exporter),
    ];
    let mut names = Vec::new();
    for (section, kind) in sections {
        let Some(components) = pipeline[section].as_object() else {
            continue;
        };
        for (id, _) in components
            .iter()
            .filter(|(_, settings)| settings["storage"] == "k8s_storage")
        {
            let (type_name, name) = id.split_once('/').unwrap_or((id, ""));
            let id = collector_config::ComponentId {
                type_name: type_name.into(),
                name: (!name.is_empty()).then(|| name.into()),
            };
            names.push(k8s_storage_extension::config_map_name(prefix, kind, &id));
        }
    }
    names.sort();
    names
}

#[test]
fn the_chart_grants_what_the_manifests_grant() {
    for (case, documents) in rendered::cases().into_iter().filter(|(case, _)| case != "custom") {
        let fullname = if case == "merged" { "jobs" } else { "kube-job-collector" };
        let mut read = rules("base/rbac.yaml", "ClusterRole");
        let pipeline = pipelines::pipeline(&documents);
        if pipeline["exporters"].get("k8s_events").is_some() {
            let create = json!({"apiGroups": [""], "resources": ["events"], "verbs": ["create"]});
            read.as_array_mut().expect("rules").push(create);
        }
        if case == "namespaces" {
            let roles = of_kind(&documents, "Role")
                .into_iter()
                .filter(|role| role["metadata"]["name"] == "kube-job-collector-jobs");
            let granted: Vec<(&str, &Value)> = roles
                .map(|role| (word(&role["metadata"]["namespace"]), &role["rules"]))
                .collect();
            assert_eq!(granted, [("payments", &read), ("reports", &read)]);
            assert_eq!(rendered_rules(&documents, "ClusterRole", "kube-job-collector"), None);
            let mut namespaces = rules("components/namespace-labels/rbac.yaml", "ClusterRole");
            namespaces[0]["resourceNames"] = json!(["payments", "reports"]);
            assert_eq!(
                rendered_rules(&documents, "ClusterRole", "kube-job-collector-namespaces"),
                Some(namespaces)
            );
        } else {
            // The name of a ClusterRole has the namespace if the release has another name.
            let name = if case == "merged" {
                "kube-job-collector-jobs"
            } else {
                fullname
            };
            assert_eq!(rendered_rules(&documents, "ClusterRole", name), Some(read), "{case}");
        }
        let mut names = state_names(&pipeline);
        if case == "shards" {
            names = manifests::with_shards(&names, 4);
            names.sort();
        }
        let mut state = rules("base/rbac.yaml", "Role");
        state[0]["resourceNames"] = json!(names);
        let expected = (!names.is_empty()).then_some(state);
        assert_eq!(rendered_rules(&documents, "Role", fullname), expected, "{case}: state");
        let lease = (case == "high-availability").then(|| rules("components/high-availability/lease.yaml", "Role"));
        assert_eq!(
            rendered_rules(&documents, "Role", "kube-job-collector-lease"),
            lease,
            "{case}: Lease"
        );
    }
}

#[test]
fn every_role_is_bound_to_the_service_account() {
    for (case, documents) in rendered::cases() {
        let account = &super::pods(&documents)["spec"]["serviceAccountName"];
        for kind in ["Role", "ClusterRole"] {
            let bindings = of_kind(&documents, &format!("{kind}Binding"));
            let roles = of_kind(&documents, kind);
            assert_eq!(bindings.len(), roles.len(), "{case}");
            for (role, binding) in roles.iter().zip(bindings) {
                assert_eq!(
                    role["metadata"]["namespace"], binding["metadata"]["namespace"],
                    "{case}"
                );
                assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"], "{case}");
                assert_eq!(binding["roleRef"]["kind"], kind, "{case}");
                let subject = json!([{"kind": "ServiceAccount", "name": account, "namespace": "kube-job-collector"}]);
                assert_eq!(binding["subjects"], subject, "{case}");
            }
        }
    }
}

#[test]
fn no_role_grants_more_than_the_security_page_lists() {
    let page = text(&super::root().join("SECURITY.md"));
    for resource in ["Jobs, CronJobs, Pods and Events", "ConfigMaps", "Lease"] {
        assert!(page.contains(resource), "SECURITY.md lists {resource}");
    }
    for (case, documents) in rendered::cases() {
        let roles = of_kind(&documents, "Role")
            .into_iter()
            .chain(of_kind(&documents, "ClusterRole"));
        for rule in roles.flat_map(|role| list(&role["rules"])) {
            let resources: Vec<&str> = list(&rule["resources"]).iter().map(word).collect();
            let verbs: Vec<&str> = list(&rule["verbs"]).iter().map(word).collect();
            let is_listed = match (&resources[..], &verbs[..]) {
                (["jobs", "cronjobs"] | ["pods", "events"] | ["namespaces"], ["list", "watch"]) => true,
                (["configmaps"] | ["leases"], ["get", "update"]) => !list(&rule["resourceNames"]).is_empty(),
                (["configmaps"] | ["leases"] | ["events"], ["create"]) => true,
                _ => false,
            };
            assert!(is_listed, "{case}: {rule}");
        }
    }
}
