//! The syntax: text to tokens to a tree. Nothing here knows paths, functions or types.
//!
//! The grammar is that of `grammar.go` of the Collector's `pkg/ottl`.

mod conditions;
mod lexer;
mod text;
mod tree;
mod values;

use winnow::combinator::eof;
use winnow::stream::TokenSlice;
use winnow::{Parser as _, Stateful};

pub(crate) use tree::{
    CallNode, ConditionNode, ExpressionKind, ExpressionNode, KeyNode, MathOperator, PathNode, Segment, StatementNode,
};

use crate::ParseError;
use lexer::{Lexeme, TokenKind};

/// Longer texts are rejected: nobody writes them, and every later step may then assume a bound.
const LONGEST_TEXT: usize = 64 * 1024;

/// Parentheses, calls, lists and keys nest at most this deep, which bounds the stack of the parser and of the evaluation.
const DEEPEST: usize = 64;

/// The tokens that remain, and how deep the current one is nested.
type Input<'t> = Stateful<TokenSlice<'t, Lexeme>, ParserState<'t>>;

#[derive(Clone, Copy, Debug)]
struct ParserState<'t> {
    text: &'t str,
    depth: usize,
}

/// A syntax error while parsers may still try another branch.
type Parsed<T> = winnow::ModalResult<T, SyntaxError>;

#[derive(Clone, Debug)]
struct SyntaxError(ParseError);

impl<'t> winnow::error::ParserError<Input<'t>> for SyntaxError {
    type Inner = Self;

    fn from_input(input: &Input<'t>) -> Self {
        SyntaxError(unexpected(input, "another word"))
    }

    fn into_inner(self) -> Result<Self::Inner, Self> {
        Ok(self)
    }
}

/// Parses a condition.
pub(crate) fn condition(text: &str) -> Result<ConditionNode, ParseError> {
    parse(text, conditions::condition, "`and`, `or` or the end of the condition")
}

/// Parses a statement: the call of an editor, with an optional `where` clause.
pub(crate) fn statement(text: &str) -> Result<StatementNode, ParseError> {
    parse(text, conditions::statement, "`where` or the end of the statement")
}

fn parse<'t, T>(
    text: &'t str,
    mut parser: impl for<'i> FnMut(&mut Input<'i>) -> Parsed<T>,
    then: &'static str,
) -> Result<T, ParseError> {
    if text.len() > LONGEST_TEXT {
        let message = format!("expected at most {LONGEST_TEXT} bytes, found {}", text.len());
        return Err(ParseError::new(0..text.len(), message));
    }
    let tokens = lexer::tokens(text)?;
    let state = ParserState { text, depth: 0 };
    let mut input = Stateful {
        input: TokenSlice::new(&tokens),
        state,
    };
    let result = parser(&mut input).and_then(|parsed| {
        let end: Parsed<_> = eof.parse_next(&mut input);
        end.map(|_| parsed).map_err(|_| fail(unexpected(&input, then)))
    });
    result.map_err(|error| match error.into_inner() {
        Ok(SyntaxError(error)) => error,
        Err(_) => ParseError::new(text.len()..text.len(), "the text is incomplete"),
    })
}

/// An error that no other branch can repair.
fn fail(error: ParseError) -> winnow::error::ErrMode<SyntaxError> {
    winnow::error::ErrMode::Cut(SyntaxError(error))
}

/// The next token, without taking it.
fn peek<'t>(input: &Input<'t>) -> Option<&'t Lexeme> {
    peek_nth(input, 0)
}

fn peek_nth<'t>(input: &Input<'t>, index: usize) -> Option<&'t Lexeme> {
    use winnow::stream::Stream as _;
    input.iter_offsets().nth(index).map(|(_, token)| token)
}

fn next_is(input: &Input<'_>, kind: TokenKind) -> bool {
    peek(input).is_some_and(|token| token.kind == kind)
}

/// Takes the next token.
fn next<'t>(input: &mut Input<'t>) -> Option<&'t Lexeme> {
    use winnow::stream::Stream as _;
    input.next_token()
}

/// Takes the next token if it is of this kind.
fn take<'t>(input: &mut Input<'t>, kind: TokenKind) -> Option<&'t Lexeme> {
    if next_is(input, kind) { next(input) } else { None }
}

/// Takes a token of this kind; `expected` describes it.
fn expect<'t>(input: &mut Input<'t>, kind: TokenKind, expected: &str) -> Parsed<&'t Lexeme> {
    take(input, kind).ok_or_else(|| fail(unexpected(input, expected)))
}

/// Runs a parser one level deeper.
fn nested<T>(input: &mut Input<'_>, parser: impl FnOnce(&mut Input<'_>) -> Parsed<T>) -> Parsed<T> {
    if input.state.depth == DEEPEST {
        let error = ParseError::new(range(input), format!("expected at most {DEEPEST} nested levels"));
        return Err(fail(error));
    }
    input.state.depth += 1;
    let result = parser(input);
    input.state.depth -= 1;
    result
}

/// The bytes of the next token; empty at the end of the text.
fn range(input: &Input<'_>) -> std::ops::Range<usize> {
    let end = input.state.text.len();
    peek(input).map_or(end..end, |token| token.range.clone())
}

/// "expected …, found …", at the next token.
fn unexpected(input: &Input<'_>, expected: &str) -> ParseError {
    let Some(token) = peek(input) else {
        return ParseError::new(range(input), format!("expected {expected}, found the end of the text"));
    };
    if token.kind == TokenKind::Arrow {
        return ParseError::new(token.range.clone(), "lambda expressions (`=>`) are not supported");
    }
    let error = ParseError::new(
        token.range.clone(),
        format!(
            "expected {expected}, found `{}`",
            shortened(token.text(input.state.text))
        ),
    );
    match (token.kind, token.text(input.state.text)) {
        (TokenKind::Equal, _) => error.help("equality is written `==`"),
        (TokenKind::Word, "AND" | "OR" | "NOT" | "WHERE") => error.help("operators are written in lower case"),
        _ => error,
    }
}

/// A token as errors quote it.
fn shortened(token: &str) -> String {
    const LONGEST: usize = 40;
    match token.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &token[..end]),
        None => token.to_owned(),
    }
}
