//! The series of kube-state-metrics for each Job and CronJob that exists. Pure.
//!
//! Keeps only what the series of an object need. An object is sent as a whole when it changed and on an interval; a deleted
//! object is sent once, as ended. Names, labels and values are those of kube-state-metrics 2; `docs/compatibility.md` lists
//! the differences.

mod cronjob;
mod encode;
mod families;
mod job;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;

use self::cronjob::CronJobState;
use self::encode::{Points, encode, ended};
use self::job::JobState;
use job_event::Uid;
use job_watch::{Kind, Object, Observation, Source};

pub use self::encode::PROMETHEUS_TYPE;
pub use self::families::FAMILIES;

/// Identifies an object by its name: the series of kube-state-metrics carry no UID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    is_cronjob: bool,
    namespace: Box<str>,
    name: Box<str>,
}

#[derive(Debug)]
struct Entry {
    uid: Uid,
    scope: u16,
    state: State,
}

#[derive(Debug, PartialEq)]
enum State {
    Job(Box<JobState>),
    CronJob(Box<CronJobState>),
}

/// The Jobs and CronJobs that exist.
#[derive(Debug, Default)]
pub struct KubeState {
    objects: BTreeMap<Key, Entry>,
    /// Objects to send.
    pending: BTreeSet<Key>,
    /// The objects in lists that are not complete yet.
    lists: HashMap<Source, HashSet<Uid>>,
}

impl KubeState {
    /// Applies an observation.
    pub fn apply(&mut self, source: Source, observation: &Observation) {
        if !matches!(source.kind, Kind::Jobs | Kind::CronJobs) {
            return;
        }
        match observation {
            Observation::ListBegins => {
                self.lists.insert(source, HashSet::new());
            }
            Observation::Listed(object) => {
                if let Some(seen) = self.lists.get_mut(&source) {
                    seen.insert(Uid::new(&object.metadata().uid));
                }
                self.seen(source, object);
            }
            Observation::Changed(object) => self.seen(source, object),
            Observation::Deleted(object) => self.deleted(object),
            Observation::ListLacks => {
                if let Some(seen) = self.lists.get_mut(&source) {
                    seen.extend(self.objects.values().map(|entry| entry.uid));
                }
            }
            Observation::ListEnds => self.list_ends(source),
            // No watch of this receiver resumes.
            Observation::ReplayBegins { .. } | Observation::ReplayEnds { .. } => {}
            Observation::Forbidden | Observation::Interrupted | Observation::Recovered => {}
        }
    }

    /// Marks all objects as pending.
    pub fn refresh(&mut self) {
        self.pending.extend(self.objects.keys().cloned());
    }

    /// True if there are objects to send.
    pub fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Marks no object as pending.
    pub fn clear_pending(&mut self) {
        self.pending.clear();
    }

    /// Takes at most `limit` pending objects, one resource each, with points at `time` (nanoseconds since 1970).
    pub fn take(&mut self, limit: usize, cluster: Option<&str>, time: u64) -> Vec<ResourceMetrics> {
        let keys = std::iter::from_fn(|| self.pending.pop_first()).take(limit);
        let objects = &self.objects;
        keys.map(|key| match objects.get(&key) {
            None => ended(&key, cluster, time),
            Some(entry) => {
                let mut points = Points::new(&key, time);
                match &entry.state {
                    State::Job(job) => job.points(&mut points),
                    State::CronJob(cronjob) => cronjob.points(&mut points),
                }
                encode(&key, points, cluster)
            }
        })
        .collect()
    }

    /// The number of objects.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// True if no object exists.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    fn seen(&mut self, source: Source, object: &Object) {
        let Some(key) = key(object) else { return };
        let state = match object {
            Object::Job(job) => State::Job(Box::new(JobState::of(job))),
            Object::CronJob(cronjob) => State::CronJob(Box::new(CronJobState::of(cronjob))),
            Object::Pod(_) | Object::Event(_) | Object::Namespace(_) => return,
        };
        let entry = Entry {
            uid: Uid::new(&object.metadata().uid),
            scope: source.scope,
            state,
        };
        let known = self.objects.insert(key.clone(), entry);
        if known.is_none_or(|known| Some(&known.state) != self.objects.get(&key).map(|entry| &entry.state)) {
            self.pending.insert(key);
        }
    }

    /// A new object of the same name may be observed before its predecessor is deleted; it stays.
    fn deleted(&mut self, object: &Object) {
        let Some(key) = key(object) else { return };
        let uid = Uid::new(&object.metadata().uid);
        if self.objects.get(&key).is_some_and(|entry| entry.uid == uid) {
            self.objects.remove(&key);
            self.pending.insert(key);
        }
    }

    fn list_ends(&mut self, source: Source) {
        let Some(seen) = self.lists.remove(&source) else { return };
        let is_cronjob = source.kind == Kind::CronJobs;
        let pending = &mut self.pending;
        self.objects.retain(|key, entry| {
            let stays = key.is_cronjob != is_cronjob || entry.scope != source.scope || seen.contains(&entry.uid);
            if !stays {
                pending.insert(key.clone());
            }
            stays
        });
    }
}

fn key(object: &Object) -> Option<Key> {
    let is_cronjob = match object {
        Object::Job(_) => false,
        Object::CronJob(_) => true,
        Object::Pod(_) | Object::Event(_) | Object::Namespace(_) => return None,
    };
    let metadata = object.metadata();
    Some(Key {
        is_cronjob,
        namespace: metadata.namespace.as_str().into(),
        name: metadata.name.as_str().into(),
    })
}
