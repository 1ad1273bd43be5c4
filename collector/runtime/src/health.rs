//! The condition of every component, as components report it and the health endpoint shows it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

/// A component's condition; the names are the collector's component statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It runs, but cannot do its work yet: the first list has not arrived.
    Starting,
    /// It does its work.
    Ok,
    /// It cannot do its work at the moment and tries again. Holds why.
    RecoverableError(String),
    /// It is dead. Holds why.
    PermanentError(String),
    /// It ended as asked.
    Stopped,
}

impl Status {
    /// Its name, as the collector's health endpoint writes it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Status::Starting => "StatusStarting",
            Status::Ok => "StatusOK",
            Status::RecoverableError(_) => "StatusRecoverableError",
            Status::PermanentError(_) => "StatusPermanentError",
            Status::Stopped => "StatusStopped",
        }
    }

    /// Why it is not well, for the two errors.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Status::RecoverableError(why) | Status::PermanentError(why) => Some(why),
            Status::Starting | Status::Ok | Status::Stopped => None,
        }
    }
}

/// The condition of every component, by its path in the configuration (`exporters::debug`): a receiver and an
/// exporter may have the same id.
#[derive(Clone, Debug, Default)]
pub struct Statuses(BTreeMap<String, Reported>);

/// A component's condition and since when it is of this kind.
#[derive(Clone, Debug)]
struct Reported {
    status: Status,
    since: Timestamp,
    details: BTreeMap<&'static str, String>,
}

impl Statuses {
    /// The condition of one component.
    pub fn get(&self, component: &str) -> Option<&Status> {
        self.0.get(component).map(|reported| &reported.status)
    }

    /// Every component with its condition and since when that is of the same kind: a reason that changes begins
    /// nothing new.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Status, Timestamp)> {
        self.0
            .iter()
            .map(|(component, reported)| (component.as_str(), &reported.status, reported.since))
    }

    /// Details of a component besides its condition, by name: the leader, for instance.
    pub fn details(&self, component: &str) -> impl Iterator<Item = (&'static str, &str)> {
        let details = self.0.get(component).map(|reported| &reported.details);
        details
            .into_iter()
            .flatten()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// The conditions.
    pub fn values(&self) -> impl Iterator<Item = &Status> {
        self.0.values().map(|reported| &reported.status)
    }

    fn set(&mut self, component: &str, status: Status, now: Timestamp) {
        let same = |reported: &&Reported| std::mem::discriminant(&reported.status) == std::mem::discriminant(&status);
        let since = self
            .0
            .get(component)
            .filter(same)
            .map_or(now, |reported| reported.since);
        let details = self.0.remove(component).map(|reported| reported.details);
        let reported = Reported {
            status,
            since,
            details: details.unwrap_or_default(),
        };
        self.0.insert(component.to_owned(), reported);
    }
}

/// Panics for a component that does not exist, as a map does.
impl<Q: AsRef<str> + ?Sized> Index<&Q> for Statuses {
    type Output = Status;

    fn index(&self, component: &Q) -> &Status {
        &self.0[component.as_ref()].status
    }
}

/// The conditions of all components; a clone looks at the same ones.
#[derive(Clone, Debug)]
pub struct Health {
    statuses: Arc<watch::Sender<Statuses>>,
}

impl Health {
    /// No component yet.
    pub fn new() -> Self {
        Health {
            statuses: Arc::new(watch::Sender::new(Statuses::default())),
        }
    }

    /// A handle through which a component reports; `component` is its path in the configuration
    /// (`exporters::debug`). It stands as [`Status::Starting`] from now on.
    pub fn reporter(&self, component: impl fmt::Display) -> Reporter {
        let component = component.to_string();
        self.statuses.send_modify(|statuses| {
            statuses.set(&component, Status::Starting, Timestamp::now());
        });
        Reporter {
            component,
            health: self.clone(),
        }
    }

    /// The conditions now, and a way to wait for them to change.
    pub fn watch(&self) -> watch::Receiver<Statuses> {
        self.statuses.subscribe()
    }

    /// Whether every component does its work.
    pub fn is_ready(&self) -> bool {
        all_ok(&self.statuses.borrow())
    }
}

/// Whether every component does its work: readiness.
pub fn all_ok(statuses: &Statuses) -> bool {
    statuses.values().all(|status| *status == Status::Ok)
}

/// Whether no component is dead: liveness.
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

/// One component's handle to report its condition.
#[derive(Clone, Debug)]
pub struct Reporter {
    component: String,
    health: Health,
}

impl Reporter {
    /// Sets the component's condition. A dead component stays dead, whatever a task it left behind reports.
    pub fn report(&self, status: Status) {
        self.health.statuses.send_if_modified(|statuses| {
            let now = statuses.get(&self.component);
            if now == Some(&status) || matches!(now, Some(Status::PermanentError(_))) {
                return false;
            }
            statuses.set(&self.component, status, Timestamp::now());
            true
        });
    }

    /// Sets a detail that the health endpoint shows beside the component's condition under this name.
    pub fn detail(&self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        self.health.statuses.send_if_modified(|statuses| {
            let Some(reported) = statuses.0.get_mut(&self.component) else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_component_is_ok() {
        let health = Health::new();
        let (receiver, exporter) = (health.reporter("receivers::a"), health.reporter("exporters::a"));
        assert!(!health.is_ready());
        receiver.report(Status::Ok);
        assert!(!health.is_ready());
        exporter.report(Status::Ok);
        assert!(health.is_ready());
        exporter.report(Status::RecoverableError("503".into()));
        assert!(!health.is_ready());
        assert!(none_dead(&health.watch().borrow()));
    }

    #[test]
    fn the_dead_do_not_come_back() {
        let health = Health::new();
        let reporter = health.reporter("exporters::a");
        reporter.report(Status::PermanentError("panicked".into()));
        reporter.report(Status::Ok);
        assert!(!none_dead(&health.watch().borrow()));
        assert!(!health.is_ready());
    }

    #[test]
    fn a_report_without_news_wakes_nobody() {
        let health = Health::new();
        let reporter = health.reporter("exporters::a");
        reporter.report(Status::Ok);
        let mut watch = health.watch();
        watch.mark_unchanged();
        reporter.report(Status::Ok);
        assert!(!watch.has_changed().unwrap());
        reporter.report(Status::Stopped);
        assert!(watch.has_changed().unwrap());
    }

    #[test]
    fn details_outlast_a_change_of_the_condition() {
        let health = Health::new();
        let reporter = health.reporter("extensions::a");
        reporter.detail("role", "standby");
        reporter.report(Status::Ok);
        let mut watch = health.watch();
        watch.mark_unchanged();
        reporter.detail("role", "standby");
        assert!(!watch.has_changed().unwrap());
        reporter.detail("role", "leader");
        assert!(watch.has_changed().unwrap());
        let statuses = watch.borrow();
        assert_eq!(
            statuses.details("extensions::a").collect::<Vec<_>>(),
            [("role", "leader")]
        );
        assert_eq!(statuses.details("extensions::b").count(), 0);
    }

    #[test]
    fn a_condition_lasts_until_its_kind_changes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut statuses = Statuses::default();
        let mut since = |status, second| {
            statuses.set("exporters::a", status, at(second));
            statuses.iter().next().unwrap().2
        };
        let failing = |why: &str| Status::RecoverableError(why.into());
        assert_eq!(since(Status::Ok, 1), at(1));
        assert_eq!(since(failing("503"), 2), at(2));
        assert_eq!(since(failing("429"), 3), at(2));
        assert_eq!(since(Status::Ok, 4), at(4));
    }
}
