//! JSON with one order of keys, for files that people read and compare. The order of `serde_json` depends on its features, which
//! other crates of the workspace may choose.

use serde_json::Value;

/// Keys that come first, in this order; the others follow in the order of the alphabet.
const FIRST: [&str; 8] = ["title", "name", "type", "id", "uid", "query", "expr", "message"];

/// A line is at most that long if it has a list or an object in it.
const WIDTH: usize = 110;

/// The text of a document, with a line break at its end.
pub(crate) fn text(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text.push('\n');
    text
}

fn write(value: &Value, indent: usize, text: &mut String) {
    let line = one_line(value);
    if line.len() + indent <= WIDTH || !(value.is_array() || value.is_object()) {
        text.push_str(&line);
        return;
    }
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    text.push(open);
    for (number, (key, value)) in children(value).into_iter().enumerate() {
        text.push_str(if number == 0 { "\n" } else { ",\n" });
        text.push_str(&" ".repeat(indent + 2));
        if let Some(key) = key {
            text.push_str(&format!("{key:?}: "));
        }
        write(value, indent + 2, text);
    }
    text.push('\n');
    text.push_str(&" ".repeat(indent));
    text.push(close);
}

fn one_line(value: &Value) -> String {
    let children: Vec<String> = children(value)
        .into_iter()
        .map(|(key, value)| match key {
            Some(key) => format!("{key:?}: {}", one_line(value)),
            None => one_line(value),
        })
        .collect();
    match value {
        Value::Array(_) => format!("[{}]", children.join(", ")),
        Value::Object(_) => format!("{{{}}}", children.join(", ")),
        scalar => scalar.to_string(),
    }
}

/// The entries of a list or an object, in order. The keys here are plain ASCII.
fn children(value: &Value) -> Vec<(Option<&str>, &Value)> {
    match value {
        Value::Array(list) => list.iter().map(|value| (None, value)).collect(),
        Value::Object(object) => {
            let rank = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
            let mut entries: Vec<_> = object.iter().map(|(key, value)| (Some(&**key), value)).collect();
            entries.sort_by_key(|(key, _)| (rank(key.unwrap_or_default()), *key));
            entries
        }
        _ => Vec::new(),
    }
}
