//! The escapes of string literals: those of Go's `strconv.UnquoteChar`.

use std::ops::Range;

use crate::ParseError;

/// The value of a string literal, whose quotes are the first and the last byte of `range`.
pub(super) fn unquoted(text: &str, range: Range<usize>) -> Result<String, ParseError> {
    let start = range.start + 1;
    let inner = &text[start..range.end - 1];
    let mut value = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        if c != '\\' {
            value.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        match escape(&rest[1..]) {
            Some((c, length)) => {
                value.push(c);
                rest = &rest[1 + length..];
            }
            None => {
                let at = start + inner.len() - rest.len();
                let escaped = rest[1..].chars().next().unwrap_or_default();
                let error = ParseError::new(
                    at..at + 1 + escaped.len_utf8(),
                    format!("unknown escape `\\{escaped}` in a string"),
                );
                return Err(error.help("a backslash, as in patterns, is written `\\\\`"));
            }
        }
    }
    Ok(value)
}

/// The character of an escape, and the bytes behind the backslash that belong to it.
fn escape(rest: &str) -> Option<(char, usize)> {
    let first = rest.chars().next()?;
    let simple = match first {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        '"' => '"',
        'x' => return digits(rest, 1..3, 16),
        'u' => return digits(rest, 1..5, 16),
        'U' => return digits(rest, 1..9, 16),
        '0'..='7' => return digits(rest, 0..3, 8).filter(|(c, _)| u32::from(*c) <= 255),
        _ => return None,
    };
    Some((simple, 1))
}

fn digits(rest: &str, range: Range<usize>, radix: u32) -> Option<(char, usize)> {
    let digits = rest.get(range.clone())?;
    if !digits.bytes().all(|digit| char::from(digit).is_digit(radix)) {
        return None;
    }
    let value = u32::from_str_radix(digits, radix).ok()?;
    Some((char::from_u32(value)?, range.end))
}
