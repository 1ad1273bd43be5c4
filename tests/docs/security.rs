//! `docs/security.md` names tests that exist.

use std::collections::BTreeSet;

use super::root;
use crate::language::files;

/// The names of all functions of the repository.
fn functions() -> BTreeSet<String> {
    let sources = files().into_iter().filter(|name| name.ends_with(".rs"));
    let texts = sources.filter_map(|name| std::fs::read_to_string(root().join(name)).ok());
    texts
        .flat_map(|text| {
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
            names.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_threat_names_a_test_that_exists() {
    let page = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let functions = functions();
    let (mut threats, mut missing) = (0, Vec::new());
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [_, _, test] = cells[..] else {
            panic!("expected three columns: {row}")
        };
        if test.trim() == "test" {
            continue;
        }
        threats += 1;
        let names: Vec<&str> = test.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test is named: {row}");
        missing.extend(
            names
                .into_iter()
                .filter(|name| !functions.contains(*name))
                .map(str::to_owned),
        );
    }
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
    assert!(threats > 30, "the page has tables of threats");
}
