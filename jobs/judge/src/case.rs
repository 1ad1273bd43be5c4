//! The evidence of one Job, with the questions that many rules ask about it.

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::{Container, Event, Gap, Job, Pod, PodDeletion};
use job_event::{Evidence, MessageDetail};

use crate::rules::collateral;

/// How long a node may be not ready before its Pods are evicted (`defaultNotReadyTolerationSeconds` 300 s of admission
/// plugin `DefaultTolerationSeconds`), and half a minute more. The problem behind an older Event has passed.
const NOT_READY_SECONDS: i64 = 330;

/// The evidence of one Job and the time of its verdict.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) evidence: &'a Evidence,
    /// The transition time of the verdict condition, or the time of the deletion.
    pub(crate) decided: Option<Timestamp>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(evidence: &'a Evidence) -> Self {
        Case {
            evidence,
            decided: evidence.job.decided_at(),
        }
    }

    pub(crate) fn job(&self) -> &'a Job {
        &self.evidence.job
    }

    /// The reason of the verdict, empty if there is none.
    pub(crate) fn reason(&self) -> &'a str {
        self.evidence.job.reason().unwrap_or_default()
    }

    /// True if the kubelet restarts failed containers in place (`restartPolicy: OnFailure`).
    pub(crate) fn restarts_in_place(&self) -> bool {
        self.job().spec.restart_policy.as_deref() == Some("OnFailure")
    }

    /// True if evidence of one of these kinds is missing.
    pub(crate) fn has_gap(&self, gaps: &[Gap]) -> bool {
        self.evidence.gaps.iter().any(|gap| gaps.contains(gap))
    }

    /// Events about the object with that UID, latest first.
    pub(crate) fn events<'u>(&self, uid: &'u str) -> impl Iterator<Item = &'a Event> + use<'a, 'u> {
        self.evidence
            .events
            .iter()
            .rev()
            .filter(move |event| !uid.is_empty() && &*event.uid == uid)
    }

    /// The latest event about a Pod with one of these reasons.
    pub(crate) fn pod_event(&self, pod: &Pod, reasons: &[&str]) -> Option<&'a Event> {
        self.events(&pod.uid).find(|event| reasons.contains(&&*event.reason))
    }

    /// The latest event about the Job with that reason.
    pub(crate) fn job_event(&self, reason: &str) -> Option<&'a Event> {
        self.events(&self.evidence.job.uid)
            .find(|event| &*event.reason == reason)
    }

    /// True if the verdict, a suspension or a smaller parallelism ended this Pod.
    pub(crate) fn is_collateral(&self, pod: &'a Pod) -> bool {
        collateral::is_collateral(self, pod)
    }

    /// The request to delete the Pod, unless the verdict caused it.
    pub(crate) fn own_deletion(&self, pod: &'a Pod) -> Option<&'a PodDeletion> {
        pod.deletion.as_ref().filter(|_| !self.is_collateral(pod))
    }

    /// True if the Pod's node was not ready at `at`, or at the end if `at` is `None`.
    ///
    /// Evidence: the Pod's own condition, set by the node controller; else its Event `NodeNotReady`, unless that is so old
    /// that the Pod would have been evicted since (`pkg/controller/util/node/controller_utils.go`).
    pub(crate) fn node_not_ready(&self, pod: &Pod, at: Option<Timestamp>) -> bool {
        if let Some(outage) = pod.node_outage {
            // With an interrupted watch, the kubelet may have been back long before.
            let missed = self.has_gap(&[Gap::WatchInterrupted]);
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
        // A later status of the kubelet shows that the node was back.
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

    /// From the start of the Job to the verdict.
    pub(crate) fn duration(&self) -> Option<SignedDuration> {
        Some(self.decided?.duration_since(self.job().status.start_time?))
    }
}

/// True for a phase that a Pod does not leave.
pub(crate) fn is_terminal(phase: &str) -> bool {
    matches!(phase, "Failed" | "Succeeded")
}

/// The latest end of any container of the Pod.
pub(crate) fn last_end(pod: &Pod) -> Option<Timestamp> {
    let ends = pod.containers.iter().flat_map(|container| &container.terminations);
    ends.filter_map(|end| end.finished).max()
}

/// The event whose message says most; of several the first, which is the latest in the order of [`Case::events`].
pub(crate) fn telling<'a>(events: impl Iterator<Item = &'a Event>) -> Option<&'a Event> {
    let detail = |event: &Event| MessageDetail::of(&event.message);
    events.reduce(|best, event| match detail(event) > detail(best) {
        true => event,
        false => best,
    })
}

/// True if an event is about that container (`spec.containers{main}`), or names none.
pub(crate) fn is_about(event: &Event, container: &Container) -> bool {
    match event.field_path.split_once('{') {
        Some((_, rest)) => rest.trim_end_matches('}') == &*container.name,
        None => event.field_path.is_empty(),
    }
}

/// True if an event was seen between two times, both included. Only the first and the last time of a repeated event are
/// known; it counts for a time between them if it was frequent enough to fall into every span of that length.
pub(crate) fn seen_between(event: &Event, from: Timestamp, to: Timestamp) -> bool {
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

/// `time` plus some seconds, saturating.
pub(crate) fn shifted(time: Timestamp, seconds: i64) -> Timestamp {
    time.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(time)
}
