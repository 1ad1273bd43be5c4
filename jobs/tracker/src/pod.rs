//! One Pod, with the evidence that its later states erase.
//!
//! Once a Pod is being deleted the kubelet stops reading its reason cache, so `ImagePullBackOff` turns into
//! `ContainerCreating` and then into `ContainerStatusUnknown`, exit code 137 (`pkg/kubelet/kubelet_pods.go`,
//! `pkg/kubelet/status/status_manager.go`). The last state alone looks like a kill.

use std::num::NonZeroU64;
use std::sync::Arc;

use jiff::SignedDuration;
use job_event::evidence::{self, Condition, ContainerRole, NodeOutage, PodDeletion};

use super::container::{CONTAINERS, ContainerRecord, MESSAGE, PodTemplate};
use super::event::shorten;
use super::pool::{Pools, selected};
use super::time::Time;
use job_event::Uid;
use job_watch::model;

/// The longest completion index that is kept, bytes: it is a number.
const INDEX: usize = 32;

/// A Pod of a Job.
#[derive(Clone, Debug)]
pub(crate) struct PodRecord {
    pub uid: Uid,
    pub name: Box<str>,
    pub template: Arc<PodTemplate>,
    /// One for each container of the template.
    containers: Box<[ContainerRecord]>,
    phase: Arc<str>,
    node: Option<Arc<str>>,
    index: Option<Arc<str>>,
    pub created: Time,
    start_time: Time,
    not_ready_since: Time,
    ready_changed: Time,
    ready_to_start: Time,
    /// `resourceVersion` of the last version, if it is a number.
    version: Option<NonZeroU64>,
    rare: Option<Box<Rare>>,
    /// True once a version with a `deletionTimestamp` was seen.
    deleting: bool,
    /// True if it had restarted or ended, or was being deleted, when it was first seen.
    pub joined_late: bool,
    /// True once it is deleted from the API.
    pub removed: bool,
    /// True if it was observed since the last list of Pods began, and not only in what a watch replayed: after that list it still
    /// exists.
    pub in_list: bool,
}

/// Fields that most Pods do not have.
#[derive(Clone, Debug, Default)]
struct Rare {
    /// Its UID if that is not a UUID.
    odd_uid: Option<Box<str>>,
    reason: Box<str>,
    message: Box<str>,
    not_scheduled: Option<Box<Condition>>,
    disruption: Option<Box<Condition>>,
    node_outage: Option<NodeOutage>,
    deletion: Option<PodDeletion>,
}

impl PodRecord {
    /// The record of a Pod that is seen for the first time. `in_list`: [`PodRecord::in_list`].
    pub(crate) fn new(pod: &model::Pod, in_list: bool, pools: &mut Pools) -> PodRecord {
        let metadata = &pod.metadata;
        let template = PodTemplate::of(pod);
        let statuses = pod
            .status
            .init_container_statuses
            .iter()
            .chain(&pod.status.container_statuses);
        let index = metadata.annotations.completion_index.as_deref();
        let index = index.or(metadata.labels.completion_index.as_deref());
        let mut record = PodRecord {
            uid: Uid::new(&metadata.uid),
            name: metadata.name.as_str().into(),
            containers: template.records(),
            template: pools.templates.get(template),
            phase: pools.texts.get(""),
            node: None,
            index: index.map(|index| pools.texts.get(shorten(index, INDEX))),
            created: metadata.creation_timestamp.into(),
            start_time: Time::NONE,
            not_ready_since: Time::NONE,
            ready_changed: Time::NONE,
            ready_to_start: Time::NONE,
            version: None,
            rare: None,
            deleting: false,
            joined_late: metadata.deletion_timestamp.is_some()
                || has_ended(&pod.status.phase)
                || statuses.into_iter().any(|s| s.restart_count > 0),
            removed: false,
            in_list,
        };
        if let Some(text) = Uid::odd_text(&metadata.uid) {
            record.rare().odd_uid = Some(text);
        }
        record.update(pod, pools);
        record
    }

    /// Merges a later version. `listed`: it is from a list, which is always current.
    pub(crate) fn apply(&mut self, pod: &model::Pod, listed: bool, pools: &mut Pools) {
        if listed || !is_older(self.version, &pod.metadata.resource_version) {
            self.update(pod, pools);
        }
    }

