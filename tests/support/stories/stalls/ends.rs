//! Pods that end: deletions, hooks, finalizers and nodes.

use job_judge::Cause;
use serde_json::json;

use super::super::kubelet::{ended, running, status};
use super::super::story::condition;
use super::{StallStory, one_pod};

pub(super) fn stories() -> Vec<StallStory> {
    let not_ready = |since| condition("Ready", false, "", "", since);
    let lost = |name| {
        one_pod(name)
            .at(1)
            .runs("a")
            .at(40)
            .conditions("pods/a", &[not_ready(40)])
            .warns("pods/a", "NodeNotReady", "Node is not ready")
    };
    let deleted = |name| one_pod(name).at(1).runs("a").at(20).deletes("a");
    vec![
        deleted("finalizer-that-stays").stalls(200, &[(Cause::StuckTerminating, 50, 200)]),
        deleted("replaced-beside-a-finalizer")
            .another(21, "b")
            .at(22)
            .runs("b")
            .moves(400),
        deleted("stops-within-its-grace-period")
            .at(48)
            .goes("a", &ended("main-0", 143, "Error", 1, 48))
            .another(49, "b")
            .at(50)
            .runs("b")
            .moves(300),
        one_pod("hook-before-the-stop")
            .patch("pods/a", json!({"spec": {"terminationGracePeriodSeconds": 600}}))
            .at(1)
            .runs("a")
            .at(20)
            .patch(
                "pods/a",
                json!({"metadata": {"deletionTimestamp": super::super::story::time(620), "deletionGracePeriodSeconds": 600}}),
            )
            .moves(500),
        lost("node-is-silent").stalls(200, &[(Cause::NodeLost, 40, 200)]),
        lost("node-comes-back")
            .at(120)
            .conditions("pods/a", &[condition("Ready", true, "", "", 120)])
            .stalls(300, &[(Cause::NodeLost, 40, 119)]),
        lost("node-is-lost-and-the-pod-replaced")
            .at(340)
            .disrupted("a", "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
            .deletes("a")
            .another(341, "b")
            .at(343)
            .runs("b")
            .stalls(500, &[(Cause::NodeLost, 40, 340)]),
        one_pod("finalizer-after-the-work")
            .at(1)
            .runs("a")
            .at(30)
            .ends("a", 0, "Completed")
            .patch(
                "pods/a",
                json!({"metadata": {"deletionTimestamp": super::super::story::time(30), "deletionGracePeriodSeconds": 0}}),
            )
            .completes(32)
            .moves(300),
        one_pod("long-run").at(1).runs("a").moves(1200),
        one_pod("container-just-ended")
            .at(1)
            .runs("a")
            .at(100)
            .states("a", "Running", &[status("main", &ended("main-0", 0, "Completed", 1, 100), None, 0)])
            .at(103)
            .states("a", "Succeeded", &[status("main", &ended("main-0", 0, "Completed", 1, 100), None, 0)])
            .completes(104)
            .moves(120),
        one_pod("restarted-by-the-node")
            .at(1)
            .runs("a")
            .at(100)
            .states(
                "a",
                "Running",
                &[status("main", &running(100), Some(&ended("main-0", 255, "Unknown", 1, 99)), 1)],
            )
            .moves(400),
    ]
}
