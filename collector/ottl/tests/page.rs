//! `docs/ottl.md` lists every path, function and enumeration.
#![allow(clippy::unwrap_used)]

use collector_ottl::{Condition, Context, Statement};

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ottl.md")).unwrap()
}

/// The words behind `before` in the help of an error.
fn listed(help: &str, before: &str) -> Vec<String> {
    let (_, words) = help.split_once(before).unwrap();
    words.split(", ").map(str::to_owned).collect()
}

#[test]
fn page_lists_every_path() {
    let page = page();
    for context in Context::ALL {
        let help = Condition::parse("zzzzzzzzzzzz == 1", context)
            .unwrap_err()
            .help
            .unwrap();
        let paths = listed(&help, " has ");
        let paths = paths
            .iter()
            .map(|path| format!("`{path}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let row = format!("| `{context}` | {paths} |");
        assert!(page.contains(&row), "the page lacks this row:\n{row}");
    }
}

#[test]
fn page_lists_every_function() {
    let page = page();
    for context in Context::ALL {
        let converters = Condition::parse("Zzzzzzzzzzzz()", context).unwrap_err().help.unwrap();
        let editors = Statement::parse("zzzzzzzzzzzz()", context).unwrap_err().help.unwrap();
        let functions = [listed(&converters, "converters are "), listed(&editors, "editors are ")].concat();
        assert!(functions.len() > 30, "{functions:?}");
        for function in functions {
            assert!(page.contains(&format!("`{function}(")), "the page lacks {function}");
        }
    }
}

#[test]
fn examples_of_the_page_parse() {
    let page = page();
    let examples: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert_eq!(examples.len(), 2);
    Condition::parse(examples[0], Context::Log).unwrap();
    Statement::parse(examples[1], Context::Log).unwrap();
}
