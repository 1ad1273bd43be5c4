//! The pipelines of `docs/backends.md` are those of `init`, without its comments, and valid.

use std::path::Path;
use std::process::{Command, Output};

use crate::markdown::Page;
use crate::{ENVIRONMENT, folder, root, stderr, validate};

fn init(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"));
    command.arg("init").args(arguments).current_dir(folder);
    command.output().expect("the collector runs")
}

/// The names and titles that `init --list` prints.
fn listed(folder: &Path) -> Vec<(String, String)> {
    let list = String::from_utf8(init(folder, &["--list"]).stdout).expect("UTF-8");
    let rows = list.lines().skip(1).take_while(|line| !line.is_empty());
    let columns = |row: &str| {
        let (name, title) = row.trim().split_once(' ').expect("a name and a title");
        (name.to_owned(), title.trim().to_owned())
    };
    rows.map(columns).collect()
}

/// The pipeline below the heading with this title.
fn documented<'a>(page: &'a Page, text: &str, title: &str) -> &'a str {
    let heading = format!("## {title}").to_lowercase();
    let line = text.lines().position(|line| line.to_lowercase() == heading);
    let line = line.unwrap_or_else(|| panic!("docs/backends.md has no heading {title:?}"));
    let block = page
        .blocks
        .iter()
        .find(|block| block.line > line && block.info == "yaml");
    &block.unwrap_or_else(|| panic!("no pipeline for {title}")).text
}

fn without_comments(text: &str) -> String {
    let lines = text.lines();
    let code = lines.filter(|line| !line.is_empty() && !line.trim_start().starts_with('#'));
    code.map(|line| format!("{line}\n")).collect()
}

#[test]
fn init_writes_the_documented_pipelines() {
    let folder = folder("backends");
    let page = Page::read(root(), "docs/backends.md");
    let text = std::fs::read_to_string(root().join("docs/backends.md")).expect("the page");
    let backends = listed(&folder);
    assert_eq!(
        backends.len(),
        page.blocks.iter().filter(|block| block.info == "yaml").count()
    );
    for (name, title) in backends {
        let file = format!("{name}.yaml");
        let output = init(&folder, &[&name, "-o", &file]);
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        let written = std::fs::read_to_string(folder.join(&file)).expect("the file");
        assert_eq!(without_comments(&written), documented(&page, &text, &title), "{name}");
        assert!(written.contains("\n  # "), "{name} has no comments");
        let output = validate(&folder, &[&file], &ENVIRONMENT);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{name}: {}",
            stderr(&output)
        );
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn init_overwrites_only_when_forced() {
    let folder = folder("init");
    std::fs::write(folder.join("mine.yaml"), "mine").expect("a file");
    let output = init(&folder, &["file", "-o", "mine.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("mine.yaml exists; --force overwrites it"),
        "{}",
        stderr(&output)
    );
    let read = || std::fs::read_to_string(folder.join("mine.yaml")).expect("the file");
    assert_eq!(read(), "mine");
    assert!(init(&folder, &["file", "-o", "mine.yaml", "--force"]).status.success());
    let printed = init(&folder, &["file"]);
    assert_eq!(
        read().as_bytes(),
        printed.stdout,
        "without -o it goes to standard output"
    );
    let unknown = init(&folder, &["fil"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        stderr(&unknown).contains("a similar value exists: 'file'"),
        "{}",
        stderr(&unknown)
    );
    let _ = std::fs::remove_dir_all(folder);
}
