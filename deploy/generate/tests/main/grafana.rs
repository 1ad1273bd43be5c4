//! The rules of Grafana's schema that the dashboard relies on. Its own schema is written in CUE and TypeScript; the dashboard fits the
//! types of `@grafana/schema` 13.2 (dashboard, options and field settings of each panel) and the models of
//! `grafana-foundation-sdk` for 10.1.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{json, values};

/// Units of `@grafana/data` that the dashboard uses.
const UNITS: [&str; 6] = [
    "short",
    "s",
    "percentunit",
    "dtdurations",
    "dateTimeFromNow",
    "bool_yes_no",
];
const KINDS: [&str; 5] = ["row", "stat", "timeseries", "table", "heatmap"];

fn panels(dashboard: &Value) -> &Vec<Value> {
    dashboard["panels"].as_array().expect("panels")
}

#[test]
fn panels_have_titles_units_and_queries() {
    let dashboard = json("grafana/dashboard.json");
    let mut titles = BTreeSet::new();
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().expect("a title");
        assert!(!title.is_empty() && titles.insert(title), "{title}: titles are unique");
        let kind = panel["type"].as_str().expect("a type");
        assert!(KINDS.contains(&kind), "{title}: {kind}");
        if kind == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().expect("targets");
        let ids: BTreeSet<&str> = targets.iter().filter_map(|target| target["refId"].as_str()).collect();
        assert!(!targets.is_empty() && ids.len() == targets.len(), "{title}");
        let mut units = Vec::new();
        values(panel, "unit", &mut units);
        let overrides = panel["fieldConfig"]["overrides"].as_array().into_iter().flatten();
        let properties = overrides.flat_map(|one| one["properties"].as_array().into_iter().flatten());
        units.extend(
            properties
                .filter(|property| property["id"] == "unit")
                .map(|property| &property["value"]),
        );
        assert!(!units.is_empty(), "{title} has no unit");
        for unit in units {
            assert!(UNITS.contains(&unit.as_str().expect("text")), "{title}: {unit}");
        }
    }
}

#[test]
fn panels_have_unique_ids_and_fill_the_grid_without_overlap() {
    let dashboard = json("grafana/dashboard.json");
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels(&dashboard) {
        assert!(
            ids.insert(panel["id"].as_u64().expect("a number")),
            "{}",
            panel["title"]
        );
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
        assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(cells.insert((x, y)), "two panels at {x}, {y}: {}", panel["title"]);
            }
        }
    }
    // Each row of panels is as wide as the dashboard.
    let height = cells.iter().map(|(_, y)| y + 1).max().expect("panels");
    assert_eq!(u64::try_from(cells.len()).expect("a number"), 24 * height);
}

#[test]
fn tables_name_columns_that_their_queries_return() {
    let dashboard = json("grafana/dashboard.json");
    for panel in panels(&dashboard).iter().filter(|panel| panel["type"] == "table") {
        let targets = panel["targets"].as_array().expect("targets");
        let organize = &panel["transformations"][1]["options"];
        for column in organize["renameByName"].as_object().expect("names").keys() {
            let is_value = match targets.len() {
                1 => column == "Value",
                _ => targets
                    .iter()
                    .any(|target| *column == format!("Value #{}", target["refId"].as_str().unwrap_or_default())),
            };
            let expression = targets[0]["expr"].as_str().expect("an expression");
            let is_label = expression.contains(&format!("{column},")) || expression.contains(&format!("{column})"));
            assert!(is_value || is_label, "{}: {column}", panel["title"]);
            assert!(
                organize["indexByName"].get(column).is_some(),
                "{}: {column}",
                panel["title"]
            );
        }
    }
}

#[test]
fn queries_use_each_variable_of_the_dashboard() {
    let dashboard = json("grafana/dashboard.json");
    let list = dashboard["templating"]["list"].as_array().expect("variables");
    let names: BTreeSet<&str> = list.iter().filter_map(|variable| variable["name"].as_str()).collect();
    let mut used = BTreeSet::from(["datasource"]);
    let mut queries = Vec::new();
    values(&dashboard, "expr", &mut queries);
    for rest in queries
        .iter()
        .flat_map(|query| query.as_str().expect("text").split('$').skip(1))
    {
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        used.insert(&rest[..end]);
    }
    for name in &names {
        assert!(used.contains(name), "no query uses ${name}");
    }
    let own = ["__range", "__rate_interval"];
    for name in used {
        assert!(names.contains(name) || own.contains(&name), "${name} is not defined");
    }
}

#[test]
fn all_owners_and_the_overflow_match_the_default_selection() {
    let dashboard = json("grafana/dashboard.json");
    let list = dashboard["templating"]["list"].as_array().expect("variables");
    for variable in list.iter().filter(|variable| variable["type"] == "query") {
        assert_eq!(variable["allValue"], ".*", "an absent label matches");
        assert_eq!(variable["current"]["value"][0], "$__all");
    }
}
