//! The dashboard and the monitors, read with the models of Datadog's official Python client, and rules of their own.
//!
//! The models need a Python with `datadog-api-client`: the one that `OTLP_PYTHON` names, that of `target/otlp-python`, where
//! `.ci/run` installs it if it can, or `python3`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::{deploy, json, oracle, root, values};

/// A Python that has the models.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("OTLP_PYTHON").map(PathBuf::from);
    let usual = [root().join("target/otlp-python/bin/python"), "python3".into()];
    named.into_iter().chain(usual).find(|python| {
        let import = Command::new(python).args(["-c", "import datadog_api_client"]).output();
        import.is_ok_and(|output| output.status.success())
    })
}

fn files() -> Vec<String> {
    let files = deploy_generate::files().into_iter().map(|(name, _)| name);
    files.filter(|name| name.starts_with("datadog/")).collect()
}

#[test]
fn models_of_the_official_client_accept_the_files() {
    let Some(python) = python() else {
        oracle::skip(
            "datadog-api-client for Python",
            "pip install datadog-api-client, or set OTLP_PYTHON",
        );
        return;
    };
    let files = files();
    let paths = files.iter().map(|name| deploy().join(name));
    let output = Command::new(python)
        .arg(root().join("deploy/generate/tests/main/datadog.py"))
        .args(paths)
        .output()
        .expect("Python runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let accepted = text.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!((accepted, text.lines().count()), (files.len(), files.len()), "{text}");
}

#[test]
fn widgets_have_titles_and_stay_within_the_grid() {
    let dashboard = json("datadog/dashboard.json");
    let groups = dashboard["widgets"].as_array().expect("widgets");
    check_grid(groups);
    for group in groups {
        let widgets = group["definition"]["widgets"].as_array().expect("widgets");
        assert!(!widgets.is_empty(), "{}", group["definition"]["title"]);
        check_grid(widgets);
        for widget in widgets {
            let definition = &widget["definition"];
            let is_note = definition["type"] == "note";
            assert!(
                is_note || definition["title"].as_str().is_some_and(|title| !title.is_empty()),
                "{widget}"
            );
            assert!(
                is_note
                    || definition["requests"]
                        .as_array()
                        .is_some_and(|requests| !requests.is_empty()),
                "{widget}"
            );
        }
    }
}

/// No widgets overlap, none exceeds 12 columns, and none leaves a gap.
fn check_grid(widgets: &[Value]) {
    let mut cells = BTreeSet::new();
    for widget in widgets {
        let at = |key: &str| widget["layout"][key].as_u64().expect("a number");
        assert!(at("x") + at("width") <= 12, "{widget}");
        for x in at("x")..at("x") + at("width") {
            for y in at("y")..at("y") + at("height") {
                assert!(cells.insert((x, y)), "two widgets at {x}, {y}: {widget}");
            }
        }
    }
    let height = cells.iter().map(|(_, y)| y + 1).max().expect("widgets");
    assert_eq!(
        u64::try_from(cells.len()).expect("a number"),
        12 * height,
        "{widgets:?}"
    );
}

#[test]
fn dashboard_defines_the_variables_that_queries_use() {
    let dashboard = json("datadog/dashboard.json");
    let variables = dashboard["template_variables"].as_array().expect("variables");
    let names: BTreeSet<&str> = variables
        .iter()
        .filter_map(|variable| variable["name"].as_str())
        .collect();
    let mut queries = Vec::new();
    values(&dashboard, "query", &mut queries);
    values(&dashboard, "query_string", &mut queries);
    // Variables in a scope are filters, the default; those of type `group` belong after `by`.
    assert!(
        variables.iter().all(|variable| variable.get("type").is_none()),
        "{variables:?}"
    );
    let mut used = BTreeSet::new();
    for query in queries.into_iter().filter_map(Value::as_str) {
        for rest in query.split('$').skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            used.insert(&rest[..end]);
        }
    }
    assert_eq!(used, names);
}

#[test]
fn monitors_say_what_happened_what_to_do_and_where_to_look() {
    for name in files().iter().filter(|name| name.contains("/monitors/")) {
        let monitor = json(name);
        let message = monitor["message"].as_str().expect("a message");
        for part in [
            "What to do: ",
            "[Logs](https://app.datadoghq.com/logs?query=",
            "docs/alerts.md#",
            "{{#is_recovery}}",
        ] {
            assert!(message.contains(part), "{name} lacks {part}: {message}");
        }
        let notifies = monitor["options"]["notify_no_data"] == Value::Bool(true);
        assert_eq!(message.contains("{{#is_no_data}}"), notifies, "{name}");
        // The number at the end of the query is the threshold.
        let query = monitor["query"].as_str().expect("a query");
        let threshold: f64 = query
            .rsplit(' ')
            .next()
            .and_then(|text| text.parse().ok())
            .expect("a number");
        assert_eq!(monitor["options"]["thresholds"]["critical"], threshold, "{name}");
        assert_eq!(monitor["options"]["new_group_delay"], 0, "{name}");
        for (condition, count) in [("is_alert", 2), ("is_no_data", 2), ("is_recovery", 2)] {
            let found = message.matches(&format!("{condition}}}}}")).count();
            assert!(found == count || found == 0, "{name}: {condition}");
        }
    }
}
