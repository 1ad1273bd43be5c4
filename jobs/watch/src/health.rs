//! The health of the watches of a receiver. Pure: the time is passed in, from a monotonic clock.

mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::WatchError;
use crate::access;
use crate::outage::{Outage, SoFar};
use crate::watch::Update;
use crate::watch::gap::{Recovery, WatchGap};
use crate::watch::request::Target;
use crate::{Kind, Observation, Source};

pub use state::{WatchState, WatchStates};

/// How long a watch may fail before that is an error: an API server restarts in less.
const STALE: Duration = Duration::from_secs(60);
/// How long a watch may receive nothing. Dead connections are detected and replaced earlier.
const SILENT: Duration = Duration::from_secs(240);
/// A gap worth a log line although no change is missing after it.
const LONG_GAP: Duration = Duration::from_secs(30);

/// The health of all watches of a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// A first list is missing.
    Starting,
    /// All watches work, apart from those that RBAC denies and the receiver does not need.
    Ok,
    /// A watch has failed, or received nothing, for too long. Holds the reasons.
    Failing(String),
}

/// The state of every list and watch.
#[derive(Debug)]
pub(crate) struct WatchHealth {
    watches: BTreeMap<(Kind, u16), Watch>,
    outage: Outage,
    /// The API server's URL, if it is known.
    server: Option<String>,
    /// The loss of the receiver without objects of a kind.
    loss: fn(Kind) -> &'static str,
}

#[derive(Debug)]
struct Watch {
    target: Target,
    listed: bool,
    /// RBAC does not allow to list or watch it.
    denied: bool,
    problem: Option<Problem>,
    last_sign_of_life: Instant,
    /// How often it resumed or listed again after a gap.
    restarts: u64,
    /// When the current list, which is not complete, began.
    list_began: Option<Instant>,
    /// Everything that happened before is received.
    current: Option<Instant>,
    /// The same at the last call of [`WatchHealth::proven`].
    settled: Option<Instant>,
    /// Changes from before the list are delivered, which prove nothing.
    replays: bool,
}

#[derive(Debug)]
struct Problem {
    text: String,
    since: Instant,
}

impl WatchHealth {
    /// No list is complete yet.
    pub(crate) fn new(
        targets: &[Target],
        server: Option<String>,
        loss: fn(Kind) -> &'static str,
        now: Instant,
    ) -> Self {
        let watch = |target: &Target| Watch {
            target: target.clone(),
            listed: false,
            denied: false,
            problem: None,
            last_sign_of_life: now,
            restarts: 0,
            list_began: None,
            current: None,
            settled: None,
            replays: false,
        };
        let watches = targets
            .iter()
            .map(|target| ((target.source.kind, target.source.scope), watch(target)));
        WatchHealth {
            watches: watches.collect(),
            outage: Outage::default(),
            server,
            loss,
        }
    }

    /// A list or watch failed for the `times`-th time in a row.
    pub(crate) fn failed(&mut self, source: Source, failure: &WatchError, times: u32, now: Instant) {
        let Some(watch) = self.watches.get_mut(&(source.kind, source.scope)) else {
            return;
        };
        let what = watch.target.describe();
        let denied = failure.is_denied();
        if denied && source.kind != Kind::Jobs {
            // The line about the kind whose access it shares is enough.
            if !std::mem::replace(&mut watch.denied, true) && !source.kind.shares_access() {
                let loss = (self.loss)(source.kind);
                let fix = access::rule(&watch.target);
                tracing::warn!(what, %failure, "not allowed; {loss}. For the collector's account: {fix}");
            }
            watch.problem = None;
            self.recovered(now);
            return;
        }
        // Working watches fail now and then: connections are closed, versions expire.
        let expected = match failure {
            WatchError::Status { code: 410, .. } => times < 4,
            // No API server responds so.
            WatchError::BadList(_) | WatchError::TooLarge(_) => false,
            _ => times < 2,
        };
        if expected && watch.listed {
            return;
        }
        let problem = match failure {
            _ if denied => format!("{failure}; {}", access::rule(&watch.target)),
            WatchError::Connection(problem) => match &self.server {
                Some(server) => format!("cannot reach the API server {server}: {problem}"),
                None => failure.to_string(),
            },
            _ => failure.to_string(),
        };
        if let Some(SoFar { failures, lasted }) = self.outage.failed(now) {
            let server = self.server.as_deref();
            if failures == 1 {
                tracing::warn!(what, server, problem, "list or watch failed; retrying");
            } else {
                let lasted = seconds(lasted);
                tracing::warn!(
                    what,
                    server,
                    problem,
                    failures,
                    lasted,
                    "lists and watches still failing; retrying"
                );
            }
        }
        let since = watch.problem.take().map_or(now, |problem| problem.since);
        watch.problem = Some(Problem { text: problem, since });
    }

