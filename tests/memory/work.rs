//! Authors of objects may fill them up. The work grows with the size of an object, not its square: counted in
//! allocated bytes, which do not depend on the machine.

use dhat::{HeapStats, Profiler};
use jiff::Timestamp;
use job_event::Evidence;
use job_tracker::replay::read_line;
use job_tracker::{Tracker, TrackerSettings};
use serde_json::{Value, json};

const FEW: usize = 500;

fn line(resource: &str, object: &Value) -> String {
    json!({"t": 0, "resource": resource, "type": "MODIFIED", "object": object}).to_string()
}

/// A Job that failed, with a Pod, one of which was filled up by `fill`.
fn lines(fill: impl Fn(&mut Value, &mut Value)) -> [String; 2] {
    let mut job = json!({"metadata": {"uid": "job", "name": "j", "namespace": "n"},
        "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}});
    let owner = json!({"apiVersion": "batch/v1", "kind": "Job", "uid": "job", "name": "j", "controller": true});
    let mut pod = json!({"metadata": {"uid": "pod", "name": "p", "namespace": "n", "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "main"}]}, "status": {"phase": "Running"}});
    fill(&mut job, &mut pod);
    [line("pods", &pod), line("jobs", &job)]
}

/// The evidence of the Job, and how many bytes were allocated for it.
fn track(lines: &[String; 2]) -> (Evidence, u64) {
    let before = HeapStats::get().total_bytes;
    let mut tracker = Tracker::new(TrackerSettings::default());
    // Twice, since an update of a known object costs memory as well.
    for line in lines.iter().cycle().take(4) {
        let recorded = read_line(line).unwrap();
        tracker.apply(recorded.source, recorded.observation.unwrap(), Timestamp::UNIX_EPOCH);
    }
    let evidence = tracker.poll(Timestamp::MAX).unwrap();
    (evidence, HeapStats::get().total_bytes - before)
}

fn statuses(from: usize, count: usize) -> Value {
    (from..from + count)
        .map(|n| json!({"name": format!("c{n}"), "state": {"waiting": {"reason": "ImagePullBackOff"}}}))
        .collect()
}

fn names(count: usize) -> Value {
    (0..count)
        .map(|n| json!({"name": format!("c{n}"), "image": "i"}))
        .collect()
}

fn conditions(count: usize) -> Value {
    (0..count)
        .map(|n| json!({"type": if n % 2 == 0 { "PodScheduled" } else { "Ready" }, "status": "False", "reason": format!("r{n}")}))
        .collect()
}

#[test]
fn work_is_linear_in_object_size() {
    let _alone = crate::alone();
    let _profiler = Profiler::builder().testing().build();
    type Fill = fn(&mut Value, &mut Value, usize);
    let fills: [(&str, Fill); 8] = [
        ("container statuses", |_, pod, count| {
            pod["status"]["containerStatuses"] = statuses(0, count);
        }),
        ("init container statuses", |_, pod, count| {
            pod["status"]["initContainerStatuses"] = statuses(count, count);
            pod["status"]["containerStatuses"] = statuses(0, count);
        }),
        ("containers", |_, pod, count| {
            pod["spec"]["initContainers"] = names(count);
            pod["spec"]["containers"] = names(count);
            pod["status"]["containerStatuses"] = statuses(0, count);
        }),
        ("conditions of a Pod", |_, pod, count| {
            pod["status"]["conditions"] = conditions(count)
        }),
        ("conditions of a Job", |job, _, count| {
            let failed = job["status"]["conditions"][0].clone();
            job["status"]["conditions"] = conditions(count);
            job["status"]["conditions"].as_array_mut().unwrap().push(failed);
        }),
        ("owners", |_, pod, count| {
            let owners = pod["metadata"]["ownerReferences"].as_array_mut().unwrap();
            for n in 0..count {
                owners.insert(
                    0,
                    json!({"apiVersion": "v1", "kind": "Node", "name": format!("n{n}"), "uid": format!("u{n}")}),
                );
            }
        }),
        ("labels", |job, pod, count| {
            let labels: Value = (0..count)
                .map(|n| (format!("label-{n}"), json!("v")))
                .collect::<serde_json::Map<_, _>>()
                .into();
            job["metadata"]["labels"] = labels.clone();
            pod["metadata"]["labels"] = labels;
        }),
        ("indexes", |job, _, count| {
            let indexes: Vec<String> = (0..count).map(|n| (n * 2).to_string()).collect();
            job["status"]["failedIndexes"] = indexes.join(",").into();
        }),
    ];
    for (what, fill) in fills {
        let [few, many] = [FEW, 4 * FEW].map(|count| lines(|job, pod| fill(job, pod, count)));
        let ((_, few), (evidence, many)) = (track(&few), track(&many));
        assert_eq!(evidence.pods.len(), 1, "{what}");
        assert!(evidence.pods[0].containers.len() <= 256, "{what}");
        assert!(
            many < 6 * few,
            "{what}: {few} bytes, then {many} for four times as many"
        );
    }
}
