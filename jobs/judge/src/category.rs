//! The two labels of a cause: its category, and the effect of a retry.

use serde::{Deserialize, Serialize};

/// The kind of a cause: it hints at who can fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The program in the container.
    Application,
    /// Memory, CPU, storage, devices or quota.
    Resource,
    /// The Job's manifest, or an object it refers to.
    Configuration,
    /// A user, or a rule of the cluster.
    Policy,
    /// The cluster itself.
    Infrastructure,
    /// A deadline.
    Timeout,
    /// The evidence does not show it.
    Unknown,
}

impl Category {
    /// The name in events and on points.
    pub fn as_str(self) -> &'static str {
        match self {
            Category::Application => "application",
            Category::Resource => "resource",
            Category::Configuration => "configuration",
            Category::Policy => "policy",
            Category::Infrastructure => "infrastructure",
            Category::Timeout => "timeout",
            Category::Unknown => "unknown",
        }
    }
}

/// The effect of running the Job again without a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// A retry can succeed: the Job is not at fault, and the problem passes.
    Yes,
    /// A retry fails the same way until something changes.
    No,
    /// It depends.
    Maybe,
}

impl Retry {
    /// The name in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Retry::Yes => "yes",
            Retry::No => "no",
            Retry::Maybe => "maybe",
        }
    }
}
