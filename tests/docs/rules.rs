//! The alert rules for Prometheus in `deploy/prometheus/rules.yaml`.

use std::process::Command;

use super::root;

/// The names of metrics in the rules: words that begin with `k8s_job_` or `k8s_cronjob_`, without those of labels.
fn metrics(rules: &str) -> Vec<&str> {
    let words = rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_metric = |word: &&str| word.starts_with("k8s_job_") || word.starts_with("k8s_cronjob_");
    words
        .filter(is_metric)
        .filter(|word| !matches!(*word, "k8s_job_name" | "k8s_cronjob_name"))
        .collect()
}

#[test]
fn rules_use_the_documented_metrics() {
    let rules = std::fs::read_to_string(root().join("deploy/prometheus/rules.yaml")).expect("the rules");
    let page = std::fs::read_to_string(root().join("exporters/prometheus/README.md")).expect("a page");
    let metrics = metrics(&rules);
    assert!(metrics.len() >= 5, "{metrics:?}");
    for metric in metrics {
        assert!(page.contains(&format!("`{metric}`")), "{metric} is not a metric");
    }
}

/// Prometheus' own check; part of Debian's package `prometheus`.
#[test]
fn promtool_accepts_the_rules() {
    let rules = root().join("deploy/prometheus/rules.yaml");
    let Ok(output) = Command::new("promtool").args(["check", "rules"]).arg(rules).output() else {
        eprintln!("SKIPPED: promtool is not in PATH (Debian: apt-get install prometheus)");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
