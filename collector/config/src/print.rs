//! A tree as YAML, without secrets.

use std::fmt::Write;

use super::node::{Node, Value};
use super::redact;
use super::scalar::{Scalar, ScalarKind};
use super::template::{Part, parts};
use super::values::REDACTED;

/// The tree in block style. It must not have been substituted yet: variables are shown as they are written.
pub(crate) fn to_yaml(root: &Node) -> String {
    let mut out = String::new();
    match &root.value {
        Value::Mapping(entries) if !entries.is_empty() => write_node(&mut out, root, 0, false),
        _ => out.push_str("{}"),
    }
    let mut out = out.trim_start_matches('\n').to_owned();
    out.push('\n');
    out
}

/// Writes a value after its key's colon or its item's dash.
fn write_node(out: &mut String, node: &Node, indent: usize, secret: bool) {
    match &node.value {
        Value::Invalid => out.push_str(" null"),
        Value::Scalar(scalar) => write_scalar(out, scalar, secret),
        Value::Mapping(entries) if entries.is_empty() => out.push_str(" {}"),
        Value::Sequence(items) if items.is_empty() => out.push_str(" []"),
        Value::Mapping(entries) => {
            for entry in entries {
                let _ = write!(out, "\n{:indent$}{}:", "", quoted_if_needed(&entry.key));
                write_node(out, &entry.node, indent + 2, secret || redact::names_secret(&entry.key));
            }
        }
        Value::Sequence(items) => {
            for item in items {
                let _ = write!(out, "\n{:indent$}-", "");
                write_node(out, item, indent + 2, secret);
            }
        }
    }
}

fn write_scalar(out: &mut String, scalar: &Scalar, secret: bool) {
    if scalar.kind() == ScalarKind::Null {
        if !scalar.text.is_empty() {
            out.push_str(" null");
        }
        return;
    }
    let shown = if secret {
        hide(&scalar.text, "")
    } else {
        redact::query(&hide_userinfo(&scalar.text))
    };
    out.push(' ');
    if scalar.quoted {
        out.push_str(&quoted(&shown));
    } else if scalar.kind() == ScalarKind::Text || shown != scalar.text {
        out.push_str(&quoted_if_needed(&shown));
    } else {
        out.push_str(&shown);
    }
}

/// Every piece of a template that is neither a variable nor in `harmless` redacted. Defaults are pieces, too.
fn hide(text: &str, harmless: &str) -> String {
    let Ok(parts) = parts(text) else {
        return REDACTED.to_owned();
    };
    let mut shown = String::new();
    for part in parts {
        match part {
            Part::Text(text) if text == harmless => shown.push_str(&text),
            Part::Text(_) => shown.push_str(REDACTED),
            Part::Variable { name, default } => {
                let _ = match default {
                    None => write!(shown, "${{env:{name}}}"),
                    Some(default) if default.is_empty() => write!(shown, "${{env:{name}:-}}"),
                    Some(_) => write!(shown, "${{env:{name}:-{REDACTED}}}"),
                };
            }
        }
    }
    shown
}

fn hide_userinfo(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    // A default may hold anything, so a template is searched to its end.
    let userinfo = match rest.rsplit_once('@') {
        Some((userinfo, _)) if text.contains("${") => Some(userinfo),
        _ => redact::userinfo(text),
    };
    match userinfo {
        Some(userinfo) => format!("{scheme}://{}{}", hide(userinfo, ":"), &rest[userinfo.len()..]),
        None => text.to_owned(),
    }
}

/// The text as it is if every YAML parser reads it as the same text, else in quotes.
fn quoted_if_needed(text: &str) -> String {
    let begins_well = text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '$'));
    let ends_well = !text.ends_with([' ', ':']);
    let clear = !text.contains(": ") && !text.contains(" #");
    let harmless = |c: char| c.is_alphanumeric() || " /_$-.:{}()@%+=,;<>*&!?|~^'#".contains(c);
    if begins_well && ends_well && clear && text.chars().all(harmless) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
