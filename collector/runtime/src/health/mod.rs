//! The health of every component, as components report it and the health endpoint shows it.

mod readings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use collector_data::Signal;
use jiff::Timestamp;
use tokio::sync::watch;

pub(crate) use readings::Readings;
pub use readings::{QueueReading, WatchReading};

/// The status of a component; the names are those of the OpenTelemetry Collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It runs, but cannot do its work yet: the first list has not arrived.
    Starting,
    /// It does its work.
    Ok,
    /// It cannot do its work at the moment and retries. Holds the reason.
    RecoverableError(String),
    /// It has failed for good. Holds the reason.
    PermanentError(String),
    /// It ended on shutdown.
    Stopped,
}

impl Status {
    /// The name that the Collector's health endpoint uses.
    pub fn as_str(&self) -> &'static str {
        match self {
            Status::Starting => "StatusStarting",
            Status::Ok => "StatusOK",
            Status::RecoverableError(_) => "StatusRecoverableError",
            Status::PermanentError(_) => "StatusPermanentError",
            Status::Stopped => "StatusStopped",
        }
    }

    /// The reason of the two errors.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Status::RecoverableError(reason) | Status::PermanentError(reason) => Some(reason),
            Status::Starting | Status::Ok | Status::Stopped => None,
        }
    }
}

/// The result of the last attempt to apply a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigurationStatus {
    /// The components run with it.
    Applied,
    /// It was refused or could not start, and the components run with the one before it. Holds the reason.
    ReloadFailed(String),
}

/// The status of every component, by its path in the configuration (`exporters::debug`): a receiver and an
/// exporter may have the same id.
#[derive(Clone, Debug, Default)]
pub struct Statuses {
    components: BTreeMap<String, Reported>,
    /// How many components had a predecessor or started.
    generation: u64,
    configuration: Option<(ConfigurationStatus, Timestamp)>,
}

#[derive(Clone, Debug)]
struct Reported {
    /// The status of the component with the errors of its parts.
    status: Status,
    /// Since when `status` is of this kind.
    since: Timestamp,
    /// The status of the component without the errors of its parts.
    own: Status,
    /// The reasons of the parts that have an error, by part.
    failing_parts: BTreeMap<String, String>,
    details: BTreeMap<&'static str, String>,
    /// Which of the components that had this path one after the other reports here.
    generation: u64,
}

impl Reported {
    fn new(generation: u64, now: Timestamp) -> Self {
        Reported {
            generation,
            status: Status::Starting,
            since: now,
            own: Status::Starting,
            failing_parts: BTreeMap::new(),
            details: BTreeMap::new(),
        }
    }

    /// Sets the status of the component or of one part; true if the component's status changed.
    fn set(&mut self, part: Option<&str>, status: Status, now: Timestamp) -> bool {
        match (part, status) {
            (None, own) | (Some(_), own @ Status::PermanentError(_)) => self.own = own,
            (Some(part), Status::RecoverableError(reason)) => {
                self.failing_parts.insert(part.to_owned(), reason);
            }
            (Some(part), Status::Starting | Status::Ok | Status::Stopped) => {
                self.failing_parts.remove(part);
            }
        }
        let status = self.combined();
        if std::mem::discriminant(&status) != std::mem::discriminant(&self.status) {
            self.since = now;
        }
        let is_changed = status != self.status;
        self.status = status;
        is_changed
    }

    fn combined(&self) -> Status {
        let own = match &self.own {
            Status::RecoverableError(reason) => Some(reason),
            Status::Starting | Status::Ok => None,
            Status::PermanentError(_) | Status::Stopped => return self.own.clone(),
        };
        let reasons: Vec<&str> = own
            .into_iter()
            .chain(self.failing_parts.values())
            .map(String::as_str)
            .collect();
        match reasons.is_empty() {
            true => self.own.clone(),
            false => Status::RecoverableError(reasons.join("; ")),
        }
    }
}

impl Statuses {
    /// The status of one component.
    pub fn get(&self, component: &str) -> Option<&Status> {
        self.components.get(component).map(|reported| &reported.status)
    }

    /// Every component with its status and since when that is of the same kind: a new reason alone does not reset the
    /// time.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Status, Timestamp)> {
        self.components
            .iter()
            .map(|(component, reported)| (component.as_str(), &reported.status, reported.since))
    }

    /// The result of the last attempt to apply a configuration, and its time; none in a process that does not report it.
    pub fn configuration(&self) -> Option<(&ConfigurationStatus, Timestamp)> {
        self.configuration.as_ref().map(|(status, since)| (status, *since))
    }

    /// Details of a component besides its status, by name: the leader, for instance.
    pub fn details(&self, component: &str) -> impl Iterator<Item = (&'static str, &str)> {
        let details = self.components.get(component).map(|reported| &reported.details);
        details
            .into_iter()
            .flatten()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// The status of every component.
    pub fn values(&self) -> impl Iterator<Item = &Status> {
        self.components.values().map(|reported| &reported.status)
    }
}

/// Panics for a component that does not exist, as a map does.
impl<Q: AsRef<str> + ?Sized> Index<&Q> for Statuses {
    type Output = Status;

    fn index(&self, component: &Q) -> &Status {
        &self.components[component.as_ref()].status
    }
}

