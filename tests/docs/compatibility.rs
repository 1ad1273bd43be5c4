//! The tables of `docs/compatibility.md` against the code: supported metrics and their tests exist.

use std::collections::BTreeSet;

use job_event::attributes as attr;
use job_watch::version::{ADDED, TESTED};
use kube_state_metrics_receiver::state::FAMILIES;

use crate::root;

/// The files with the tests that the page names.
const TESTS: [&str; 4] = [
    "receivers/kube-state-metrics/tests/main/state.rs",
    "tests/end_to_end/backends/notices.rs",
    "tests/end_to_end/playing.rs",
    "tests/end_to_end/prometheus.rs",
];

/// The rows of the tables with a column for tests: metric, support, tests.
fn rows() -> Vec<[String; 3]> {
    let page = std::fs::read_to_string(root().join("docs/compatibility.md")).expect("the page");
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_start_matches('|');
        let inner = inner.strip_suffix('|').unwrap_or(inner);
        inner.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut rows = Vec::new();
    let mut in_table = false;
    for line in page.lines() {
        if !line.starts_with('|') {
            in_table = false;
        } else if line == "| metric | here | test |" {
            in_table = true;
        } else if in_table && !line.starts_with("|--") {
            rows.push(cells(line).try_into().expect("three cells"));
        }
    }
    rows
}

/// The parts between backticks.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn supported_metrics_are_those_of_the_code() {
    let rows = rows();
    let of_kube_state_metrics = rows.iter().filter(|[metric, ..]| code(metric)[0].starts_with("kube_"));
    let (given, not): (Vec<_>, Vec<_>) = of_kube_state_metrics.partition(|[_, here, _]| !here.starts_with("no"));
    let given: BTreeSet<&str> = given.iter().map(|[metric, ..]| code(metric)[0]).collect();
    assert_eq!(given, FAMILIES.iter().map(|(name, _)| *name).collect());
    assert_eq!(
        given.len() + not.len(),
        31,
        "every Job and CronJob metric of kube-state-metrics has a row"
    );

    let ours = [
        attr::METRIC_FAILURES,
        attr::METRIC_COMPLETIONS,
        attr::METRIC_CONSECUTIVE_FAILURES,
        attr::METRIC_DURATION,
        attr::METRIC_MISSED_RUNS,
        attr::METRIC_POD_SUCCESSFUL,
    ];
    for [metric, here, _] in &rows {
        for name in code(here) {
            let known = |name: &str| ours.contains(&name) || given.contains(name);
            assert!(
                name.split(' ').any(known),
                "{metric}: {name} is not a metric of the collector"
            );
        }
    }
}

#[test]
fn the_page_names_the_tested_versions() {
    let page = std::fs::read_to_string(root().join("docs/compatibility.md")).expect("the page");
    let (first, last) = TESTED.into_inner();
    let range = format!("The collector supports Kubernetes 1.{first} to 1.{last}.");
    assert!(page.contains(&range), "{range}");
    for (since, _) in ADDED {
        assert!(page.contains(&format!("| 1.{since} |")), "1.{since}");
    }
}

#[test]
fn named_tests_exist() {
    let tests = TESTS
        .map(|path| std::fs::read_to_string(root().join(path)).expect(path))
        .concat();
    let mut named = 0;
    for [metric, here, holds] in rows() {
        let names = code(&holds);
        assert_eq!(
            names.is_empty(),
            code(&here).is_empty() && here.starts_with("no"),
            "{metric}: {holds:?}"
        );
        for name in names {
            assert!(
                tests.contains(&format!("fn {name}(")),
                "{metric}: no test is named {name}"
            );
            named += 1;
        }
    }
    assert!(named > 30, "{named}");
}
