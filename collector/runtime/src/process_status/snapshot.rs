//! From statuses and readings to the snapshot. Pure.

use std::collections::BTreeMap;

use collector_data::Signal;
use jiff::Timestamp;

use super::{ComponentState, ConfigurationState, LeaderState, ProcessStatus, QueueState, WatchState};
use crate::health::{ConfigurationStatus, QueueReading, Status, Statuses, WatchReading, all_ok, none_dead};

/// The queues and watches of the process now.
pub(super) struct Readings {
    /// By the path of the exporter.
    pub(super) queues: Vec<(String, Signal, QueueReading)>,
    /// By the path of the receiver.
    pub(super) watches: Vec<(String, WatchReading)>,
}

pub(super) fn snapshot(statuses: &Statuses, readings: Readings, started: Timestamp, now: Timestamp) -> ProcessStatus {
    let components: Vec<ComponentState> = statuses
        .iter()
        .map(|(path, status, since)| component(statuses, path, status, since))
        .collect();
    ProcessStatus {
        version: env!("CARGO_PKG_VERSION").into(),
        time: whole_seconds(now),
        started: whole_seconds(started),
        alive: none_dead(statuses),
        ready: all_ok(statuses),
        unhealthy: statuses
            .iter()
            .filter(|(_, status, _)| **status != Status::Ok)
            .map(|(path, ..)| path.to_owned())
            .collect(),
        configuration: statuses
            .configuration()
            .map(|(status, since)| configuration(status, since)),
        leaders: components.iter().filter_map(leader).collect(),
        components,
        queues: readings.queues.into_iter().map(queue).collect(),
        watches: readings.watches.into_iter().map(watch).collect(),
    }
}

fn component(statuses: &Statuses, path: &str, status: &Status, since: Timestamp) -> ComponentState {
    let details = statuses.details(path);
    ComponentState {
        path: path.into(),
        status: status.as_str().into(),
        since: whole_seconds(since),
        reason: status.reason().map(Into::into),
        details: details.map(|(name, value)| (name.into(), value.into())).collect(),
    }
}

fn configuration(status: &ConfigurationStatus, since: Timestamp) -> ConfigurationState {
    let (status, reason) = match status {
        ConfigurationStatus::Applied => ("applied", None),
        ConfigurationStatus::ReloadFailed(reason) => ("reload failed", Some(reason.clone())),
    };
    ConfigurationState {
        status: status.into(),
        since: whole_seconds(since),
        reason,
    }
}

/// A component with a role is a leader elector.
fn leader(component: &ComponentState) -> Option<LeaderState> {
    let details: &BTreeMap<String, String> = &component.details;
    let known = |name: &str| details.get(name).filter(|value| !value.is_empty()).cloned();
    Some(LeaderState {
        elector: component.path.clone(),
        role: details.get("role")?.clone(),
        leader: known("leader"),
        lease: known("lease"),
    })
}

fn queue((exporter, signal, reading): (String, Signal, QueueReading)) -> QueueState {
    QueueState {
        exporter,
        signal: signal.as_str().into(),
        size: reading.size,
        capacity: reading.capacity,
        unit: reading.unit.into(),
    }
}

fn watch((receiver, reading): (String, WatchReading)) -> WatchState {
    let state = match &reading {
        WatchReading { denied: true, .. } => "denied",
        WatchReading { problem: Some(_), .. } => "failing",
        WatchReading { listed: true, .. } => "watching",
        _ => "listing",
    };
    WatchState {
        receiver,
        resource: reading.resource,
        namespace: reading.namespace,
        state: state.into(),
        reason: reading.problem.filter(|_| !reading.denied),
        last_message_age: reading.listed.then_some(reading.silence.as_secs()),
        restarts: reading.restarts,
    }
}

/// Fractions would change between snapshots that show the same.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
