//! The functions with their parameters. Names are those of the Collector's argument fields, in snake case.

use crate::Context;

/// What a parameter accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
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

impl Kind {
    /// What an error says that it expected.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Kind::Value | Kind::TextLike => "a value",
            Kind::Text => "a string",
            Kind::Int => "an int",
            Kind::IntLike | Kind::DoubleLike => "a number, or a string or a bool to convert",
            Kind::Double => "a double",
            Kind::Bool => "a bool",
            Kind::BoolLike => "a bool, or a number or a string to convert",
            Kind::BytesLike => "bytes or a string",
            Kind::Map => "a map",
            Kind::Target => "a path to set",
            Kind::MapTarget => "a path to a map, such as `attributes`",
            Kind::LiteralText => "a string in double quotes",
            Kind::LiteralInt => "a whole number, such as 100",
            Kind::LiteralBool => "true or false",
            Kind::Texts | Kind::TextLikes | Kind::LiteralTexts => "a list in brackets, such as [\"a\", \"b\"]",
            Kind::Function => "no function",
        }
    }
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
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

const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        optional: false,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Parameter {
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
        &[required("target", Kind::Target), required("value", Kind::Value)],
    ),
    function(
        "delete_key",
        &[required("target", Kind::MapTarget), required("key", Kind::Text)],
    ),
    function(
        "delete_matching_keys",
        &[required("target", Kind::MapTarget), required("pattern", Kind::Text)],
    ),
    function(
        "keep_keys",
        &[required("target", Kind::MapTarget), required("keys", Kind::Texts)],
    ),
    function(
        "keep_matching_keys",
        &[required("target", Kind::MapTarget), required("pattern", Kind::Text)],
    ),
    function(
        "replace_pattern",
        &[
            required("target", Kind::Target),
            required("regex_pattern", Kind::Text),
            required("replacement", Kind::Text),
            optional("function", Kind::Function),
            optional("replacement_format", Kind::Function),
        ],
    ),
    function(
        "replace_all_patterns",
        &[
            required("target", Kind::MapTarget),
            required("mode", Kind::LiteralText),
            required("regex_pattern", Kind::Text),
            required("replacement", Kind::Text),
            optional("function", Kind::Function),
            optional("replacement_format", Kind::Function),
        ],
    ),
    function(
        "replace_match",
        &[
            required("target", Kind::Target),
            required("pattern", Kind::Text),
            required("replacement", Kind::Text),
            optional("function", Kind::Function),
            optional("replacement_format", Kind::Function),
        ],
    ),
    function(
        "replace_all_matches",
        &[
            required("target", Kind::MapTarget),
            required("pattern", Kind::Text),
            required("replacement", Kind::Text),
            optional("function", Kind::Function),
            optional("replacement_format", Kind::Function),
        ],
    ),
    function(
        "truncate_all",
        &[
            required("target", Kind::MapTarget),
            required("limit", Kind::LiteralInt),
            optional("utf8_safe", Kind::LiteralBool),
            optional("truncation_marker", Kind::LiteralText),
        ],
    ),
    function(
        "limit",
        &[
            required("target", Kind::MapTarget),
            required("limit", Kind::LiteralInt),
            required("priority_keys", Kind::LiteralTexts),
        ],
    ),
    function(
        "merge_maps",
        &[
            required("target", Kind::MapTarget),
            required("source", Kind::Map),
            required("strategy", Kind::LiteralText),
        ],
    ),
];

/// Functions that compute a value.
pub(super) const CONVERTERS: &[Signature] = &[
    predicate(
        "IsMatch",
        &[required("target", Kind::TextLike), required("pattern", Kind::Text)],
    ),
    predicate("IsString", &[required("target", Kind::Text)]),
    predicate("IsInt", &[required("target", Kind::Int)]),
    predicate("IsDouble", &[required("target", Kind::Double)]),
    predicate("IsBool", &[required("target", Kind::Bool)]),
    predicate("IsMap", &[required("target", Kind::Map)]),
    predicate("IsList", &[required("target", Kind::Value)]),
    predicate_of(Context::Span, "IsRootSpan", &[]),
    predicate(
        "HasPrefix",
        &[required("target", Kind::Text), required("prefix", Kind::Text)],
    ),
    predicate(
        "HasSuffix",
        &[required("target", Kind::Text), required("suffix", Kind::Text)],
    ),
    predicate_of(
        Context::Metric,
        "HasAttrKeyOnDatapoint",
        &[required("key", Kind::LiteralText)],
    ),
    predicate_of(
        Context::Metric,
        "HasAttrOnDatapoint",
        &[
            required("key", Kind::LiteralText),
            required("expected_val", Kind::LiteralText),
        ],
    ),
    function(
        "Concat",
        &[required("vals", Kind::TextLikes), required("delimiter", Kind::Text)],
    ),
    function("Int", &[required("target", Kind::IntLike)]),
    function("Double", &[required("target", Kind::DoubleLike)]),
    predicate("Bool", &[required("target", Kind::BoolLike)]),
    function("String", &[required("target", Kind::TextLike)]),
    function("Len", &[required("target", Kind::Value)]),
    function(
        "Substring",
        &[
            required("target", Kind::Text),
            required("start", Kind::Int),
            required("length", Kind::Int),
            optional("utf8_safe", Kind::LiteralBool),
        ],
    ),
    function(
        "Split",
        &[required("target", Kind::Text), required("delimiter", Kind::Text)],
    ),
    function("ToLowerCase", &[required("target", Kind::Text)]),
    function("ToUpperCase", &[required("target", Kind::Text)]),
    function("TraceID", &[required("target", Kind::BytesLike)]),
    function("SpanID", &[required("target", Kind::BytesLike)]),
];
