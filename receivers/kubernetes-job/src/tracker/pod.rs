//! One Pod, and what its later states would erase.
//!
//! Once a Pod is being deleted the kubelet stops reading its reason cache, so `ImagePullBackOff` turns into
//! `ContainerCreating` and then into `ContainerStatusUnknown`, exit code 137 (`pkg/kubelet/kubelet_pods.go`,
//! `pkg/kubelet/status/status_manager.go`). Whoever only looks at the last state sees a kill.

use std::num::NonZeroU64;
use std::sync::Arc;

use jiff::SignedDuration;
use job_event::evidence::{
    self, Condition, ContainerRole, ContainerState, NodeOutage, PodDeletion, Termination, Waiting,
};

use super::event::shorten;
use super::pool::Pools;
use super::time::Time;
use crate::model;
use job_event::Uid;

/// How many ends are kept for each container: the first one and the newest.
const TERMINATIONS: usize = 16;
/// The longest termination message that is kept, bytes: the kubelet's own limit.
const MESSAGE: usize = 4096;

/// What Pods of one origin have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    containers: Vec<TemplateContainer>,
    default_container: Option<Box<str>>,
    grace_seconds: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TemplateContainer {
    name: Box<str>,
    role: ContainerRole,
    image: Box<str>,
}

/// A Pod of a Job.
#[derive(Debug)]
pub struct PodRecord {
    /// Its UID.
    pub uid: Uid,
    name: Box<str>,
    template: Arc<Template>,
    /// One for each container of the template.
    containers: Box<[ContainerRecord]>,
    phase: Arc<str>,
    node: Option<Arc<str>>,
    index: Option<Arc<str>>,
    created: Time,
    start_time: Time,
    not_ready_since: Time,
    ready_changed: Time,
    /// `resourceVersion` of the last version, if it is a number.
    version: Option<NonZeroU64>,
    rare: Option<Box<Rare>>,
    /// Whether a version with a `deletionTimestamp` was seen.
    deleting: bool,
    /// Whether it had restarted or ended, or was being deleted, when it was first seen.
    pub joined_late: bool,
    /// Whether it is gone from the API.
    pub removed: bool,
}

/// What most Pods do not have.
#[derive(Debug, Default)]
struct Rare {
    /// Its UID if it is no UUID.
    odd_uid: Option<Box<str>>,
    reason: Box<str>,
    message: Box<str>,
    not_scheduled: Option<Box<Condition>>,
    disruption: Option<Box<Condition>>,
    node_outage: Option<NodeOutage>,
    deletion: Option<PodDeletion>,
}

/// The state of a container.
#[derive(Debug, Default)]
struct ContainerRecord {
    running_since: Time,
    /// What it waited for and how it ended, if it did.
    past: Option<Box<Past>>,
    restarts: i32,
    state: ContainerState,
    started: bool,
    /// Whether it was seen running when the Pod had been asked to go: no container is started then, so its next end is an
    /// answer to that.
    seen_alive_in_deletion: bool,
}

#[derive(Debug, Default)]
struct Past {
    waiting: Option<Waiting>,
    /// Oldest first.
    terminations: Vec<TerminationRecord>,
}

#[derive(Debug)]
struct TerminationRecord {
    /// The container's id, hashed; 0 for one that never ran.
    id: u64,
    end: Termination,
}

