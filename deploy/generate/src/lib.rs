//! The table of metrics ([`table`]), and the files that are generated from it: for Datadog a dashboard and monitors, for Grafana
//! a dashboard, for Prometheus alert and recording rules.
//!
//! The queries are written as text. Tests read them ([`promql`], [`datadog::query`]) and fail for a metric, label or tag that is
//! not in the table.

pub mod datadog;
pub mod grafana;
mod json;
pub mod prometheus;
pub mod promql;
pub mod table;

/// The generated files: paths below `deploy/`, and contents.
pub fn files() -> Vec<(String, String)> {
    let repository = env!("CARGO_PKG_REPOSITORY");
    let mut files = vec![
        ("prometheus/rules.yaml".to_owned(), prometheus::rules(repository)),
        ("grafana/dashboard.json".to_owned(), json::text(&grafana::dashboard())),
        (
            "datadog/dashboard.json".to_owned(),
            json::text(&datadog::dashboard::dashboard()),
        ),
    ];
    for (name, monitor) in datadog::monitors::monitors(repository) {
        files.push((format!("datadog/monitors/{name}.json"), json::text(&monitor)));
    }
    files
}