    /// A list or watch gave a sign of life.
    pub(crate) fn heard(&mut self, source: Source, now: Instant) {
        if let Some(watch) = self.watches.get_mut(&(source.kind, source.scope)) {
            watch.last_sign_of_life = now;
        }
    }

    /// A watch resumed after a gap. The end of a logged outage is logged once, for all watches.
    pub(crate) fn resumed(&mut self, source: Source, gap: WatchGap) {
        let Some(watch) = self.watches.get_mut(&(source.kind, source.scope)) else {
            return;
        };
        watch.restarts += 1;
        let (what, by) = (watch.target.describe(), gap.recovery.as_str());
        let length = seconds(gap.length);
        match (gap.recovery, source.kind) {
            (Recovery::Relisted, Kind::Jobs | Kind::Pods) => tracing::info!(
                what,
                gap = length,
                "watch resumed with a new list; objects created and deleted in the gap are not in it"
            ),
            (_, Kind::Jobs) if gap.length >= LONG_GAP && !self.outage.lasts() => {
                tracing::info!(what, gap = length, by, "watch resumed");
            }
            _ => tracing::debug!(what, gap = length, by, "watch resumed"),
        }
    }

    /// A list or watch works.
    pub(crate) fn works(&mut self, source: Source, now: Instant) {
        let Some(watch) = self.watches.get_mut(&(source.kind, source.scope)) else {
            return;
        };
        if std::mem::replace(&mut watch.denied, false) && !source.kind.shares_access() {
            tracing::info!(what = watch.target.describe(), "list and watch now allowed");
        }
        watch.problem = None;
        watch.listed = true;
        self.recovered(now);
    }

    /// Records an update as proof that the watch is current. Changes and bookmarks come in the order of their versions, and a
    /// watch that ends in time, or is open for a while, has sent everything. A list is as old as its first page.
    pub(crate) fn proves(&mut self, source: Source, update: &Update, now: Instant) {
        let Some(watch) = self.watches.get_mut(&(source.kind, source.scope)) else {
            return;
        };
        match update {
            Update::Observed(Observation::ListBegins) => (watch.list_began, watch.replays) = (Some(now), false),
            Update::Observed(Observation::ListEnds) => watch.current = watch.list_began.take(),
            Update::Observed(Observation::ReplayBegins { .. }) => watch.replays = true,
            Update::Observed(Observation::ReplayEnds { .. }) => watch.replays = false,
            _ if watch.replays => {}
            // A streaming list delivers deletions, and objects of other shards, before it is complete.
            Update::Observed(Observation::Changed(_) | Observation::Deleted(_)) | Update::Alive
                if watch.list_began.is_some() => {}
            Update::Observed(Observation::Changed(_) | Observation::Deleted(_)) | Update::Alive => {
                watch.current = Some(now);
            }
            Update::Healthy(Some(_)) => watch.current = Some(now),
            Update::Observed(_)
            | Update::Undecodable(_)
            | Update::Failed { .. }
            | Update::Healthy(None)
            | Update::Position(_) => {}
        }
    }

