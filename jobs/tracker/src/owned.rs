//! Pods and Events, and the Jobs whose evidence they are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use job_event::Uid;
use job_event::evidence::{Event, Evidence, Gap};

use super::early::OwnerRef;
use super::event::{self, EventRecord, SUCCESSFUL_CREATE, SUCCESSFUL_DELETE};
use super::from_events::{self, Traces};
use super::origin::{self, About};
use super::pod::PodRecord;
use super::{EARLY_PODS, JobEntry, Seen, Tracker};
use job_watch::Source;
use job_watch::model;

impl Tracker {
    pub(super) fn pod(&mut self, pod: &model::Pod, seen: Seen) {
        // A replayed object may be gone by the time of the list.
        let (listed, is_in_list) = (seen == Seen::Listed, seen != Seen::Replayed);
        let uid = Uid::new(&pod.metadata.uid);
        let namespace = &*pod.metadata.namespace;
        let Some(job) = self.pods.get(&uid).copied().or_else(|| origin::job_of(pod)) else {
            return;
        };
        match self.jobs.get_mut(&job) {
            Some(JobEntry::Reported { .. }) => {}
            Some(JobEntry::Live(record)) if *record.namespace != *namespace => {}
            Some(JobEntry::Live(record)) => match record.pod(uid) {
                Some(known) => {
                    known.in_list |= is_in_list;
                    known.apply(pod, listed, &mut self.pools);
                }
                None => {
                    let pod = PodRecord::new(pod, is_in_list, &mut self.pools);
                    self.add_pod(job, pod);
                }
            },
            None if self.removed.contains(&job) => {}
            None => {
                let owner = OwnerRef {
                    uid: job,
                    uid_text: "",
                    name: "",
                };
                let waiting = self.early_pods.of(&self.pools.texts.get(namespace), owner, self.now);
                match waiting.iter_mut().find(|known| known.uid == uid) {
                    Some(known) => {
                        known.in_list |= is_in_list;
                        known.apply(pod, listed, &mut self.pools);
                    }
                    None => {
                        if waiting.len() >= EARLY_PODS.1 {
                            waiting.remove(0);
                        }
                        waiting.push(PodRecord::new(pod, is_in_list, &mut self.pools));
                    }
                }
            }
        }
        self.job_changed(job, self.now);
    }

    pub(super) fn add_pod(&mut self, job: Uid, pod: PodRecord) {
        let Some(JobEntry::Live(record)) = self.jobs.get_mut(&job) else {
            return;
        };
        self.pods.insert(pod.uid, job);
        for event in self.early_events.take(&record.namespace, pod.uid) {
            record.add_event(event);
        }
        if let Some(omitted) = record.add_pod(pod) {
            self.pods.remove(&omitted);
        }
    }

    pub(super) fn pod_gone(&mut self, pod: &model::Pod) {
        let uid = Uid::new(&pod.metadata.uid);
        let namespace = &*pod.metadata.namespace;
        let known = match self.pods.get(&uid).and_then(|job| self.jobs.get_mut(job)) {
            Some(JobEntry::Live(record)) if *record.namespace == *namespace => record.pod(uid),
            Some(JobEntry::Live(_)) => None,
            _ => origin::job_of(pod)
                .and_then(|job| self.early_pods.known(namespace, job))
                .and_then(|waiting| waiting.iter_mut().find(|pod| pod.uid == uid)),
        };
        if let Some(known) = known {
            known.removed = true;
        }
    }

    pub(super) fn event(&mut self, source: Source, event: &model::Event, listed: bool, now: Timestamp) {
        let is_job = match origin::about(event) {
            Some(About::Job) => true,
            Some(About::Pod) => {
                self.pod_event_types.seen(&event.kind);
                false
            }
            Some(About::CronJob) => return self.cronjobs.event(event, listed, self.settings.missed),
            Some(About::Node) => return self.node_events.seen(event, &mut self.pools),
            None => return,
        };
        if !event::is_useful(event, is_job) {
            return;
        }
        let uid = Uid::new(&event.involved_object.uid);
        let namespace = &*event.metadata.namespace;
        let job = if is_job { Some(&uid) } else { self.pods.get(&uid) };
        match job.and_then(|job| self.jobs.get_mut(job)) {
            Some(JobEntry::Live(record)) if *record.namespace != *namespace => {}
            Some(JobEntry::Live(record)) => record.add_event(EventRecord::new(event, &mut self.pools)),
            Some(JobEntry::Reported { .. }) => {}
            None if self.removed.contains(&uid) => {}
            None => {
                let record = EventRecord::new(event, &mut self.pools);
                if is_job {
                    self.may_be_gone(source, event, &record, listed, now);
                }
                let namespace = self.pools.texts.get(namespace);
                let owner = OwnerRef {
                    uid,
                    uid_text: &event.involved_object.uid,
                    name: if is_job { "" } else { &event.involved_object.name },
                };
                event::merge(self.early_events.of(&namespace, owner, now), record);
            }
        }
    }

