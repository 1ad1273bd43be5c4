//! Tables, so that `kubectl get` shows what it shows on a real cluster
//! (columns and cells after `pkg/printers/internalversion/printers.go`).

use crate::resource::Resource;
use crate::store::Stored;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Name, type, format, priority.
type Column = (&'static str, &'static str, &'static str, i64);

/// A `Table` of these objects.
pub(crate) fn table<'a>(
    resource: Resource,
    metadata: &Value,
    objects: impl Iterator<Item = &'a Stored>,
    now: Timestamp,
) -> Value {
    let definitions: Vec<Value> = columns(resource)
        .iter()
        .map(|(name, kind, format, priority)| {
            json!({"name": name, "type": kind, "format": format, "description": name, "priority": priority})
        })
        .collect();
    let rows: Vec<Value> = objects.map(|object| row(resource, object, now)).collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

fn columns(resource: Resource) -> &'static [Column] {
    const NAME: Column = ("Name", "string", "name", 0);
    const AGE: Column = ("Age", "string", "", 0);
    const CONTAINERS: Column = ("Containers", "string", "", 1);
    const IMAGES: Column = ("Images", "string", "", 1);
    const SELECTOR: Column = ("Selector", "string", "", 1);
    match resource {
        Resource::Jobs => &[
            NAME,
            ("Status", "string", "", 0),
            ("Completions", "string", "", 0),
            ("Duration", "string", "", 0),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        Resource::CronJobs => &[
            NAME,
            ("Schedule", "string", "", 0),
            ("Timezone", "string", "", 0),
            ("Suspend", "boolean", "", 0),
            ("Active", "integer", "", 0),
            ("Last Schedule", "string", "", 0),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        Resource::Pods => &[
            NAME,
            ("Ready", "string", "", 0),
            ("Status", "string", "", 0),
            ("Restarts", "string", "", 0),
            AGE,
            ("IP", "string", "", 1),
            ("Node", "string", "", 1),
        ],
        Resource::Events => &[
            ("Last Seen", "string", "", 0),
            ("Type", "string", "", 0),
            ("Reason", "string", "", 0),
            ("Object", "string", "", 0),
            ("Subobject", "string", "", 1),
            ("Source", "string", "", 1),
            ("Message", "string", "", 0),
            ("First Seen", "string", "", 1),
            ("Count", "string", "", 1),
            ("Name", "string", "name", 1),
        ],
        Resource::Nodes | Resource::Namespaces => &[NAME, ("Status", "string", "", 0), AGE],
        Resource::Leases => &[NAME, ("Holder", "string", "", 0), AGE],
        Resource::ConfigMaps => &[NAME, ("Data", "string", "", 0), AGE],
    }
}

fn row(resource: Resource, stored: &Stored, now: Timestamp) -> Value {
    let object: Value = serde_json::from_slice(&stored.body).unwrap_or_default();
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let age = since(&metadata["creationTimestamp"], now);
    let cells = match resource {
        Resource::Jobs => {
            let (containers, images) = containers(&object["spec"]["template"]["spec"]);
            let labels = object["spec"]["selector"]["matchLabels"].as_object();
            let selector: Vec<String> = labels
                .into_iter()
                .flatten()
                .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
                .collect();
            let duration = job_duration(&object, now);
            let status = job_status(&object);
            json!([
                name,
                status,
                completions(&object),
                duration,
                age,
                containers,
                images,
                selector.join(",")
            ])
        }
        Resource::CronJobs => {
            let spec = &object["spec"];
            let (containers, images) = containers(&spec["jobTemplate"]["spec"]["template"]["spec"]);
            let active = object["status"]["active"].as_array().map_or(0, Vec::len);
            let last = since(&object["status"]["lastScheduleTime"], now);
            let zone = spec["timeZone"].as_str().unwrap_or("<none>");
            let suspend = if spec["suspend"].as_bool().unwrap_or_default() {
                "True"
            } else {
                "False"
            };
            let schedule = &spec["schedule"];
            json!([
                name, schedule, zone, suspend, active, last, age, containers, images, "<none>"
            ])
        }
        Resource::Pods => {
            let statuses = object["status"]["containerStatuses"].as_array();
            let ready = statuses
                .into_iter()
                .flatten()
                .filter(|status| status["ready"] == true)
                .count();
            let total = object["spec"]["containers"].as_array().map_or(0, Vec::len);
            let restarts: i64 = statuses
                .into_iter()
                .flatten()
                .filter_map(|s| s["restartCount"].as_i64())
                .sum();
            let ip = object["status"]["podIP"].as_str().unwrap_or("<none>");
            let node = object["spec"]["nodeName"].as_str().unwrap_or("<none>");
            json!([
                name,
                format!("{ready}/{total}"),
                pod_status(&object),
                restarts.to_string(),
                age,
                ip,
                node
            ])
        }
        Resource::Events => event_cells(&object, name, now),
        Resource::Nodes => json!([name, "Ready", age]),
        Resource::Namespaces => json!([name, object["status"]["phase"].as_str().unwrap_or("Active"), age]),
        Resource::Leases => json!([name, object["spec"]["holderIdentity"], age]),
        Resource::ConfigMaps => json!([
            name,
            object["data"].as_object().map_or(0, |data| data.len()).to_string(),
            age
        ]),
    };
    let object = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata});
    json!({"cells": cells, "object": object})
}

