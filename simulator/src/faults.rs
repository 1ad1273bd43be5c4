//! Scripted faults: what goes wrong between a client and the API server, on command.

use crate::api::{Failure, Verb};
use crate::resource::Resource;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{broadcast, watch};

/// Which requests a fault meets; `None` stands for any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// Only requests for this resource.
    pub resource: Option<Resource>,
    /// Only requests of this kind.
    pub verb: Option<Verb>,
}

impl Matching {
    /// Requests of one kind for one resource.
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

/// What a matching request gets instead of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A `Status` with this HTTP status code, and `Retry-After` in seconds if given.
    Status {
        /// The HTTP status code.
        code: u16,
        /// Seconds for `Retry-After`.
        retry_after: Option<u64>,
    },
    /// For watches: status 200, then a 410 inside the stream, as the real server answers a version from before its window.
    ExpiredInBand,
    /// The connection is reset before any answer, and nothing is done.
    Reset,
    /// What was asked for is done, and the connection is reset instead of the answer. A watch is opened as usual.
    LostAnswer,
    /// No answer at all; the connection stays open, until [`forget_answers`](crate::Simulator::forget_answers) resets it.
    Silence,
}

/// How running watches are cut.
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

/// What a user who is cut off meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Every connection is reset.
    Reset,
    /// Requests get no answer until the user is let in again; then their connections are reset.
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
    pub fn is_for(&self, resource: Resource, user: &str) -> bool {
        self.resource.is_none_or(|wanted| wanted == resource)
            && self.user.as_ref().is_none_or(|wanted| &**wanted == user)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum WatchAction {
    Cut(Cut),
    Expire,
    Bookmark,
    Repeat,
}

#[derive(Debug)]
struct Planned {
    remaining: usize,
    matching: Matching,
    answer: Answer,
}

/// How many watches there are and were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watches {
    pub open: usize,
    pub opened: usize,
}

/// The faults in force.
#[derive(Debug)]
pub(crate) struct Faults {
    planned: Mutex<Vec<Planned>>,
    /// Changes when plans are forgotten.
    forgotten: watch::Sender<()>,
    forbidden: Mutex<Vec<(Verb, Resource)>>,
    pub commands: broadcast::Sender<WatchCommand>,
    /// The resources whose watches say nothing.
    pub stalled: watch::Sender<BTreeSet<Resource>>,
    /// The users who are cut off, and how.
    isolated: watch::Sender<Vec<(Arc<str>, Isolation)>>,
    /// How many versions behind an answer is that need not be the newest.
    behind: Mutex<u64>,
    pub watches: watch::Sender<Watches>,
}

impl Faults {
    pub fn new() -> Faults {
        Faults {
            planned: Mutex::default(),
            forgotten: watch::Sender::default(),
            forbidden: Mutex::default(),
            commands: broadcast::Sender::new(64),
            stalled: watch::Sender::default(),
            isolated: watch::Sender::default(),
            behind: Mutex::default(),
            watches: watch::Sender::default(),
        }
    }

    pub fn plan(&self, remaining: usize, matching: Matching, answer: Answer) {
        locked(&self.planned).push(Planned {
            remaining,
            matching,
            answer,
        });
    }

    /// The answer scripted for this request; each is used up.
    pub fn take(&self, verb: Verb, resource: Resource) -> Option<Answer> {
        let mut planned = locked(&self.planned);
        planned.retain(|plan| plan.remaining > 0);
        let plan = planned.iter_mut().find(|plan| plan.matching.fits(verb, resource))?;
        plan.remaining -= 1;
        Some(plan.answer)
    }

    pub fn forbid(&self, verb: Verb, resource: Resource) {
        locked(&self.forbidden).push((verb, resource));
    }

    pub fn permit(&self, verb: Verb, resource: Resource) {
        locked(&self.forbidden).retain(|entry| *entry != (verb, resource));
    }

    pub fn forbids(&self, verb: &str, group: &str, resource: &str) -> bool {
        let forbidden = locked(&self.forbidden);
        forbidden
            .iter()
            .any(|(v, r)| (v.as_str(), r.group(), r.plural()) == (verb, group, resource))
    }

    /// Tells every running watch (of one resource); returns how many watches are open.
    pub fn command(&self, resource: Option<Resource>, action: WatchAction) -> usize {
        self.tell(WatchCommand {
            resource,
            user: None,
            action,
        });
        self.watches.borrow().open
    }

    fn tell(&self, command: WatchCommand) {
        // An error only says that no watch is open.
        let _ = self.commands.send(command);
    }

    pub fn forget_plans(&self) {
        locked(&self.planned).clear();
        self.forgotten.send_replace(());
    }

    /// Waits until plans are forgotten.
    pub async fn silence(&self) {
        // The sender lives as long as the simulator.
        let _ = self.forgotten.subscribe().changed().await;
    }

    pub fn stall(&self, resources: &[Resource]) {
        self.stalled.send_modify(|stalled| stalled.extend(resources));
    }

    pub fn resume(&self, resources: &[Resource]) {
        self.stalled
            .send_modify(|stalled| stalled.retain(|resource| !resources.contains(resource)));
    }

    pub fn isolate(&self, user: &str, how: Isolation) {
        self.isolated.send_modify(|isolated| {
            isolated.retain(|(known, _)| &**known != user);
            isolated.push((user.into(), how));
        });
        self.tell(WatchCommand {
            resource: None,
            user: Some(user.into()),
            action: WatchAction::Cut(Cut::Reset),
        });
    }

    pub fn rejoin(&self, user: &str) {
        self.isolated
            .send_modify(|isolated| isolated.retain(|(known, _)| &**known != user));
    }

    /// Whether the connection of this user is to be reset: at once, or after a silence that ends when the user is let
    /// in again.
    pub async fn keeps_out(&self, user: &str) -> bool {
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

    pub fn set_behind(&self, versions: u64) {
        *locked(&self.behind) = versions;
    }

    pub fn behind(&self) -> u64 {
        *locked(&self.behind)
    }
}

impl Answer {
    pub(crate) fn failure(self) -> Option<Failure> {
        match self {
            Answer::Status { code, retry_after } => Some(Failure::of_code(code, retry_after)),
            _ => None,
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