    fn update(&mut self, new: &model::Pod, pools: &mut Pools) {
        self.version = new.metadata.resource_version.parse().ok();
        let extracted = selected(&new.metadata);
        if *self.template.extracted != *extracted {
            let mut template = PodTemplate::clone(&self.template);
            template.extracted = extracted.to_vec();
            self.template = pools.templates.get(template);
        }
        let deletion_seen = new.metadata.deletion_timestamp.is_some();
        let had_ended = has_ended(&self.phase);
        self.latch_status(new, deletion_seen, pools);
        self.latch_node_outage(&new.status.conditions, deletion_seen);
        self.latch_deletion(new, had_ended);
        let (init, main) = (&new.status.init_container_statuses, &new.status.container_statuses);
        let statuses = || init.iter().take(CONTAINERS).chain(main.iter().take(CONTAINERS));
        self.add_containers(statuses().map(|status| &*status.name));
        for status in statuses() {
            if let Some(at) = self.template.position(&status.name) {
                self.containers[at].latch(status, deletion_seen);
            }
        }
    }

    /// Adds those of these containers that have a status but are not in the spec.
    fn add_containers<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        if let Some(template) = self.template.with(names) {
            let mut containers = std::mem::take(&mut self.containers).into_vec();
            containers.resize_with(template.len(), ContainerRecord::default);
            self.containers = containers.into();
            self.template = Arc::new(template);
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
                rare.reason = status.reason.as_str().into();
                rare.message = shorten(&status.message, MESSAGE).into();
            }
        }
        for condition in &status.conditions {
            match (&*condition.kind, condition.is_true()) {
                // The scheduler's message about a Pod that is being deleted ("skip schedule deleting pod") is not why it waited.
                ("PodScheduled", false) if !deletion_seen || self.rare().not_scheduled.is_none() => {
                    self.rare().not_scheduled = Some(Box::new(condition.to_evidence()));
                }
                ("DisruptionTarget", true) if self.rare().disruption.is_none() => {
                    self.rare().disruption = Some(Box::new(condition.to_evidence()));
                }
                // A disruption that does not happen is revoked (`pkg/controller/disruption/disruption.go`).
                ("DisruptionTarget", false) if !deletion_seen => {
                    if let Some(rare) = &mut self.rare {
                        rare.disruption = None;
                    }
                }
                ("PodReadyToStartContainers" | "PodHasNetwork", true) => {
                    self.ready_to_start = Time::from(condition.last_transition_time).or(self.ready_to_start);
                }
                ("Ready", false) => self.not_ready_since = condition.last_transition_time.into(),
                _ => {}
            }
        }
    }

    /// The kubelet derives `Ready` from `ContainersReady`, and gives a reason if it is false. If it is false without a reason
    /// while the containers are ready, the node controller wrote it, because the kubelet does not respond.
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

    /// The first `deletionTimestamp` is the time of the request; later ones are moved to the present, with a grace of 0
    /// (`staging/src/k8s.io/apiserver/pkg/registry/rest/delete.go`). `had_ended`: the Pod had ended in the version before. If a
    /// Pod is first seen ended and being deleted, the order is unknown; deletion counts as first, because a Pod that has ended
    /// is removed as soon as it is deleted.
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

    /// True if it failed as a whole.
    pub(crate) fn has_failed(&self) -> bool {
        &*self.phase == "Failed"
    }

    /// True if it completed and no container failed, so that it explains nothing.
    pub(crate) fn is_uneventful(&self) -> bool {
        &*self.phase == "Succeeded"
            && self.rare.as_ref().is_none_or(|rare| rare.deletion.is_none())
            && self.containers.iter().all(ContainerRecord::is_uneventful)
    }

    /// True if it completed, or is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.removed || &*self.phase == "Succeeded"
    }

    /// True if it runs, and nothing in it waits, was restarted, or ended except its init containers.
    pub(crate) fn works(&self) -> bool {
        &*self.phase == "Running"
            && !self.deleting
            && self.rare.as_ref().is_none_or(|rare| rare.node_outage.is_none())
            && self
                .containers
                .iter()
                .enumerate()
                .all(|(at, container)| match self.template.role(at) {
                    ContainerRole::Init => container.is_completed(),
                    ContainerRole::Main | ContainerRole::Sidecar => container.runs(),
                })
    }

    pub(crate) fn into_evidence(mut self) -> evidence::Pod {
        let rare = self.rare.take().map_or_else(Rare::default, |rare| *rare);
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
            ready_to_start: self.ready_to_start.get(),
            disruption: rare.disruption,
            not_ready_since: self.not_ready_since.get(),
            ready_changed: self.ready_changed.get(),
            node_outage: rare.node_outage,
            grace_seconds: self.template.grace_seconds,
            deletion: rare.deletion,
            default_container: self.template.default_container.clone(),
            containers: self.template.evidence(self.containers),
            removed: self.removed,
            from_events: false,
        }
    }
}

fn has_ended(phase: &str) -> bool {
    matches!(phase, "Succeeded" | "Failed")
}

/// True if `new` is a version before `known`; versions that are not numbers cannot be compared and count as newer.
pub(crate) fn is_older(known: Option<NonZeroU64>, new: &str) -> bool {
    matches!((known, new.parse::<NonZeroU64>()), (Some(known), Ok(new)) if new < known)
}
