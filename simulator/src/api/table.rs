//! Tables of Jobs and Pods, so that `kubectl get` prints their usual columns
//! (`pkg/printers/internalversion/printers.go`). `kubectl` prints name and age of other resources by itself.

use crate::resource::Resource;
use crate::store::StoredObject;
use jiff::Timestamp;
use serde_json::{Value, json};

/// One cell: the name of its column, the priority (1: with `-o wide` only), and the text.
type Cell = (&'static str, u8, String);

/// A `Table` of these objects, if the resource has one.
pub(crate) fn table<'a>(
    resource: Resource,
    metadata: &Value,
    objects: impl Iterator<Item = &'a StoredObject>,
    now: Timestamp,
) -> Option<Value> {
    let cells = match resource {
        Resource::Jobs => job,
        Resource::Pods => pod,
        _ => return None,
    };
    let columns = cells(&Value::Null, now).into_iter().map(|(name, priority, _)| {
        let format = if name == "Name" { "name" } else { "" };
        json!({"name": name, "type": "string", "format": format, "description": name, "priority": priority})
    });
    let rows = objects.map(|stored| {
        let object: Value = serde_json::from_slice(&stored.body).unwrap_or_default();
        let cells = cells(&object, now).into_iter().map(|(.., text)| text);
        let metadata = &object["metadata"];
        let partial = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata});
        json!({"cells": cells.collect::<Vec<_>>(), "object": partial})
    });
    Some(json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns.collect::<Vec<_>>(),
        "rows": rows.collect::<Vec<_>>(),
    }))
}

fn job(job: &Value, now: Timestamp) -> Vec<Cell> {
    let template = &job["spec"]["template"]["spec"]["containers"];
    let containers = |key: &str| {
        let values: Vec<String> = items(template).map(|container| text(&container[key])).collect();
        values.join(",")
    };
    let labels = job["spec"]["selector"]["matchLabels"].as_object();
    let selector: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", text(value)))
        .collect();
    let status = &job["status"];
    let completions = job["spec"]["completions"].as_i64().unwrap_or(1);
    let duration = time(&status["startTime"]).map_or_else(String::new, |start| {
        let end = time(&status["completionTime"]).unwrap_or(now);
        human(end.as_second() - start.as_second())
    });
    vec![
        ("Name", 0, text(&job["metadata"]["name"])),
        ("Status", 0, job_status(job).to_owned()),
        (
            "Completions",
            0,
            format!("{}/{completions}", status["succeeded"].as_i64().unwrap_or(0)),
        ),
        ("Duration", 0, duration),
        ("Age", 0, age(job, now)),
        ("Containers", 1, containers("name")),
        ("Images", 1, containers("image")),
        ("Selector", 1, selector.join(",")),
    ]
}

fn job_status(job: &Value) -> &'static str {
    let has = |kind: &str| items(&job["status"]["conditions"]).any(|c| c["type"] == kind && c["status"] == "True");
    let deleting = job["metadata"]["deletionTimestamp"].is_string();
    let known = [
        "Complete",
        "Failed",
        "Terminating",
        "Suspended",
        "FailureTarget",
        "SuccessCriteriaMet",
    ];
    let status = known.into_iter().find(|kind| match *kind {
        "Terminating" => deleting,
        condition => has(condition),
    });
    status.unwrap_or("Running")
}

fn pod(pod: &Value, now: Timestamp) -> Vec<Cell> {
    let statuses = &pod["status"]["containerStatuses"];
    let ready = items(statuses).filter(|status| status["ready"] == true).count();
    let total = items(&pod["spec"]["containers"]).count();
    let restarts: i64 = items(statuses)
        .filter_map(|status| status["restartCount"].as_i64())
        .sum();
    let or_none = |value: &Value| value.as_str().unwrap_or("<none>").to_owned();
    vec![
        ("Name", 0, text(&pod["metadata"]["name"])),
        ("Ready", 0, format!("{ready}/{total}")),
        ("Status", 0, pod_status(pod)),
        ("Restarts", 0, restarts.to_string()),
        ("Age", 0, age(pod, now)),
        ("IP", 1, or_none(&pod["status"]["podIP"])),
        ("Node", 1, or_none(&pod["spec"]["nodeName"])),
    ]
}

fn pod_status(pod: &Value) -> String {
    let status = &pod["status"];
    let phase = text(&status["phase"]);
    if pod["metadata"]["deletionTimestamp"].is_string() && !matches!(phase.as_str(), "Failed" | "Succeeded") {
        return "Terminating".to_owned();
    }
    let reasons = items(&status["containerStatuses"]).flat_map(|container| {
        let state = &container["state"];
        [&state["waiting"]["reason"], &state["terminated"]["reason"]]
    });
    let reason = reasons.chain([&status["reason"]]).find_map(Value::as_str);
    reason.map_or(phase, str::to_owned)
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn age(object: &Value, now: Timestamp) -> String {
    let created = time(&object["metadata"]["creationTimestamp"]);
    created.map_or("<unknown>".to_owned(), |created| {
        human(now.as_second() - created.as_second())
    })
}

/// A duration in seconds as `k8s.io/apimachinery/pkg/util/duration` prints it.
fn human(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: i64, large_unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{large}{large_unit}"),
        small => format!("{large}{large_unit}{small}{small_unit}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn durations_read_as_in_kubectl() {
        for (seconds, expected) in [
            (-3, "0s"),
            (119, "119s"),
            (120, "2m"),
            (376, "6m16s"),
            (700, "11m"),
            (11_000, "3h3m"),
            (200_000, "2d7h"),
            (800_000, "9d"),
        ] {
            assert_eq!(human(seconds), expected);
        }
    }
}
