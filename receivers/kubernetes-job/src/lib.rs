//! Receiver k8s_job: watches Kubernetes Jobs and emits one event for each finished one.
