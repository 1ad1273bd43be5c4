//! The functions with their parameters. Names are those of the Collector's argument fields, in snake case.

use crate::Context;

/// The arguments that a parameter accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParameterKind {
    /// A value of any type.
    Value,
    /// A value that must be a string.
    Text,
    /// A value that is converted to a string.
    TextLike,
    Int,
    IntLike,
    Double,
    DoubleLike,
    Bool,
    BoolLike,
    BytesLike,
    /// A value that must be a map.
    Map,
    /// A path that is set.
    Target,
    /// A path to a map that is changed.
    MapTarget,
    /// A string in the text of the statement.
    LiteralText,
    LiteralInt,
    LiteralBool,
    /// A list in the text of the statement, of strings.
    Texts,
    /// A list in the text of the statement, of values that are converted to strings.
    TextLikes,
    /// A list of strings in the text of the statement.
    LiteralTexts,
    /// The name of a function; not supported.
    Function,
}

impl ParameterKind {
    /// The expected argument, as errors name it.
    pub(super) fn expected(self) -> &'static str {
        match self {
            ParameterKind::Value | ParameterKind::TextLike => "a value",
            ParameterKind::Text => "a string",
            ParameterKind::Int => "an int",
            ParameterKind::IntLike | ParameterKind::DoubleLike => "a number, or a string or a bool to convert",
            ParameterKind::Double => "a double",
            ParameterKind::Bool => "a bool",
            ParameterKind::BoolLike => "a bool, or a number or a string to convert",
            ParameterKind::BytesLike => "bytes or a string",
            ParameterKind::Map => "a map",
            ParameterKind::Target => "a path to set",
            ParameterKind::MapTarget => "a path to a map, such as `attributes`",
            ParameterKind::LiteralText => "a string in double quotes",
            ParameterKind::LiteralInt => "a whole number, such as 100",
            ParameterKind::LiteralBool => "true or false",
            ParameterKind::Texts | ParameterKind::TextLikes | ParameterKind::LiteralTexts => {
                "a list in brackets, such as [\"a\", \"b\"]"
            }
            ParameterKind::Function => "no function",
        }
    }
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: ParameterKind,
    pub(super) optional: bool,
}

#[derive(Debug)]
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) parameters: &'static [Parameter],
    /// The result is a bool, so that the call may be a condition.
    pub(super) is_bool: bool,
    /// The only context that has the function.
    pub(super) context: Option<Context>,
}

const fn required(name: &'static str, kind: ParameterKind) -> Parameter {
    Parameter {
        name,
        kind,
        optional: false,
    }
}

const fn optional(name: &'static str, kind: ParameterKind) -> Parameter {
    Parameter {
        name,
        kind,
        optional: true,
    }
}

const fn function(name: &'static str, parameters: &'static [Parameter]) -> Signature {
    Signature {
        name,
        parameters,
        is_bool: false,
        context: None,
    }
}

const fn predicate(name: &'static str, parameters: &'static [Parameter]) -> Signature {
    Signature {
        name,
        parameters,
        is_bool: true,
        context: None,
    }
}

const fn predicate_of(context: Context, name: &'static str, parameters: &'static [Parameter]) -> Signature {
    Signature {
        name,
        parameters,
        is_bool: true,
        context: Some(context),
    }
}

