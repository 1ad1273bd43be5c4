//! One Pod, and what its later states would erase.
//!
//! Once a Pod is being deleted the kubelet stops reading its reason cache, so `ImagePullBackOff` turns into
//! `ContainerCreating` and then into `ContainerStatusUnknown`, exit code 137 (`pkg/kubelet/kubelet_pods.go`,
//! `pkg/kubelet/status/status_manager.go`). Whoever only looks at the last state sees a kill.

use jiff::SignedDuration;
use job_event::evidence::{self, ContainerRole, ContainerState, PodDeletion, Termination, Waiting};

use super::event::shorten;
use super::uid::Uid;
use crate::model;

/// How many ends are kept for each container: the first one and the newest.
const TERMINATIONS: usize = 16;
/// The longest termination message that is kept, bytes: the kubelet's own limit.
const MESSAGE: usize = 4096;

/// A Pod of a Job.
#[derive(Debug)]
pub struct PodRecord {
    /// What is known of it.
    pub pod: evidence::Pod,
    /// Its UID.
    pub uid: Uid,
    /// `resourceVersion` of the last version, if it is a number.
    version: Option<u64>,
    /// Whether a version with a `deletionTimestamp` was seen.
    deleting: bool,
    /// Whether it had restarted, or was being deleted, when it was first seen.
    pub joined_late: bool,
    /// For each container the ids (hashed) of its terminations, in the same order; 0 for one that never ran.
    ids: Vec<Vec<u64>>,
}

impl PodRecord {
    /// A Pod that was not known.
    pub fn new(pod: &model::Pod) -> PodRecord {
        let metadata = &pod.metadata;
        let container = |container: &model::Container, role| evidence::Container {
            name: container.name.clone(),
            role,
            image: container.image.clone(),
            ..Default::default()
        };
        let init = pod.spec.init_containers.iter().map(|c| {
            let is_sidecar = &*c.restart_policy == "Always";
            container(
                c,
                if is_sidecar {
                    ContainerRole::Sidecar
                } else {
                    ContainerRole::Init
                },
            )
        });
        let main = pod.spec.containers.iter().map(|c| container(c, ContainerRole::Main));
        let containers: Vec<_> = init.chain(main).collect();
        let statuses = pod
            .status
            .init_container_statuses
            .iter()
            .chain(&pod.status.container_statuses);
        let mut record = PodRecord {
            ids: vec![Vec::new(); containers.len()],
            pod: evidence::Pod {
                name: metadata.name.clone(),
                uid: metadata.uid.clone(),
                index: metadata
                    .annotations
                    .completion_index
                    .clone()
                    .or_else(|| metadata.labels.completion_index.clone()),
                created: metadata.creation_timestamp,
                default_container: metadata.annotations.default_container.clone(),
                containers,
                ..Default::default()
            },
            uid: Uid::new(&metadata.uid),
            version: None,
            deleting: false,
            joined_late: metadata.deletion_timestamp.is_some() || statuses.into_iter().any(|s| s.restart_count > 0),
        };
        record.update(pod);
        record
    }

    /// Takes a later version in. `listed`: it stands in a list, which is always current.
    pub fn apply(&mut self, pod: &model::Pod, listed: bool) {
        if listed || !is_older(self.version, &pod.metadata.resource_version) {
            self.update(pod);
        }
    }

    fn update(&mut self, new: &model::Pod) {
        self.version = new.metadata.resource_version.parse().ok();
        let deletion_seen = new.metadata.deletion_timestamp.is_some();
        let had_ended = matches!(&*self.pod.phase, "Succeeded" | "Failed");
        self.latch_status(new, deletion_seen);
        self.latch_deletion(new, had_ended);
        let statuses = &new.status;
        for status in statuses
            .init_container_statuses
            .iter()
            .chain(&statuses.container_statuses)
        {
            self.latch_container(status, deletion_seen);
        }
    }

