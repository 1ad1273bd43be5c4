//! Nodes that are silent, gone, rebooted or out of memory.

use job_judge::{Cause, Retry};
use serde_json::{Value, json};

use super::kubelet::{ended, status, unknown_end};
use super::story::{Story, condition};

/// The node is silent: after 300 s the taint manager deletes the Pod, which stays until PodGC removes it.
fn silent(name: &'static str, with_event: bool) -> Story {
    let story = Story::one_try(name, Cause::NodeLost)
        .at(1)
        .runs("a")
        .at(50)
        .conditions("pods/a", &[not_ready(50)]);
    let story = match with_event {
        true => story.warns("pods/a", "NodeNotReady", "Node is not ready"),
        false => story,
    };
    story
        .at(355)
        .disrupted(
            "a",
            "DeletionByTaintManager",
            "Taint manager: deleting due to NoExecute taint",
        )
        .deletes("a")
        .at(356)
        .backoff_limit_exceeded()
}

fn not_ready(since: i64) -> Value {
    condition("Ready", false, "", "", since)
}

pub(super) fn stories() -> Vec<Story> {
    vec![
        silent("node-lost", true)
            .sentence("Pod a was on node node1, which had not been ready since 2026-11-23T12:00:50Z.")
            .retry(Retry::Yes),
        silent("node-lost-without-event", false),
        silent("node-lost-and-removed", true)
            .at(700)
            .patch("pods/a", json!({"status": {"phase": "Failed"}}))
            .gone("pods/a")
            .at(701)
            .finished(),
        node_removed(),
        deadline_on_a_lost_node(),
        deadline_on_a_node_that_came_back(),
        rebooted(),
        containerd_restarted(),
        system_oom(),
        system_oom_elsewhere(),
    ]
}

/// The node object was deleted.
fn node_removed() -> Story {
    Story::one_try("node-removed", Cause::NodeLost)
        .at(1)
        .runs("a")
        .at(100)
        .disrupted("a", "DeletionByPodGC", "PodGC: node no longer exists")
        .patch("pods/a", json!({"status": {"phase": "Failed"}}))
        .at(101)
        .backoff_limit_exceeded()
        .gone("pods/a")
        .finished()
}

/// The deadline comes while the node is silent.
fn deadline_on_a_lost_node() -> Story {
    Story::failed("deadline-on-a-lost-node", "DeadlineExceeded", Cause::NodeLost)
        .job(json!({"activeDeadlineSeconds": 120}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(50)
        .conditions("pods/a", &[not_ready(50)])
        .warns("pods/a", "NodeNotReady", "Node is not ready")
        .at(120)
        .controller_deletes("a")
        .deadline_exceeded()
}

/// The node was silent for a while and came back long before the deadline.
fn deadline_on_a_node_that_came_back() -> Story {
    Story::failed(
        "deadline-on-a-node-that-came-back",
        "DeadlineExceeded",
        Cause::RanTooLong,
    )
    .job(json!({"activeDeadlineSeconds": 120}))
    .pod("a")
    .at(1)
    .runs("a")
    .at(50)
    .conditions("pods/a", &[not_ready(50)])
    .warns("pods/a", "NodeNotReady", "Node is not ready")
    .at(70)
    .conditions("pods/a", &[condition("Ready", true, "", "", 70)])
    .at(120)
    .deadline("a", &ended("main-0", 137, "Error", 1, 122))
}

/// The machine rebooted: the kubelet does not find the container that ran.
fn rebooted() -> Story {
    Story::one_try("rebooted", Cause::NodeLost)
        .sentence("node node1 lost container main of Pod a: “The container could not be located")
        .at(1)
        .runs("a")
        .at(90)
        .states("a", "Failed", &[status("main", &unknown_end(), None, 0)])
        .at(91)
        .backoff()
}

/// containerd was restarted and lost the task.
fn containerd_restarted() -> Story {
    Story::one_try("containerd-restarted", Cause::NodeLost)
        .at(1)
        .runs("a")
        .at(90)
        .ends("a", 255, "Unknown")
        .at(91)
        .backoff()
}

/// The kernel of the node chose a process, which the runtime does not report as OOMKilled.
fn system_oom() -> Story {
    Story::one_try("system-oom", Cause::OutOfMemory)
        .sentence("container main was killed because node node1 ran out of memory: “System OOM encountered")
        .next_step("Set requests.memory")
        .retry(Retry::Maybe)
        .at(1)
        .runs("a")
        .at(30)
        .ends("a", 137, "Error")
        .at(31)
        .warns(
            "nodes/node1",
            "SystemOOM",
            "System OOM encountered, victim process: java, pid: 4711",
        )
        .backoff()
}

/// The same on another node, or at another time, proves nothing.
fn system_oom_elsewhere() -> Story {
    Story::one_try("system-oom-elsewhere", Cause::Killed)
        .at(1)
        .runs("a")
        .at(30)
        .warns(
            "nodes/node2",
            "SystemOOM",
            "System OOM encountered, victim process: java, pid: 4711",
        )
        .ends("a", 137, "Error")
        .at(45)
        .warns(
            "nodes/node1",
            "SystemOOM",
            "System OOM encountered, victim process: dd, pid: 4712",
        )
        .backoff()
}
