//! The tree of a condition or a statement, as it was written.

use std::ops::Range;

use crate::compare::Operator;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StatementNode {
    pub(crate) editor: CallNode,
    pub(crate) condition: Option<ConditionNode>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ConditionNode {
    Constant(bool),
    Compare(ExpressionNode, Operator, ExpressionNode),
    Call(CallNode),
    Not(Box<ConditionNode>),
    All(Vec<ConditionNode>),
    Any(Vec<ConditionNode>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpressionNode {
    pub(crate) kind: ExpressionKind,
    pub(crate) range: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExpressionKind {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// A word that starts with an upper case letter: an enumeration, or the name of a function.
    Symbol(String),
    Path(PathNode),
    Call(CallNode),
    Negate(Box<ExpressionNode>),
    /// A value, and what is computed with it, from left to right.
    Math(Box<ExpressionNode>, Vec<(MathOperator, ExpressionNode)>),
    List(Vec<ExpressionNode>),
    Map(Vec<(String, ExpressionNode)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MathOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// `resource.attributes["a"]["b"]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PathNode {
    pub(crate) segments: Vec<Segment>,
    pub(crate) range: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) range: Range<usize>,
    pub(crate) keys: Vec<KeyNode>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum KeyNode {
    Text(String),
    Index(i64),
    Expression(ExpressionNode),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CallNode {
    pub(crate) name: String,
    pub(crate) name_range: Range<usize>,
    pub(crate) arguments: Vec<Argument>,
    /// The bytes from the name to the closing parenthesis.
    pub(crate) range: Range<usize>,
    pub(crate) keys: Vec<KeyNode>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Argument {
    pub(crate) name: Option<(String, Range<usize>)>,
    pub(crate) value: ExpressionNode,
}
