//! The syntax of Go's `regexp` in that of the `regex` crate.
//!
//! Both descend from RE2. They differ in: classes such as `\d`, which are ASCII in Go; `\Q…\E`; octal escapes; escapes of
//! punctuation; a `[` inside a class; a brace that repeats nothing; and flags.

use std::iter::Peekable;
use std::str::Chars;

/// Go repeats at most so often.
const MOST_REPETITIONS: u32 = 1_000;

/// Translates a pattern; the error is the reason why Go rejects it.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut out, &mut rest)?,
            '[' => class(&mut out, &mut rest)?,
            '(' => {
                flags(rest.clone())?;
                out.push('(');
                out.extend(rest.next_if_eq(&'?'));
            }
            '*' | '+' | '?' => {
                out.push(c);
                behind_repetition(&mut out, &mut rest)?;
            }
            '{' => match repetition(rest.clone()) {
                Some(count) if count > MOST_REPETITIONS => {
                    return Err(format!("at most {MOST_REPETITIONS} repetitions"));
                }
                Some(_) => {
                    out.push('{');
                    while let Some(c) = rest.next_if(|c| *c != '}') {
                        out.push(c);
                    }
                    out.extend(rest.next());
                    behind_repetition(&mut out, &mut rest)?;
                }
                None => out.push_str("\\{"),
            },
            '}' => out.push_str("\\}"),
            _ => out.push(c),
        }
    }
    Ok(out)
}

/// The larger count of `{n}`, `{n,}` or `{n,m}` behind an opening brace; any other brace is literal.
fn repetition(rest: Peekable<Chars<'_>>) -> Option<u32> {
    let inside: String = rest.take(24).collect();
    let (inside, _) = inside.split_once('}')?;
    let (from, to) = inside.split_once(',').unwrap_or((inside, ""));
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if from.is_empty() || !number(from) || !number(to) {
        return None;
    }
    let count = |text: &str| text.parse().unwrap_or(if text.is_empty() { 0 } else { u32::MAX });
    Some(count(from).max(count(to)))
}

/// Behind a repetition may follow a `?`; Go rejects further ones.
fn behind_repetition(out: &mut String, rest: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    out.extend(rest.next_if_eq(&'?'));
    let mut next = rest.clone();
    match next.next() {
        Some(c @ ('*' | '+' | '?')) => Err(format!("`{c}` repeats a repetition")),
        Some('{') if repetition(next).is_some() => Err("`{` repeats a repetition".to_owned()),
        _ => Ok(()),
    }
}

/// Rejects flags that Go does not know behind `(?`.
fn flags(mut rest: Peekable<Chars<'_>>) -> Result<(), String> {
    if rest.next() != Some('?') {
        return Ok(());
    }
    let flags: String = rest.take_while(|c| !matches!(c, ':' | ')' | '<')).take(16).collect();
    match flags
        .chars()
        .find(|c| !matches!(c, 'i' | 'm' | 's' | 'U' | '-' | 'P' | '=' | '!'))
    {
        Some(unknown) => Err(format!("unknown flag `{unknown}` in a group")),
        None => Ok(()),
    }
}

fn escape(out: &mut String, rest: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    let Some(c) = rest.next() else {
        return Err("a backslash at the end".to_owned());
    };
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        'b' => out.push_str("(?-u:\\b)"),
        'B' => out.push_str("(?-u:\\B)"),
        'A' => out.push_str("\\A"),
        'z' => out.push_str("\\z"),
        'C' => return Err("`\\C` is not supported".to_owned()),
        'Q' => quoted(out, rest),
        _ => return character(out, c, rest),
    }
    Ok(())
}

/// Everything up to `\E` is literal.
fn quoted(out: &mut String, rest: &mut Peekable<Chars<'_>>) {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        if c == '\\' && rest.peek() == Some(&'E') {
            rest.next();
            break;
        }
        text.push(c);
    }
    out.push_str(&regex::escape(&text));
}

/// An escape that stands for one character or a Unicode class, in and outside of brackets.
fn character(out: &mut String, c: char, rest: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    match c {
        'a' | 'f' | 't' | 'n' | 'r' | 'v' | 'x' | 'p' | 'P' => {
            out.push('\\');
            out.push(c);
        }
        '0' => octal(out, c, rest),
        '1'..='7' if rest.peek().is_some_and(|next| matches!(next, '0'..='7')) => octal(out, c, rest),
        c if c.is_ascii_alphanumeric() => return Err(format!("invalid escape `\\{c}`")),
        c if c.is_ascii() => push_literal(out, c),
        c => return Err(format!("invalid escape `\\{c}`")),
    }
    Ok(())
}

