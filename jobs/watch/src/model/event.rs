//! Events (`v1`), those of the newer kind (`events.k8s.io`) included, which the API server serves as `v1` as well.

use jiff::Timestamp;
use serde::Deserialize;

use super::lenient::{Object, lenient};
use super::meta::{ApiGroup, Metadata};

/// The component that the collector names in the Events that it writes itself (exporter `k8s_events`).
pub const OWN_COMPONENT: &str = "kube-job-collector";

/// An Event.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Event {
    /// `metadata`.
    #[serde(deserialize_with = "lenient")]
    pub metadata: Metadata,
    /// `involvedObject`.
    #[serde(deserialize_with = "lenient")]
    pub involved_object: Involved,
    /// `source`; empty in Events of the newer kind.
    #[serde(deserialize_with = "lenient")]
    pub source: EventSource,
    /// `reportingComponent`.
    #[serde(deserialize_with = "lenient")]
    pub reporting_component: Box<str>,
    /// `type`: `Normal` or `Warning`.
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub kind: Box<str>,
    /// `reason`.
    #[serde(deserialize_with = "lenient")]
    pub reason: Box<str>,
    /// `message`.
    #[serde(deserialize_with = "lenient")]
    pub message: Box<str>,
    /// `count`; absent or 0 in Events of the newer kind.
    #[serde(deserialize_with = "lenient")]
    pub count: i32,
    /// `firstTimestamp`.
    #[serde(deserialize_with = "lenient")]
    pub first_timestamp: Option<Timestamp>,
    /// `lastTimestamp`.
    #[serde(deserialize_with = "lenient")]
    pub last_timestamp: Option<Timestamp>,
    /// `eventTime`.
    #[serde(deserialize_with = "lenient")]
    pub event_time: Option<Timestamp>,
    /// `series`.
    #[serde(deserialize_with = "lenient")]
    pub series: Option<Series>,
}

impl Event {
    /// The component that wrote it, as claimed: anyone who may create Events may write any name. Empty if it names
    /// none, or two.
    pub fn component(&self) -> &str {
        match (&*self.source.component, &*self.reporting_component) {
            (component, "") | ("", component) => component,
            (source, reporting) if source == reporting => source,
            _ => "",
        }
    }

    /// True if a collector wrote it: it repeats evidence of other Events, and is none itself.
    pub fn is_own(&self) -> bool {
        [&self.source.component, &self.reporting_component]
            .iter()
            .any(|component| &***component == OWN_COMPONENT)
    }
}

/// `source` of an Event.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct EventSource {
    /// `component`.
    #[serde(deserialize_with = "lenient")]
    pub component: Box<str>,
}

/// `involvedObject` of an Event.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Involved {
    /// `apiVersion`: group and version; some components leave it empty.
    #[serde(deserialize_with = "lenient")]
    pub api_version: ApiGroup,
    /// `kind`.
    #[serde(deserialize_with = "lenient")]
    pub kind: Box<str>,
    /// `name`.
    #[serde(deserialize_with = "lenient")]
    pub name: Box<str>,
    /// `uid`.
    #[serde(deserialize_with = "lenient")]
    pub uid: Box<str>,
    /// `fieldPath`.
    #[serde(deserialize_with = "lenient")]
    pub field_path: Box<str>,
}

/// `series` of an Event of the newer kind.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Series {
    /// `count`.
    #[serde(deserialize_with = "lenient")]
    pub count: i32,
    /// `lastObservedTime`.
    #[serde(deserialize_with = "lenient")]
    pub last_observed_time: Option<Timestamp>,
}

impl Object for Event {}
impl Object for EventSource {}
impl Object for Involved {}
impl Object for Series {}
