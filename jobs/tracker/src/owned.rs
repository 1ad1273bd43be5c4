//! Pods and Events, and the Jobs whose evidence they are.

use jiff::Timestamp;
use job_event::Uid;

use super::event::{self, EventRecord};
use super::origin::{self, About};
use super::pod::PodRecord;
use super::{EARLY_PODS, JobEntry, Tracker};
use job_watch::Source;
use job_watch::model;

impl Tracker {
    pub(super) fn pod(&mut self, pod: &model::Pod, listed: bool) {
        let uid = Uid::new(&pod.metadata.uid);
        let namespace = &*pod.metadata.namespace;
        let Some(job) = self.pods.get(&uid).copied().or_else(|| origin::job_of(pod)) else {
            return;
        };
        match self.jobs.get_mut(&job) {
            Some(JobEntry::Reported { .. }) => {}
            Some(JobEntry::Live(record)) if *record.namespace != *namespace => {}
            Some(JobEntry::Live(record)) => match record.pod(uid) {
                Some(known) => known.apply(pod, listed, &mut self.pools),
                None => {
                    let pod = PodRecord::new(pod, &mut self.pools);
                    self.add_pod(job, pod);
                }
            },
            None if self.removed.contains(&job) => {}
            None => {
                let waiting = self.early_pods.of(&self.pools.texts.get(namespace), job);
                match waiting.iter_mut().find(|known| known.uid == uid) {
                    Some(known) => known.apply(pod, listed, &mut self.pools),
                    None => {
                        if waiting.len() >= EARLY_PODS.1 {
                            waiting.remove(0);
                        }
                        waiting.push(PodRecord::new(pod, &mut self.pools));
                    }
                }
            }
        }
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
            Some(About::Pod) => false,
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
                event::merge(self.early_events.of(&namespace, uid), record);
            }
        }
    }
}
