//! The pages match the table.

use deploy_generate::prometheus;
use deploy_generate::table::{METRICS, Metric, MetricKind, MetricSource, RESOURCE};

use crate::read;

/// The cells of the rows of a table that have the text in their first cell.
fn rows<'a>(page: &'a str, first: &str) -> Vec<Vec<&'a str>> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect());
    cells.filter(|cells: &Vec<&str>| cells[0].contains(first)).collect()
}

fn of_owners() -> impl Iterator<Item = &'static Metric> {
    METRICS.iter().filter(|metric| metric.source != MetricSource::Collector)
}

#[test]
fn table_has_every_metric_of_events_and_gauges() {
    let source = read("jobs/event/src/attributes.rs");
    let constants = source.lines().filter_map(|line| line.strip_prefix("pub const METRIC_"));
    let names: Vec<&str> = constants.filter_map(|line| line.split('"').nth(1)).collect();
    let table: Vec<&str> = of_owners().map(|metric| metric.name).collect();
    assert!(names.len() >= 15, "{names:?}");
    for name in &names {
        assert!(table.contains(name), "the table of metrics lacks {name}");
    }
    assert_eq!(names.len(), table.len(), "the table has other metrics: {table:?}");
}

#[test]
fn events_page_has_unit_and_attributes_of_each_metric() {
    let page = read("docs/events.md");
    let page = page.split("\n## Metrics\n").nth(1).expect("the section Metrics");
    for metric in of_owners() {
        // Metrics of Pods share a row, in which the others are suffixes.
        let suffix = metric.name.replace("k8s.job.pod", "");
        let row = rows(page, &format!("`{}`", metric.name))
            .into_iter()
            .chain(rows(page, &format!("`{suffix}`")))
            .next()
            .unwrap_or_else(|| panic!("docs/events.md lacks {}", metric.name));
        let kind = match metric.kind {
            MetricKind::Sum => "sum",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "exponential histogram",
        };
        assert_eq!(row[1], format!("{kind}, `{}`", metric.unit), "{}", metric.name);
        let attributes: Vec<&str> = row[2].split('`').skip(1).step_by(2).collect();
        assert_eq!(attributes, metric.attributes, "{}", metric.name);
    }
}

#[test]
fn page_of_the_exporter_has_each_prometheus_name() {
    let page = read("exporters/prometheus/README.md");
    for metric in of_owners() {
        if metric.name.starts_with("k8s.job.pod.") {
            continue; // "and the other gauges"
        }
        let row = rows(&page, &format!("`{}`", metric.name));
        let name = match metric.kind {
            MetricKind::Histogram => format!("`{}_bucket`", metric.prometheus),
            _ => format!("`{}`", metric.prometheus),
        };
        assert!(
            row.iter().any(|row| row[1].starts_with(&name)),
            "exporters/prometheus/README.md: {} is {name}: {row:?}",
            metric.name
        );
    }
}

#[test]
fn datadog_page_has_each_tag() {
    let page = read("docs/datadog.md");
    for attribute in RESOURCE {
        assert!(
            page.contains(&format!("`{}`", attribute.tag)),
            "docs/datadog.md lacks {}",
            attribute.tag
        );
    }
}

#[test]
fn operating_page_has_each_own_metric() {
    let page = read("docs/operating.md");
    for metric in METRICS.iter().filter(|metric| metric.source == MetricSource::Collector) {
        let is_process = metric.name.starts_with("otelcol_process_");
        let row = rows(&page, &format!("`{}`", metric.name));
        assert!(is_process || !row.is_empty(), "docs/operating.md lacks {}", metric.name);
        if let Some(row) = row.first() {
            // `receiver` is on every metric of a receiver.
            for attribute in metric.attributes.iter().filter(|attribute| **attribute != "receiver") {
                assert!(
                    row[1].contains(&format!("`{attribute}`")),
                    "{}: {attribute}",
                    metric.name
                );
            }
        }
    }
}

#[test]
fn alerts_page_has_a_section_for_each_alert() {
    let page = read("docs/alerts.md");
    let mut names: Vec<&str> = prometheus::job_alerts().iter().map(|alert| alert.name).collect();
    names.extend(prometheus::collector_alerts().iter().map(|alert| alert.name));
    for name in &names {
        let section = page.split(&format!("\n## {name}\n")).nth(1);
        let section = section.unwrap_or_else(|| panic!("docs/alerts.md has no section {name}"));
        assert!(section.trim_start().len() > 40, "{name}");
    }
    let sections = page.lines().filter_map(|line| line.strip_prefix("## "));
    for section in sections.filter(|section| !section.contains(' ')) {
        assert!(
            names.contains(&section),
            "docs/alerts.md explains {section}, which is no alert"
        );
    }
}

/// The pages that name metrics of the collector beside those of others.
const PAGES: [&str; 4] = [
    "docs/alerts.md",
    "docs/migrating/from-datadog.md",
    "docs/migrating/from-event-exporters.md",
    "docs/migrating/from-kube-state-metrics.md",
];

#[test]
fn pages_about_other_tools_name_metrics_and_monitors_that_exist() {
    let attributes = read("jobs/event/src/attributes.rs");
    let monitors: Vec<String> = deploy_generate::files().into_iter().map(|(name, _)| name).collect();
    let mut seen = 0;
    for name in PAGES {
        let page = read(name);
        for code in page.split('`').skip(1).step_by(2) {
            let word = code.split(['{', ' ', '[', '(']).next().unwrap_or_default();
            let known = if word.starts_with("k8s_") && !matches!(word, "k8s_job" | "k8s_events") {
                let labels = RESOURCE.iter().any(|attribute| attribute.label == word);
                labels || METRICS.iter().any(|metric| metric.prometheus == word)
            } else if word.starts_with("k8s.") {
                METRICS.iter().any(|metric| metric.name == word) || attributes.contains(&format!("\"{word}\""))
            } else if ["job-", "cronjob-", "collector-"]
                .iter()
                .any(|start| word.starts_with(start))
            {
                monitors.contains(&format!("datadog/monitors/{word}.json"))
            } else {
                continue;
            };
            assert!(known, "{name} names {word}, which does not exist");
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} names were found");
}

#[test]
fn page_about_datadog_covers_its_check() {
    let page = read("docs/migrating/from-datadog.md");
    for row in read("docs/compatibility.md")
        .lines()
        .filter(|line| line.starts_with("| `kubernetes_state."))
    {
        let metric = row.split('`').nth(1).expect("a metric");
        assert!(
            page.contains(&format!("`{metric}`")),
            "docs/migrating/from-datadog.md lacks {metric}"
        );
    }
}
