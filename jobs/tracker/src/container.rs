//! The containers of a Pod: their specs, waiting reasons and terminations.

use job_event::evidence::{self, Attribute, ContainerRole, ContainerState, Termination, Waiting};

use super::event::shorten;
use super::pool::selected;
use super::time::Time;
use job_event::MessageDetail;
use job_watch::model;

/// How many containers are kept for each Pod, and how many statuses are read in each of its lists: far more than Pods
/// have. A Pod's author may write as many as an object holds.
pub(crate) const CONTAINERS: usize = 256;
/// The longest name of an image that is kept, bytes.
const IMAGE: usize = 1024;
/// How many ends are kept for each container: the first one and the newest.
const TERMINATIONS: usize = 16;
/// The longest termination message that is kept, bytes: the kubelet's own limit.
pub(crate) const MESSAGE: usize = 4096;

/// Data shared by Pods of one origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PodTemplate {
    containers: Vec<TemplateContainer>,
    pub default_container: Option<Box<str>>,
    pub grace_seconds: Option<i64>,
    /// The labels and annotations that rules select.
    pub extracted: Vec<Attribute>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TemplateContainer {
    name: Box<str>,
    role: ContainerRole,
    image: Box<str>,
}

impl PodTemplate {
    /// Data from the spec of a Pod.
    pub(crate) fn of(pod: &model::Pod) -> PodTemplate {
        let init = pod.spec.init_containers.iter().map(|container| {
            let is_sidecar = &*container.restart_policy == "Always";
            let role = if is_sidecar {
                ContainerRole::Sidecar
            } else {
                ContainerRole::Init
            };
            (container, role)
        });
        let main = pod
            .spec
            .containers
            .iter()
            .map(|container| (container, ContainerRole::Main));
        let containers = init
            .chain(main)
            .take(CONTAINERS)
            .map(|(container, role)| TemplateContainer {
                name: container.name.as_str().into(),
                role,
                image: shorten(&container.image, IMAGE).into(),
            });
        PodTemplate {
            containers: containers.collect(),
            default_container: pod.metadata.annotations.default_container.clone(),
            grace_seconds: pod.spec.termination_grace_period_seconds,
            extracted: selected(&pod.metadata).to_vec(),
        }
    }

    /// The same spec with those of these containers that it lacks, up to the limit; `None` if it lacks none.
    pub(crate) fn with<'a>(&self, names: impl Iterator<Item = &'a str>) -> Option<PodTemplate> {
        let mut missing: Vec<&str> = Vec::new();
        for name in names {
            let has_room = self.len() + missing.len() < CONTAINERS;
            if has_room && self.position(name).is_none() && !missing.contains(&name) {
                missing.push(name);
            }
        }
        let missing = missing.into_iter().map(|name| TemplateContainer {
            name: name.into(),
            role: ContainerRole::default(),
            image: "".into(),
        });
        (missing.len() > 0).then(|| PodTemplate {
            containers: self.containers.iter().cloned().chain(missing).collect(),
            ..self.clone()
        })
    }

    /// The number of containers.
    pub(crate) fn len(&self) -> usize {
        self.containers.len()
    }

    /// The role of the container with this index.
    pub(crate) fn role(&self, at: usize) -> ContainerRole {
        self.containers
            .get(at)
            .map(|container| container.role)
            .unwrap_or_default()
    }

    /// The index of the container of this name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.containers.iter().position(|container| *container.name == *name)
    }

    /// A record for each container.
    pub(crate) fn records(&self) -> Box<[ContainerRecord]> {
        self.containers.iter().map(|_| ContainerRecord::default()).collect()
    }

    /// The containers as evidence.
    pub(crate) fn evidence(&self, records: Box<[ContainerRecord]>) -> Vec<evidence::Container> {
        let containers = self.containers.iter().zip(records);
        containers.map(|(of, record)| record.into_evidence(of)).collect()
    }
}

/// The state of a container.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContainerRecord {
    running_since: Time,
    /// Its waiting reason and its termination, if any.
    past: Option<Box<Past>>,
    restarts: i32,
    state: ContainerState,
    started: bool,
    /// True if it was seen running after the request to delete the Pod: no container is started then, so its next end
    /// follows from that request.
    seen_alive_in_deletion: bool,
}

