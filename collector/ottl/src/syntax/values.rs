//! Values: literals, paths, calls, lists, maps and computations.

use super::text::unquoted;
use super::tree::{Argument, CallNode, ExpressionKind, ExpressionNode, KeyNode, MathOperator, PathNode, Segment};
use super::{
    Input, Lexeme, Parsed, TokenKind, expect, fail, nested, next, next_is, peek, peek_nth, range, take, unexpected,
};
use crate::ParseError;

const VALUE: &str = "a value";

pub(super) fn value(input: &mut Input<'_>) -> Parsed<ExpressionNode> {
    nested(input, |input| {
        let Some(token) = peek(input) else {
            return Err(fail(unexpected(input, VALUE)));
        };
        let called = peek_nth(input, 1).is_some_and(|next| next.kind == TokenKind::LeftParenthesis);
        let kind = match token.kind {
            TokenKind::Nil => ExpressionKind::Nil,
            TokenKind::True => ExpressionKind::Bool(true),
            TokenKind::False => ExpressionKind::Bool(false),
            TokenKind::Text => ExpressionKind::Text(text(input, token)?),
            TokenKind::Bytes => ExpressionKind::Bytes(bytes(input, token)?),
            TokenKind::LeftBracket => return list(input),
            TokenKind::LeftBrace => return map(input),
            TokenKind::Word if !called && starts_upper(token.text(input.state.text)) => {
                ExpressionKind::Symbol(token.text(input.state.text).to_owned())
            }
            _ => return math(input),
        };
        next(input);
        Ok(ExpressionNode {
            kind,
            range: token.range.clone(),
        })
    })
}

fn starts_upper(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
}

fn text(input: &Input<'_>, token: &Lexeme) -> Parsed<String> {
    unquoted(input.state.text, token.range.clone()).map_err(fail)
}

fn bytes(input: &Input<'_>, token: &Lexeme) -> Parsed<Vec<u8>> {
    let digits = &token.text(input.state.text)[2..];
    if !digits.len().is_multiple_of(2) {
        let message = "bytes need an even number of hexadecimal digits";
        return Err(fail(ParseError::new(token.range.clone(), message)));
    }
    let pairs = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
    pairs
        .collect::<Result<_, _>>()
        .map_err(|_| fail(unexpected(input, "bytes")))
}

fn list(input: &mut Input<'_>) -> Parsed<ExpressionNode> {
    let start = range(input).start;
    next(input);
    let mut values = Vec::new();
    if !next_is(input, TokenKind::RightBracket) {
        values.push(value(input)?);
        while take(input, TokenKind::Comma).is_some() {
            values.push(value(input)?);
        }
    }
    let end = expect(input, TokenKind::RightBracket, "`,` or `]`")?.range.end;
    Ok(ExpressionNode {
        kind: ExpressionKind::List(values),
        range: start..end,
    })
}

/// Entries may be separated by commas or by white space, as in the Collector.
fn map(input: &mut Input<'_>) -> Parsed<ExpressionNode> {
    let start = range(input).start;
    next(input);
    let mut entries = Vec::new();
    while !next_is(input, TokenKind::RightBrace) {
        let key = expect(input, TokenKind::Text, "a key in double quotes or `}`")?;
        let key = text(input, key)?;
        expect(input, TokenKind::Colon, "`:`")?;
        entries.push((key, value(input)?));
        take(input, TokenKind::Comma);
    }
    let end = range(input).end;
    next(input);
    Ok(ExpressionNode {
        kind: ExpressionKind::Map(entries),
        range: start..end,
    })
}

/// Terms, separated by `+` and `-`.
fn math(input: &mut Input<'_>) -> Parsed<ExpressionNode> {
    chain(input, product, |kind| match kind {
        TokenKind::Plus => Some(MathOperator::Add),
        TokenKind::Minus => Some(MathOperator::Subtract),
        _ => None,
    })
}

/// Factors, separated by `*` and `/`.
fn product(input: &mut Input<'_>) -> Parsed<ExpressionNode> {
    chain(input, factor, |kind| match kind {
        TokenKind::Star => Some(MathOperator::Multiply),
        TokenKind::Slash => Some(MathOperator::Divide),
        _ => None,
    })
}

