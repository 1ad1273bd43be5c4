//! Stories of Jobs that make no progress, and of Jobs that only look so. Each states its stalls of 30 seconds and more.

mod attempts;
mod ends;
mod no_pods;
mod parallel;
mod pods;
mod sidecars;

use job_judge::Cause;
use serde_json::{Value, json};

use super::Story;
use super::kubelet::{ended, running, status, waiting};
use super::story::condition;

/// A story, and the stalls that it has until that second.
pub(crate) struct StallStory {
    pub name: &'static str,
    pub lines: Vec<Value>,
    pub until: i64,
    /// The cause, the beginning, and the last second, of each stall.
    pub stalls: Vec<(Cause, i64, i64)>,
    /// The causes that a collector reports that may not watch Events.
    pub without_events: Vec<Cause>,
}

/// Every story.
pub(crate) fn all() -> Vec<StallStory> {
    [
        attempts::stories,
        ends::stories,
        no_pods::stories,
        parallel::stories,
        pods::stories,
        sidecars::stories,
    ]
    .iter()
    .flat_map(|stories| stories())
    .collect()
}

/// A Job `j`.
fn job(name: &'static str, spec: Value) -> Story {
    Story::other(name, "Running", None).job(spec)
}

/// A Job `j` with a Pod `a`.
fn one_pod(name: &'static str) -> Story {
    job(name, json!({})).pod("a")
}

impl Story {
    /// The story has these stalls until that second, also for a collector that watches no Events.
    fn stalls(self, until: i64, stalls: &[(Cause, i64, i64)]) -> StallStory {
        let causes: Vec<Cause> = stalls.iter().map(|(cause, ..)| *cause).collect();
        self.stalls_without_events(until, stalls, &causes)
    }

    /// A collector that watches no Events reports these causes instead.
    fn stalls_without_events(self, until: i64, stalls: &[(Cause, i64, i64)], without_events: &[Cause]) -> StallStory {
        StallStory {
            name: self.name,
            lines: self.lines,
            until,
            stalls: stalls.to_vec(),
            without_events: without_events.to_vec(),
        }
    }

    /// The story has no stall until that second.
    fn moves(self, until: i64) -> StallStory {
        self.stalls(until, &[])
    }

    /// The kubelet reports an error again at each of these seconds.
    fn repeats(self, seconds: &[i64], about: &str, reason: &str, message: &str) -> Story {
        let warn = |story: Story, second: &i64| story.at(*second).warns(about, reason, message);
        seconds.iter().fold(self, warn)
    }

    /// The container `main` of a Pod is restarted after each of these runs: the seconds of its start and its end, and its exit
    /// code.
    fn restarts(mut self, pod: &str, runs: &[(i64, i64, i32)]) -> Story {
        let mut last: Option<Value> = None;
        for (restarts, (from, to, code)) in (0..).zip(runs) {
            let back_off = format!("back-off {} restarting failed container=main", 10 << restarts);
            let reason = if *code == 0 { "Completed" } else { "Error" };
            let end = ended(&format!("main-{restarts}"), *code, reason, *from, *to);
            let start = status("main", &running(*from), last.as_ref(), restarts);
            self = self.at(*from).states(pod, "Running", &[start]);
            let stop = status("main", &end, last.as_ref(), restarts);
            self = self.at(*to).states(pod, "Running", &[stop]);
            last = Some(end);
            if *code != 0 && restarts > 0 {
                let waits = status("main", &waiting("CrashLoopBackOff", &back_off), last.as_ref(), restarts);
                self = self.at(*to + 1).states(pod, "Running", &[waits]);
            }
        }
        self
    }

    /// The container `main` runs again after that many restarts.
    fn restarted(self, pod: &str, second: i64, restarts: i32) -> Story {
        let last = ended(&format!("main-{}", restarts - 1), 3, "Error", second - 2, second - 1);
        let state = status("main", &running(second), Some(&last), restarts);
        self.at(second).states(pod, "Running", &[state])
    }

    /// A Pod fails after a run between these seconds.
    fn fails(self, pod: &str, from: i64, to: i64) -> Story {
        self.at(from).runs(pod).at(to).ends(pod, 3, "Error").idle()
    }

    /// The Job has no active Pod.
    fn idle(self) -> Story {
        self.patch("jobs/j", json!({"status": {"active": 0}}))
    }

    /// The Job has another active Pod.
    fn another(self, second: i64, pod: &str) -> Story {
        self.at(second)
            .pod(pod)
            .patch("jobs/j", json!({"status": {"active": 1}}))
    }

    /// The Job has completed.
    fn completes(self, second: i64) -> Story {
        let conditions =
            ["SuccessCriteriaMet", "Complete"].map(|kind| condition(kind, true, "CompletionsReached", "", second));
        self.at(second).conditions("jobs/j", &conditions).idle()
    }
}
