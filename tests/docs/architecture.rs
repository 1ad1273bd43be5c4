//! The map and the walks of `docs/architecture.md` against the workspace.

use std::collections::BTreeSet;
use std::path::Path;

use crate::markdown::Page;
use crate::root;

/// The folders of the workspace's members.
fn members() -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let list = manifest.split_once("members = [").expect("members").1;
    let list = list.split(']').next().unwrap_or_default();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_map_has_a_line_for_every_crate() {
    let page = Page::read(root(), "docs/architecture.md");
    let sections = page.sections();
    let map = sections.iter().find(|section| section.heading == "Crates");
    let mapped: Vec<String> = map.expect("the section Crates").first_cells();
    let unique: BTreeSet<String> = mapped.iter().cloned().collect();
    assert_eq!(mapped.len(), unique.len(), "a crate has two lines: {mapped:?}");
    let members = members();
    let missing: Vec<_> = members.difference(&unique).collect();
    assert!(missing.is_empty(), "docs/architecture.md lacks a line for {missing:?}");
    let stale: Vec<_> = unique.difference(&members).collect();
    assert!(
        stale.is_empty(),
        "docs/architecture.md maps {stale:?}, which are no members"
    );
}

#[test]
fn walks_name_files_and_functions_that_exist() {
    let page = Page::read(root(), "docs/architecture.md");
    let sections = page.sections();
    let walks: Vec<_> = sections.iter().filter(|s| s.heading.starts_with("Walk: ")).collect();
    assert_eq!(walks.len(), 3, "walks");
    for walk in walks {
        let (mut file, mut source, mut functions) = (String::new(), String::new(), 0);
        let text = walk.text();
        for code in text.split('`').skip(1).step_by(2) {
            if Path::new(code).extension().is_some_and(|extension| extension == "rs") {
                source = std::fs::read_to_string(root().join(code))
                    .unwrap_or_else(|error| panic!("{}: {code}: {error}", walk.heading));
                file = code.to_owned();
            } else if let Some(name) = code.strip_suffix("()") {
                let found = [format!("fn {name}("), format!("fn {name}<")];
                let exists = found.iter().any(|found| source.contains(found));
                assert!(exists, "{}: {file} has no function {name}", walk.heading);
                functions += 1;
            }
        }
        assert!(functions >= 6, "{}: {functions} functions", walk.heading);
    }
}
