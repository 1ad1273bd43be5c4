//! The defaults in the schema, which come from the code, against the tables of `docs/configuration.md`.

use std::collections::BTreeMap;

use collector_config::Duration;
use serde_json::Value;

use crate::markdown::Page;
use crate::{root, schema};

/// The documented default of each setting that is a single value, by type of the component and path.
fn documented() -> BTreeMap<(String, String), String> {
    let page = Page::read(root(), "docs/configuration.md");
    let mut found = BTreeMap::new();
    for section in page.sections() {
        for row in section.text().lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let [keys, _, default, ..] = cells[..] else { continue };
            let Some(default) = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) else {
                continue;
            };
            for key in keys.split(", ") {
                let key = key.trim_matches('`').to_owned();
                found.insert((section.heading.clone(), key), default.to_owned());
            }
        }
    }
    found
}

/// The value below the path of a table: `extract::labels[]::key`.
fn at<'s>(settings: &'s Value, path: &str) -> Option<&'s Value> {
    path.split("::").try_fold(settings, |schema, part| {
        let property = schema["properties"].get(part.trim_end_matches("[]"))?;
        Some(if part.ends_with("[]") {
            &property["items"]
        } else {
            property
        })
    })
}

/// One form for a value that may be written in several: `90s` is `1m30s`.
fn plain(text: &str) -> String {
    let number = text.parse::<f64>().map(|number| number.to_string());
    let duration = || text.parse::<Duration>().map(|duration| duration.to_string());
    match number {
        Ok(number) => number,
        Err(_) => duration().unwrap_or_else(|_| text.to_owned()),
    }
}

#[test]
fn documented_defaults_are_those_of_the_schema() {
    let schema = schema(&[]);
    let mut seen = 0;
    for ((component, path), documented) in documented() {
        let definitions = schema["$defs"].as_object().expect("definitions");
        let name = definitions
            .keys()
            .find(|name| name.rsplit('.').next() == Some(&component));
        let Some(setting) = name.and_then(|name| at(&definitions[name], &path)) else {
            continue;
        };
        let found = match &setting["default"] {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                format!("[{}]", items.join(", "))
            }
            // The table says more than the type: the default depends on something else.
            Value::Null => continue,
            other => other.to_string(),
        };
        let (found, documented) = (
            plain(&found),
            plain(&documented).replace("VERSION", env!("CARGO_PKG_VERSION")),
        );
        // `0` is a duration, too.
        let is_same = found == documented || (found == "0s" && documented == "0");
        assert!(
            is_same,
            "{component}::{path}: documented {documented}, in the schema {found}"
        );
        seen += 1;
    }
    assert!(seen > 70, "{seen} defaults");
}
