//! `$NAME` and `$(NAME)` in a value: only `${…}` is replaced, so the text itself would be used.

use super::credential::is_name;
use super::diagnostics::{Diagnostic, Warnings};
use super::node::{Node, Value};

/// Warns of every value that looks as if a shell or Kubernetes should replace something in it.
pub(super) fn warn(root: &Node, warnings: &Warnings) {
    walk(root, &mut Vec::new(), warnings);
}

fn walk<'a>(node: &'a Node, path: &mut Vec<&'a str>, warnings: &Warnings) {
    match &node.value {
        Value::Mapping(entries) => {
            for entry in entries {
                path.push(&entry.key);
                walk(&entry.node, path, warnings);
                path.pop();
            }
        }
        Value::Sequence(items) => items.iter().for_each(|item| walk(item, path, warnings)),
        Value::Scalar(scalar) => {
            // As written: `$$NAME` says that the text is meant, and what a variable holds is not searched.
            let written = scalar.template.as_ref().map_or(&scalar.text, |template| &template.text);
            if let Some((reference, name)) = unreplaced(written) {
                let message = format!("`{reference}` is not expanded, only `${{…}}` is");
                warnings.push(
                    Diagnostic::new(node.position.clone(), path.join("::"), message).with_help(format!(
                        "write `${{env:{name}}}` for the environment variable, or `${reference}` for the text itself"
                    )),
                );
            }
        }
        Value::Invalid => {}
    }
}

/// The first reference of another syntax, and the name in it. Names are in upper case, as those of environment
/// variables are: `$1` and `$name` mean something in regular expressions.
fn unreplaced(text: &str) -> Option<(&str, &str)> {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let from = &rest[at..];
        let after = &from[1..];
        if let Some(after) = after.strip_prefix('$') {
            rest = after;
            continue;
        }
        if let Some(inside) = after.strip_prefix('(')
            && let Some((name, _)) = inside.split_once(')')
            && is_upper(name)
        {
            return Some((&from[..name.len() + 3], name));
        }
        let end = after
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(after.len());
        let name = &after[..end];
        if is_upper(name) {
            return Some((&from[..=end], name));
        }
        rest = after;
    }
    None
}

fn is_upper(name: &str) -> bool {
    name.len() >= 2 && is_name(name) && !name.contains(|c: char| c.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::super::{Source, read_all};
    use super::*;

    #[test]
    fn references_of_other_syntaxes_are_found() {
        for (text, expected) in [
            ("$DD_API_KEY", Some(("$DD_API_KEY", "DD_API_KEY"))),
            ("Bearer $TOKEN", Some(("$TOKEN", "TOKEN"))),
            ("https://otlp.$DD_SITE/x", Some(("$DD_SITE", "DD_SITE"))),
            ("$(POD_IP):4317", Some(("$(POD_IP)", "POD_IP"))),
            ("${env:A}-$B2", Some(("$B2", "B2"))),
            ("$$TOKEN", None),
            ("$$$TOKEN", Some(("$TOKEN", "TOKEN"))),
            ("${env:TOKEN}", None),
            ("${TOKEN}", None),
            ("^job-.*$", None),
            ("$1-$name-$(name)", None),
            ("$", None),
            ("$X", None),
            ("costs 5$USD", Some(("$USD", "USD"))),
        ] {
            assert_eq!(unreplaced(text), expected, "{text}");
        }
    }

    #[test]
    fn unreplaced_reference_is_a_warning_at_its_place() {
        let text =
            "exporters:\n  otlp_http:\n    headers:\n      x: $DD_API_KEY\n      y: ${env:Y}\n      z: $$DD_API_KEY\n";
        let source = Source {
            name: "a.yaml".into(),
            text: text.into(),
            adds: false,
        };
        let (config, _) = read_all(&[source], &[], &|_| Some("$HIDDEN".into()));
        let warnings = config.expect("a configuration").warnings.list();
        assert_eq!(
            warnings.to_string(),
            "a.yaml:4:10: exporters::otlp_http::headers::x: `$DD_API_KEY` is not expanded, only `${…}` is\n    \
             write `${env:DD_API_KEY}` for the environment variable, or `$$DD_API_KEY` for the text itself\n"
        );
    }
}
