//! The pages of `docs/decisions` have one form, and the index lists them.

use crate::markdown::Page;
use crate::root;

#[test]
fn each_decision_has_context_decision_and_consequences() {
    let index = std::fs::read_to_string(root().join("docs/decisions/README.md")).expect("the index");
    let folder = std::fs::read_dir(root().join("docs/decisions")).expect("the decisions");
    let names = folder.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name != "README.md").collect();
    names.sort();
    assert!(names.len() >= 15, "{names:?}");
    for (index_of, name) in names.iter().enumerate() {
        let number = index_of + 1;
        assert!(
            name.starts_with(&format!("{number:04}-")),
            "{name}: expected number {number:04}"
        );
        let page = Page::read(root(), &format!("docs/decisions/{name}"));
        let headings: Vec<String> = page.sections().into_iter().map(|section| section.heading).collect();
        let (title, rest) = headings.split_first().expect("a title");
        let title = title.strip_prefix(&format!("{number}. ")).expect("a numbered title");
        assert_eq!(rest, ["Context", "Decision", "Consequences"], "{name}");
        let row = format!("| [{number:04}]({name}) | {title} |");
        assert!(index.contains(&row), "docs/decisions/README.md lacks: {row}");
    }
}
