//! The parts of Kubernetes objects that the receiver reads.
//!
//! Everything else (managed fields, the Pod template but for its restart policy, volumes, environment, most labels and
//! annotations) is skipped while reading, without a copy. Field names are those of the API.

mod event;
mod job;
pub mod lenient;
mod meta;
mod pod;

pub use event::{Event, EventSource, Involved, Series};
pub use job::{CronJob, Job};
pub use meta::{Annotations, ApiGroup, Condition, Labels, Metadata, Owner, Status};
pub use pod::{Container, ContainerState, ContainerStatus, Pod, PodStatus, Terminated};

/// An object the receiver watches.
pub trait Watched: lenient::Object + Default {
    /// Its metadata.
    fn metadata(&self) -> &Metadata;
}

impl Watched for Job {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl Watched for CronJob {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl Watched for Pod {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl Watched for Event {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
