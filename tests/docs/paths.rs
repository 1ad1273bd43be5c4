//! Every file named in a page or in a comment exists.

use std::path::{Path, PathBuf};

use crate::language::files;
use crate::prose::{self, Kind};
use crate::root;

/// True for a Rust file or a page, with its folder or without.
fn is_file(code: &str) -> bool {
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.');
    let extension = Path::new(code).extension().and_then(|extension| extension.to_str());
    code.chars().all(is_path) && matches!(extension, Some("rs" | "md")) && !code.starts_with('.')
}

/// The files in backticks that do not exist. A path starts at the root, in a folder of `near`, or beside the file before it.
fn missing<'a>(text: &'a str, near: &[PathBuf]) -> Vec<&'a str> {
    let mut beside: Option<PathBuf> = None;
    let mut missing = Vec::new();
    for code in text.split('`').skip(1).step_by(2).filter(|code| is_file(code)) {
        let folders = beside.iter().chain(near);
        match folders.map(|folder| folder.join(code)).find(|path| path.exists()) {
            Some(path) => beside = path.parent().map(Path::to_owned),
            None => missing.push(code),
        }
    }
    missing
}

#[test]
fn files_named_in_pages_exist() {
    let mut broken = Vec::new();
    for name in files()
        .iter()
        .filter(|name| name.ends_with(".md") && *name != "CHANGELOG.md")
    {
        let Ok(text) = std::fs::read_to_string(root().join(name)) else {
            continue;
        };
        let folder = root().join(name).parent().expect("a folder").to_owned();
        let near = [root().to_owned(), folder.join("src"), folder];
        for (index, line) in text.lines().enumerate() {
            let missing = missing(line, &near);
            broken.extend(missing.iter().map(|code| format!("{name}:{}: {code}", index + 1)));
        }
    }
    assert!(broken.is_empty(), "no such file:\n{}", broken.join("\n"));
}

#[test]
fn files_named_in_comments_exist() {
    let mut broken = Vec::new();
    for name in files() {
        let Ok(text) = std::fs::read_to_string(root().join(&name)) else {
            continue;
        };
        let folder = root().join(&name).parent().expect("a folder").to_owned();
        let near = [root().to_owned(), folder];
        let comments = prose::passages(&name, &text);
        for comment in comments.iter().filter(|passage| passage.kind == Kind::Comment) {
            // A bare name may be an example.
            let text = comment.text();
            let missing = missing(&text, &near).into_iter().filter(|code| code.contains('/'));
            broken.extend(missing.map(|code| format!("{name}:{}: {code}", comment.line())));
        }
    }
    assert!(broken.is_empty(), "no such file:\n{}", broken.join("\n"));
}