#[derive(Clone, Debug, Default)]
struct Past {
    waiting: Option<Waiting>,
    /// Oldest first.
    terminations: Vec<TerminationRecord>,
}

#[derive(Clone, Debug)]
struct TerminationRecord {
    /// The container's id, hashed; 0 for one that never ran.
    id: u64,
    end: Termination,
}

impl ContainerRecord {
    /// Merges its status from a version of its Pod.
    pub(crate) fn latch(&mut self, status: &model::ContainerStatus, deletion_seen: bool) {
        // Earlier observations say nothing about a missed run.
        if deletion_seen && status.restart_count > self.restarts {
            self.state = ContainerState::Absent;
        }
        self.restarts = status.restart_count;
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
        let alive = state == ContainerState::Running;
        self.seen_alive_in_deletion |= deletion_seen && alive;
        // No container is started in a Pod that is being deleted, so a running one was started before.
        if !deletion_seen || state == ContainerState::Running {
            self.state = state;
        }
        if let Some(waiting) = waiting {
            self.latch_waiting(&waiting.reason, &waiting.message);
        }
        if let Some(running) = running {
            self.started = true;
            self.running_since = Time::from(running.started_at).or(self.running_since);
        }
        if let Some(last) = &status.last_state.terminated {
            self.latch_termination(last, status.restart_count.saturating_sub(1), true, false);
        }
        if let Some(terminated) = terminated {
            let after_deletion = self.seen_alive_in_deletion;
            self.latch_termination(terminated, status.restart_count, !deletion_seen, after_deletion);
        }
    }

    /// True if no part of it failed.
    pub(crate) fn is_uneventful(&self) -> bool {
        let terminations = self.past.as_deref().map(|past| &*past.terminations).unwrap_or_default();
        terminations
            .iter()
            .all(|t| t.end.exit_code == 0 && &*t.end.reason != "OOMKilled")
    }

    /// True if it runs, and never ended or waited for a reason.
    pub(crate) fn runs(&self) -> bool {
        self.state == ContainerState::Running && self.restarts == 0 && self.past.is_none()
    }

    /// True if it ended without an error.
    pub(crate) fn is_completed(&self) -> bool {
        self.state == ContainerState::Terminated && self.restarts == 0 && self.is_uneventful()
    }

    fn latch_waiting(&mut self, reason: &str, message: &str) {
        if matches!(
            reason,
            "" | "ContainerCreating" | "PodInitializing" | "RestartingAllContainers"
        ) {
            return;
        }
        let message = shorten(message, MESSAGE);
        let started = self.started;
        let known = self.past.get_or_insert_default().waiting.get_or_insert_default();
        let says_less = MessageDetail::of(message) < MessageDetail::of(&known.message);
        // The back-off between the starts of a container that never started says nothing new.
        if reason == "CrashLoopBackOff" && is_start(&known.reason) && !started && says_less {
            return;
        }
        // Only the message of the failed pull says why; that of the back-off may merely name the image.
        let same_obstacle = *known.reason == *reason || is_image_pull(reason) && is_image_pull(&known.reason);
        if !(same_obstacle && says_less) {
            replace(&mut known.message, message);
        }
        replace(&mut known.reason, reason);
    }

