//! `docs/security.md` names tests that exist.

use super::root;

/// The text between backticks, in order.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_threat_names_a_test_that_exists() {
    let page = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let mut threats = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [_, _, test] = cells[..] else {
            panic!("expected three columns: {row}")
        };
        if test.trim() == "test" {
            continue;
        }
        threats += 1;
        let (mut source, mut named) = (String::new(), 0);
        for name in quoted(test) {
            if name.ends_with(".rs") {
                source = std::fs::read_to_string(root().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
            } else {
                assert!(
                    source.contains(&format!("fn {name}(")),
                    "no such test: {name}, in {row}"
                );
                named += 1;
            }
        }
        assert!(named > 0, "no test is named: {row}");
    }
    assert!(threats > 30, "the page has tables of threats");
}
