//! The real binary against a real API server.
//!
//! `ETCD`, `KUBE_APISERVER` and, for some tests, `KUBE_CONTROLLER_MANAGER` are paths of programs, which run on free ports of
//! loopback and end with the tests. Instead, `KUBECONFIG_REAL` is the path of a kubeconfig for a cluster that tests may
//! change; those that need other servers are skipped.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy's exception for tests does not reach their helpers"
)]

mod access;
mod case;
#[path = "../support/control_plane/mod.rs"]
mod control_plane;
mod controllers;
mod encoding;
mod lists;
mod replicas;
mod restarts;
mod shards;
mod tap;
mod watches;

use std::time::Duration;

/// Upper bound on anything a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
