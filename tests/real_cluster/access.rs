//! RBAC and tokens.

use serde_json::{Value, json};

use crate::case::Case;
use crate::control_plane::collector::{Settings, events};

const ACCOUNT: &str = "kube-job-collector";

/// The rules of the shipped ClusterRole.
fn shipped_rules() -> Value {
    let text = include_str!("../../deploy/kustomize/base/rbac.yaml");
    let role = text
        .split("---")
        .find(|part| part.contains("\nkind: ClusterRole\n"))
        .unwrap();
    let role: Value = serde_yaml::from_str(role).unwrap();
    role["rules"].clone()
}

/// An account with the shipped ClusterRole.
async fn create_account(case: &Case) {
    let accounts = format!("/api/v1/namespaces/{}/serviceaccounts", case.namespace);
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}});
    case.admin.post(&accounts, &account).await.unwrap();
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": case.namespace}, "rules": shipped_rules(),
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": case.namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": case.namespace},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": case.namespace}],
    });
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    case.admin.post(&format!("{rbac}/clusterroles"), &role).await.unwrap();
    case.admin
        .post(&format!("{rbac}/clusterrolebindings"), &binding)
        .await
        .unwrap();
}

/// A token of the account that is valid while a Secret of this name exists.
async fn token(case: &Case, secret: &str) -> String {
    let secrets = format!("/api/v1/namespaces/{}/secrets", case.namespace);
    let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}});
    let created = case.admin.post(&secrets, &body).await.unwrap();
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"boundObjectRef": {
            "apiVersion": "v1", "kind": "Secret", "name": secret, "uid": created["metadata"]["uid"],
        }},
    });
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/{ACCOUNT}/token", case.namespace);
    let answer = case.admin.post(&path, &request).await.unwrap();
    answer["status"]["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn a_replaced_token_with_the_shipped_role_is_used() {
    let Some((case, plane)) = Case::own("token", &[]).await else {
        return;
    };
    create_account(&case).await;
    let mut collector = case.collector("collector", &Settings::default());
    collector.write_kubeconfig(&plane.kubeconfig_with(&token(&case, "old").await));
    collector.start_watching().await;
    let mut jobs = vec![case.failed_job("before").await];
    case.until_reported(&jobs, &[&collector]).await;
    assert!(!collector.log().contains("may not"), "{}", collector.log());
    collector.write_kubeconfig(&plane.kubeconfig_with(&token(&case, "new").await));
    let secret = format!("/api/v1/namespaces/{}/secrets/old", case.namespace);
    case.admin.delete(&secret).await.unwrap();
    // The watches with the old token end with the server.
    let mut plane = plane;
    plane.kill_api_server();
    plane.start_api_server().await.unwrap();
    jobs.push(case.failed_job("after").await);
    case.until_reported(&jobs, &[&collector]).await;
    let events = events(&case.intake);
    assert!(events.values().all(|events| events.len() == 1), "{events:#?}");
    collector.stop().await;
}
