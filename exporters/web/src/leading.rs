//! Leadership: only the leader has the events.

use std::fmt;

use collector_config::ComponentId;
use collector_runtime::component::Kind;
use collector_runtime::health::Health;
use collector_runtime::storage::Leadership;

/// Why a request cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// Another replica leads and has the events; its name if it is known.
    Standby(Option<String>),
    /// The stored events are not read yet.
    Starting,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unavailable::Standby(None) => f.write_str("this replica is a standby; the leader has the events"),
            Unavailable::Standby(Some(leader)) => {
                write!(f, "this replica is a standby; the leader {leader} has the events")
            }
            Unavailable::Starting => f.write_str("the stored events are not read yet"),
        }
    }
}

/// The elector that decides which replica has the events.
#[derive(Clone)]
pub(crate) struct Elector {
    pub(crate) id: ComponentId,
    pub(crate) leadership: Leadership,
}

impl Elector {
    /// The leader's name, as the elector reports it.
    pub(crate) fn leader(&self, health: &Health) -> Option<String> {
        let statuses = health.watch().borrow().clone();
        let path = Kind::Extension.path(&self.id);
        let mut details = statuses.details(&path);
        let leader = details
            .find(|(name, _)| *name == "leader")
            .map(|(_, leader)| leader.to_owned());
        leader.filter(|leader| !leader.is_empty())
    }
}
