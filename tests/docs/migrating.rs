//! `docs/migrating.md`: what `validate` says about each file of the Collector shown there.

use crate::markdown::Page;
use crate::{ENVIRONMENT, around, folder, root, stderr, validate};

#[test]
fn files_of_the_collector_get_the_documented_hints() {
    let page = Page::read(root(), "docs/migrating.md");
    let folder = folder("migrating");
    let mut seen = 0;
    for (index, block) in page.blocks.iter().enumerate() {
        let Some(name) = block.info.strip_prefix("yaml before ") else {
            continue;
        };
        let place = format!("{}:{}", page.name, block.line);
        let shown = page.blocks.get(index + 1).filter(|next| next.info == "text");
        let shown = shown.unwrap_or_else(|| panic!("{place}: what validate says is missing"));
        std::fs::write(folder.join(name), &block.text).expect("a file");
        let whole = block.text.contains("pipelines:");
        let output = match whole {
            true => validate(&folder, &[name], &ENVIRONMENT),
            false => {
                std::fs::write(folder.join("around.yaml"), around(block)).expect("a file");
                validate(&folder, &["around.yaml", name], &ENVIRONMENT)
            }
        };
        let found = stderr(&output);
        for line in shown.text.lines() {
            assert!(found.contains(line), "{place}: not printed: {line}\n{found}");
        }
        // Nothing is reported that is not shown.
        let errors = found.lines().filter(|line| line.starts_with(&format!("{name}:")));
        for error in errors {
            let (_, error) = error.split_once(": ").expect("position: path");
            assert!(shown.text.contains(error), "{place}: not shown: {error}");
        }
        seen += 1;
    }
    assert!(seen >= 9, "only {seen} files were found");
    let _ = std::fs::remove_dir_all(folder);
}
