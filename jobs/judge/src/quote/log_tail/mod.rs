//! The part of a program's last words that says why it failed. A termination message is what the program wrote to its
//! termination log, or the tail of its log, up to 80 lines or 2048 bytes (`FallbackToLogsOnError`,
//! `pkg/kubelet/kuberuntime/kuberuntime_container.go`).
//!
//! In this order: the end of the program by its language runtime (`crash.rs`), with a later error after it; the last line
//! that says it is an error (`line.rs`); the lines of `npm`; the last lines.

mod crash;
mod line;

use std::borrow::Cow;

use super::MAX_QUOTED;
use line::Level;

/// The most lines that are read, from the end.
const MAX_LINES: usize = 100;

/// The least lines after an error after which the last line counts too.
const MIN_LATER: usize = 5;

/// Consecutive lines of the log that belong to the reason.
#[derive(Debug)]
struct Excerpt<'a> {
    /// The first line.
    from: usize,
    /// The last line.
    to: usize,
    text: Cow<'a, str>,
}

/// The lines that say why the program failed. Text left out between them is marked with `…`.
pub(super) fn reason(text: &str) -> String {
    let lines = last_lines(text);
    let mut excerpts = crash::last(&lines);
    let after = excerpts.last().map_or(0, |excerpt| excerpt.to + 1);
    excerpts.extend(last_error(&lines, after));
    if excerpts.is_empty() {
        excerpts.extend(npm(&lines));
    }
    excerpts.extend(later_word(&lines, excerpts.last()));
    match excerpts.is_empty() {
        true => last_words(&lines),
        false => joined(&excerpts),
    }
}

fn joined(excerpts: &[Excerpt<'_>]) -> String {
    let mut text = String::new();
    let mut next = None;
    for excerpt in excerpts {
        if let Some(next) = next {
            text.push_str(if next == excerpt.from { " " } else { " … " });
        }
        text.push_str(&excerpt.text);
        next = Some(excerpt.to + 1);
    }
    text
}

/// The last lines that are not blank, without the marks at their beginning.
fn last_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text
        .rsplit(['\n', '\r'])
        .map(|line| without_mark(line.trim_end()))
        .filter(|line| !matches!(line.trim_start(), "" | "#"))
        .take(MAX_LINES)
        .collect();
    lines.reverse();
    lines
}

/// A line without the mark of an exception group in Python (`  | `), of Terraform (`│ `), or of a rank of PyTorch.
fn without_mark(line: &str) -> &str {
    let line = match line.strip_prefix("[rank").and_then(|rest| rest.split_once("]: ")) {
        Some((rank, rest)) if rank.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => line,
    };
    let start = line.trim_start();
    match start.strip_prefix(['|', '│', '╷', '╵']) {
        Some(rest) => rest.strip_prefix(' ').unwrap_or(rest),
        None => line,
    }
}

/// The last line from `from` on that says it is an error, with the indented lines that explain it.
fn last_error<'a>(lines: &[&'a str], from: usize) -> Option<Excerpt<'a>> {
    let is_error = |at: &usize| line::level(lines[*at]) == Some(Level::Error) && !line::is_trailer(lines[*at]);
    let at = (from..lines.len()).rev().find(is_error)?;
    let mut excerpt = Excerpt {
        from: at,
        to: at,
        text: line::shown(lines[at]),
    };
    for (next, line) in lines.iter().enumerate().skip(at + 1) {
        let explains = line.starts_with([' ', '\t']) || line.starts_with("DETAIL:") || line.starts_with("HINT:");
        if !explains || line::is_trailer(line) || excerpt.text.len() + line.len() > MAX_QUOTED {
            break;
        }
        excerpt.text.to_mut().push(' ');
        excerpt.text.to_mut().push_str(line.trim());
        excerpt.to = next;
    }
    Some(excerpt)
}

/// The last line, if the program wrote so much after its error that the error may not have ended it.
fn later_word<'a>(lines: &[&'a str], error: Option<&Excerpt<'a>>) -> Option<Excerpt<'a>> {
    let error = error?;
    let is_word = |at: &usize| {
        let is_indented = |line: &str| line.starts_with([' ', '\t', '#']);
        // A function of Go stands above its indented file.
        let is_function = lines.get(at + 1).is_some_and(|next| next.starts_with('\t'));
        let line = lines[*at];
        !is_indented(line) && !is_function && !line::is_trailer(line) && line::level(line).is_none()
    };
    let mut words = (error.to + 1..lines.len()).rev().filter(is_word);
    let last = words.next()?;
    let is_new = !error.text.contains(lines[last]);
    (is_new && words.nth(MIN_LATER - 2).is_some()).then(|| Excerpt {
        from: last,
        to: last,
        text: Cow::Borrowed(lines[last]),
    })
}

/// The lines of `npm` about its error: they describe it together.
fn npm<'a>(lines: &[&'a str]) -> Option<Excerpt<'a>> {
    let said = |line: &&'a str| {
        line.strip_prefix("npm ERR! ")
            .or_else(|| line.strip_prefix("npm error "))
    };
    let from = lines.iter().position(|line| said(line).is_some())?;
    let mut text = String::from("npm ERR!");
    for line in lines[from..].iter().filter_map(said).map(str::trim) {
        if line.starts_with("A complete log of this run") {
            break;
        }
        let is_detail = ["errno ", "syscall ", "path "]
            .iter()
            .any(|start| line.starts_with(start));
        if !is_detail && !line.starts_with("This is probably not a problem with npm") {
            text.push(' ');
            text.push_str(line);
        }
    }
    Some(Excerpt {
        from,
        to: lines.len(),
        text: Cow::Owned(text),
    })
}

/// The last lines that fit: those after the last report of progress, if any.
fn last_words(lines: &[&str]) -> String {
    let telling: Vec<&str> = lines.iter().copied().filter(|line| !line::is_trailer(line)).collect();
    let lines = if telling.is_empty() { lines } else { &telling };
    let progress = lines
        .iter()
        .rposition(|line| line::level(line) == Some(Level::Progress));
    let first = progress.map_or(0, |at| at + 1);
    let lines = if first < lines.len() { &lines[first..] } else { lines };
    let mut from = lines.len().saturating_sub(1);
    // Two characters for the ellipsis and its space.
    let mut length = 2 + lines.last().map_or(0, |line| line.chars().count());
    while from > 0 {
        length += lines[from - 1].chars().count() + 1;
        if length > MAX_QUOTED {
            break;
        }
        from -= 1;
    }
    let words = lines[from..].join(" ");
    match from > 0 {
        true => format!("… {words}"),
        false => words,
    }
}
