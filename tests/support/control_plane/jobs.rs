//! Jobs whose status the test writes in the controller's place, by the API server's rules.

use serde_json::{Value, json};

use super::admin::{Admin, Refused};

/// The controller that Jobs name as theirs, so that the real one of a cluster leaves them alone.
const MANAGED_BY: &str = "kube-job-collector.test/played";

/// Creates a namespace, unless it exists.
pub(crate) async fn create_namespace(admin: &Admin, name: &str) {
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    match admin.post("/api/v1/namespaces", &body).await {
        Ok(_) | Err((409, _)) => {}
        Err(problem) => panic!("namespace {name}: {problem:?}"),
    }
}

/// A Job that exists.
#[derive(Clone, Debug)]
pub(crate) struct PlayedJob {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// The labels of its Pods.
    labels: Value,
    started: String,
}

/// The manifest of a Job that this module plays.
pub(crate) fn manifest(name: &str) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "managedBy": MANAGED_BY,
            "template": pod_template(),
        },
    })
}

/// The template of a Pod that nothing runs.
pub(crate) fn pod_template() -> Value {
    json!({"spec": {
        "restartPolicy": "Never",
        "containers": [{"name": "main", "image": "example.com/nothing:1", "command": ["sleep", "infinity"]}],
    }})
}

impl PlayedJob {
    /// Creates a Job.
    pub(crate) async fn create(admin: &Admin, namespace: &str, name: &str) -> PlayedJob {
        PlayedJob::try_create(admin, namespace, &manifest(name)).await.unwrap()
    }

    /// Creates a Job from its manifest.
    pub(crate) async fn try_create(admin: &Admin, namespace: &str, manifest: &Value) -> Result<PlayedJob, Refused> {
        let path = format!("/apis/batch/v1/namespaces/{namespace}/jobs");
        let job = admin.post(&path, manifest).await?;
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        Ok(PlayedJob {
            namespace: namespace.to_owned(),
            name: text(&job["metadata"]["name"]),
            uid: text(&job["metadata"]["uid"]),
            started: text(&job["metadata"]["creationTimestamp"]),
            labels: job["spec"]["template"]["metadata"]["labels"].clone(),
        })
    }

    /// The path of the Job.
    pub(crate) fn path(&self) -> String {
        format!("/apis/batch/v1/namespaces/{}/jobs/{}", self.namespace, self.name)
    }

    /// Writes its status.
    pub(crate) async fn set_status(&self, admin: &Admin, status: Value) -> Result<Value, Refused> {
        let path = format!("{}/status", self.path());
        admin.patch(&path, &json!({"status": status})).await
    }

    /// It starts: one Pod is active.
    pub(crate) async fn start(&self, admin: &Admin) {
        let status = json!({"startTime": self.started, "active": 1});
        self.set_status(admin, status).await.unwrap();
    }

    /// It fails for this reason, after any of [`PlayedJob::start`].
    pub(crate) async fn fail(&self, admin: &Admin, reason: &str) {
        let condition = |kind: &str| {
            let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            json!({
                "type": kind, "status": "True", "reason": reason, "message": "played by a test",
                "lastProbeTime": now, "lastTransitionTime": now,
            })
        };
        let status = json!({
            "startTime": self.started, "active": 0, "failed": 1,
            "conditions": [condition("FailureTarget"), condition("Failed")],
        });
        self.set_status(admin, status).await.unwrap();
    }

    /// It is deleted.
    pub(crate) async fn delete(&self, admin: &Admin) {
        admin.delete(&self.path()).await.unwrap();
    }

    /// Creates a Pod of the Job.
    pub(crate) async fn create_pod(&self, admin: &Admin, suffix: &str) -> Result<Value, Refused> {
        let path = format!("/api/v1/namespaces/{}/pods", self.namespace);
        admin.post(&path, &self.pod(suffix)).await
    }

    /// The manifest of a Pod of the Job.
    pub(crate) fn pod(&self, suffix: &str) -> Value {
        let owner = json!({
            "apiVersion": "batch/v1", "kind": "Job", "name": self.name, "uid": self.uid,
            "controller": true, "blockOwnerDeletion": true,
        });
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": format!("{}-{suffix}", self.name),
                "generateName": format!("{}-", self.name),
                "labels": self.labels,
                "ownerReferences": [owner],
            },
            "spec": pod_template()["spec"],
        })
    }
}
