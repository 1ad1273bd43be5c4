//! Text to tokens.

use std::ops::Range;

use winnow::ascii::multispace0;
use winnow::combinator::{alt, opt, preceded};
use winnow::error::EmptyError;
use winnow::stream::LocatingSlice;
use winnow::token::{any, one_of, take_while};
use winnow::{Parser as _, Result};

use crate::ParseError;
use crate::compare::Operator;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// `0x0a1b`.
    Bytes,
    Float,
    Int,
    /// A string with its quotes and escapes.
    Text,
    Nil,
    Not,
    Or,
    And,
    Compare(Operator),
    /// `=>`, of lambda expressions.
    Arrow,
    Plus,
    Minus,
    Star,
    Slash,
    True,
    False,
    Equal,
    LeftParenthesis,
    RightParenthesis,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Colon,
    Comma,
    Dot,
    /// A name: of a path, a function, an enumeration or an argument.
    Word,
}

#[derive(Clone, Debug)]
pub(super) struct Lexeme {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

impl Lexeme {
    /// The token as it was written.
    pub(super) fn text<'t>(&self, text: &'t str) -> &'t str {
        &text[self.range.clone()]
    }
}

type Text<'t> = LocatingSlice<&'t str>;

/// Splits a text into tokens. White space separates them.
pub(super) fn tokens(text: &str) -> std::result::Result<Vec<Lexeme>, ParseError> {
    let mut input = LocatingSlice::new(text);
    let mut tokens = Vec::new();
    loop {
        let _ = space(&mut input);
        if input.is_empty() {
            return Ok(tokens);
        }
        match kind.with_span().parse_next(&mut input) {
            Ok((kind, range)) => tokens.push(Lexeme { kind, range }),
            Err(_) => return Err(error(text, text.len() - input.len())),
        }
    }
}

/// The white space of Go's `\s` and beyond; YAML folds lines into spaces anyway.
fn space<'t>(input: &mut Text<'t>) -> Result<&'t str, EmptyError> {
    multispace0.parse_next(input)
}

fn kind(input: &mut Text<'_>) -> Result<TokenKind, EmptyError> {
    alt((number, string, operator, punctuation, word)).parse_next(input)
}

fn number(input: &mut Text<'_>) -> Result<TokenKind, EmptyError> {
    let bytes = preceded("0x", take_while(1.., |c: char| c.is_ascii_hexdigit())).value(TokenKind::Bytes);
    let exponent = || opt((one_of(['e', 'E']), opt(one_of(['+', '-'])), digits1));
    let float = alt((
        (digits1, '.', digits0, exponent()).void(),
        ('.', digits1, exponent()).void(),
    ))
    .value(TokenKind::Float);
    alt((bytes, float, digits1.value(TokenKind::Int))).parse_next(input)
}

fn digits0<'t>(input: &mut Text<'t>) -> Result<&'t str, EmptyError> {
    take_while(0.., |c: char| c.is_ascii_digit()).parse_next(input)
}

fn digits1<'t>(input: &mut Text<'t>) -> Result<&'t str, EmptyError> {
    take_while(1.., |c: char| c.is_ascii_digit()).parse_next(input)
}

/// A string up to its closing quote; a backslash takes the next character with it.
fn string(input: &mut Text<'_>) -> Result<TokenKind, EmptyError> {
    '"'.parse_next(input)?;
    loop {
        match any.parse_next(input)? {
            '"' => return Ok(TokenKind::Text),
            '\\' => {
                any.parse_next(input)?;
            }
            _ => {}
        }
    }
}

fn operator(input: &mut Text<'_>) -> Result<TokenKind, EmptyError> {
    let comparison = alt((
        "==".value(TokenKind::Compare(Operator::Equal)),
        "!=".value(TokenKind::Compare(Operator::NotEqual)),
        ">=".value(TokenKind::Compare(Operator::GreaterOrEqual)),
        "<=".value(TokenKind::Compare(Operator::LessOrEqual)),
        '>'.value(TokenKind::Compare(Operator::Greater)),
        '<'.value(TokenKind::Compare(Operator::Less)),
    ));
    alt((comparison, "=>".value(TokenKind::Arrow))).parse_next(input)
}

fn punctuation(input: &mut Text<'_>) -> Result<TokenKind, EmptyError> {
    any.verify_map(|c| {
        Some(match c {
            '=' => TokenKind::Equal,
            '+' => TokenKind::Plus,
            '-' => TokenKind::Minus,
            '*' => TokenKind::Star,
            '/' => TokenKind::Slash,
            '(' => TokenKind::LeftParenthesis,
            ')' => TokenKind::RightParenthesis,
            '{' => TokenKind::LeftBrace,
            '}' => TokenKind::RightBrace,
            '[' => TokenKind::LeftBracket,
            ']' => TokenKind::RightBracket,
            ':' => TokenKind::Colon,
            ',' => TokenKind::Comma,
            '.' => TokenKind::Dot,
            _ => return None,
        })
    })
    .parse_next(input)
}

fn word(input: &mut Text<'_>) -> Result<TokenKind, EmptyError> {
    let first = one_of(|c: char| c.is_ascii_alphabetic());
    let rest = take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_');
    let word = (first, rest).take().parse_next(input)?;
    Ok(match word {
        "nil" => TokenKind::Nil,
        "not" => TokenKind::Not,
        "or" => TokenKind::Or,
        "and" => TokenKind::And,
        "true" => TokenKind::True,
        "false" => TokenKind::False,
        _ => TokenKind::Word,
    })
}

/// The error at a position where no token starts.
fn error(text: &str, at: usize) -> ParseError {
    let rest = &text[at..];
    let Some(first) = rest.chars().next() else {
        return ParseError::new(at..at, "the text is incomplete");
    };
    let range = at..at + first.len_utf8();
    match first {
        '"' => ParseError::new(at..text.len(), "the string has no closing quote")
            .help("a quote inside a string is written `\\\"`"),
        '\'' => ParseError::new(range, "expected a value, found `'`").help("strings are written in double quotes"),
        '!' => ParseError::new(range, "expected `!=`, found `!`").help("negation is written `not`"),
        '&' => ParseError::new(range, "expected an operator, found `&`").help("both conditions: `and`"),
        '|' => ParseError::new(range, "expected an operator, found `|`").help("one of two conditions: `or`"),
        _ => ParseError::new(
            range,
            format!("expected a value or an operator, found `{}`", first.escape_debug()),
        ),
    }
}