/// Functions that change an item.
pub(super) const EDITORS: &[Signature] = &[
    function(
        "set",
        &[
            required("target", ParameterKind::Target),
            required("value", ParameterKind::Value),
        ],
    ),
    function(
        "delete_key",
        &[
            required("target", ParameterKind::MapTarget),
            required("key", ParameterKind::Text),
        ],
    ),
    function(
        "delete_matching_keys",
        &[
            required("target", ParameterKind::MapTarget),
            required("pattern", ParameterKind::Text),
        ],
    ),
    function(
        "keep_keys",
        &[
            required("target", ParameterKind::MapTarget),
            required("keys", ParameterKind::Texts),
        ],
    ),
    function(
        "keep_matching_keys",
        &[
            required("target", ParameterKind::MapTarget),
            required("pattern", ParameterKind::Text),
        ],
    ),
    function(
        "replace_pattern",
        &[
            required("target", ParameterKind::Target),
            required("regex_pattern", ParameterKind::Text),
            required("replacement", ParameterKind::Text),
            optional("function", ParameterKind::Function),
            optional("replacement_format", ParameterKind::Function),
        ],
    ),
    function(
        "replace_all_patterns",
        &[
            required("target", ParameterKind::MapTarget),
            required("mode", ParameterKind::LiteralText),
            required("regex_pattern", ParameterKind::Text),
            required("replacement", ParameterKind::Text),
            optional("function", ParameterKind::Function),
            optional("replacement_format", ParameterKind::Function),
        ],
    ),
    function(
        "replace_match",
        &[
            required("target", ParameterKind::Target),
            required("pattern", ParameterKind::Text),
            required("replacement", ParameterKind::Text),
            optional("function", ParameterKind::Function),
            optional("replacement_format", ParameterKind::Function),
        ],
    ),
    function(
        "replace_all_matches",
        &[
            required("target", ParameterKind::MapTarget),
            required("pattern", ParameterKind::Text),
            required("replacement", ParameterKind::Text),
            optional("function", ParameterKind::Function),
            optional("replacement_format", ParameterKind::Function),
        ],
    ),
    function(
        "truncate_all",
        &[
            required("target", ParameterKind::MapTarget),
            required("limit", ParameterKind::LiteralInt),
            optional("utf8_safe", ParameterKind::LiteralBool),
            optional("truncation_marker", ParameterKind::LiteralText),
        ],
    ),
    function(
        "limit",
        &[
            required("target", ParameterKind::MapTarget),
            required("limit", ParameterKind::LiteralInt),
            required("priority_keys", ParameterKind::LiteralTexts),
        ],
    ),
    function(
        "merge_maps",
        &[
            required("target", ParameterKind::MapTarget),
            required("source", ParameterKind::Map),
            required("strategy", ParameterKind::LiteralText),
        ],
    ),
];

/// Functions that compute a value.
pub(super) const CONVERTERS: &[Signature] = &[
    predicate(
        "IsMatch",
        &[
            required("target", ParameterKind::TextLike),
            required("pattern", ParameterKind::Text),
        ],
    ),
    predicate("IsString", &[required("target", ParameterKind::Text)]),
    predicate("IsInt", &[required("target", ParameterKind::Int)]),
    predicate("IsDouble", &[required("target", ParameterKind::Double)]),
    predicate("IsBool", &[required("target", ParameterKind::Bool)]),
    predicate("IsMap", &[required("target", ParameterKind::Map)]),
    predicate("IsList", &[required("target", ParameterKind::Value)]),
    predicate_of(Context::Span, "IsRootSpan", &[]),
    predicate(
        "HasPrefix",
        &[
            required("target", ParameterKind::Text),
            required("prefix", ParameterKind::Text),
        ],
    ),
    predicate(
        "HasSuffix",
        &[
            required("target", ParameterKind::Text),
            required("suffix", ParameterKind::Text),
        ],
    ),
    predicate_of(
        Context::Metric,
        "HasAttrKeyOnDatapoint",
        &[required("key", ParameterKind::LiteralText)],
    ),
    predicate_of(
        Context::Metric,
        "HasAttrOnDatapoint",
        &[
            required("key", ParameterKind::LiteralText),
            required("expected_val", ParameterKind::LiteralText),
        ],
    ),
    function(
        "Concat",
        &[
            required("vals", ParameterKind::TextLikes),
            required("delimiter", ParameterKind::Text),
        ],
    ),
    function("Int", &[required("target", ParameterKind::IntLike)]),
    function("Double", &[required("target", ParameterKind::DoubleLike)]),
    predicate("Bool", &[required("target", ParameterKind::BoolLike)]),
    function("String", &[required("target", ParameterKind::TextLike)]),
    function("Len", &[required("target", ParameterKind::Value)]),
    function(
        "Substring",
        &[
            required("target", ParameterKind::Text),
            required("start", ParameterKind::Int),
            required("length", ParameterKind::Int),
            optional("utf8_safe", ParameterKind::LiteralBool),
        ],
    ),
    function(
        "Split",
        &[
            required("target", ParameterKind::Text),
            required("delimiter", ParameterKind::Text),
        ],
    ),
    function("ToLowerCase", &[required("target", ParameterKind::Text)]),
    function("ToUpperCase", &[required("target", ParameterKind::Text)]),
    function("TraceID", &[required("target", ParameterKind::BytesLike)]),
    function("SpanID", &[required("target", ParameterKind::BytesLike)]),
];
