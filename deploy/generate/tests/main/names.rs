//! Every query names metrics, labels and tags of the table only, and uses each metric as its kind allows.

use std::collections::BTreeSet;

use deploy_generate::datadog::query::selected;
use deploy_generate::prometheus;
use deploy_generate::promql::names;
use deploy_generate::table::{METRICS, Metric, MetricKind, MetricSource, OVERFLOW, RESOURCE};
use serde_json::Value;

use crate::{json, read, values};

/// Labels that a scrape adds.
const OF_SCRAPES: [&str; 2] = ["job", "instance"];

fn label(attribute: &str) -> String {
    attribute.replace('.', "_")
}

fn of_owners(metric: &Metric) -> bool {
    metric.source != MetricSource::Collector
}

/// The metric of a name in Prometheus, with the suffixes of histograms.
fn in_prometheus(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| {
        let rest = name.strip_prefix(metric.prometheus);
        rest == Some("") || (metric.kind == MetricKind::Histogram && rest == Some("_bucket"))
    })
}

/// The labels of the metric in Prometheus.
fn labels(metric: &Metric) -> BTreeSet<String> {
    let mut labels: BTreeSet<String> = metric.attributes.iter().map(|attribute| label(attribute)).collect();
    labels.extend(OF_SCRAPES.map(str::to_owned));
    if of_owners(metric) {
        labels.extend(RESOURCE.iter().map(|attribute| attribute.label.to_owned()));
        labels.insert(label(OVERFLOW));
    }
    if metric.kind == MetricKind::Histogram {
        labels.insert("le".to_owned());
    }
    labels
}

fn tags(metric: &Metric) -> BTreeSet<String> {
    let mut tags: BTreeSet<String> = metric.attributes.iter().map(|tag| (*tag).to_owned()).collect();
    if of_owners(metric) {
        tags.extend(RESOURCE.iter().map(|attribute| attribute.tag.to_owned()));
        tags.insert(OVERFLOW.to_owned());
    }
    tags
}

/// Panics unless the table has every name of the expression.
fn check_promql(place: &str, expression: &str) {
    let recorded = prometheus::recordings();
    let found = names(expression);
    assert!(!found.metrics.is_empty(), "{place}: no metric in {expression}");
    let mut allowed = BTreeSet::new();
    for name in &found.metrics {
        if let Some(recording) = recorded.iter().find(|recording| recording.name == name) {
            allowed.extend(names(&recording.expr).labels);
            continue;
        }
        let metric = in_prometheus(name).unwrap_or_else(|| panic!("{place}: {name} is not in the table of metrics"));
        allowed.extend(labels(metric));
        let counts = ["increase", "rate"]
            .iter()
            .any(|of| expression.contains(&format!("{of}({name}")));
        assert!(
            counts == (metric.kind != MetricKind::Gauge) || expression.contains("__name__"),
            "{place}: {name} is a {:?}: {expression}",
            metric.kind
        );
    }
    let unknown: Vec<_> = found.labels.difference(&allowed).collect();
    assert!(
        unknown.is_empty(),
        "{place}: no metric of {expression} has the labels {unknown:?}"
    );
}

#[test]
fn rules_name_metrics_and_labels_of_the_table() {
    for recording in prometheus::recordings() {
        check_promql(recording.name, &recording.expr);
    }
    for alert in prometheus::job_alerts()
        .into_iter()
        .chain(prometheus::collector_alerts())
    {
        check_promql(alert.name, &alert.expr);
    }
}

#[test]
fn annotations_name_labels_of_their_alert() {
    let rules = read("deploy/prometheus/rules.yaml");
    for rule in rules.split("      - alert: ").skip(1) {
        let (expression, annotations) = rule.split_once("annotations:").expect("annotations");
        for used in annotations.split("$labels.").skip(1) {
            let end = used.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let used = &used[..end.unwrap_or(used.len())];
            // Without an aggregation an alert has every label of its metric.
            let has = expression.contains(&format!("{used},")) || expression.contains(&format!("{used})"));
            let all = !expression.contains(" by (");
            let of_metric = METRICS
                .iter()
                .filter(|metric| expression.contains(metric.prometheus))
                .any(|metric| labels(metric).contains(used));
            assert!(has || (all && of_metric), "{used} is no label of {rule}");
        }
    }
}

