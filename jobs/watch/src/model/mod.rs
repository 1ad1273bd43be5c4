//! The parts of Kubernetes objects that the receiver reads.
//!
//! All other fields (managed fields, most of the Pod template, volumes, environment, most labels and annotations) are
//! skipped without a copy. Field names are those of the API.

mod event;
mod job;
pub mod lenient;
mod meta;
mod pod;

use crate::decode::{WireMessage, schema};
pub use event::{Event, EventSource, Involved, OWN_COMPONENT, Series};
pub use job::{CronJob, Job};
pub use meta::{Annotations, ApiGroup, Condition, IsSet, Labels, Metadata, Owner, Status};
pub use pod::{Container, ContainerState, ContainerStatus, Pod, PodStatus, Terminated};

/// The `apiVersion` and `kind` of a type's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeMeta {
    /// `apiVersion`.
    pub api_version: &'static str,
    /// `kind`.
    pub kind: &'static str,
}

/// A namespace, of which only selected labels and annotations are read.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// `metadata`.
    #[serde(deserialize_with = "lenient::lenient")]
    pub metadata: Metadata,
}

impl lenient::Object for Namespace {}

/// A watched object.
pub trait Watched: lenient::Object + Default + Send + 'static {
    /// Its type.
    const TYPE: TypeMeta;
    /// Its fields in protobuf.
    const MESSAGE: &'static WireMessage;

    /// Its metadata.
    fn metadata(&self) -> &Metadata;

    /// Its metadata, to be changed.
    fn metadata_mut(&mut self) -> &mut Metadata;
}

impl Watched for Job {
    const TYPE: TypeMeta = TypeMeta {
        api_version: "batch/v1",
        kind: "Job",
    };
    const MESSAGE: &'static WireMessage = &schema::JOB;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }
}

impl Watched for CronJob {
    const TYPE: TypeMeta = TypeMeta {
        api_version: "batch/v1",
        kind: "CronJob",
    };
    const MESSAGE: &'static WireMessage = &schema::CRON_JOB;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }
}

impl Watched for Pod {
    const TYPE: TypeMeta = TypeMeta {
        api_version: "v1",
        kind: "Pod",
    };
    const MESSAGE: &'static WireMessage = &schema::POD;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }
}

impl Watched for Namespace {
    const TYPE: TypeMeta = TypeMeta {
        api_version: "v1",
        kind: "Namespace",
    };
    const MESSAGE: &'static WireMessage = &schema::NAMESPACE;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }
}

impl Watched for Event {
    const TYPE: TypeMeta = TypeMeta {
        api_version: "v1",
        kind: "Event",
    };
    const MESSAGE: &'static WireMessage = &schema::EVENT;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }
}
