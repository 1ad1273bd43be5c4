//! `docs/causes.md` and `docs/texts.md` are made from the tables in the code.
//!
//! To update them: `UPDATE_DOCS=1 cargo test --test verdicts`.

use std::fmt::Write;

use job_judge::CAUSES;
use job_judge::texts::FAMILIES;

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

fn causes() -> String {
    let mut page = String::from(
        "# Causes\n\n\
         The Job controller writes the `reason` of a failed Job. Its `cause` comes from this closed set, and needs proof:\n\
         without it the event has a broader cause and `k8s.job.evidence.quality: partial`\n\
         ([When evidence is missing](evidence.md)).\n\n\
         [Known texts](texts.md) in messages of the cluster decide the retry and the next step, and some decide the cause.\n\
         [Side containers](side-containers.md) describes how the container that does the work is found.\n\n\
         This page is generated from the table in `jobs/judge/src/cause.rs`. [Add a cause in four steps](add-a-cause.md)\n\
         describes how to extend it.\n\n\
         | cause | category | can a retry help? | meaning | proof | next step |\n|---|---|---|---|---|---|\n",
    );
    for row in CAUSES {
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

fn texts() -> String {
    let mut page = String::from(
        "# Known texts\n\n\
         These texts in messages of registries, runtimes, schedulers, autoscalers, webhooks and the kubelet say more than the\n\
         reason of the Event or status. Each row has the [cause](causes.md) that the text proves, the effect of a retry and the\n\
         next step. A message matches if it contains one of the texts, without regard to case; `*` stands for any characters,\n\
         `http 403` for that status code in any wording. In each table the first row that matches counts.\n\n\
         This page is generated from `jobs/judge/src/texts/`. [Add a cause](add-a-cause.md#a-known-text) describes how to add a\n\
         text.\n",
    );
    for family in FAMILIES {
        let _ = write!(
            page,
            "\n## {}\n\n{}\n\n| texts | cause | can a retry help? | next step | source |\n|---|---|---|---|---|\n",
            family.name, family.searched_in
        );
        for row in family.texts {
            let says: Vec<String> = row.says.iter().map(|text| format!("`{}`", text.trim())).collect();
            let _ = writeln!(
                page,
                "| {} | `{}` | {} | {} | {} |",
                says.join(", "),
                row.cause.as_str(),
                row.retry.as_str(),
                cell(row.next_step),
                cell(row.source),
            );
        }
    }
    page
}

/// Compares a page with the file of that name in `docs/`, or writes it.
fn check(name: &str, page: &str) {
    let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page, "update it: UPDATE_DOCS=1 cargo test --test verdicts");
}

#[test]
fn the_pages_show_the_tables() {
    check("causes.md", &causes());
    check("texts.md", &texts());
}

#[test]
fn names_are_unique() {
    let names: std::collections::BTreeSet<&str> = CAUSES.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), CAUSES.len());
    assert_eq!(names.len(), 33);
}
