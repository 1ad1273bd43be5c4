//! `docs/operating.md` names the collector's own metrics.

use std::collections::BTreeSet;
use std::path::Path;

use super::root;

/// Every `otelcol_…` name in a text.
fn names(text: &str) -> BTreeSet<String> {
    let parts = text.split("otelcol_").skip(1);
    let name = |part: &str| {
        let end = part
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(part.len());
        format!("otelcol_{}", &part[..end])
    };
    parts.map(name).collect()
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(path)).expect("a file")
}

#[test]
fn operating_page_names_metrics_that_exist_and_all_of_the_receiver() {
    let page = names(&read("docs/operating.md"));
    let mut receiver = names(&read("receivers/kubernetes-job/src/telemetry.rs"));
    receiver.extend(names(&read("jobs/watch/src/telemetry.rs")));
    receiver.extend(names(&read("connectors/job-metrics/src/limit.rs")));
    receiver.extend(names(&read("processors/filter/src/processor.rs")));
    receiver.extend(names(&read("collector/ottl-processing/src/failures.rs")));
    receiver.extend(names(&read("extensions/k8s-leader-elector/src/lib.rs")));
    let missing: Vec<_> = receiver.difference(&page).collect();
    assert!(missing.is_empty(), "docs/operating.md does not explain {missing:?}");
    // The sender builds a name from a part and the counted signal.
    let sender = read("collector/sending/src/instruments.rs");
    let mut process = names(&read("src/telemetry/process.rs"));
    process.extend(names(&read("src/telemetry/reloads.rs")));
    let invented: Vec<_> = page
        .difference(&receiver)
        .filter(|name| !process.contains(*name))
        .filter(|name| {
            let part = name
                .strip_prefix("otelcol_exporter_")
                .map(|part| part.trim_end_matches("_log_records").trim_end_matches("_metric_points"));
            !part.is_some_and(|part| {
                sender.contains(&format!("\"{part}\"")) || sender.contains(&format!("\"otelcol_exporter_{part}\""))
            })
        })
        .collect();
    assert!(
        invented.is_empty(),
        "docs/operating.md names unknown metrics: {invented:?}"
    );
}
