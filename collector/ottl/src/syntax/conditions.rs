//! Conditions and statements.

use super::tree::{ConditionNode, StatementNode};
use super::values::{call, value};
use super::{Input, Parsed, TokenKind, expect, fail, nested, next, next_is, peek, peek_nth, take, unexpected};
use crate::ParseError;
use crate::syntax::tree::ExpressionKind;

/// The call of an editor, with an optional `where` clause.
pub(super) fn statement(input: &mut Input<'_>) -> Parsed<StatementNode> {
    let called = peek_nth(input, 1).is_some_and(|token| token.kind == TokenKind::LeftParenthesis);
    if !next_is(input, TokenKind::Word) || !called {
        let error = unexpected(
            input,
            "the call of an editor, such as `set(attributes[\"env\"], \"prod\")`",
        );
        return Err(fail(error));
    }
    let editor = call(input)?;
    let where_clause = peek(input).is_some_and(|token| token.text(input.state.text) == "where");
    let condition = if where_clause {
        next(input);
        Some(condition(input)?)
    } else {
        None
    };
    Ok(StatementNode { editor, condition })
}

/// Terms, separated by `or`.
pub(super) fn condition(input: &mut Input<'_>) -> Parsed<ConditionNode> {
    let first = term(input)?;
    if !next_is(input, TokenKind::Or) {
        return Ok(first);
    }
    let mut terms = vec![first];
    while take(input, TokenKind::Or).is_some() {
        terms.push(term(input)?);
    }
    Ok(ConditionNode::Any(terms))
}

/// Boolean values, separated by `and`.
fn term(input: &mut Input<'_>) -> Parsed<ConditionNode> {
    let first = boolean(input)?;
    if !next_is(input, TokenKind::And) {
        return Ok(first);
    }
    let mut values = vec![first];
    while take(input, TokenKind::And).is_some() {
        values.push(boolean(input)?);
    }
    Ok(ConditionNode::All(values))
}

/// A comparison, `true`, `false`, the call of a converter, or a condition in parentheses; each with an optional `not`.
fn boolean(input: &mut Input<'_>) -> Parsed<ConditionNode> {
    let negated = take(input, TokenKind::Not).is_some();
    let condition = if parenthesized_condition(input) {
        next(input);
        let inner = nested(input, condition)?;
        expect(input, TokenKind::RightParenthesis, "`and`, `or` or `)`")?;
        inner
    } else {
        comparison(input)?
    };
    Ok(if negated {
        ConditionNode::Not(Box::new(condition))
    } else {
        condition
    })
}

fn comparison(input: &mut Input<'_>) -> Parsed<ConditionNode> {
    let left = value(input)?;
    if let Some(TokenKind::Compare(operator)) = peek(input).map(|token| token.kind) {
        next(input);
        return Ok(ConditionNode::Compare(left, operator, value(input)?));
    }
    match left.kind {
        ExpressionKind::Bool(constant) => Ok(ConditionNode::Constant(constant)),
        ExpressionKind::Call(call) => Ok(ConditionNode::Call(call)),
        _ if !ends_here(input) => Err(fail(unexpected(input, "a comparison operator"))),
        _ => {
            let message = "a condition needs a comparison: this value alone is neither true nor false";
            let error = ParseError::new(left.range, message);
            let help = "add one of ==, !=, <, <=, >, >= and a value; `!= nil` for a value that is set";
            Err(fail(error.help(help)))
        }
    }
}

/// Says that no more of this condition follows.
fn ends_here(input: &Input<'_>) -> bool {
    match peek(input).map(|token| token.kind) {
        None | Some(TokenKind::And | TokenKind::Or | TokenKind::RightParenthesis) => true,
        Some(_) => false,
    }
}

/// Says that a parenthesis opens here and holds a condition, not a computation: behind the closing one follows no operator of
/// a value.
fn parenthesized_condition(input: &Input<'_>) -> bool {
    use winnow::stream::Stream as _;
    if !next_is(input, TokenKind::LeftParenthesis) {
        return false;
    }
    let mut open = 0_usize;
    let mut tokens = input.iter_offsets().map(|(_, token)| token.kind);
    for kind in tokens.by_ref() {
        match kind {
            TokenKind::LeftParenthesis => open += 1,
            TokenKind::RightParenthesis if open == 1 => break,
            TokenKind::RightParenthesis => open -= 1,
            _ => {}
        }
    }
    !matches!(
        tokens.next(),
        Some(
            TokenKind::Compare(_)
                | TokenKind::Plus
                | TokenKind::Minus
                | TokenKind::Star
                | TokenKind::Slash
                | TokenKind::Arrow
                | TokenKind::Equal
        )
    )
}
