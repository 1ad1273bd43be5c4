//! The demo: its output, its page and its telemetry.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cli::{ROOT, run, stderr, stdout};
use crate::http::answer;

const BINARY: &str = env!("CARGO_BIN_EXE_kube-job-collector");

#[test]
fn the_demo_fits_into_80_columns() {
    let output = run(
        &["demo", "--once", "--speed", "20"],
        &[("COLUMNS", "80"), ("PATH", "/bin:/usr/bin")],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "", "no warning greets a newcomer");
    for line in stdout(&output).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).expect("the README");
    let (_, shown) = readme.split_once("    A simulated cluster (").expect("the example");
    let (shown, _) = shown.split_once("\n## ").expect("a heading after it");
    let shown: String = shown
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line)))
        .collect();
    assert_eq!(
        comparable(&shown),
        comparable(&stdout(&output)),
        "README.md shows another output"
    );
}

/// The parts that two runs of the demo have in common: no introduction, no times, no run numbers, no order of arrival.
fn comparable(demo: &str) -> Vec<String> {
    let (_, events) = demo.split_once("\n\n").expect("an introduction");
    // The metric depends on the time of the scrape.
    let lines = events.lines().filter(|line| !line.contains("container-status metric"));
    let mut lines: Vec<String> = lines
        .map(|line| {
            let line = match line.get(2..3) {
                Some(":") => &line[5..],
                _ => line,
            };
            let words = line.split_inclusive(' ');
            let unnumbered = words.map(|word| match word.trim_end() {
                run if run.starts_with("nightly-") => "nightly",
                slot if slot.ends_with(":00Z") => "SLOT ",
                _ => word,
            });
            let line = unnumbered.collect::<String>().trim_end().to_owned();
            // The simulated kubelet acts on the clock, so a second may pass more or less.
            match line.contains("Completed after ") || line.contains("being stalled for ") {
                true => line.replace(char::is_numeric, ""),
                false => line,
            }
        })
        .collect();
    lines.sort();
    lines
}

/// Without `--once` the demo waits, so that people can look at its page.
#[tokio::test]
async fn the_demo_serves_its_page_until_it_is_interrupted() {
    let mut demo = Command::new(BINARY)
        .args(["demo", "--speed", "100"])
        .env_clear()
        .env("COLUMNS", "80")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let output = BufReader::new(demo.stdout.take().expect("piped"));
    let mut lines = output.lines().map(|line| line.expect("text"));
    let url = lines
        .find_map(|line| {
            line.strip_prefix("The page, for your browser: http://")
                .map(str::to_owned)
        })
        .expect("the URL of the page");
    let invitation = lines.find(|line| line.starts_with("All Jobs have finished."));
    assert!(invitation.is_some(), "it waits");
    let (head, page) = answer(url.trim_end_matches('/'), "/", "text/html")
        .await
        .expect("the page");
    assert!(
        head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"),
        "{head}"
    );
    for part in ["invoice-export", "OutOfMemory", "archive-invoices", "sync-ledger"] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
    let pid = demo.id().to_string();
    let sent = Command::new("kill").args(["-s", "INT", &pid]).status();
    assert!(sent.expect("kill").success());
    let totals = lines.find(|line| line.starts_with("Reported Jobs"));
    assert!(totals.is_some(), "the totals follow");
    assert!(lines.count() > 0);
    assert!(demo.wait().expect("an end").success());
}

/// The main job on the embedded default: the article's Job arrives once, as a delta, with its reason and cause.
#[test]
fn the_demo_counts_the_articles_job_once() {
    let output = run(&["demo", "--once", "-o", "json", "--speed", "20"], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let metrics: Value = serde_json::from_slice(&output.stdout).expect("OTLP JSON");
    let mut points = Vec::new();
    for resource in metrics["resourceMetrics"].as_array().expect("resources") {
        let owner = |key: &str| attribute(&resource["resource"]["attributes"], key);
        if owner("k8s.job.name").as_deref() != Some("deadline-exceeded-test-job") {
            continue;
        }
        assert_eq!(owner("k8s.namespace.name").as_deref(), Some("default"));
        assert_eq!(owner("k8s.cluster.name").as_deref(), Some("demo"));
        for metric in resource["scopeMetrics"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|s| s["metrics"].as_array())
        {
            for metric in metric.iter().filter(|m| m["name"] == "k8s.job.failures") {
                assert_eq!(metric["sum"]["aggregationTemporality"], 1, "delta");
                points.extend(metric["sum"]["dataPoints"].as_array().expect("points").clone());
            }
        }
    }
    assert_eq!(points.len(), 1, "{points:?}");
    assert_eq!(points[0]["asInt"], "1");
    for (key, value) in [
        ("reason", "DeadlineExceeded"),
        ("cause", "RanTooLong"),
        ("category", "timeout"),
    ] {
        assert_eq!(attribute(&points[0]["attributes"], key).as_deref(), Some(value));
    }
}

fn attribute(attributes: &Value, key: &str) -> Option<String> {
    let found = attributes.as_array()?.iter().find(|a| a["key"] == key)?;
    found["value"]["stringValue"].as_str().map(str::to_owned)
}