/// Up to three octal digits.
fn octal(out: &mut String, first: char, rest: &mut Peekable<Chars<'_>>) {
    let mut value = first.to_digit(8).unwrap_or_default();
    for _ in 0..2 {
        let Some(digit) = rest.peek().and_then(|c| c.to_digit(8)) else {
            break;
        };
        value = value * 8 + digit;
        rest.next();
    }
    out.push_str(&format!("\\x{{{value:x}}}"));
}

fn push_literal(out: &mut String, c: char) {
    out.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
}

/// A class in brackets, behind the opening one.
fn class(out: &mut String, rest: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    out.push('[');
    if rest.peek() == Some(&'^') {
        rest.next();
        out.push('^');
    }
    let mut first = true;
    loop {
        let Some(c) = rest.next() else {
            return Err("missing closing `]`".to_owned());
        };
        match c {
            ']' if !first => break,
            '[' if rest.peek() == Some(&':') && named_class(rest.clone()) => {
                out.push('[');
                for c in rest.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '\\' => match rest.next() {
                Some('d') => out.push_str("0-9"),
                Some('D') => out.push_str("[^0-9]"),
                Some('s') => out.push_str("\\t\\n\\f\\r "),
                Some('S') => out.push_str("[^\\t\\n\\f\\r ]"),
                Some('w') => out.push_str("0-9A-Za-z_"),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some(c) => character(out, c, rest)?,
                None => return Err("a backslash at the end".to_owned()),
            },
            // Nested classes and set operations exist only in the crate.
            '[' | ']' | '&' | '~' => push_literal(out, c),
            '-' if first || rest.peek().is_none_or(|next| matches!(next, ']' | '-')) => push_literal(out, c),
            _ => out.push(c),
        }
        first = false;
    }
    out.push(']');
    Ok(())
}

/// `[:alpha:]` and the like, behind the opening bracket.
fn named_class(rest: Peekable<Chars<'_>>) -> bool {
    let name: String = rest.take_while(|c| *c != ']').take(16).collect();
    name.len() > 2 && name.ends_with(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let translated = translate(pattern).unwrap_or_else(|reason| panic!("{pattern}: {reason}"));
        let regex = regex::Regex::new(&translated).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        regex.is_match(text)
    }

    #[test]
    fn classes_are_ascii() {
        for (pattern, text, expected) in [
            (r"^\d$", "٣", false),
            (r"^\d+$", "42", true),
            (r"^\w$", "é", false),
            (r"^\W$", "é", true),
            (r"^\s$", "\u{a0}", false),
            (r"^[\d\s_]+$", "1 _", true),
            (r"^[^\d]$", "1", false),
            (r"^[\D]$", "a", true),
            (r"\bé", "é", false),
            (r"a\b", "aé", true),
            (r"a\Bb", "ab", true),
            (r"^[[:alpha:]]$", "é", false),
            (r"^[[:^digit:]x]$", "x", true),
            (r"^\pL$", "é", true),
            (r"(?i)^É$", "é", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn literals_of_go_are_literals() {
        for (pattern, text) in [
            (r"^\Qa.b*\E+$", "a.b**"),
            (r"\Q$1", "$1"),
            (r#"^{"a"}$"#, r#"{"a"}"#),
            ("^a{,2}$", "a{,2}"),
            ("^a{x}$", "a{x}"),
            ("^}$", "}"),
            (r"^\<\>\-\_\/$", "<>-_/"),
            ("^[[a&&b~~]+$", "[a&b~"),
            ("^[]a]+$", "]a"),
            ("^[a-]+$", "a-"),
            ("^[-a]+$", "-a"),
            (r"^[\]\\]+$", r"]\"),
            (r"^\101\x42\x{43}$", "ABC"),
            (r"^\012$", "\n"),
            ("^a{2}b{1,}c{0,1}$", "aabb"),
            ("^a+?b*?$", "ab"),
            (r"(?s)^a.b$", "a\nb"),
            ("(?P<x>a)(?<y>b)", "ab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn go_rejects_what_it_does_not_know() {
        for pattern in [
            "a**", "a+*", "a??+", "a{2}{3}", "a{1001}", r"\1", r"\y", r"\C", r"a\", "[a", r"[a\", "(?x)a", "(?R)a",
            r"\é",
        ] {
            let invalid = translate(pattern).is_err();
            assert!(invalid, "{pattern}");
        }
    }
}
