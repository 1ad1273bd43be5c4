//! The evidence with the few questions that many rules ask of it.

use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use job_event::evidence::{Container, Event, Gap, Job, Pod, PodDeletion};

use crate::rules::collateral;

/// How long a node may be not ready before its Pods are evicted (`defaultNotReadyTolerationSeconds` 300 s of admission
/// plugin `DefaultTolerationSeconds`), and half a minute more. An Event older than that has been overcome.
const NOT_READY_SECONDS: i64 = 330;

/// The evidence of one Job and the moment it was decided.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The evidence.
    pub evidence: &'a Evidence,
    /// When the Job was decided: the verdict condition's transition, or its deletion.
    pub decided: Option<Timestamp>,
}

impl<'a> World<'a> {
    /// The world as the evidence shows it.
    pub fn new(evidence: &'a Evidence) -> Self {
        World {
            evidence,
            decided: evidence.job.decided_at(),
        }
    }

    /// The Job.
    pub fn job(&self) -> &'a Job {
        &self.evidence.job
    }

    /// The reason of the verdict, empty if there is none.
    pub fn reason(&self) -> &'a str {
        self.evidence.job.reason().unwrap_or_default()
    }

    /// Whether the kubelet restarts failed containers in place (`restartPolicy: OnFailure`).
    pub fn restarts_in_place(&self) -> bool {
        self.job().spec.restart_policy.as_deref() == Some("OnFailure")
    }

    /// Whether some evidence of that kind is missing.
    pub fn has_gap(&self, gap: Gap) -> bool {
        self.evidence.gaps.contains(&gap)
    }

    /// Events about the object with that UID, latest first.
    pub fn events<'u>(&self, uid: &'u str) -> impl Iterator<Item = &'a Event> + use<'a, 'u> {
        self.evidence
            .events
            .iter()
            .rev()
            .filter(move |event| !uid.is_empty() && &*event.uid == uid)
    }

    /// The latest event about a Pod with one of those reasons.
    pub fn pod_event(&self, pod: &Pod, reasons: &[&str]) -> Option<&'a Event> {
        self.events(&pod.uid).find(|event| reasons.contains(&&*event.reason))
    }

    /// The latest event about the Job with that reason.
    pub fn job_event(&self, reason: &str) -> Option<&'a Event> {
        self.events(&self.evidence.job.uid)
            .find(|event| &*event.reason == reason)
    }

    /// Whether the verdict, a suspension or a smaller parallelism ended this Pod.
    pub fn is_collateral(&self, pod: &'a Pod) -> bool {
        collateral::is_collateral(self, pod)
    }

    /// The request to delete the Pod if the verdict did not cause it.
    pub fn own_deletion(&self, pod: &'a Pod) -> Option<&'a PodDeletion> {
        pod.deletion.as_ref().filter(|_| !self.is_collateral(pod))
    }

    /// Whether the Pod's node was not ready at that time, or (of a time that is not known) at the end.
    ///
    /// Evidence: the Pod's own condition, which the node controller turned; else its Event `NodeNotReady`, unless that is
    /// so old that the Pod would have been evicted since (`pkg/controller/util/node/controller_utils.go`).
    pub fn node_not_ready(&self, pod: &Pod, at: Option<Timestamp>) -> bool {
        if let Some(outage) = pod.node_outage {
            // Whoever missed versions may have missed that the kubelet was back long before.
            let missed = self.has_gap(Gap::WatchInterrupted);
            let ended = outage
                .until
                .is_some_and(|until| missed || at.is_none_or(|at| until <= at));
            return !(outage.over || ended) && at.is_none_or(|at| outage.since <= at);
        }
        // The Event follows a change of `Ready`.
        let event = self.pod_event(pod, &["NodeNotReady"]);
        let Some(last) = event.filter(|_| pod.not_ready_since.is_some()).map(|event| event.last) else {
            return false;
        };
        // What the kubelet wrote later, it wrote on a node that was back.
        if last
            .zip(pod.ready_changed)
            .is_some_and(|(last, changed)| changed > last)
        {
            return false;
        }
        match (last, at) {
            (Some(last), Some(at)) => last <= at && last >= shifted(at, -NOT_READY_SECONDS),
            _ => true,
        }
    }

    /// From the start to the decision.
    pub fn duration(&self) -> Option<SignedDuration> {
        Some(self.decided?.duration_since(self.job().status.start_time?))
    }
}

/// Whether the phase is one that a Pod does not leave.
pub fn is_terminal(phase: &str) -> bool {
    matches!(phase, "Failed" | "Succeeded")
}

/// Whether an event is about that container (`spec.containers{main}`); one that names none may be about any.
pub fn is_about(event: &Event, container: &Container) -> bool {
    match event.field_path.split_once('{') {
        Some((_, rest)) => rest.trim_end_matches('}') == &*container.name,
        None => event.field_path.is_empty(),
    }
}

/// Whether an event was seen between two times, both included. Of one that stands for many repetitions only the first
/// and the last are known; it counts for what lies between them if it came often enough to fall into every such time.
pub fn seen_between(event: &Event, from: Timestamp, to: Timestamp) -> bool {
    let (Some(first), Some(last)) = (event.first.or(event.last), event.last.or(event.first)) else {
        return false;
    };
    let within = |time: Timestamp| from <= time && time <= to;
    if within(first) || within(last) {
        return true;
    }
    let gaps = event.count.saturating_sub(1).max(1);
    first < from && to < last && last.duration_since(first) / gaps <= to.duration_since(from)
}

/// A time some seconds away, kept within what can be represented.
pub fn shifted(time: Timestamp, seconds: i64) -> Timestamp {
    time.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(time)
}