    fn latch_termination(
        &mut self,
        new: &model::Terminated,
        attempt: i32,
        before_deletion: bool,
        after_deletion: bool,
    ) {
        let ran = !new.container_id.is_empty();
        self.started |= ran;
        let id = if ran { hash(&new.container_id) } else { 0 };
        let terminations = &mut self.past.get_or_insert_default().terminations;
        let known = terminations.iter_mut().find(|known| match ran {
            true => known.id == id,
            false => known.id == 0 && known.end.attempt == attempt && *known.end.reason == *new.reason,
        });
        if let Some(TerminationRecord { end: known, .. }) = known {
            known.before_deletion |= before_deletion;
            // A later report of the same end can be more precise: first `Error`, then `OOMKilled`.
            if *known.reason != *new.reason && &*known.reason != "OOMKilled" {
                known.reason = new.reason.as_str().into();
                known.exit_code = new.exit_code;
            }
            if known.message.is_empty() && !new.message.is_empty() {
                known.message = shorten(&new.message, MESSAGE).into();
            }
            return;
        }
        if terminations.len() >= TERMINATIONS {
            terminations.remove(1);
        }
        let end = Termination {
            exit_code: new.exit_code,
            signal: new.signal.filter(|signal| *signal != 0),
            reason: new.reason.as_str().into(),
            message: shorten(&new.message, MESSAGE).into(),
            started: new.started_at,
            finished: new.finished_at,
            ran,
            before_deletion,
            after_deletion,
            attempt: attempt.max(0),
        };
        // Oldest first: `lastState` of a Pod that is first seen late may be an end before a known one.
        let at = match end.finished {
            Some(finished) => terminations
                .iter()
                .take_while(|t| t.end.finished.is_some_and(|f| f <= finished))
                .count(),
            None => terminations.len(),
        };
        terminations.reserve_exact(1);
        terminations.insert(at, TerminationRecord { id, end });
    }

    fn into_evidence(self, of: &TemplateContainer) -> evidence::Container {
        let past = self.past.map_or_else(Past::default, |past| *past);
        evidence::Container {
            name: of.name.clone(),
            role: of.role,
            image: of.image.clone(),
            state: self.state,
            waiting: past.waiting.map(Box::new),
            started: self.started,
            running_since: self.running_since.get(),
            restarts: self.restarts,
            terminations: past.terminations.into_iter().map(|t| t.end).collect(),
        }
    }
}

/// Assigns a text unless it is the same already: most versions repeat it.
fn replace(old: &mut Box<str>, new: &str) {
    if **old != *new {
        *old = new.into();
    }
}

fn is_image_pull(reason: &str) -> bool {
    matches!(
        reason,
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "SignatureValidationFailed" | "ImageInspectError"
    )
}

fn is_start(reason: &str) -> bool {
    matches!(
        reason,
        "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError"
            | "PreCreateHookError"
            | "PreStartHookError"
            | "PostStartHookError"
    )
}

fn hash(id: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waiting reason and message after these statuses, one after the other.
    fn latched(statuses: &[(&str, &str)]) -> (String, String) {
        let mut record = ContainerRecord::default();
        for (reason, message) in statuses {
            let mut status = model::ContainerStatus::default();
            let waiting = status.state.waiting.get_or_insert_default();
            (waiting.reason, waiting.message) = ((*reason).into(), (*message).into());
            record.latch(&status, false);
        }
        let waiting = record.past.and_then(|past| past.waiting).unwrap_or_default();
        (waiting.reason.into(), waiting.message.into())
    }

    #[test]
    fn a_back_off_keeps_the_message_that_says_why() {
        let pair = |reason: &str, message: &str| (reason.to_owned(), message.to_owned());
        let backoff = ("ImagePullBackOff", "Back-off pulling image \"a:1\"");
        let pulled = latched(&[backoff, ("ErrImagePull", "not found"), backoff]);
        assert_eq!(pulled, pair("ImagePullBackOff", "not found"));
        let newer = (
            "ImagePullBackOff",
            "Back-off pulling image \"a:1\": ErrImagePull: denied",
        );
        assert_eq!(latched(&[("ErrImagePull", "not found"), newer]), pair(newer.0, newer.1));

        let crash = ("CrashLoopBackOff", "back-off 5m0s restarting failed container=a pod=b");
        let started = latched(&[("RunContainerError", "exec: no such file"), crash]);
        assert_eq!(started, pair("RunContainerError", "exec: no such file"));
        let late = ("CreateContainerError", "context deadline exceeded");
        let created = latched(&[("CreateContainerError", "layer not known"), late]);
        assert_eq!(created, pair("CreateContainerError", "layer not known"));
        let other = latched(&[("CreateContainerConfigError", "secret \"s\" not found"), late]);
        assert_eq!(other, pair(late.0, late.1), "another obstacle");
    }
}