    /// Adds the Pods of a Job that were never seen, from the Events that they left. The Job controller's Events about the Job
    /// name them; an Event of another namespace, or of a name that two Pods claim, does not count.
    pub(super) fn add_gone_pods(&mut self, evidence: &mut Evidence) {
        let normal_too = self.pod_event_types.normal_too();
        add_gone_pods(evidence, normal_too, |namespace, name| {
            self.early_events.take_named(namespace, name)
        });
    }

    /// The same for an unfinished Job: the Events are left where they are.
    pub(super) fn add_gone_pods_now(&self, evidence: &mut Evidence) {
        let normal_too = self.pod_event_types.normal_too();
        add_gone_pods(evidence, normal_too, |namespace, name| {
            let (uid, events) = self.early_events.named(namespace, name)?;
            Some((uid, events.to_vec()))
        });
    }
}

/// `left` returns the Events that a Pod of this namespace and name left, with its UID.
fn add_gone_pods(
    evidence: &mut Evidence,
    normal_too: bool,
    mut left: impl FnMut(&str, &str) -> Option<(Box<str>, Vec<EventRecord>)>,
) {
    let job = &evidence.job;
    let mut gone: BTreeMap<&str, Traces<'_>> = BTreeMap::new();
    for event in evidence.events.iter().filter(|event| &*event.kind == "Job") {
        let name = match &*event.reason {
            SUCCESSFUL_CREATE => from_events::created_pod(&event.message),
            SUCCESSFUL_DELETE => from_events::deleted_pod(&event.message),
            _ => None,
        };
        let is_new = |name: &&str| evidence.pods.iter().all(|pod| *pod.name != **name);
        let Some(name) = name.filter(is_new) else { continue };
        let traces = gone.entry(name).or_insert(Traces {
            name,
            uid: "",
            events: &[],
            created: None,
            deleted: None,
            normal_too,
        });
        match &*event.reason {
            SUCCESSFUL_CREATE => traces.created = traces.created.or(event.first),
            _ => traces.deleted = traces.deleted.or(event.first),
        }
    }
    let (mut pods, mut events) = (Vec::new(), Vec::new());
    for traces in gone.into_values() {
        let (uid, left) = left(&job.namespace, traces.name).unwrap_or_default();
        let mut left: Vec<Event> = left
            .into_iter()
            .map(|event| event.into_evidence("Pod", traces.name, &uid))
            .collect();
        let mut pod = from_events::pod(
            Traces {
                uid: &uid,
                events: &left,
                ..traces
            },
            job,
        );
        // Where Pods are not listed, it may still exist.
        let not_listed = [Gap::PodsForbidden, Gap::PodsNotSelected];
        pod.removed = !evidence.gaps.iter().any(|gap| not_listed.contains(gap));
        // A Pod without Events proves nothing, unless a scheduling gate explains why it has none.
        if !left.is_empty() || pod.not_scheduled.is_some() {
            left.retain(|event| !from_events::is_aftermath(event, traces.deleted));
            pods.push(pod);
            events.append(&mut left);
        }
    }
    if !pods.is_empty() {
        evidence.pods.append(&mut pods);
        evidence
            .pods
            .sort_by(|a, b| a.created.cmp(&b.created).then_with(|| a.name.cmp(&b.name)));
        evidence.events.append(&mut events);
        evidence.events.sort_by_key(|event| event.last);
    }
}

/// The types of the Events about Pods that arrive.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PodEventTypes {
    /// True if the source may send all types. The collector watches warnings only.
    pub(super) all_sent: bool,
    /// True if it surely does.
    pub(super) all_read: bool,
    normal_seen: bool,
    warning_seen: bool,
}

impl PodEventTypes {
    fn seen(&mut self, kind: &str) {
        match kind {
            "Normal" => self.normal_seen = true,
            _ => self.warning_seen = true,
        }
    }

    /// True if Events of type `Normal` about Pods arrive as well. A recording may have been made without them.
    fn normal_too(self) -> bool {
        self.all_read || self.all_sent && (self.normal_seen || !self.warning_seen)
    }
}
