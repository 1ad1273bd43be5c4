//! Hides secrets: values from the environment, values under keys that name a secret, passwords in URLs.

use super::node::{Entry, Node, Value};
use super::values::REDACTED;

/// Values shorter than this are not searched for inside messages: every message would be full of them.
const SHORTEST: usize = 3;

/// True if all values under this key are secrets.
pub(crate) fn names_secret(key: &str) -> bool {
    const PARTS: [&str; 9] = [
        "apikey",
        "accesskey",
        "token",
        "password",
        "passwd",
        "secret",
        "credential",
        "privatekey",
        "authorization",
    ];
    // A path is not a secret, and an error needs it.
    if key.ends_with("_file") || key.ends_with("_filename") {
        return false;
    }
    let key: String = key
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    key == "headers" || key == "keypem" || PARTS.iter().any(|part| key.contains(part))
}

/// The message without any value of `node` that must not be shown: all of them if it is a `secret` itself.
///
/// A value from the environment is replaced by its reference. If a part of such a value is still left (a check may
/// quote a part of its input), the whole message is replaced.
pub(crate) fn scrub(node: &Node, secret: bool, message: &str) -> String {
    let mut values = Vec::new();
    collect(node, secret, &mut values);
    let single = matches!(node.value, Value::Scalar(_));
    let scrubbed = replace(&values, message, if single { 1 } else { SHORTEST });
    let found = node.found();
    match &node.value {
        Value::Scalar(s) if s.holds_variable() && quotes_a_part(&values, &scrubbed) => {
            format!("found {found}, whose value is not valid here")
        }
        Value::Scalar(_) if secret && quotes_a_part(&values, &scrubbed) => {
            "found a value that is not shown, and is not valid here".to_owned()
        }
        _ => scrubbed,
    }
}

/// The message with every whole value of `node` that must not be shown replaced.
pub(crate) fn scrub_values(node: &Node, message: &str) -> String {
    let mut values = Vec::new();
    collect(node, false, &mut values);
    replace(&values, message, SHORTEST)
}

/// A secret text, and its replacement.
type Hidden = (String, String);

fn collect(node: &Node, secret: bool, values: &mut Vec<Hidden>) {
    match &node.value {
        Value::Scalar(scalar) => {
            match &scalar.template {
                Some(template) if !template.values.is_empty() => {
                    values.extend(template.values.iter().cloned());
                    values.push((scalar.text.clone(), scalar.shown()));
                }
                _ if secret => values.push((scalar.text.clone(), REDACTED.to_owned())),
                _ => {}
            }
            if let Some(userinfo) = userinfo(&scalar.text) {
                values.push((userinfo.to_owned(), REDACTED.to_owned()));
            }
            let query = query_secrets(&scalar.text).into_iter();
            values.extend(query.map(|value| (value.to_owned(), REDACTED.to_owned())));
        }
        Value::Sequence(items) => items.iter().for_each(|item| collect(item, secret, values)),
        Value::Mapping(entries) => {
            for Entry { key, node, .. } in entries {
                collect(node, secret || names_secret(key), values);
            }
        }
        Value::Invalid => {}
    }
}

fn replace(values: &[Hidden], message: &str, shortest: usize) -> String {
    let mut values: Vec<(String, &str)> = values
        .iter()
        .flat_map(|(value, shown)| {
            let value_escaped = value.escape_debug().to_string();
            [
                (value.clone(), shown.as_str()),
                (value.trim().to_owned(), shown),
                (value_escaped, shown),
            ]
        })
        .filter(|(value, _)| value.len() >= shortest)
        .collect();
    // Longest first, so that no value is left in pieces because a part of it was replaced.
    values.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
    values.dedup();
    // One pass over the message: replacements are not searched again.
    let mut scrubbed = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(next) = rest.chars().next() {
        match values.iter().find(|(value, _)| rest.starts_with(value.as_str())) {
            Some((value, shown)) => {
                scrubbed.push_str(shown);
                rest = &rest[value.len()..];
            }
            None => {
                scrubbed.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    scrubbed
}

/// True if the message contains four or more consecutive characters of a value.
fn quotes_a_part(values: &[Hidden], message: &str) -> bool {
    const PART: usize = 4;
    let message = values
        .iter()
        .fold(message.to_owned(), |m, (_, shown)| m.replace(shown.as_str(), "\0"));
    values.iter().any(|(value, _)| {
        let starts: Vec<usize> = value.char_indices().map(|(i, _)| i).chain([value.len()]).collect();
        starts
            .iter()
            .zip(starts.iter().skip(PART))
            .any(|(from, to)| message.contains(&value[*from..*to]))
    })
}

/// The text with `user:password` of every URL replaced, and each value in a query whose key names a secret.
pub(crate) fn urls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let after = &after[3..];
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>'))
            .unwrap_or(after.len());
        let (url, after) = after.split_at(end);
        let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
        let url = match url[..authority].rfind('@') {
            Some(0) | None => format!("://{url}"),
            Some(at) => format!("://{REDACTED}{}", &url[at..]),
        };
        out.push_str(&query(&url));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A URL with the values in its query replaced that are secrets: by their keys, or because they look random.
pub(crate) fn query(url: &str) -> String {
    let secrets = query_secrets(url);
    let Some((before, query)) = url.split_once('?').filter(|_| !secrets.is_empty()) else {
        return url.to_owned();
    };
    let (query, fragment) = match query.split_once('#') {
        Some((query, fragment)) => (query, format!("#{fragment}")),
        None => (query, String::new()),
    };
    let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((key, value)) if secrets.contains(&value) => format!("{key}={REDACTED}"),
        _ => parameter.to_owned(),
    });
    let parameters: Vec<String> = parameters.collect();
    format!("{before}?{}{fragment}", parameters.join("&"))
}

/// The values in the query of a URL that must not be shown. References to variables can be: they say where a value
/// comes from.
fn query_secrets(url: &str) -> Vec<&str> {
    let Some((_, query)) = url.split_once('?').filter(|(before, _)| before.contains("://")) else {
        return Vec::new();
    };
    let query = query.split('#').next().unwrap_or_default();
    let is_reference = |value: &str| value.starts_with("${") && value.ends_with('}') && !value.contains(":-");
    let looks_random = |value: &str| {
        value.len() >= 20 && value.bytes().any(|b| b.is_ascii_digit()) && value.bytes().any(|b| b.is_ascii_alphabetic())
    };
    query
        .split('&')
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(key, value)| !value.is_empty() && (names_secret_in_query(key) || looks_random(value)))
        .map(|(_, value)| value)
        .filter(|value| !is_reference(value))
        .collect()
}

/// Keys of queries are shorter than those of settings: `key`, `sig`, `auth`, `dsn`.
fn names_secret_in_query(key: &str) -> bool {
    const WHOLE: [&str; 7] = ["key", "sig", "auth", "code", "dsn", "pwd", "pass"];
    names_secret(key)
        || WHOLE.iter().any(|whole| {
            let key = key.to_ascii_lowercase();
            key == *whole || key.ends_with(&format!("_{whole}")) || key.ends_with(&format!("-{whole}"))
        })
        || key.to_ascii_lowercase().contains("signature")
}

/// The `user:password` of a URL.
pub(crate) fn userinfo(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority
        .rsplit_once('@')
        .map(|(userinfo, _)| userinfo)
        .filter(|u| !u.is_empty())
}
