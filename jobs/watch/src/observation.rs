//! The observations of lists and watches, and their sources.

use crate::model;
use job_event::Uid;

/// A kind of objects with its own list and watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Namespaces, if a rule selects their labels or annotations.
    Namespaces,
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
    /// The cluster autoscaler's Events about Pods for which it added no node.
    ScaleUpEvents,
    /// Events about CronJobs.
    CronJobEvents,
    /// Warnings about nodes.
    NodeEvents,
}

impl Kind {
    /// All kinds that are always watched, in the order of their first lists: owners before the objects that they own.
    pub const ALL: [Kind; 8] = [
        Kind::CronJobs,
        Kind::Jobs,
        Kind::Pods,
        Kind::JobEvents,
        Kind::PodEvents,
        Kind::ScaleUpEvents,
        Kind::CronJobEvents,
        Kind::NodeEvents,
    ];

    /// The kind whose first list must be over before this one's begins: only some of the objects that come before their owners
    /// can wait for them. Apart from that, first lists follow each other in the order of [`Kind::ALL`], and one that keeps failing does not
    /// delay the rest.
    pub(crate) fn listed_after(self) -> Option<Kind> {
        match self {
            Kind::Pods | Kind::JobEvents | Kind::PodEvents | Kind::ScaleUpEvents => Some(Kind::Jobs),
            Kind::CronJobEvents => Some(Kind::CronJobs),
            Kind::Namespaces | Kind::CronJobs | Kind::Jobs | Kind::NodeEvents => None,
        }
    }

    /// True if its list and watch need no access of their own: they read Events, as those about Jobs and Pods do.
    pub(crate) fn shares_access(self) -> bool {
        matches!(self, Kind::ScaleUpEvents | Kind::CronJobEvents | Kind::NodeEvents)
    }
}

/// The source of an observation: one of the lists and watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The kind of its objects.
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
    /// A namespace.
    Namespace(Box<model::Namespace>),
}

impl Object {
    /// The object's UID.
    pub fn uid(&self) -> Uid {
        Uid::new(&self.metadata().uid)
    }

    /// The object's metadata.
    pub fn metadata(&self) -> &model::Metadata {
        match self {
            Object::CronJob(object) => &object.metadata,
            Object::Job(object) => &object.metadata,
            Object::Pod(object) => &object.metadata,
            Object::Event(object) => &object.metadata,
            Object::Namespace(object) => &object.metadata,
        }
    }
}

/// An observation of a list or watch.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// A list begins. Objects that are not in it when it ends are deleted.
    ListBegins,
    /// An object of the list.
    Listed(Object),
    /// An object of the list could not be decoded, so objects missing in the list may exist.
    ListLacks,
    /// The list is complete.
    ListEnds,
    /// Changes from before the list follow it, up to its version: those since an earlier process stopped. Precedes
    /// [`Observation::ListEnds`].
    ReplayBegins {
        /// The version of the list.
        version: u64,
    },
    /// The changes from before the list are replayed.
    ReplayEnds {
        /// False if the server no longer has all of them.
        complete: bool,
    },
    /// An object was created or changed.
    Changed(Object),
    /// An object was deleted; holds its last state.
    Deleted(Object),
    /// RBAC denies the list or watch.
    Forbidden,
    /// The list or watch fails and retries.
    Interrupted,
    /// The list is complete, or the watch works again.
    Recovered,
}
