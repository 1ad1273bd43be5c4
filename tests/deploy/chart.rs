//! Facts of the chart that other files state as well.

use super::{chart, documents, root, text, word};

#[test]
fn the_chart_has_the_version_of_the_workspace() {
    let chart = documents(&text(&chart().join("Chart.yaml"))).remove(0);
    assert_eq!(word(&chart["version"]), env!("CARGO_PKG_VERSION"));
    assert_eq!(word(&chart["appVersion"]), env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_chart_supports_the_tested_kubernetes_versions() {
    let workflow = text(&root().join(".github/workflows/ci.yml"));
    let matrix = workflow.split_once("kubernetes: [v").expect("the matrix").1;
    let oldest: Vec<&str> = matrix.split('.').take(2).collect();
    let chart = documents(&text(&chart().join("Chart.yaml"))).remove(0);
    assert_eq!(word(&chart["kubeVersion"]), format!(">={}.0-0", oldest.join(".")));
}

#[test]
fn the_rules_are_those_of_deploy_prometheus() {
    assert!(
        text(&chart().join("files/rules.yaml")) == text(&root().join("deploy/prometheus/rules.yaml")),
        "copy deploy/prometheus/rules.yaml to the chart's files"
    );
}