#[test]
fn rules_test_names_metrics_of_the_table() {
    let tests = read("deploy/prometheus/rules_test.yaml");
    let mut seen = 0;
    for line in tests.lines().filter_map(|line| line.trim().strip_prefix("- series: ")) {
        let series = line.trim_matches('\'');
        let found = names(series);
        assert_eq!(found.metrics.len(), 1, "{series}");
        check_series(series, found.metrics.first().expect("a metric"), &found.labels);
        seen += 1;
    }
    assert!(seen >= 20, "only {seen} series were found");
}

fn check_series(series: &str, name: &str, found: &BTreeSet<String>) {
    let metric = in_prometheus(name).unwrap_or_else(|| panic!("{series}: {name} is not in the table of metrics"));
    let labels = labels(metric);
    let unknown: Vec<_> = found.difference(&labels).collect();
    assert!(unknown.is_empty(), "{series}: {unknown:?}");
}

/// The queries of Grafana's panels and variables.
pub(crate) fn grafana_queries() -> Vec<String> {
    let dashboard = json("grafana/dashboard.json");
    let mut found = Vec::new();
    values(&dashboard["panels"], "expr", &mut found);
    let mut queries: Vec<String> = found
        .iter()
        .map(|query| query.as_str().expect("text").to_owned())
        .collect();
    for variable in dashboard["templating"]["list"].as_array().expect("variables") {
        let Some(definition) = variable["query"]["query"].as_str() else {
            continue;
        };
        let inner = definition.split_once('(').expect("a function").1;
        let inner = inner.strip_suffix(')').expect("a closing parenthesis");
        // label_values(selector, label)
        queries.push(match inner.rsplit_once("}, ") {
            Some((selector, label)) if definition.starts_with("label_values(") => {
                format!("sum by ({label}) ({selector}}})")
            }
            _ => inner.to_owned(),
        });
    }
    queries
}

#[test]
fn grafana_names_metrics_and_labels_of_the_table() {
    let queries = grafana_queries();
    assert!(queries.len() > 25, "{}", queries.len());
    for query in queries {
        check_promql("grafana/dashboard.json", &query);
    }
}

#[test]
fn grafana_legends_name_labels_of_their_query() {
    let dashboard = json("grafana/dashboard.json");
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let (expression, legend) = (target["expr"].as_str(), target["legendFormat"].as_str());
            let labels = names(expression.expect("an expression")).labels;
            for label in legend.expect("a legend").split("{{").skip(1) {
                let label = label.split('}').next().unwrap_or_default();
                assert!(labels.contains(label), "{}: {label}", panel["title"]);
            }
        }
    }
}

#[test]
fn datadog_names_metrics_and_tags_of_the_table() {
    let mut seen = 0;
    for (name, _) in deploy_generate::files() {
        if !name.starts_with("datadog/") {
            continue;
        }
        let file = json(&name);
        let mut found = Vec::new();
        values(&file, "query", &mut found);
        let found = found.into_iter().filter_map(Value::as_str);
        for query in found.flat_map(selected) {
            let metric = METRICS.iter().find(|metric| metric.name == query.metric);
            let metric = metric.unwrap_or_else(|| panic!("{name}: {} is not in the table of metrics", query.metric));
            let unknown: Vec<_> = query.tags.difference(&tags(metric)).cloned().collect();
            assert!(unknown.is_empty(), "{name}: {} has no tags {unknown:?}", query.metric);
            assert_eq!(
                query.is_count,
                metric.kind == MetricKind::Sum,
                "{name}: {} is a {:?}",
                query.metric,
                metric.kind
            );
            seen += 1;
        }
    }
    assert!(seen > 30, "only {seen} queries were found");
}

#[test]
fn datadog_messages_name_tags_of_their_group() {
    for (name, _) in deploy_generate::files() {
        if !name.starts_with("datadog/monitors/") {
            continue;
        }
        let monitor = json(&name);
        let text = |key: &str| monitor[key].as_str().expect("text");
        let query = text("query");
        let groups = query.split(" by {").nth(1).and_then(|by| by.split('}').next());
        let groups = groups.or_else(|| query.split(".by(\"").nth(1).and_then(|by| by.split('"').next()));
        let groups: Vec<&str> = groups.expect("groups").split(',').collect();
        for used in (text("name").to_owned() + text("message")).split("{{").skip(1) {
            let used = used.split("}}").next().unwrap_or_default();
            let Some(tag) = used.strip_suffix(".name") else {
                continue;
            };
            let tag = tag.trim_matches(['[', ']']);
            assert!(groups.contains(&tag), "{name}: {tag} is not in {groups:?}");
        }
    }
}
