//! Problems of a process and their next steps. Pure.

use collector_runtime::process_status::{ComponentState, ProcessStatus, QueueState};

/// A problem, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StatusProblem {
    /// The component or the setting, and its state.
    pub title: String,
    /// The words of the component, if it has any.
    pub reason: Option<String>,
    pub next: &'static str,
}

/// The fill of a queue from which on it is a problem, in percent: that of the documented alert.
pub(super) const NEARLY_FULL: u64 = 80;

/// Every problem, those that make the process not ready first.
pub(super) fn problems(status: &ProcessStatus) -> Vec<StatusProblem> {
    let components = status.components.iter().filter_map(component);
    let configuration = status.configuration.iter().filter(|state| state.status != "applied");
    let configuration = configuration.map(|state| StatusProblem {
        title: "the last reload failed; the configuration before it runs".into(),
        reason: state.reason.clone(),
        next: "fix the configuration; `validate FILE` shows every error",
    });
    let queues = status.queues.iter().filter(|queue| percent(queue) >= NEARLY_FULL);
    let queues = queues.map(|queue| StatusProblem {
        title: format!(
            "{}: the queue of {} is {} % full",
            queue.exporter,
            queue.signal,
            percent(queue)
        ),
        reason: None,
        next: "check the backend's limits, or enlarge sending_queue::queue_size; when it is full, the pipeline waits",
    });
    components.chain(configuration).chain(queues).collect()
}

/// The used part of the queue.
pub(super) fn percent(queue: &QueueState) -> u64 {
    queue.size.saturating_mul(100).checked_div(queue.capacity).unwrap_or(0)
}

fn component(component: &ComponentState) -> Option<StatusProblem> {
    let kind = component.path.split("::").next().unwrap_or_default();
    let (state, next) = match component.status.as_str() {
        "StatusOK" => return None,
        "StatusStarting" if kind == "receivers" => (
            "is starting: its first lists are not complete",
            "wait; if it stays so, the log of the collector names the list that fails",
        ),
        "StatusStarting" => ("is starting", "wait; if it stays so, see the log of the collector"),
        "StatusStopped" => ("has stopped", "the collector shuts down; wait until it is back"),
        "StatusPermanentError" => (
            "is dead",
            "the process exits and is restarted; its log has the error (kubectl logs --previous)",
        ),
        _ => ("fails and retries", retrying(kind, &component.path)),
    };
    Some(StatusProblem {
        title: format!("{} {state}", component.path),
        reason: component.reason.clone(),
        next,
    })
}

/// The next step for a component that retries.
fn retrying(kind: &str, path: &str) -> &'static str {
    match kind {
        "exporters" => "check the backend, its credentials and the network; data stays queued until it is accepted",
        "receivers" => "check that the API server can be reached, and the permissions of the collector's account",
        _ if path.contains("leader_elector") => {
            "check that the API server can be reached, and the permissions on the Lease; without a leader nothing is reported"
        }
        _ => "see the log of the collector",
    }
}
