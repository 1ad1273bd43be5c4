//! The end of a program by its language runtime: the exception under a traceback, the text of a panic, the last cause of a
//! chain of exceptions.

use std::borrow::Cow;

use super::{Excerpt, last_lines, line};
use crate::quote::MAX_QUOTED;

/// The most lines between an exception and its stack: the rest of a message of several lines.
const MAX_MESSAGE: usize = 5;

/// The exception or panic that ended last, without its stack.
pub(super) fn last<'a>(lines: &[&'a str]) -> Vec<Excerpt<'a>> {
    let mut at = lines.len();
    while at > 0 {
        at -= 1;
        let line = lines[at];
        let found = if is_python_frame(line) {
            prefixed_python(lines, at).or_else(|| python(lines, at))
        } else if is_at_frame(line) {
            match at_frames(lines, at) {
                Ok(found) => Some(found),
                // Frames without an exception before them.
                Err(first) => {
                    at = first;
                    None
                }
            }
        } else {
            head(lines, at)
        };
        if let Some(found) = found.filter(|found| !found.is_empty()) {
            return found;
        }
    }
    Vec::new()
}

/// The exception in a text of several lines, as a field of a structured log has it; else its first line.
pub(super) fn exception_in(text: &str) -> String {
    if !text.contains('\n') {
        return text.to_owned();
    }
    let lines = last_lines(text);
    match super::joined(&last(&lines)) {
        found if !found.is_empty() => found,
        _ => text.lines().next().unwrap_or_default().to_owned(),
    }
}

/// True for a line of a stack, and for the marks between two of them.
pub(super) fn is_frame(line: &str) -> bool {
    // ` 1: 0xb09980 node::Abort() [node]`
    let is_native = line
        .trim_start()
        .split_once(": 0x")
        .is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    is_python_frame(line) || is_at_frame(line) || is_native || line.starts_with("\tfrom ") || line.starts_with("... ")
}

/// `Exception in thread "main" a.b.CException: text`, `TypeError: text`, `Caused by: a.b.CError`
pub(super) fn is_exception(line: &str) -> bool {
    let line = line.trim_start();
    let line = match line.strip_prefix("Exception in thread ") {
        Some(rest) => rest.rsplit_once("\" ").map_or(rest, |(_, rest)| rest),
        None => line,
    };
    let starts = [
        "Unhandled exception. ",
        "Caused by: ",
        "---> ",
        "[cause]: ",
        "Uncaught ",
        ": ",
    ];
    let line = starts.iter().find_map(|start| line.strip_prefix(start)).unwrap_or(line);
    let end = line.find([':', ' ', '(', '[']).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$'));
    let is_known = ["Error", "Exception", "Throwable", "Failure"]
        .iter()
        .any(|end| name.ends_with(end));
    // `Error [ERR_X]: text`, `System.Net.SocketException (111): text`
    let is_ended = rest.is_empty() || rest.starts_with(':') || rest.starts_with(" [") || rest.starts_with(" (");
    is_name && is_known && is_ended
}

/// One excerpt of the lines `from..=to`.
fn excerpt<'a>(lines: &[&'a str], from: usize, to: usize) -> Excerpt<'a> {
    let text = match from == to {
        true => line::shown(lines[from]),
        false => {
            let lines: Vec<&str> = lines[from..=to].iter().map(|line| line.trim()).collect();
            Cow::Owned(lines.join(" "))
        }
    };
    Excerpt { from, to, text }
}

/// `  File "main.py", line 8, in <module>` or the header of a traceback.
fn is_python_frame(line: &str) -> bool {
    let start = line.trim_start();
    start.starts_with("File \"") && start.contains("\", line ") || line.ends_with("Traceback (most recent call last):")
}