impl PodRecord {
    /// A Pod that was not known.
    pub fn new(pod: &model::Pod, pools: &mut Pools) -> PodRecord {
        let metadata = &pod.metadata;
        let container = |container: &model::Container, role| TemplateContainer {
            name: container.name.clone(),
            role,
            image: container.image.clone(),
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
        let template = Template {
            containers: init.chain(main).collect(),
            default_container: metadata.annotations.default_container.clone(),
            grace_seconds: pod.spec.termination_grace_period_seconds,
        };
        let statuses = pod
            .status
            .init_container_statuses
            .iter()
            .chain(&pod.status.container_statuses);
        let index = metadata.annotations.completion_index.as_deref();
        let index = index.or(metadata.labels.completion_index.as_deref());
        let mut record = PodRecord {
            uid: Uid::new(&metadata.uid),
            name: metadata.name.clone(),
            containers: template.containers.iter().map(|_| ContainerRecord::default()).collect(),
            template: pools.templates.get(template),
            phase: pools.texts.get(""),
            node: None,
            index: index.map(|index| pools.texts.get(index)),
            created: metadata.creation_timestamp.into(),
            start_time: Time::NONE,
            not_ready_since: Time::NONE,
            ready_changed: Time::NONE,
            version: None,
            rare: None,
            deleting: false,
            joined_late: metadata.deletion_timestamp.is_some()
                || has_ended(&pod.status.phase)
                || statuses.into_iter().any(|s| s.restart_count > 0),
            removed: false,
        };
        if let Some(text) = Uid::odd_text(&metadata.uid) {
            record.rare().odd_uid = Some(text);
        }
        record.update(pod, pools);
        record
    }

    /// Takes a later version in. `listed`: it stands in a list, which is always current.
    pub fn apply(&mut self, pod: &model::Pod, listed: bool, pools: &mut Pools) {
        if listed || !is_older(self.version, &pod.metadata.resource_version) {
            self.update(pod, pools);
        }
    }

    fn update(&mut self, new: &model::Pod, pools: &mut Pools) {
        self.version = new.metadata.resource_version.parse().ok();
        let deletion_seen = new.metadata.deletion_timestamp.is_some();
        let had_ended = has_ended(&self.phase);
        self.latch_status(new, deletion_seen, pools);
        self.latch_node_outage(&new.status.conditions, deletion_seen);
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

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn latch_status(&mut self, new: &model::Pod, deletion_seen: bool, pools: &mut Pools) {
        let status = &new.status;
        if !new.spec.node_name.is_empty() && self.node.is_none() {
            self.node = Some(pools.texts.get(&*new.spec.node_name));
        }
        self.start_time = Time::from(status.start_time).or(self.start_time);
        if !status.phase.is_empty() && *status.phase != *self.phase {
            self.phase = pools.texts.get(&*status.phase);
        }
        if !(status.reason.is_empty() && status.message.is_empty()) {
            let rare = self.rare();
            if rare.reason.is_empty() {
                rare.reason = status.reason.clone();
                rare.message = shorten(&status.message, MESSAGE).into();
            }
        }
        for condition in &status.conditions {
            match (&*condition.kind, condition.is_true()) {
                // What is said of a Pod that is being deleted ("skip schedule deleting pod") is not why it waited.
                ("PodScheduled", false) if !deletion_seen || self.rare().not_scheduled.is_none() => {
                    self.rare().not_scheduled = Some(Box::new(condition.to_evidence()));
                }
                ("DisruptionTarget", true) if self.rare().disruption.is_none() => {
                    self.rare().disruption = Some(Box::new(condition.to_evidence()));
                }
                // A disruption that did not come is taken back (`pkg/controller/disruption/disruption.go`).
                ("DisruptionTarget", false) if !deletion_seen => {
                    if let Some(rare) = &mut self.rare {
                        rare.disruption = None;
                    }
                }
                ("Ready", false) => self.not_ready_since = condition.last_transition_time.into(),
                _ => {}
            }
        }
    }

    /// What the kubelet says of `Ready` follows from `ContainersReady`, and where it is false it says why. One that is
    /// false without a reason while the containers are ready is the node controller's word: the kubelet is silent.
    fn latch_node_outage(&mut self, conditions: &[model::Condition], deletion_seen: bool) {
        let find = |kind| conditions.iter().find(|condition| &*condition.kind == kind);
        let Some(ready) = find("Ready") else { return };
        let mut others = conditions.iter().filter(|condition| condition.is_true());
        let containers_ready = others.any(|condition| &*condition.kind == "ContainersReady");
        let since = ready.last_transition_time;
        if !ready.is_true() && containers_ready && ready.reason.is_empty() {
            if let Some(since) = since {
                self.rare().node_outage = Some(NodeOutage {
                    since,
                    until: None,
                    over: false,
                });
            }
            return;
        }
        self.ready_changed = Time::from(since).or(self.ready_changed);
        if let Some(outage) = self.rare.as_mut().and_then(|rare| rare.node_outage.as_mut()) {
            outage.until = outage.until.or(since);
            outage.over |= !deletion_seen;
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
        self.rare().deletion = Some(PodDeletion {
            requested,
            grace_seconds,
            seen_late: has_ended(&new.status.phase),
        });
    }

    fn latch_container(&mut self, status: &model::ContainerStatus, deletion_seen: bool) {
        let known = self.template.containers.iter().position(|c| c.name == status.name);
        let at = known.unwrap_or_else(|| self.add_container(&status.name));
        let container = &mut self.containers[at];
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
        let alive = state == ContainerState::Running;
        container.seen_alive_in_deletion |= deletion_seen && alive;
        // No container is started in a Pod that is being deleted, so what runs ran before.
        if !deletion_seen || state == ContainerState::Running {
            container.state = state;
        }
        if let Some(waiting) = waiting {
            container.latch_waiting(&waiting.reason, &waiting.message);
        }
        if let Some(running) = running {
            container.started = true;
            container.running_since = Time::from(running.started_at).or(container.running_since);
        }
        if let Some(last) = &status.last_state.terminated {
            container.latch_termination(last, status.restart_count.saturating_sub(1), true, false);
        }
        if let Some(terminated) = terminated {
            let after_deletion = container.seen_alive_in_deletion;
            container.latch_termination(terminated, status.restart_count, !deletion_seen, after_deletion);
        }
    }

    /// Adds a container that has a status and does not stand in the spec. Returns its place.
    fn add_container(&mut self, name: &str) -> usize {
        let mut template = (*self.template).clone();
        template.containers.push(TemplateContainer {
            name: name.into(),
            role: ContainerRole::default(),
            image: "".into(),
        });
        self.template = Arc::new(template);
        let containers = std::mem::take(&mut self.containers).into_iter();
        self.containers = containers.chain([ContainerRecord::default()]).collect();
        self.containers.len() - 1
    }

    /// Whether it completed and nothing of it failed, so that it explains nothing.
    pub fn is_uneventful(&self) -> bool {
        let pasts = self.containers.iter().filter_map(|c| c.past.as_deref());
        &*self.phase == "Succeeded"
            && self.rare.as_ref().is_none_or(|rare| rare.deletion.is_none())
            && pasts
                .flat_map(|past| &past.terminations)
                .all(|t| t.end.exit_code == 0 && &*t.end.reason != "OOMKilled")
    }

    /// As evidence.
    pub fn into_evidence(mut self) -> evidence::Pod {
        let rare = self.rare.take().map_or_else(Rare::default, |rare| *rare);
        let containers = self.template.containers.iter().zip(self.containers);
        evidence::Pod {
            name: self.name,
            uid: rare.odd_uid.unwrap_or_else(|| self.uid.to_text()),
            index: self.index.map(|index| (*index).into()),
            node: self.node.map(|node| (*node).into()),
            created: self.created.get(),
            start_time: self.start_time.get(),
            phase: (*self.phase).into(),
            reason: rare.reason,
            message: rare.message,
            not_scheduled: rare.not_scheduled,
            disruption: rare.disruption,
            not_ready_since: self.not_ready_since.get(),
            ready_changed: self.ready_changed.get(),
            node_outage: rare.node_outage,
            grace_seconds: self.template.grace_seconds,
            deletion: rare.deletion,
            default_container: self.template.default_container.clone(),
            containers: containers.map(|(of, record)| record.into_evidence(of)).collect(),
            removed: self.removed,
        }
    }
}

impl ContainerRecord {
    fn latch_waiting(&mut self, reason: &str, message: &str) {
        if matches!(
            reason,
            "" | "ContainerCreating" | "PodInitializing" | "RestartingAllContainers"
        ) {
            return;
        }
        let message = shorten(message, MESSAGE);
        let known = self.past.get_or_insert_default().waiting.get_or_insert_default();
        // Only the message of the failed pull says why; that of the back-off may merely name the image.
        if reason != "ImagePullBackOff" || !is_image_pull(&known.reason) || known.message.is_empty() {
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
            false => known.id == 0 && known.end.attempt == attempt && known.end.reason == new.reason,
        });
        if let Some(TerminationRecord { end: known, .. }) = known {
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
        if terminations.len() >= TERMINATIONS {
            terminations.remove(1);
        }
        let end = Termination {
            exit_code: new.exit_code,
            signal: new.signal.filter(|signal| *signal != 0),
            reason: new.reason.clone(),
            message: shorten(&new.message, MESSAGE).into(),
            started: new.started_at,
            finished: new.finished_at,
            ran,
            before_deletion,
            after_deletion,
            attempt: attempt.max(0),
        };
        // Oldest first: `lastState` of a Pod that is first seen late may tell of an end before one that is known.
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

fn has_ended(phase: &str) -> bool {
    matches!(phase, "Succeeded" | "Failed")
}

/// Whether `new` is a version before `known`; versions that are not numbers cannot be compared and count as newer.
pub fn is_older(known: Option<NonZeroU64>, new: &str) -> bool {
    matches!((known, new.parse::<NonZeroU64>()), (Some(known), Ok(new)) if new < known)
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

fn hash(id: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish().max(1)
}