    fn latch_status(&mut self, new: &model::Pod, deletion_seen: bool) {
        let (pod, status) = (&mut self.pod, &new.status);
        if !new.spec.node_name.is_empty() && pod.node.is_none() {
            pod.node = Some(new.spec.node_name.clone());
        }
        pod.start_time = status.start_time.or(pod.start_time);
        if !status.phase.is_empty() {
            replace(&mut pod.phase, &status.phase);
        }
        if pod.reason.is_empty() && !(status.reason.is_empty() && status.message.is_empty()) {
            pod.reason = status.reason.clone();
            pod.message = shorten(&status.message, MESSAGE).into();
        }
        for condition in &status.conditions {
            match (&*condition.kind, condition.is_true()) {
                // What is said of a Pod that is being deleted ("skip schedule deleting pod") is not why it waited.
                ("PodScheduled", false) if pod.not_scheduled.is_none() || !deletion_seen => {
                    pod.not_scheduled = Some(Box::new(condition.to_evidence()));
                }
                ("DisruptionTarget", true) if pod.disruption.is_none() => {
                    pod.disruption = Some(Box::new(condition.to_evidence()));
                }
                ("Ready", false) => pod.not_ready_since = condition.last_transition_time,
                _ => {}
            }
        }
    }

    /// The first `deletionTimestamp` tells when deletion was asked for; later ones are moved to the present, with a
    /// grace of 0 (`staging/src/k8s.io/apiserver/pkg/registry/rest/delete.go`). `had_ended`: whether the Pod had ended
    /// in the version before. Of one that is first seen ended and deleted at once, nothing tells which came first; a
    /// kill is what hides that, as what had ended is gone at once when it is deleted.
    fn latch_deletion(&mut self, new: &model::Pod, had_ended: bool) {
        let Some(timestamp) = new.metadata.deletion_timestamp else {
            return;
        };
        if std::mem::replace(&mut self.deleting, true) || had_ended {
            return;
        }
        let grace_seconds = new.metadata.deletion_grace_period_seconds.unwrap_or(0);
        let requested = timestamp
            .checked_sub(SignedDuration::from_secs(grace_seconds))
            .unwrap_or(timestamp);
        self.pod.deletion = Some(PodDeletion {
            requested,
            grace_seconds,
        });
    }

    fn latch_container(&mut self, status: &model::ContainerStatus, deletion_seen: bool) {
        let at = match self.pod.containers.iter().position(|c| c.name == status.name) {
            Some(at) => at,
            None => {
                self.pod.containers.push(evidence::Container {
                    name: status.name.clone(),
                    ..Default::default()
                });
                self.ids.push(Vec::new());
                self.pod.containers.len() - 1
            }
        };
        let container = &mut self.pod.containers[at];
        // What was seen before tells nothing of a run that was missed.
        if deletion_seen && status.restart_count > container.restarts {
            container.state = ContainerState::Absent;
        }
        container.restarts = status.restart_count;
        let model::ContainerState {
            waiting,
            running,
            terminated,
        } = &status.state;
        let state = match (waiting, running, terminated) {
            (_, _, Some(_)) => ContainerState::Terminated,
            (_, Some(_), _) => ContainerState::Running,
            (Some(_), _, _) => ContainerState::Waiting,
            _ => ContainerState::Absent,
        };
        // No container is started in a Pod that is being deleted, so what runs ran before.
        if !deletion_seen || state == ContainerState::Running {
            container.state = state;
        }
        if let Some(waiting) = waiting {
            latch_waiting(&mut container.waiting, &waiting.reason, &waiting.message);
        }
        if let Some(running) = running {
            container.started = true;
            container.running_since = running.started_at.or(container.running_since);
        }
        if let Some(last) = &status.last_state.terminated {
            latch_termination(
                container,
                &mut self.ids[at],
                last,
                status.restart_count.saturating_sub(1),
                true,
            );
        }
        if let Some(terminated) = terminated {
            latch_termination(
                container,
                &mut self.ids[at],
                terminated,
                status.restart_count,
                !deletion_seen,
            );
        }
    }