fn event_cells(event: &Value, name: &str, now: Timestamp) -> Value {
    let first = if event["firstTimestamp"].is_null() {
        &event["eventTime"]
    } else {
        &event["firstTimestamp"]
    };
    let series = &event["series"]["lastObservedTime"];
    let last = [series, &event["lastTimestamp"], first]
        .into_iter()
        .find(|time| !time.is_null())
        .unwrap_or(first);
    let involved = &event["involvedObject"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = format!("{}/{}", text(&involved["kind"]).to_lowercase(), text(&involved["name"]));
    let source: Vec<String> = [&event["source"]["component"], &event["source"]["host"]]
        .into_iter()
        .map(text)
        .filter(|part| !part.is_empty())
        .collect();
    let count = event["series"]["count"]
        .as_i64()
        .or(event["count"].as_i64())
        .unwrap_or(1);
    json!([
        since(last, now),
        event["type"],
        event["reason"],
        object,
        text(&involved["fieldPath"]),
        source.join(", "),
        text(&event["message"]).trim(),
        since(first, now),
        count.to_string(),
        name,
    ])
}

fn containers(spec: &Value) -> (String, String) {
    let column = |key: &str| {
        let containers = spec["containers"].as_array();
        let parts: Vec<&str> = containers
            .into_iter()
            .flatten()
            .filter_map(|c| c[key].as_str())
            .collect();
        parts.join(",")
    };
    (column("name"), column("image"))
}

fn job_status(job: &Value) -> &'static str {
    let conditions = job["status"]["conditions"].as_array();
    let has = |kind: &str| {
        conditions
            .into_iter()
            .flatten()
            .any(|c| c["type"] == kind && c["status"] == "True")
    };
    if has("Complete") {
        "Complete"
    } else if has("Failed") {
        "Failed"
    } else if !job["metadata"]["deletionTimestamp"].is_null() {
        "Terminating"
    } else if has("Suspended") {
        "Suspended"
    } else if has("FailureTarget") {
        "FailureTarget"
    } else if has("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(job: &Value) -> String {
    let succeeded = job["status"]["succeeded"].as_i64().unwrap_or(0);
    match (
        job["spec"]["completions"].as_i64(),
        job["spec"]["parallelism"].as_i64().unwrap_or(0),
    ) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn job_duration(job: &Value, now: Timestamp) -> String {
    let Some(start) = time(&job["status"]["startTime"]) else {
        return String::new();
    };
    human(time(&job["status"]["completionTime"]).unwrap_or(now).as_second() - start.as_second())
}

fn pod_status(pod: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let status = &pod["status"];
    let mut shown = text(if status["reason"].is_null() {
        &status["phase"]
    } else {
        &status["reason"]
    });
    for container in status["containerStatuses"].as_array().into_iter().flatten().rev() {
        let (waiting, terminated) = (&container["state"]["waiting"], &container["state"]["terminated"]);
        if !text(&waiting["reason"]).is_empty() {
            shown = text(&waiting["reason"]);
        } else if !text(&terminated["reason"]).is_empty() {
            shown = text(&terminated["reason"]);
        } else if terminated.is_object() {
            shown = format!("ExitCode:{}", terminated["exitCode"]);
        }
    }
    if !pod["metadata"]["deletionTimestamp"].is_null()
        && !matches!(text(&status["phase"]).as_str(), "Failed" | "Succeeded")
    {
        return "Terminating".to_owned();
    }
    shown
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn since(value: &Value, now: Timestamp) -> String {
    time(value).map_or_else(
        || "<unknown>".to_owned(),
        |then| human(now.as_second() - then.as_second()),
    )
}

/// A duration in seconds as `k8s.io/apimachinery/pkg/util/duration` shows it to people.
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
        691_200..63_072_000 => format!("{days}d"),
        _ => two(days / 365, "y", days % 365, "d"),
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn durations_read_as_kubectl_shows_them() {
        for (seconds, expected) in [
            (-3, "0s"),
            (119, "119s"),
            (120, "2m"),
            (376, "6m16s"),
            (700, "11m"),
            (11_000, "3h3m"),
            (200_000, "2d7h"),
        ] {
            assert_eq!(human(seconds), expected);
        }
    }
}
