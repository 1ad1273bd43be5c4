//! `docs/causes.md` is made from the table of causes in the code.
//!
//! To update it: `UPDATE_DOCS=1 cargo test --test verdicts`.

use std::fmt::Write;

use job_judge::CAUSES;

fn page() -> String {
    let mut page = String::from(
        "# Causes\n\n\
         The Job controller writes the `reason` of a failed Job. Its `cause` comes from this closed set, and needs proof:\n\
         without it the event has a broader cause and `k8s.job.evidence.quality: partial`\n\
         ([When evidence is missing](evidence.md)).\n\n\
         This page is generated from the table in `jobs/judge/src/cause.rs`. [Add a cause in four steps](add-a-cause.md)\n\
         describes how to extend it.\n\n\
         | cause | category | can a retry help? | meaning | proof | next step |\n|---|---|---|---|---|---|\n",
    );
    for row in CAUSES {
        let cell = |text: &str| text.replace('|', "\\|");
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            row.name,
            row.category.as_str(),
            row.retry.as_str(),
            cell(row.meaning),
            cell(row.proof),
            cell(row.next_step),
        );
    }
    page
}

#[test]
fn the_page_shows_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/causes.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).expect("docs/causes.md can be written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(written, page, "update it: UPDATE_DOCS=1 cargo test --test verdicts");
}

#[test]
fn names_are_unique() {
    let names: std::collections::BTreeSet<&str> = CAUSES.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), CAUSES.len());
    assert_eq!(names.len(), 31);
}