/// The same in a log with a prefix of one length before each line of the traceback: a time, the name of a task.
fn prefixed_python<'a>(lines: &[&'a str], header: usize) -> Option<Vec<Excerpt<'a>>> {
    let prefix = lines[header].strip_suffix("Traceback (most recent call last):")?.len();
    let bare = |line: &&'a str| line.get(prefix..).unwrap_or_default();
    if prefix == 0
        || !lines
            .get(header + 1)
            .is_some_and(|next| bare(next).starts_with("  File \""))
    {
        return None;
    }
    let bare: Vec<&str> = lines[header..].iter().map(bare).collect();
    let mut found = python(&bare, 0)?;
    for excerpt in &mut found {
        (excerpt.from, excerpt.to) = (excerpt.from + header, excerpt.to + header);
    }
    Some(found)
}

/// The exception under a frame of Python: the first line that is not indented, with the rest of its message.
fn python<'a>(lines: &[&'a str], frame: usize) -> Option<Vec<Excerpt<'a>>> {
    let is_outer = |line: &&str| !line.starts_with([' ', '\t', '+']);
    let from = frame + 1 + lines[frame + 1..].iter().position(is_outer)?;
    let line = lines[from];
    let name = &line[..line.find(':').unwrap_or(line.len())];
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
    if !name.bytes().all(is_name) {
        return None;
    }
    // `ChildFailedError:` of PyTorch heads a table; the exception of the child explains more.
    if line.ends_with(':') && lines.get(from + 1).is_none_or(|next| next.starts_with("===")) {
        return None;
    }
    let mut to = from;
    let mut length = line.len();
    for (at, next) in lines.iter().enumerate().take(from + MAX_MESSAGE).skip(from + 1) {
        length += next.len() + 1;
        if length > MAX_QUOTED || line::is_trailer(next) || line::level(next).is_some() {
            break;
        }
        if next.starts_with([' ', '\t']) {
            to = at;
        }
    }
    Some(vec![excerpt(lines, from, to)])
}

/// `    at a.b.C.d(C.java:1)` of Java, `    at f (/app/x.js:1:2)` of Node.js, `   at A.B(String c) in /src/x.cs:line 3` of .NET.
fn is_at_frame(line: &str) -> bool {
    let start = line.trim_start();
    start.len() < line.len() && start.starts_with("at ") && start.contains(['(', ':'])
}

fn is_cause(line: &str) -> bool {
    let start = line.trim_start();
    line.starts_with("Caused by: ") || start.starts_with("---> ") || start.starts_with("[cause]: ")
}

/// The exception above frames, and the last of its causes; without an exception the first frame.
fn at_frames<'a>(lines: &[&'a str], frame: usize) -> Result<Vec<Excerpt<'a>>, usize> {
    let belongs = |line: &str| {
        let start = line.trim_start();
        is_at_frame(line)
            || is_cause(line)
            || ["... ", "Caused by: ", "Suppressed: ", "--- End of"]
                .iter()
                .any(|mark| start.starts_with(mark))
    };
    let mut top = frame;
    let mut head = None;
    while top > 0 {
        if belongs(lines[top - 1]) {
            top -= 1;
            continue;
        }
        let above = (top.saturating_sub(MAX_MESSAGE)..top).rev();
        let mut above = above.take_while(|at| line::level(lines[*at]) != Some(line::Level::Progress));
        match above.find(|at| is_exception(lines[*at])) {
            Some(at) if is_cause(lines[at]) => top = at,
            found => {
                head = found;
                break;
            }
        }
    }
    let first = head.map_or(top, |head| head + 1);
    let cause = (first..=frame).rev().find(|at| is_cause(lines[*at]));
    // Without an exception, the line above the frames is its text.
    let is_text = |at: &usize| line::level(lines[*at]) != Some(line::Level::Progress);
    let head = head.or_else(|| top.checked_sub(1).filter(is_text).filter(|_| cause.is_none()));
    // `PrismaClientInitializationError:`: the text follows.
    let ends = |at: usize| match lines[at].ends_with(':') {
        true => top.saturating_sub(1).max(at),
        false => at,
    };
    let found = head.into_iter().chain(cause).map(|at| excerpt(lines, at, ends(at)));
    let mut found: Vec<Excerpt<'a>> = found.collect();
    match found.last_mut() {
        Some(last) => last.to = frame,
        None => return Err(top),
    }
    Ok(found)
}

