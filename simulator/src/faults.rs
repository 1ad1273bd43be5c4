//! Scripted faults between a client and the API server.

use crate::api::Verb;
use crate::locked;
use crate::resource::Resource;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, watch};

/// The requests that a fault is for; `None` matches any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// The resource of the request.
    pub resource: Option<Resource>,
    /// The verb of the request.
    pub verb: Option<Verb>,
}

impl Matching {
    /// Requests with one verb for one resource.
    pub fn new(verb: Verb, resource: Resource) -> Matching {
        Matching {
            resource: Some(resource),
            verb: Some(verb),
        }
    }

    fn fits(self, verb: Verb, resource: Resource) -> bool {
        self.resource.is_none_or(|wanted| wanted == resource) && self.verb.is_none_or(|wanted| wanted == verb)
    }
}

/// The effect of a scripted fault on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A `Status` with this HTTP status code, and `Retry-After` in seconds if given.
    Status {
        /// The HTTP status code.
        code: u16,
        /// Seconds for `Retry-After`.
        retry_after: Option<u64>,
    },
    /// For watches: status 200, then a 410 inside the stream, as a real server answers a version from before its window.
    ExpiredInBand,
    /// For streaming lists: half of the objects, then the connection is reset. Other requests are answered as usual.
    BrokenList,
    /// The server does nothing and resets the connection.
    Reset,
    /// The server does what the request asks for, and resets the connection instead of answering. A watch is opened as
    /// usual.
    LostAnswer,
    /// The server does not answer; [`clear_faults`](crate::Simulator::clear_faults) resets the connection.
    Silence,
}

/// The end of a watch that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The stream ends as it does at its timeout.
    End,
    /// Half a line (and half a character), then the end of the stream.
    EndMidLine,
    /// The connection is reset.
    Reset,
    /// Half a line, then the connection is reset.
    ResetMidLine,
}

/// The treatment of a user who is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Every connection is reset.
    Reset,
    /// Requests get no answer until the user is admitted again; then their connections are reset.
    Silence,
}

#[derive(Clone, Debug)]
pub(crate) struct WatchCommand {
    pub resource: Option<Resource>,
    /// Only watches of this user.
    pub user: Option<Arc<str>>,
    pub action: WatchAction,
}

impl WatchCommand {
    pub(crate) fn is_for(&self, resource: Resource, user: &str) -> bool {
        self.resource.is_none_or(|wanted| wanted == resource)
            && self.user.as_ref().is_none_or(|wanted| &**wanted == user)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum WatchAction {
    Cut(Cut),
    Expire,
    Repeat,
}

#[derive(Debug)]
struct Planned {
    remaining: usize,
    matching: Matching,
    fault: Fault,
}

/// The numbers of watches.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watches {
    pub open: usize,
    pub opened: usize,
}

/// The faults in force.
#[derive(Debug)]
pub(crate) struct Faults {
    planned: Mutex<Vec<Planned>>,
    /// Changes when the plans are cleared.
    cleared: watch::Sender<()>,
    forbidden: Mutex<Vec<(Verb, Resource)>>,
    pub commands: broadcast::Sender<WatchCommand>,
    /// The resources whose watches send nothing.
    pub stalled: watch::Sender<BTreeSet<Resource>>,
    /// The users who are cut off.
    isolated: watch::Sender<Vec<(Arc<str>, Isolation)>>,
    /// The age, in writes, of answers that may be old.
    behind: Mutex<u64>,
    pub watches: watch::Sender<Watches>,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            planned: Mutex::default(),
            cleared: watch::Sender::default(),
            forbidden: Mutex::default(),
            commands: broadcast::Sender::new(64),
            stalled: watch::Sender::default(),
            isolated: watch::Sender::default(),
            behind: Mutex::default(),
            watches: watch::Sender::default(),
        }
    }
}

impl Faults {
    pub(crate) fn plan(&self, remaining: usize, matching: Matching, fault: Fault) {
        locked(&self.planned).push(Planned {
            remaining,
            matching,
            fault,
        });
    }

    /// Takes the fault scripted for this request.
    pub(crate) fn take(&self, verb: Verb, resource: Resource) -> Option<Fault> {
        let mut planned = locked(&self.planned);
        planned.retain(|plan| plan.remaining > 0);
        let plan = planned.iter_mut().find(|plan| plan.matching.fits(verb, resource))?;
        plan.remaining -= 1;
        Some(plan.fault)
    }

    pub(crate) fn forbid(&self, verb: Verb, resource: Resource) {
        locked(&self.forbidden).push((verb, resource));
    }

    pub(crate) fn permit(&self, verb: Verb, resource: Resource) {
        locked(&self.forbidden).retain(|entry| *entry != (verb, resource));
    }

    pub(crate) fn forbids(&self, verb: &str, group: &str, resource: &str) -> bool {
        let forbidden = locked(&self.forbidden);
        forbidden
            .iter()
            .any(|(v, r)| (v.as_str(), r.group(), r.plural()) == (verb, group, resource))
    }

    /// Sends a command to every watch, or to those of one resource; returns the number of open watches.
    pub(crate) fn command(&self, resource: Option<Resource>, action: WatchAction) -> usize {
        self.send(WatchCommand {
            resource,
            user: None,
            action,
        });
        self.watches.borrow().open
    }

    fn send(&self, command: WatchCommand) {
        // An error means that no watch is open.
        let _ = self.commands.send(command);
    }

    pub(crate) fn clear(&self) {
        locked(&self.planned).clear();
        self.cleared.send_replace(());
    }

    /// Waits until the plans are cleared.
    pub(crate) async fn silence(&self) {
        // The sender lives as long as the simulator.
        let _ = self.cleared.subscribe().changed().await;
    }

    pub(crate) fn stall(&self, resources: &[Resource]) {
        self.stalled.send_modify(|stalled| stalled.extend(resources));
    }

    pub(crate) fn resume(&self, resources: &[Resource]) {
        self.stalled
            .send_modify(|stalled| stalled.retain(|resource| !resources.contains(resource)));
    }

    pub(crate) fn isolate(&self, user: &str, how: Isolation) {
        self.isolated.send_modify(|isolated| {
            isolated.retain(|(known, _)| &**known != user);
            isolated.push((user.into(), how));
        });
        self.send(WatchCommand {
            resource: None,
            user: Some(user.into()),
            action: WatchAction::Cut(Cut::Reset),
        });
    }

    pub(crate) fn rejoin(&self, user: &str) {
        self.isolated
            .send_modify(|isolated| isolated.retain(|(known, _)| &**known != user));
    }

    /// True if the connection of this user is to be reset, which may be after a silence that ends when the user is
    /// admitted again.
    pub(crate) async fn keeps_out(&self, user: &str) -> bool {
        let mut isolated = self.isolated.subscribe();
        let how = |isolated: &Vec<(Arc<str>, Isolation)>| {
            isolated.iter().find(|(known, _)| &**known == user).map(|(_, how)| *how)
        };
        let found = how(&isolated.borrow_and_update());
        if found == Some(Isolation::Silence) {
            // The sender lives as long as the simulator.
            let _ = isolated.wait_for(|now| how(now) != Some(Isolation::Silence)).await;
        }
        found.is_some()
    }

    pub(crate) fn set_behind(&self, versions: u64) {
        *locked(&self.behind) = versions;
    }

    pub(crate) fn behind(&self) -> u64 {
        *locked(&self.behind)
    }
}