    /// Whether it completed and nothing of it failed, so that it explains nothing.
    pub fn is_uneventful(&self) -> bool {
        &*self.pod.phase == "Succeeded"
            && self.pod.deletion.is_none()
            && self
                .pod
                .containers
                .iter()
                .flat_map(|c| &c.terminations)
                .all(|t| t.exit_code == 0 && &*t.reason != "OOMKilled")
    }
}

/// Whether `new` is a version before `known`; versions that are not numbers cannot be compared and count as newer.
pub fn is_older(known: Option<u64>, new: &str) -> bool {
    matches!((known, new.parse::<u64>()), (Some(known), Ok(new)) if new < known)
}

/// Assigns a text unless it is the same already: most versions repeat it.
fn replace(old: &mut Box<str>, new: &str) {
    if **old != *new {
        *old = new.into();
    }
}

fn latch_waiting(latched: &mut Option<Box<Waiting>>, reason: &str, message: &str) {
    if matches!(
        reason,
        "" | "ContainerCreating" | "PodInitializing" | "RestartingAllContainers"
    ) {
        return;
    }
    let message = shorten(message, MESSAGE);
    match latched {
        // Only the message of the failed pull says why; that of the back-off may merely name the image.
        Some(known) if reason == "ImagePullBackOff" && is_image_pull(&known.reason) && !known.message.is_empty() => {
            replace(&mut known.reason, reason);
        }
        Some(known) => {
            replace(&mut known.reason, reason);
            replace(&mut known.message, message);
        }
        None => {
            *latched = Some(Box::new(Waiting {
                reason: reason.into(),
                message: message.into(),
            }));
        }
    }
}

fn is_image_pull(reason: &str) -> bool {
    matches!(
        reason,
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "SignatureValidationFailed" | "ImageInspectError"
    )
}

fn latch_termination(
    container: &mut evidence::Container,
    ids: &mut Vec<u64>,
    new: &model::Terminated,
    attempt: i32,
    before_deletion: bool,
) {
    let ran = !new.container_id.is_empty();
    container.started |= ran;
    let id = if ran { hash(&new.container_id) } else { 0 };
    let known = container.terminations.iter().zip(ids.iter());
    let known = known.enumerate().find(|(_, (t, known_id))| match ran {
        true => **known_id == id,
        false => **known_id == 0 && t.attempt == attempt && t.reason == new.reason,
    });
    if let Some((at, _)) = known {
        let known = &mut container.terminations[at];
        known.before_deletion |= before_deletion;
        // The same end can be told better the second time: first `Error`, then `OOMKilled`.
        if known.reason != new.reason && &*known.reason != "OOMKilled" {
            known.reason = new.reason.clone();
            known.exit_code = new.exit_code;
        }
        if known.message.is_empty() && !new.message.is_empty() {
            known.message = shorten(&new.message, MESSAGE).into();
        }
        return;
    }
    if container.terminations.len() >= TERMINATIONS {
        container.terminations.remove(1);
        ids.remove(1);
    }
    let termination = Termination {
        exit_code: new.exit_code,
        signal: new.signal.filter(|signal| *signal != 0),
        reason: new.reason.clone(),
        message: shorten(&new.message, MESSAGE).into(),
        started: new.started_at,
        finished: new.finished_at,
        ran,
        before_deletion,
        attempt: attempt.max(0),
    };
    // Oldest first: `lastState` of a Pod that is first seen late may tell of an end before one that is known.
    let at = match termination.finished {
        Some(finished) => container
            .terminations
            .iter()
            .take_while(|t| t.finished.is_some_and(|f| f <= finished))
            .count(),
        None => container.terminations.len(),
    };
    container.terminations.reserve_exact(1);
    container.terminations.insert(at, termination);
    ids.reserve_exact(1);
    ids.insert(at, id);
}

fn hash(id: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish().max(1)
}
