//! The resources the API serves.

/// A resource of the Kubernetes API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// `batch/v1` Jobs.
    Jobs,
    /// `batch/v1` CronJobs.
    CronJobs,
    /// Pods.
    Pods,
    /// Core Events.
    Events,
    /// Nodes (cluster-scoped).
    Nodes,
    /// Namespaces (cluster-scoped).
    Namespaces,
    /// `coordination.k8s.io/v1` Leases.
    Leases,
    /// ConfigMaps.
    ConfigMaps,
}

impl Resource {
    /// Every resource, in the order of discovery.
    pub(crate) const ALL: [Resource; 8] = [
        Resource::Jobs,
        Resource::CronJobs,
        Resource::Pods,
        Resource::Events,
        Resource::Nodes,
        Resource::Namespaces,
        Resource::Leases,
        Resource::ConfigMaps,
    ];

    /// The API group; empty for the core group.
    pub fn group(self) -> &'static str {
        match self {
            Resource::Jobs | Resource::CronJobs => "batch",
            Resource::Leases => "coordination.k8s.io",
            _ => "",
        }
    }

    /// The `apiVersion` of its objects.
    pub(crate) fn api_version(self) -> &'static str {
        match self {
            Resource::Jobs | Resource::CronJobs => "batch/v1",
            Resource::Leases => "coordination.k8s.io/v1",
            _ => "v1",
        }
    }

    /// The name in paths.
    pub fn plural(self) -> &'static str {
        match self {
            Resource::Jobs => "jobs",
            Resource::CronJobs => "cronjobs",
            Resource::Pods => "pods",
            Resource::Events => "events",
            Resource::Nodes => "nodes",
            Resource::Namespaces => "namespaces",
            Resource::Leases => "leases",
            Resource::ConfigMaps => "configmaps",
        }
    }

    /// The `kind` of its objects.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Resource::Jobs => "Job",
            Resource::CronJobs => "CronJob",
            Resource::Pods => "Pod",
            Resource::Events => "Event",
            Resource::Nodes => "Node",
            Resource::Namespaces => "Namespace",
            Resource::Leases => "Lease",
            Resource::ConfigMaps => "ConfigMap",
        }
    }

    /// True unless its objects are cluster-scoped.
    pub(crate) fn namespaced(self) -> bool {
        !matches!(self, Resource::Nodes | Resource::Namespaces)
    }

    /// The name used in error messages: `jobs.batch`, `pods`.
    pub(crate) fn qualified(self) -> String {
        match self.group() {
            "" => self.plural().to_owned(),
            group => format!("{}.{group}", self.plural()),
        }
    }

    /// The resource with this plural name.
    pub(crate) fn from_plural(plural: &str) -> Option<Resource> {
        Resource::ALL.into_iter().find(|resource| resource.plural() == plural)
    }
}

/// The change of an object that a watch reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeType {
    /// The object exists, or entered the selection.
    Added,
    /// The object changed.
    Modified,
    /// The object was deleted, or left the selection.
    Deleted,
}

impl ChangeType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeType::Added => "ADDED",
            ChangeType::Modified => "MODIFIED",
            ChangeType::Deleted => "DELETED",
        }
    }

    /// Parses the word on the wire.
    pub(crate) fn parse(word: &str) -> Option<ChangeType> {
        match word {
            "ADDED" => Some(ChangeType::Added),
            "MODIFIED" => Some(ChangeType::Modified),
            "DELETED" => Some(ChangeType::Deleted),
            _ => None,
        }
    }
}
