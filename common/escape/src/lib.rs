//! Text from outside, escaped so that it can neither begin a line of its own in a log nor control a terminal.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// True if a character can end a line, control a terminal or change the direction in which what follows is read.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The text on one line: unsafe characters as `\n`, `\t` or `\u{1b}`. Escaping it again changes nothing.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// Text of several lines for a terminal: as [`one_line`], but line breaks and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    escape(text, |character| matches!(character, '\n' | '\t'))
}

fn escape(text: &str, stays: fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(|character| is_unsafe(character) && !stays(character)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match is_unsafe(character) && !stays(character) {
            // Writing to a string does not fail.
            true => drop(write_escaped(&mut escaped, character)),
            false => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

fn write_escaped(out: &mut impl Write, character: char) -> fmt::Result {
    match character {
        '\n' | '\r' | '\t' => write!(out, "{}", character.escape_default()),
        _ => write!(out, "{}", character.escape_unicode()),
    }
}

/// Escapes what is written through it, as [`one_line`] does.
pub struct Escaping<W>(
    /// Where it goes.
    pub W,
);

impl<W: Write> Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(&one_line(text))
    }
}

/// A value whose text comes from outside, displayed on one line.
pub struct Escaped<T>(
    /// The value.
    pub T,
);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_on_one_line() {
        let text = "a\r\n2026-01-01 INFO forged\t\u{1b}[2J\u{9b}0m\u{7f}\u{2028}\u{202e}\u{61c}z";
        let escaped = one_line(text);
        assert_eq!(
            escaped,
            "a\\r\\n2026-01-01 INFO forged\\t\\u{1b}[2J\\u{9b}0m\\u{7f}\\u{2028}\\u{202e}\\u{61c}z"
        );
        assert_eq!(one_line(&escaped), escaped, "a second pass changes nothing");
        assert_eq!(Escaped(text).to_string(), escaped);
    }

    #[test]
    fn ordinary_text_is_not_copied() {
        assert!(matches!(one_line("größer als \"4Mi\" \\ 日本"), Cow::Borrowed(_)));
    }

    #[test]
    fn messages_of_several_lines_keep_their_lines() {
        assert_eq!(lines("a\n\tb\u{1b}[2J\r"), "a\n\tb\\u{1b}[2J\\r");
    }
}
