//! Messages of the cluster and of programs, in a form that fits into a sentence.
//!
//! * `job_event::secrets` masks values that look secret, before anything else reads the text.
//! * `log_tail/` finds the lines of a program that say why it failed.
//! * `wrappers.rs` drops the words that runtimes, registries and the kubelet put around a reason.
//! * `constraints.rs` drops the constraints in an admission error that did not apply.
//! * A text that is still too long keeps both of its ends.

mod constraints;
mod log_tail;
#[cfg(test)]
mod tests;
mod wrappers;

use std::borrow::Cow;

use job_event::secrets::{first_bytes, masked};

/// The most characters of a quoted message, besides the ellipsis and the quotation marks.
const MAX_QUOTED: usize = 300;
/// The most bytes of a message that are read. Kubernetes limits messages of containers to 4 KiB and those of Events to 1 KiB.
const MAX_READ: usize = 16 * 1024;
/// The most characters that a cut moves to reach the end of a word.
const MAX_WORD: usize = 40;

/// The origin of a message, which determines where its reason is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The termination message of a container: what the program wrote, or the tail of its log.
    Program,
    /// Everything else: Kubernetes, the container runtime, registries, drivers, webhooks.
    Cluster,
}

/// A message in quotation marks, on one line and limited in length, without the full stop or colon at its end. The marks
/// are curly because messages often contain straight ones. `sentence` is the text before the quote: names in it are not
/// repeated.
pub(crate) fn quoted(message: &str, origin: Origin, sentence: &str) -> String {
    let message = bounded(message);
    let plain = without_colors(&message);
    let plain = masked(&plain);
    let line = match origin {
        Origin::Program => one_line(&log_tail::reason(&plain), usize::MAX),
        Origin::Cluster => {
            let applied = constraints::applied(&plain);
            let core = wrappers::core(&applied, sentence);
            let mut line = one_line(&core, usize::MAX);
            if is_long(&line) {
                line = one_line(&wrappers::without_asides(&core), usize::MAX);
            }
            for shorter in [
                wrappers::brief,
                constraints::each_reason_once,
                constraints::without_explanations,
            ] {
                if is_long(&line) {
                    line = shorter(line);
                }
            }
            line
        }
    };
    let line = match line.is_empty() {
        true => one_line(&message, usize::MAX),
        false => line,
    };
    let line = both_ends(line, MAX_QUOTED);
    let trimmed = line.trim_end_matches(['.', ':', ',', ' ']);
    format!("“{}”", if trimmed.is_empty() { &line } else { trimmed })
}

fn is_long(line: &str) -> bool {
    line.chars().count() > MAX_QUOTED
}

/// A message on one line: runs of white space become one space, other control characters are escaped, and a text longer
/// than `max` characters is cut and ends in `…`.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max));
    let mut length = 0;
    for word in text.split_whitespace() {
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        let is_plain = word.bytes().all(|byte| byte.is_ascii_graphic());
        if is_plain && word.len() <= max - length.min(max) {
            line.push_str(word);
            length += word.len();
            continue;
        }
        for character in word.chars() {
            if length >= max {
                line.truncate(line.trim_end().len());
                line.push('…');
                return line;
            }
            if is_unprintable(character) {
                let escaped = character.escape_unicode();
                length += escaped.len();
                line.extend(escaped);
            } else {
                line.push(character);
                length += 1;
            }
        }
    }
    line
}

/// True for control characters, and for those that change the direction of the text and so disguise a line.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text without its middle if it is very long.
fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_READ {
        return Cow::Borrowed(text);
    }
    let tail = first_bytes(text, text.len() - MAX_READ / 2).len();
    Cow::Owned(format!("{}\n…\n{}", first_bytes(text, MAX_READ / 4), &text[tail..]))
}

/// The text without the sequences that color it on a terminal (`ESC [ … m` and the like, ECMA-48).
fn without_colors(text: &str) -> Cow<'_, str> {
    if !text.contains("\u{1b}[") {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_parameter = |byte: u8| (0x20..0x40).contains(&byte);
        let end = part.bytes().position(|byte| !is_parameter(byte));
        match end {
            Some(end) if (0x40..0x7f).contains(&part.as_bytes()[end]) => plain.push_str(&part[end + 1..]),
            _ => plain.push_str(part),
        }
    }
    Cow::Owned(plain)
}

/// A line of at most `max` characters and an ellipsis: the beginning, which names the thing, and a longer end, where
/// runtimes and registries put the reason. Both are cut between words if one ends nearby.
fn both_ends(line: String, max: usize) -> String {
    let count = line.chars().count();
    if count <= max {
        return line;
    }
    let at = |character: usize| line.char_indices().nth(character).map_or(line.len(), |(at, _)| at);
    let head = &line[..at(max / 3)];
    let head = match head.char_indices().rev().take(MAX_WORD).find(|(_, c)| *c == ' ') {
        Some((space, _)) => &head[..=space],
        None => head,
    };
    // One character for the space after the ellipsis.
    let rest = max - head.chars().count() - 1;
    let tail = &line[at(count - rest)..];
    match tail.char_indices().take(MAX_WORD).find(|(_, c)| *c == ' ') {
        Some((space, _)) => format!("{head}…{}", &tail[space..]),
        None => format!("{head}…{tail}"),
    }
}
