//! The condition of every component, as components report it and the health endpoint shows it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

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
pub type Statuses = BTreeMap<String, Status>;

/// The conditions of all components; a clone looks at the same ones.
#[derive(Clone, Debug)]
pub struct Health {
    statuses: Arc<watch::Sender<Statuses>>,
}

impl Health {
    /// No component yet.
    pub fn new() -> Self {
        Health {
            statuses: Arc::new(watch::Sender::new(BTreeMap::new())),
        }
    }

    /// A handle through which a component reports; `component` is its path in the configuration
    /// (`exporters::debug`). It stands as [`Status::Starting`] from now on.
    pub fn reporter(&self, component: impl fmt::Display) -> Reporter {
        let component = component.to_string();
        self.statuses.send_modify(|statuses| {
            statuses.insert(component.clone(), Status::Starting);
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
            statuses.insert(self.component.clone(), status);
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
}
