//! The form in which a scalar is written, to find the position of a part of its value.

use super::diagnostics::Position;
use super::scalar::Scalar;

/// A scalar as the source has it, if that is not its value: quoted, or on several lines.
#[derive(Debug, PartialEq)]
pub(crate) struct Written {
    /// The part of the source, quotes included.
    pub text: String,
    /// The notation.
    pub notation: Notation,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    /// Without quotes, on one line or several.
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`
    DoubleQuoted,
    /// `|` or `>`
    Block,
}

/// A place in the source relative to the start of the scalar: line, and column in characters, both from 0. The column
/// counts from the start of the scalar in its first line, else from the start of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offset {
    line: u32,
    column: u32,
}

/// The position of the byte `at` in the value of a scalar that starts at `start`. A value from the environment has no positions of
/// its own, so there it is the start.
pub(crate) fn position_within(scalar: &Scalar, start: &Position, at: usize) -> Position {
    let Some(at) = before_substitution(scalar, at) else {
        return start.clone();
    };
    let value = scalar
        .template
        .as_ref()
        .map_or(&*scalar.text, |template| &template.text);
    let offset = match &scalar.written {
        None => Some(Offset {
            line: 0,
            column: characters(value, at),
        }),
        Some(written) => written.offset(value, at),
    };
    let Some(Offset { line, column }) = offset else {
        return start.clone();
    };
    Position {
        source: start.source.clone(),
        line: start.line.saturating_add(line),
        column: if line == 0 {
            start.column.saturating_add(column)
        } else {
            column.saturating_add(1)
        },
    }
}

/// The byte of the text before `${…}` and `$$` were replaced that the byte `at` of the value comes from.
fn before_substitution(scalar: &Scalar, at: usize) -> Option<usize> {
    let Some(template) = &scalar.template else {
        return Some(at);
    };
    let text = &*template.text;
    let first = variable(text).unwrap_or(text.len());
    if let Some(written) = written_at(&text[..first], at) {
        return Some(written);
    }
    // The text after the last variable is found from the end.
    let last = text.rfind('}').map_or(0, |end| end + 1);
    let tail = &text[last..];
    let tail_start = scalar.text.len().checked_sub(tail.replace("$$", "$").len())?;
    let written = written_at(tail, at.checked_sub(tail_start)?)?;
    (first < text.len()).then_some(last + written)
}

/// The start of the first `${` that is not written as `$${`.
fn variable(text: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = text[from..].find('$') {
        let at = from + found;
        if text[at..].starts_with("${") {
            return Some(at);
        }
        from = at + if text[at..].starts_with("$$") { 2 } else { 1 };
    }
    None
}

/// The byte of `text` that the byte `at` comes from once each `$$` has become `$`; the end counts.
fn written_at(text: &str, at: usize) -> Option<usize> {
    let (mut written, mut value) = (0, 0);
    while value < at {
        let next = text[written..].chars().next()?;
        written += if text[written..].starts_with("$$") {
            2
        } else {
            next.len_utf8()
        };
        value += next.len_utf8();
    }
    (value == at && written <= text.len()).then_some(written)
}

impl Written {
    /// The place of the byte `at` of the value. Both texts are compared without white space, because line breaks may be
    /// folded and lines are indented.
    fn offset(&self, value: &str, at: usize) -> Option<Offset> {
        let mut source = Characters::new(self);
        let mut end = source.offset;
        for (index, character) in value.char_indices() {
            if character.is_whitespace() {
                continue;
            }
            let found = source.next_visible()?;
            if found.character != character {
                return None;
            }
            if index >= at {
                return Some(found.offset);
            }
            end = source.offset;
        }
        Some(end)
    }

    /// The line, relative to the first one, and the column from 0 at which each further line begins.
    pub(crate) fn further_lines(&self) -> impl Iterator<Item = (u32, u32)> {
        self.text.lines().zip(0..).skip(1).filter_map(|(line, number)| {
            let indent = line.chars().take_while(|c| c.is_whitespace()).count();
            (!line.trim().is_empty()).then(|| (number, u32::try_from(indent).unwrap_or(u32::MAX)))
        })
    }
}

struct Visible {
    character: char,
    offset: Offset,
}

/// The characters that the source stands for.
struct Characters<'a> {
    rest: &'a str,
    notation: Notation,
    offset: Offset,
}

impl<'a> Characters<'a> {
    fn new(written: &'a Written) -> Self {
        let mut source = Characters {
            rest: &written.text,
            notation: written.notation,
            offset: Offset { line: 0, column: 0 },
        };
        match written.notation {
            // The parser's span of a block begins at its first line, not at `|`.
            Notation::Plain | Notation::Block => {}
            Notation::SingleQuoted | Notation::DoubleQuoted => {
                source.take();
            }
        }
        source
    }

    fn take(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        if character == '\n' {
            self.offset.line += 1;
            self.offset.column = 0;
        } else {
            self.offset.column += 1;
        }
        Some(character)
    }

    /// The next character that is not white space.
    fn next_visible(&mut self) -> Option<Visible> {
        loop {
            let offset = self.offset;
            let character = match (self.take()?, self.notation) {
                ('\'', Notation::SingleQuoted) => self.take()?,
                ('\\', Notation::DoubleQuoted) => self.escaped()?,
                (character, _) => character,
            };
            if !character.is_whitespace() {
                return Some(Visible { character, offset });
            }
        }
    }

    /// The character after a `\`, by YAML 1.2.
    fn escaped(&mut self) -> Option<char> {
        let digits = match self.take()? {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0' => return Some('\0'),
            'a' => return Some('\u{7}'),
            'b' => return Some('\u{8}'),
            'e' => return Some('\u{1b}'),
            't' | 'n' | 'v' | 'f' | 'r' | 'N' | '_' | 'L' | 'P' => return Some(' '),
            character => return Some(character),
        };
        let mut code = 0;
        for _ in 0..digits {
            code = code * 16 + self.take()?.to_digit(16)?;
        }
        char::from_u32(code)
    }
}

fn characters(text: &str, at: usize) -> u32 {
    let count = text.char_indices().take_while(|(index, _)| *index < at).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
