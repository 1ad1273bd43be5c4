//! The recordings of a real cluster that tests use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder with recordings of a real cluster.
pub(crate) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The folder with recordings of a Kubernetes 1.37 cluster.
pub(crate) fn newest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes-1.37")
}

/// The expected verdicts of the Jobs, by recording.
pub(crate) fn expected() -> BTreeMap<String, Vec<Value>> {
    let text = std::fs::read_to_string(corpus().join("expected.json")).expect("expected.json");
    let json: BTreeMap<String, Value> = serde_json::from_str(&text).expect("JSON");
    json.into_iter()
        .map(|(name, entry)| (name, entry["jobs"].as_array().expect("jobs").clone()))
        .collect()
}
