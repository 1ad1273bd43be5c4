//! Pods.

use jiff::Timestamp;
use serde::Deserialize;
use smol_str::SmolStr;

use super::lenient::{Object, lenient};
use super::meta::{Condition, Metadata};

/// A Pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// `metadata`.
    #[serde(deserialize_with = "lenient")]
    pub metadata: Metadata,
    /// `spec`.
    #[serde(deserialize_with = "lenient")]
    pub spec: PodSpec,
    /// `status`.
    #[serde(deserialize_with = "lenient")]
    pub status: PodStatus,
}

/// `spec` of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    /// `nodeName`.
    #[serde(deserialize_with = "lenient")]
    pub node_name: SmolStr,
    /// `terminationGracePeriodSeconds`.
    #[serde(deserialize_with = "lenient")]
    pub termination_grace_period_seconds: Option<i64>,
    /// `initContainers`.
    #[serde(deserialize_with = "lenient")]
    pub init_containers: Vec<Container>,
    /// `containers`.
    #[serde(deserialize_with = "lenient")]
    pub containers: Vec<Container>,
}

/// A container of a Pod's spec.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Container {
    /// `name`.
    #[serde(deserialize_with = "lenient")]
    pub name: SmolStr,
    /// `image`.
    #[serde(deserialize_with = "lenient")]
    pub image: SmolStr,
    /// `restartPolicy`: `Always` makes an init container a sidecar.
    #[serde(deserialize_with = "lenient")]
    pub restart_policy: SmolStr,
}

/// `status` of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodStatus {
    /// `phase`.
    #[serde(deserialize_with = "lenient")]
    pub phase: SmolStr,
    /// `reason`.
    #[serde(deserialize_with = "lenient")]
    pub reason: SmolStr,
    /// `message`.
    #[serde(deserialize_with = "lenient")]
    pub message: SmolStr,
    /// `startTime`.
    #[serde(deserialize_with = "lenient")]
    pub start_time: Option<Timestamp>,
    /// `conditions`.
    #[serde(deserialize_with = "lenient")]
    pub conditions: Vec<Condition>,
    /// `initContainerStatuses`.
    #[serde(deserialize_with = "lenient")]
    pub init_container_statuses: Vec<ContainerStatus>,
    /// `containerStatuses`.
    #[serde(deserialize_with = "lenient")]
    pub container_statuses: Vec<ContainerStatus>,
}

/// One of `containerStatuses`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStatus {
    /// `name`.
    #[serde(deserialize_with = "lenient")]
    pub name: SmolStr,
    /// `restartCount`.
    #[serde(deserialize_with = "lenient")]
    pub restart_count: i32,
    /// `state`.
    #[serde(deserialize_with = "lenient")]
    pub state: ContainerState,
    /// `lastState`.
    #[serde(deserialize_with = "lenient")]
    pub last_state: ContainerState,
}

/// `state` or `lastState`: at most one of the three is set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    /// `waiting`.
    #[serde(deserialize_with = "lenient")]
    pub waiting: Option<Waiting>,
    /// `running`.
    #[serde(deserialize_with = "lenient")]
    pub running: Option<RunningState>,
    /// `terminated`.
    #[serde(deserialize_with = "lenient")]
    pub terminated: Option<Terminated>,
}

/// `state.waiting`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// `reason`.
    #[serde(deserialize_with = "lenient")]
    pub reason: SmolStr,
    /// `message`.
    #[serde(deserialize_with = "lenient")]
    pub message: SmolStr,
}

/// `state.running`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RunningState {
    /// `startedAt`.
    #[serde(deserialize_with = "lenient")]
    pub started_at: Option<Timestamp>,
}

/// `state.terminated`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Terminated {
    /// `exitCode`; a code of Windows without a sign is read as one with a sign.
    #[serde(deserialize_with = "exit_code")]
    pub exit_code: i32,
    /// `signal`.
    #[serde(deserialize_with = "lenient")]
    pub signal: Option<i32>,
    /// `reason`.
    #[serde(deserialize_with = "lenient")]
    pub reason: SmolStr,
    /// `message`.
    #[serde(deserialize_with = "lenient")]
    pub message: SmolStr,
    /// `startedAt`.
    #[serde(deserialize_with = "lenient")]
    pub started_at: Option<Timestamp>,
    /// `finishedAt`.
    #[serde(deserialize_with = "lenient")]
    pub finished_at: Option<Timestamp>,
    /// `containerID`: empty for a container that never ran.
    #[serde(rename = "containerID", deserialize_with = "lenient")]
    pub container_id: SmolStr,
}

/// The API's exit codes have 32 bits and a sign; those of Windows (`0xC0000005`) may come without one. Zero would be a success.
fn exit_code<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let number: i64 = lenient(deserializer)?;
    let unsigned = || u32::try_from(number).map(u32::cast_signed);
    Ok(i32::try_from(number).or_else(|_| unsigned()).unwrap_or_default())
}

impl Object for Pod {}
impl Object for PodSpec {}
impl Object for Container {}
impl Object for PodStatus {}
impl Object for ContainerStatus {}
impl Object for ContainerState {}
impl Object for Waiting {}
impl Object for RunningState {}
impl Object for Terminated {}
