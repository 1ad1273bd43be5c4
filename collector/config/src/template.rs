//! `${env:NAME}`, `${NAME}`, `${env:NAME:-default}` and `$$` in a text.

/// How deep defaults may be nested.
const MAX_DEPTH: usize = 16;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text, `$$` already replaced by `$`.
    Text(String),
    /// A variable of the environment.
    Variable {
        /// Its name.
        name: String,
        /// The default if it is not set.
        default: Option<Vec<Part>>,
    },
}

/// An invalid template, with a fix.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TemplateError {
    /// The problem.
    pub message: String,
    /// A fix.
    pub help: String,
}

/// Splits a text into its parts. A `$` that is followed by neither `{` nor `$` is a `$`.
///
/// # Errors
/// If a `${` is not closed, or its content is not a variable.
pub(crate) fn parts(text: &str) -> Result<Vec<Part>, TemplateError> {
    let mut rest = text;
    read(&mut rest, 0)
}

/// Reads up to the end, or in a default (`depth > 0`) up to its `}`.
fn read(rest: &mut &str, depth: usize) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut text = String::new();
    while let Some(next) = rest.find(['$', '}']) {
        text.push_str(&rest[..next]);
        *rest = &rest[next..];
        if let Some(after) = rest.strip_prefix("$$") {
            text.push('$');
            *rest = after;
        } else if let Some(after) = rest.strip_prefix("${") {
            if depth >= MAX_DEPTH {
                return Err(error(
                    format!("`${{…}}` is nested deeper than {MAX_DEPTH} levels"),
                    "use fewer defaults",
                ));
            }
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            *rest = after;
            parts.push(variable(rest, depth)?);
        } else if depth > 0 && rest.starts_with('}') {
            break;
        } else {
            // A `$` or `}` without a meaning; both are one byte.
            text.push_str(&rest[..1]);
            *rest = &rest[1..];
        }
    }
    if depth == 0 || !rest.starts_with('}') {
        text.push_str(rest);
        *rest = "";
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

/// Reads what follows `${`, its `}` included.
fn variable(rest: &mut &str, depth: usize) -> Result<Part, TemplateError> {
    let body = *rest;
    // Nothing is searched for beyond the next `}`, so that a long text is read in linear time.
    let close = body.find('}').ok_or_else(unclosed)?;
    let head = &body[..close];
    let end = [head.find("${"), head.find(":-")]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(close);
    let (reference, after) = body.split_at(end);
    if after.starts_with("${") {
        return Err(error(
            format!("`${{` is inside the name of a variable, after `{}`", short(reference)),
            "a variable can be nested in the default of another one only: `${env:A:-${env:B}}`",
        ));
    }
    let name = name(reference)?;
    let default = if let Some(default) = after.strip_prefix(":-") {
        *rest = default;
        Some(read(rest, depth + 1)?)
    } else {
        *rest = after;
        None
    };
    *rest = rest.strip_prefix('}').ok_or_else(unclosed)?;
    Ok(Part::Variable { name, default })
}

fn name(reference: &str) -> Result<String, TemplateError> {
    let name = match reference.split_once(':') {
        Some(("env", name)) => name,
        Some((scheme @ ("ENV" | "Env"), _)) => {
            return Err(error(
                format!("`{scheme}:` in `${{…}}` is not supported, only `env:` is"),
                "write `env:` in lower case",
            ));
        }
        // Variables are in capitals, providers are not.
        Some((name, _)) if is_name(name) && !name.contains(|c: char| c.is_ascii_lowercase()) => {
            return Err(error(
                format!("`{}:` in `${{…}}` is not supported, only `env:` is", short(name)),
                &format!(
                    "for a default write `${{env:{0}:-default}}`; without one, write `${{env:{0}}}`",
                    short(name)
                ),
            ));
        }
        Some((scheme, _)) => {
            return Err(error(
                format!("`{}:` in `${{…}}` is not supported, only `env:` is", short(scheme)),
                "put the value into a variable and write `${env:NAME}`, or read a secret file with `bearertokenauth`; write `$$` for a `$` that is meant",
            ));
        }
        None => reference,
    };
    if is_name(name) {
        return Ok(name.to_owned());
    }
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(0);
    let (before, operator) = name.split_at(end);
    if is_name(before)
        && let Some(operator) = OPERATORS.into_iter().find(|o| operator.starts_with(o))
    {
        let help = match operator.trim_start_matches(':') {
            "?" => format!(
                "write `${{env:{}}}`: a variable that is not set is an error anyway",
                short(before)
            ),
            _ => format!("for a default write `${{env:{}:-default}}`", short(before)),
        };
        return Err(error(
            format!("`{operator}` after the name of a variable is not supported, only `:-` is"),
            &help,
        ));
    }
    Err(error(
        format!(
            "`{}` in `${{…}}` is not the name of a variable, expected letters, digits and `_`",
            short(name)
        ),
        "write `$$` for a `$` that is meant",
    ))
}

/// Shell operators after a variable name other than `:-`; longer ones first.
const OPERATORS: [&str; 8] = [":?", ":=", ":+", "?", "=", "+", "-", ":"];

fn is_name(text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn unclosed() -> TemplateError {
    error(
        "`${` has no closing `}`".to_owned(),
        "write `$$` for a `$` that is meant",
    )
}

fn error(message: String, help: &str) -> TemplateError {
    TemplateError {
        message,
        help: help.to_owned(),
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    fn variable(name: &str, default: Option<Vec<Part>>) -> Part {
        let name = name.to_owned();
        Part::Variable { name, default }
    }

    #[test]
    fn texts_are_taken_apart() {
        for (template, expected) in [
            ("", vec![]),
            ("plain } {x} $ $x $", vec![text("plain } {x} $ $x $")]),
            ("${env:A}", vec![variable("A", None)]),
            ("${A_1}", vec![variable("A_1", None)]),
            ("${env:A:-}", vec![variable("A", Some(vec![]))]),
            ("${A:-b c:-d}", vec![variable("A", Some(vec![text("b c:-d")]))]),
            ("$${A}", vec![text("${A}")]),
            ("$$$${A}", vec![text("$${A}")]),
            ("$$${A}", vec![text("$"), variable("A", None)]),
            (
                "x${A}y${B}",
                vec![text("x"), variable("A", None), text("y"), variable("B", None)],
            ),
            (
                "${A:-x${env:B:-${C}}y}z}",
                vec![
                    variable(
                        "A",
                        Some(vec![
                            text("x"),
                            variable("B", Some(vec![variable("C", None)])),
                            text("y"),
                        ]),
                    ),
                    text("z}"),
                ],
            ),
            ("${A:-$${B}", vec![variable("A", Some(vec![text("${B")]))]),
            ("ü${A}ü", vec![text("ü"), variable("A", None), text("ü")]),
        ] {
            assert_eq!(parts(template), Ok(expected), "{template}");
        }
    }

    #[test]
    fn errors_are_named() {
        for (template, expected) in [
            ("${A", "has no closing `}`"),
            ("${", "has no closing `}`"),
            ("${A:-b", "has no closing `}`"),
            ("${A:-${B}", "has no closing `}`"),
            ("${}", "`` in `${…}` is not the name"),
            ("${env:}", "`` in `${…}` is not the name"),
            ("${env:1A}", "`1A` in `${…}` is not the name"),
            ("${A B}", "`A B` in `${…}` is not the name"),
            ("${É}", "`É` in `${…}` is not the name"),
            ("${env:${A}}", "is inside the name"),
            ("${file:/etc/passwd}", "`file:` in `${…}` is not supported"),
            ("${https://x/y}", "`https:` in `${…}` is not supported"),
            ("${ENV:A}", "`ENV:` in `${…}` is not supported"),
            ("${A:default}", "`A:` in `${…}` is not supported"),
            ("${env:A:?required}", "`:?` after the name"),
            ("${env:A?required}", "`?` after the name"),
            ("${env:A-default}", "`-` after the name"),
            ("${env:A:=default}", "`:=` after the name"),
        ] {
            let error = parts(template).expect_err(template);
            assert!(error.message.contains(expected), "{template}: {}", error.message);
        }
        for (template, expected) in [
            ("${A:default}", "write `${env:A:-default}`"),
            ("${env:A:default}", "write `${env:A:-default}`"),
            ("${env:A-secret}", "write `${env:A:-default}`"),
            ("${A:?required}", "write `${env:A}`"),
            ("${env:A:?required}", "write `${env:A}`"),
        ] {
            let error = parts(template).expect_err(template);
            assert!(error.help.contains(expected), "{template}: {}", error.help);
        }
        let deep = format!("{}{}", "${A:-".repeat(50_000), "}".repeat(50_000));
        assert!(parts(&deep).expect_err("too deep").message.contains("nested deeper"));
    }
}
