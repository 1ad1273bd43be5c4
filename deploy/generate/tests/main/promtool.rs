//! Prometheus' own checks; part of Debian's package `prometheus`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::{deploy, folder, names, oracle};

/// Runs promtool in the folder; false if it is missing.
fn promtool(folder: &Path, arguments: &[&str]) -> bool {
    let Ok(output) = Command::new("promtool").args(arguments).current_dir(folder).output() else {
        oracle::skip("promtool", "Debian: apt-get install prometheus");
        return false;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {text}");
    true
}

#[test]
fn promtool_accepts_the_rules() {
    promtool(&deploy().join("prometheus"), &["check", "rules", "rules.yaml"]);
}

#[test]
fn alerts_fire_and_stay_silent_as_documented() {
    promtool(&deploy().join("prometheus"), &["test", "rules", "rules_test.yaml"]);
}

#[test]
fn promtool_parses_the_queries_of_grafana() {
    let mut rules = String::from("groups:\n  - name: queries\n    rules:\n");
    for (number, query) in names::grafana_queries().iter().enumerate() {
        let query = deploy_generate::grafana::with_values(query);
        assert!(!query.contains('$'), "an unknown variable: {query}");
        let _ = writeln!(
            rules,
            "      - record: query:{number}\n        expr: >-\n          {query}"
        );
    }
    let folder = folder("grafana");
    std::fs::write(folder.join("queries.yaml"), rules).expect("a file");
    promtool(&folder, &["check", "rules", "queries.yaml"]);
    let _ = std::fs::remove_dir_all(folder);
}