/// The first line of an end that needs no frames.
fn head<'a>(lines: &[&'a str], at: usize) -> Option<Vec<Excerpt<'a>>> {
    let line = lines[at];
    let start = line.trim_start();
    let next = (at + 1 < lines.len()).then_some(at + 1);
    let to = match start.as_bytes().first()? {
        b'p' | b'f' if start.starts_with("panic: ") || start.starts_with("fatal error: ") => {
            return Some(go(lines, at));
        }
        b't' if start.starts_with("terminate called after throwing") => next.unwrap_or(at),
        b'P' if start.starts_with("PHP Fatal error:") || start.starts_with("PHP Parse error:") => at,
        b'F' if start.starts_with("Fatal error: Uncaught") => at,
        b'U' if start.starts_with("Unhandled exception") => at,
        b'*' if start.starts_with("** (") => at,
        b'*' if start.starts_with("* What went wrong:") => (at + 2).min(lines.len() - 1),
        b'I' if start.starts_with("In ") && start.ends_with(':') && start.contains(".php line ") => next?,
        b'C' if start == "Caused by:" => return rust_causes(lines, at),
        b'#' if start.starts_with("# A fatal error has been detected by ") => (at + 1).min(lines.len() - 1),
        _ if start.ends_with("aborted!") => next?,
        _ if start.starts_with("thread '") && start.contains("' panicked at ")
            || start.starts_with("thread '") && start.contains(") panicked at ") =>
        {
            match next {
                Some(next) if start.ends_with(':') => next,
                _ => at,
            }
        }
        // `main.rb:3:in 'f': text (RuntimeError)`
        _ if start.ends_with(')') && start.contains(":in ") && start.contains(" (") && is_ruby(start) => at,
        _ => return None,
    };
    Some(vec![excerpt(lines, at, to)])
}

fn is_ruby(line: &str) -> bool {
    let place = line.split_once(":in ").map_or("", |(place, _)| place);
    let line = place.rsplit(':').next().unwrap_or_default();
    !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) && !place.starts_with("from ")
}

/// A panic of Go: from its first line to the signal or the goroutines.
fn go<'a>(lines: &[&'a str], at: usize) -> Vec<Excerpt<'a>> {
    let starts = |line: &str| line.trim_start().starts_with("panic: ");
    let mut from = at;
    while from > 0 && starts(lines[at]) && starts(lines[from - 1]) {
        from -= 1;
    }
    let ends =
        |line: &str| line.starts_with("goroutine ") || line.starts_with("[signal ") || line.starts_with("exit status ");
    let mut to = at;
    while to + 1 < lines.len() && to < at + 2 && !ends(lines[to + 1]) && line::level(lines[to + 1]).is_none() {
        to += 1;
    }
    let mut found = excerpt(lines, from, to);
    if lines.get(to + 1).is_some_and(|next| ends(next)) {
        // Everything after it are the stacks of goroutines.
        found.to = lines.len();
    }
    vec![found]
}

/// `Error: text`, `Caused by:`, `    0: cause`, `    1: cause` (`anyhow` of Rust): the text and the last cause.
fn rust_causes<'a>(lines: &[&'a str], at: usize) -> Option<Vec<Excerpt<'a>>> {
    let head = at.checked_sub(1)?;
    let causes = lines[at + 1..].iter().take_while(|line| line.starts_with(' ')).count();
    let last = at + causes;
    (causes > 0).then(|| {
        let mut cause = excerpt(lines, last, last);
        let text = cause.text.trim_start_matches(|c: char| c.is_ascii_digit());
        cause.text = Cow::Owned(text.strip_prefix(": ").unwrap_or(lines[last].trim()).to_owned());
        vec![excerpt(lines, head, head), cause]
    })
}