    /// A watch has resumed at the version at which an earlier process stopped, or could not.
    pub(crate) fn replayed(&self, source: Source, complete: bool) {
        let Some(watch) = self.watches.get(&(source.kind, source.scope)) else {
            return;
        };
        let what = watch.target.describe();
        match complete {
            true => tracing::info!(what, "watch resumed where the last process stopped"),
            false => tracing::info!(
                what,
                "the API server no longer has the changes since the last process stopped; Jobs created and deleted meanwhile are \
                 known from their Events only"
            ),
        }
    }

    /// True while a list is not complete.
    pub(crate) fn is_listing(&self, source: Source) -> bool {
        let watch = self.watches.get(&(source.kind, source.scope));
        watch.is_some_and(|watch| watch.list_began.is_some())
    }

    /// How far each watch was current at the last call. After a pause of the connection, what was sent during it arrives within
    /// moments, so that what is current now may be complete only at the next call.
    pub(crate) fn proven(&mut self) -> Vec<(Source, Instant)> {
        let mut proven = Vec::new();
        for watch in self.watches.values_mut() {
            proven.extend(watch.settled.map(|at| (watch.target.source, at)));
            watch.settled = watch.current;
        }
        proven
    }

    /// Logs the end of an outage once no watch fails.
    fn recovered(&mut self, now: Instant) {
        if self.watches.values().any(|watch| watch.problem.is_some()) {
            return;
        }
        if let Some(SoFar { failures, lasted }) = self.outage.over(now) {
            let (server, lasted) = (self.server.as_deref(), seconds(lasted));
            tracing::info!(server, failures, lasted, "all lists and watches recovered");
        }
    }

    /// True once every allowed list is complete.
    pub(crate) fn all_listed(&self) -> bool {
        self.watches.values().all(|watch| watch.listed || watch.denied)
    }

    /// The time since the last sign of life of each kind that is allowed; the longest of several namespaces.
    pub(crate) fn silence(&self, now: Instant) -> BTreeMap<Kind, Duration> {
        let mut silence = BTreeMap::new();
        for ((kind, _), watch) in &self.watches {
            if !watch.denied {
                let age = now.saturating_duration_since(watch.last_sign_of_life);
                let longest = silence.entry(*kind).or_insert(age);
                *longest = age.max(*longest);
            }
        }
        silence
    }

    /// The state of every watch, into `states`.
    pub(crate) fn states(&self, states: &mut Vec<WatchState>) {
        states.clear();
        states.extend(self.watches.values().map(|watch| WatchState {
            resource: watch.target.source.kind.as_str(),
            namespace: watch.target.namespace.clone(),
            listed: watch.listed,
            denied: watch.denied,
            problem: watch.problem.as_ref().map(|problem| problem.text.clone()),
            last_sign_of_life: watch.last_sign_of_life,
            restarts: watch.restarts,
        }));
    }

    pub(crate) fn health(&self, now: Instant) -> Health {
        // A problem that several watches share is reported once.
        let mut problems: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for watch in self.watches.values().filter(|watch| !watch.denied) {
            if let Some(problem) = watch.problem_at(now) {
                problems.entry(problem).or_default().push(watch.target.describe());
            }
        }
        if problems.is_empty() {
            return match self.all_listed() {
                true => Health::Ok,
                false => Health::Starting,
            };
        }
        let problems = problems
            .into_iter()
            .map(|(problem, watches)| format!("{}: {problem}", watches.join(", ")));
        Health::Failing(problems.collect::<Vec<_>>().join("; "))
    }
}

impl Watch {
    /// The problem of this watch, if it has lasted long enough to be an error.
    fn problem_at(&self, now: Instant) -> Option<String> {
        let lasts = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        match &self.problem {
            Some(problem) if !self.listed || lasts(problem.since, STALE) => Some(problem.text.clone()),
            None if self.listed && lasts(self.last_sign_of_life, SILENT) => {
                Some(format!("nothing received for more than {} s", SILENT.as_secs()))
            }
            _ => None,
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}
