//! What goes in: what a list or a watch delivers, and where it comes from.

use crate::model;
use job_event::Uid;

/// A kind of objects that is listed and watched on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// CronJobs.
    CronJobs,
    /// Jobs.
    Jobs,
    /// Pods of Jobs.
    Pods,
    /// Events about Jobs.
    JobEvents,
    /// Warnings about Pods.
    PodEvents,
    /// Events about nodes that ran out of memory.
    NodeEvents,
}

impl Kind {
    /// All of them, in the order in which they are listed first: owners before what they own.
    pub const ALL: [Kind; 6] = [
        Kind::CronJobs,
        Kind::Jobs,
        Kind::Pods,
        Kind::JobEvents,
        Kind::PodEvents,
        Kind::NodeEvents,
    ];
}

/// Where an observation comes from: one of the lists and watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// What it delivers.
    pub kind: Kind,
    /// The part of the cluster it covers: 0 for the whole cluster, else the number of the namespace in the settings.
    pub scope: u16,
}

/// An object of one of the kinds.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// A CronJob.
    CronJob(Box<model::CronJob>),
    /// A Job.
    Job(Box<model::Job>),
    /// A Pod.
    Pod(Box<model::Pod>),
    /// An Event.
    Event(Box<model::Event>),
}

impl Object {
    /// What it is known by.
    pub fn uid(&self) -> Uid {
        Uid::new(&self.metadata().uid)
    }

    /// Its metadata.
    pub fn metadata(&self) -> &model::Metadata {
        match self {
            Object::CronJob(object) => &object.metadata,
            Object::Job(object) => &object.metadata,
            Object::Pod(object) => &object.metadata,
            Object::Event(object) => &object.metadata,
        }
    }
}

/// What a list or watch delivers.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// A list begins. What is not in it by its end is gone.
    ListBegins,
    /// An object of the list.
    Listed(Object),
    /// An object of the list could not be read, so what is missing in the list may exist.
    ListLacks,
    /// The list is complete.
    ListEnds,
    /// A watch says that an object appeared or changed.
    Changed(Object),
    /// A watch says that an object is gone, with its last state.
    Deleted(Object),
    /// The objects may not be listed or watched.
    Forbidden,
}