/// The health of all components; clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    statuses: Arc<watch::Sender<Statuses>>,
    readings: Readings,
    started: Timestamp,
}

impl Health {
    /// Health without any component, of a process that starts now.
    pub fn new() -> Self {
        Health {
            statuses: Arc::new(watch::Sender::new(Statuses::default())),
            readings: Readings::default(),
            started: Timestamp::now(),
        }
    }

    /// When the process started.
    pub(crate) fn started(&self) -> Timestamp {
        self.started
    }

    pub(crate) fn readings(&self) -> &Readings {
        &self.readings
    }

    /// A handle through which a component reports; `component` is its path in the configuration
    /// (`exporters::debug`). Its status is [`Status::Starting`] until it reports another.
    pub fn reporter(&self, component: impl fmt::Display) -> Reporter {
        let component = component.to_string();
        let mut generation = 0;
        self.statuses.send_modify(|statuses| {
            let now = Timestamp::now();
            let reported = statuses
                .components
                .entry(component.clone())
                .or_insert_with(|| Reported::new(statuses.generation, now));
            reported.set(None, Status::Starting, now);
            generation = reported.generation;
        });
        Reporter {
            component,
            part: None,
            generation,
            health: self.clone(),
        }
    }

    /// The same for a component that replaces an earlier one: nothing that the earlier one reported or will report counts.
    pub(crate) fn successor(&self, component: &str) -> Reporter {
        self.statuses.send_modify(|statuses| {
            statuses.generation += 1;
            statuses.components.remove(component);
        });
        self.reporter(component)
    }

    /// Removes the components that do not satisfy the condition.
    pub(crate) fn retain(&self, is_present: impl Fn(&str) -> bool) {
        self.statuses.send_if_modified(|statuses| {
            let before = statuses.components.len();
            statuses.components.retain(|component, _| is_present(component));
            statuses.components.len() != before
        });
    }

    /// Sets the result of an attempt to apply a configuration. It changes neither readiness nor liveness: the components
    /// do their work either way.
    pub fn report_configuration(&self, status: ConfigurationStatus) {
        self.statuses
            .send_modify(|statuses| statuses.configuration = Some((status, Timestamp::now())));
    }

    /// The statuses now, and a way to wait for changes.
    pub fn watch(&self) -> watch::Receiver<Statuses> {
        self.statuses.subscribe()
    }

    /// True if every component does its work.
    pub fn is_ready(&self) -> bool {
        all_ok(&self.statuses.borrow())
    }
}

/// Readiness: true if every component does its work.
pub fn all_ok(statuses: &Statuses) -> bool {
    statuses.values().all(|status| *status == Status::Ok)
}

/// Liveness: true if no component has failed for good.
pub fn none_dead(statuses: &Statuses) -> bool {
    !statuses
        .values()
        .any(|status| matches!(status, Status::PermanentError(_)))
}

impl Default for Health {
    fn default() -> Self {
        Health::new()
    }
}

/// The handle through which one component, or one part of it, reports its health.
#[derive(Clone, Debug)]
pub struct Reporter {
    component: String,
    part: Option<String>,
    generation: u64,
    health: Health,
}

impl Reporter {
    /// A handle for one part of the component, such as its store. While a part has an error the component has a
    /// [`Status::RecoverableError`] with the reasons of all such parts; otherwise the component has the status that it
    /// reports itself.
    #[must_use]
    pub fn part(&self, name: impl Into<String>) -> Reporter {
        Reporter {
            part: Some(name.into()),
            ..self.clone()
        }
    }

    /// The component's path in the configuration.
    pub fn component(&self) -> &str {
        &self.component
    }

    /// Shows the queue of this exporter in the [snapshot of the process](crate::process_status). `read` runs only when a
    /// snapshot is taken, and returns `None` once the queue has ended.
    pub fn queue(&self, signal: Signal, read: impl Fn() -> Option<QueueReading> + Send + Sync + 'static) {
        self.health.readings.add_queue(&self.component, signal, Box::new(read));
    }

    /// Shows the watches of this receiver in the [snapshot of the process](crate::process_status), like
    /// [`queue`](Self::queue).
    pub fn watches(&self, read: impl Fn() -> Option<Vec<WatchReading>> + Send + Sync + 'static) {
        self.health.readings.add_watches(&self.component, Box::new(read));
    }

    /// The entry, unless it belongs to a successor.
    fn reported<'a>(&self, statuses: &'a mut Statuses) -> Option<&'a mut Reported> {
        let reported = statuses.components.get_mut(&self.component)?;
        (reported.generation == self.generation).then_some(reported)
    }

    /// Sets the status. A permanent error stays, whatever a leftover task reports.
    pub fn report(&self, status: Status) {
        self.health.statuses.send_if_modified(|statuses| {
            let Some(reported) = self.reported(statuses) else {
                return false;
            };
            let part = self.part.as_deref();
            !matches!(reported.own, Status::PermanentError(_)) && reported.set(part, status, Timestamp::now())
        });
    }

    /// Sets a detail that the health endpoint shows beside the component's status under this name.
    pub fn detail(&self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        self.health.statuses.send_if_modified(|statuses| {
            let Some(reported) = self.reported(statuses) else {
                return false;
            };
            if reported.details.get(name) == Some(&value) {
                return false;
            }
            reported.details.insert(name, value);
            true
        });
    }
}
