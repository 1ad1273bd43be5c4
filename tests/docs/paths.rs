//! Every file named in a page or in a comment exists.

use std::path::{Path, PathBuf};

use crate::language::files;
use crate::prose::{self, Kind};
use crate::root;

fn is_path(code: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.');
    code.chars().all(allowed) && !code.starts_with('.')
}

/// True for a Rust file or a page, with its folder or without.
fn is_file(code: &str) -> bool {
    let extension = Path::new(code).extension().and_then(|extension| extension.to_str());
    is_path(code) && matches!(extension, Some("rs" | "md"))
}

/// The files in backticks that do not exist. A path starts at the root, in a folder of `near`, or in the folder of the path
/// before it, which is `beside`.
fn missing<'a>(text: &'a str, near: &[PathBuf], beside: &mut Option<PathBuf>) -> Vec<&'a str> {
    let mut missing = Vec::new();
    for code in text.split('`').skip(1).step_by(2) {
        let find = || {
            let folders = beside.iter().chain(near);
            folders.map(|folder| folder.join(code)).find(|path| path.exists())
        };
        if is_path(code) && code.ends_with('/') {
            *beside = find().or(beside.take());
        } else if is_file(code) {
            match find() {
                Some(path) => *beside = path.parent().map(Path::to_owned),
                None => missing.push(code),
            }
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
        let mut beside = None;
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() {
                beside = None;
            }
            let missing = missing(line, &near, &mut beside);
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
            let missing = missing(&text, &near, &mut None)
                .into_iter()
                .filter(|code| code.contains('/'));
            broken.extend(missing.map(|code| format!("{name}:{}: {code}", comment.line())));
        }
    }
    assert!(broken.is_empty(), "no such file:\n{}", broken.join("\n"));
}
