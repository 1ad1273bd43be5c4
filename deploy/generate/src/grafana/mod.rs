//! The dashboard of Grafana, for metrics in Prometheus. Its schema is version 39: Grafana 10.4 and later.

mod panel;
mod panels;

use serde_json::{Value, json};

/// The columns of the grid.
const COLUMNS: u64 = 24;

/// The dashboard.
pub fn dashboard() -> Value {
    json!({
        "title": "Kubernetes Jobs",
        "uid": "kube-job-collector",
        "description": "Failed and stalled Jobs, CronJobs whose runs fail or do not start, and their causes.",
        "tags": ["kubernetes", "jobs", "kube-job-collector"],
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "",
        "links": [{
            "title": "Alerts",
            "type": "link",
            "url": concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/alerts.md"),
            "icon": "doc",
            "targetBlank": true,
            "asDropdown": false,
            "includeVars": false,
            "keepTime": false,
            "tags": [],
            "tooltip": "",
        }],
        "annotations": {"list": []},
        "templating": {"list": variables()},
        "panels": placed(panels::panels()),
    })
}

/// The query with values for the variables that Grafana fills in: everything is selected.
pub fn with_values(query: &str) -> String {
    let values = [
        ("$__range", "1d"),
        ("$__rate_interval", "5m"),
        ("$cluster", ".*"),
        ("$namespace", ".*"),
        ("$owner", ".*"),
    ];
    values
        .into_iter()
        .fold(query.to_owned(), |query, (name, value)| query.replace(name, value))
}

/// The variables. Each metric selects them with the labels of `panels::SELECT`.
fn variables() -> Value {
    // Every CronJob has the first; Jobs without a CronJob have the others.
    let metrics =
        "__name__=~\"k8s_cronjob_suspended|k8s_job_pod_active|k8s_job_failures_total|k8s_job_completions_total\"";
    let in_cluster = "k8s_cluster_name=~\"$cluster\"";
    let in_namespace = "k8s_namespace_name=~\"$namespace\"";
    let owners = format!(
        "query_result(group by (owner) (label_join(last_over_time({{{metrics}, {in_cluster}, {in_namespace}}}[$__range]), \
         \"owner\", \"\", \"k8s_cronjob_name\", \"kube_ownerref_name\", \"k8s_job_name\")))"
    );
    json!([
        {
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
            "current": {"selected": false, "text": "default", "value": "default"},
            "hide": 0,
            "includeAll": false,
            "multi": false,
            "options": [],
            "refresh": 1,
            "regex": "",
            "skipUrlSync": false,
        },
        variable("cluster", "Cluster", &format!("label_values({{{metrics}}}, k8s_cluster_name)"), ""),
        variable(
            "namespace",
            "Namespace",
            &format!("label_values({{{metrics}, {in_cluster}}}, k8s_namespace_name)"),
            "",
        ),
        variable("owner", "CronJob, Job or other owner", &owners, "/owner=\"([^\"]+)\"/"),
    ])
}

fn variable(name: &str, label: &str, query: &str, regex: &str) -> Value {
    json!({
        "name": name,
        "label": label,
        "type": "query",
        "datasource": panel::datasource(),
        "query": {"query": query, "refId": format!("variable-{name}")},
        "regex": regex,
        "includeAll": true,
        "allValue": ".*",
        "multi": true,
        "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
        "options": [],
        "refresh": 2,
        "sort": 1,
        "hide": 0,
        "skipUrlSync": false,
    })
}

/// Panels from left to right, in rows; each begins below the row before it.
fn placed(panels: Vec<(panel::Size, Value)>) -> Vec<Value> {
    let (mut x, mut y, mut height) = (0, 0, 0);
    let place = |(number, (size, mut panel)): (usize, (panel::Size, Value))| {
        if x + size.width > COLUMNS {
            (x, y, height) = (0, y + height, 0);
        }
        panel["id"] = json!(number + 1);
        panel["gridPos"] = json!({"x": x, "y": y, "w": size.width, "h": size.height});
        x += size.width;
        height = height.max(size.height);
        panel
    };
    panels.into_iter().enumerate().map(place).collect()
}