fn chain(
    input: &mut Input<'_>,
    operand: fn(&mut Input<'_>) -> Parsed<ExpressionNode>,
    operator: fn(TokenKind) -> Option<MathOperator>,
) -> Parsed<ExpressionNode> {
    let first = operand(input)?;
    let mut rest = Vec::new();
    while let Some(operator) = peek(input).and_then(|token| operator(token.kind)) {
        next(input);
        rest.push((operator, operand(input)?));
    }
    let Some((_, last)) = rest.last() else { return Ok(first) };
    let range = first.range.start..last.range.end;
    Ok(ExpressionNode {
        kind: ExpressionKind::Math(Box::new(first), rest),
        range,
    })
}

/// A number, a path, a call or a computation in parentheses, with an optional sign.
fn factor(input: &mut Input<'_>) -> Parsed<ExpressionNode> {
    let start = range(input).start;
    let negated = take(input, TokenKind::Minus).is_some();
    if !negated {
        take(input, TokenKind::Plus);
    }
    let operand = match peek(input).map(|token| token.kind) {
        Some(TokenKind::LeftParenthesis) => {
            next(input);
            let inner = nested(input, math)?;
            expect(input, TokenKind::RightParenthesis, "an operator or `)`")?;
            inner
        }
        Some(TokenKind::Int | TokenKind::Float) => number(input)?,
        Some(TokenKind::Word) => name(input)?,
        _ => return Err(fail(unexpected(input, VALUE))),
    };
    if !negated {
        return Ok(operand);
    }
    let range = start..operand.range.end;
    let kind = match operand.kind {
        ExpressionKind::Int(value) => ExpressionKind::Int(value.wrapping_neg()),
        ExpressionKind::Float(value) => ExpressionKind::Float(-value),
        _ => ExpressionKind::Negate(Box::new(operand)),
    };
    Ok(ExpressionNode { kind, range })
}

fn number(input: &mut Input<'_>) -> Parsed<ExpressionNode> {
    let Some(token) = next(input) else {
        return Err(fail(unexpected(input, "a number")));
    };
    let written = token.text(input.state.text);
    let kind = if token.kind == TokenKind::Int {
        int(written).map(ExpressionKind::Int)
    } else {
        written
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
            .map(ExpressionKind::Float)
    };
    match kind {
        Some(kind) => Ok(ExpressionNode {
            kind,
            range: token.range.clone(),
        }),
        None if token.kind == TokenKind::Int && written.starts_with('0') => {
            let error = ParseError::new(token.range.clone(), "a number with a leading zero is octal");
            Err(fail(error.help("leave out the zero")))
        }
        None if token.kind == TokenKind::Int && written.starts_with('0') => {
            let error = ParseError::new(token.range.clone(), "a number with a leading zero is octal");
            Err(fail(error.help("leave out the zero")))
        }
        None => Err(fail(ParseError::new(
            token.range.clone(),
            "the number does not fit into 64 bits",
        ))),
    }
}

/// As in Go, a leading zero makes the number octal.
fn int(written: &str) -> Option<i64> {
    match written.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => i64::from_str_radix(octal, 8).ok(),
        _ => written.parse().ok(),
    }
}

/// A call, or a path.
fn name(input: &mut Input<'_>) -> Parsed<ExpressionNode> {
    let called = peek_nth(input, 1).is_some_and(|token| token.kind == TokenKind::LeftParenthesis);
    if !called {
        return path(input);
    }
    let call = call(input)?;
    let range = call.range.clone();
    Ok(ExpressionNode {
        kind: ExpressionKind::Call(call),
        range,
    })
}

/// A function with its arguments, and keys into its result.
pub(super) fn call(input: &mut Input<'_>) -> Parsed<CallNode> {
    let word = expect(input, TokenKind::Word, "the name of a function")?;
    expect(input, TokenKind::LeftParenthesis, "`(`")?;
    let mut arguments = Vec::new();
    if !next_is(input, TokenKind::RightParenthesis) {
        arguments.push(argument(input)?);
        while take(input, TokenKind::Comma).is_some() {
            arguments.push(argument(input)?);
        }
    }
    let end = expect(input, TokenKind::RightParenthesis, "`,` or `)`")?.range.end;
    let (name, name_range) = (word.text(input.state.text).to_owned(), word.range.clone());
    let range = name_range.start..end;
    Ok(CallNode {
        name,
        name_range,
        arguments,
        range,
        keys: keys(input)?,
    })
}

/// `name = value`, or a value alone.
fn argument(input: &mut Input<'_>) -> Parsed<Argument> {
    let named = peek_nth(input, 1).is_some_and(|token| token.kind == TokenKind::Equal);
    let name = match peek(input) {
        Some(token) if token.kind == TokenKind::Word && named => {
            next(input);
            next(input);
            Some((token.text(input.state.text).to_owned(), token.range.clone()))
        }
        _ => None,
    };
    Ok(Argument {
        name,
        value: value(input)?,
    })
}

/// Names, separated by dots, each with keys in brackets.
fn path(input: &mut Input<'_>) -> Parsed<ExpressionNode> {
    let mut segments = vec![segment(input)?];
    while take(input, TokenKind::Dot).is_some() {
        segments.push(segment(input)?);
    }
    let start = segments.first().map_or(0, |segment| segment.range.start);
    let end = segments.last().map_or(start, |segment| segment.range.end);
    let kind = ExpressionKind::Path(PathNode {
        segments,
        range: start..end,
    });
    Ok(ExpressionNode {
        kind,
        range: start..end,
    })
}

fn segment(input: &mut Input<'_>) -> Parsed<Segment> {
    let word = expect(input, TokenKind::Word, "a name of a path")?;
    let name = word.text(input.state.text);
    if name.contains(|c: char| c.is_ascii_uppercase()) {
        let error = ParseError::new(
            word.range.clone(),
            format!("names in paths are in lower case, found `{name}`"),
        );
        return Err(fail(error));
    }
    let keys = keys(input)?;
    Ok(Segment {
        name: name.to_owned(),
        range: word.range.clone(),
        keys,
    })
}

fn keys(input: &mut Input<'_>) -> Parsed<Vec<KeyNode>> {
    let mut keys = Vec::new();
    while take(input, TokenKind::LeftBracket).is_some() {
        keys.push(nested(input, key)?);
        expect(input, TokenKind::RightBracket, "`]`")?;
    }
    Ok(keys)
}

fn key(input: &mut Input<'_>) -> Parsed<KeyNode> {
    if let Some(token) = take(input, TokenKind::Text) {
        return Ok(KeyNode::Text(text(input, token)?));
    }
    let expression = math(input)?;
    Ok(match expression.kind {
        ExpressionKind::Int(index) => KeyNode::Index(index),
        _ => KeyNode::Expression(expression),
    })
}
