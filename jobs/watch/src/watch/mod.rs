//! Lists and watches one kind of objects for as long as the receiver runs.
//!
//! [`ListWatch`] makes one request or reads what has arrived per step; [`machine::Machine`] decides what follows. It waits only
//! for the receiver's task, which waits for nothing else.

pub(crate) mod error;
pub mod first_list;
pub mod gap;
mod heartbeat;
mod initial;
pub mod listing;
pub mod machine;
mod negotiation;
mod reading;
mod reply;
pub mod request;
mod stream;
pub mod streaming;

use kube::Client;
use pacing::Random;
use smol_str::SmolStr;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep};

use crate::client::Coalesce;
use crate::decode::DecodeError;
use crate::model::Watched;
use crate::{Kind, Object, Observation, Source};
use error::WatchError;
use first_list::FirstList;
use gap::{GapTracker, WatchGap};
use heartbeat::Heartbeat;
use machine::{Machine, Phase};
use negotiation::Negotiation;
use request::Target;
use stream::Stream;
use streaming::StreamingLists;

pub(crate) use reply::{encoding_of, in_band, next_data, page, send, whole};

/// The default length of the first ticks of [`ListWatch::coalesce`].
pub const COALESCE: Duration = Duration::from_millis(25);

/// An update of one list and watch.
#[derive(Debug)]
pub struct SourceUpdate {
    /// The list and watch.
    pub source: Source,
    /// The update.
    pub update: Update,
    /// By how much longer than the first ticks of [`ListWatch::coalesce`] it may have waited to be read.
    pub extra_wait: Duration,
}

/// An observation of a list or watch, or a change of its health.
#[derive(Debug)]
pub enum Update {
    /// An object, or the start or end of a list.
    Observed(Observation),
    /// An object that could not be decoded.
    Undecodable(DecodeError),
    /// The list or watch failed and retries.
    Failed {
        /// The error.
        failure: WatchError,
        /// The failures in a row.
        times: u32,
    },
    /// The list is complete, or the watch resumed after a gap.
    Healthy(Option<WatchGap>),
    /// A sign of life without an object.
    Alive,
    /// Everything up to this version was delivered.
    Position(u64),
}

/// One list and watch of the API server.
pub struct ListWatch {
    /// Sends its requests.
    pub client: Client,
    /// The objects to list and watch.
    pub target: Target,
    /// Receives the updates; a full channel pauses the watch.
    pub updates: mpsc::Sender<SourceUpdate>,
    /// Its first list, for which others wait.
    pub first_list: FirstList,
    /// The version at which an earlier process stopped: changes since then are replayed after the first list.
    pub resume: Option<u64>,
    /// Which of its lists are streamed.
    pub streaming: StreamingLists,
    /// How often a watch that is busy is read, for all updates that have arrived.
    pub coalesce: Coalesce,
    /// Spreads its delays.
    pub random: Random,
}

/// The end of a step before its time.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The list or watch failed.
    Failed(WatchError),
    /// Nothing receives the updates.
    Closed,
}

impl From<WatchError> for Stop {
    fn from(error: WatchError) -> Self {
        Stop::Failed(error)
    }
}

/// The next step.
enum State {
    /// Reads the next page of the list, or opens a streaming list.
    Listing,
    /// Opens a watch after this version.
    Connecting(SmolStr),
    /// Reads the open watch or streaming list.
    Watching(Box<Stream>),
}

impl State {
    /// The step without an open watch.
    fn of(machine: &Machine) -> State {
        match machine.phase() {
            Phase::List | Phase::Stream { .. } => State::Listing,
            Phase::Watch { version } => State::Connecting(version.clone()),
        }
    }
}

/// A running list and watch.
struct Run<T> {
    api: ListWatch,
    /// Wraps an object.
    object: fn(Box<T>) -> Object,
    machine: Machine,
    negotiation: Negotiation,
    heartbeat: Heartbeat,
    gaps: GapTracker,
    /// The last watch was silent too long, so the silence of the next one is no sign that it works.
    is_doubted: bool,
    /// The updates of this step, which are delivered at its end.
    arrived: Vec<SourceUpdate>,
    /// [`SourceUpdate::extra_wait`] of the data that is read now.
    extra_wait: Duration,
    /// The first list is complete.
    is_listed: bool,
}

impl ListWatch {
    /// Runs until nothing receives the updates. `object` wraps an object of this kind.
    pub async fn run<T: Watched>(self, object: fn(Box<T>) -> Object) {
        let mut run = Run {
            machine: Machine::resuming(self.resume),
            api: self,
            object,
            negotiation: Negotiation::new(),
            heartbeat: Heartbeat::default(),
            gaps: GapTracker::default(),
            is_doubted: false,
            arrived: Vec::new(),
            extra_wait: Duration::ZERO,
            is_listed: false,
        };
        let mut state = State::Listing;
        loop {
            let next = match run.step(state).await {
                Err(Stop::Failed(error)) => run.retry(error).await,
                next => next,
            };
            let Ok(next) = next else { return };
            if run.deliver().await.is_err() {
                return;
            }
            state = next;
        }
    }
}

impl<T: Watched> Run<T> {
    async fn step(&mut self, state: State) -> Result<State, Stop> {
        match state {
            State::Listing if self.streams_list().await => self.open_list().await,
            State::Listing => self.list().await,
            State::Connecting(version) => self.connect(&version).await,
            State::Watching(stream) => self.read(stream).await,
        }
    }

    /// Reports a failure and waits for the next attempt.
    async fn retry(&mut self, failure: WatchError) -> Result<State, Stop> {
        if failure.refuses_shards() && !self.api.target.shard_selector.is_empty() {
            self.api.target.shard_selector.clear();
            let what = self.api.target.describe();
            tracing::warn!(what, %failure, "the API server refuses shardSelector; it sends the objects of every shard from now on");
            self.machine.restart_list();
            return Ok(State::of(&self.machine));
        }
        if self.negotiation.failed(&failure) {
            let what = self.api.target.describe();
            tracing::warn!(what, %failure, "protobuf failed; this list and watch uses JSON from now on");
            self.machine.restart_list();
            return Ok(State::of(&self.machine));
        }
        if self.falls_back(&failure) {
            return Ok(State::Listing);
        }
        let listed = self.machine.replay();
        if self.machine.replay_expired(&failure) {
            tracing::debug!(what = self.api.target.describe(), %failure, "cannot resume at the stored version");
            self.position(listed);
            self.replay_ends(false);
            return Ok(State::of(&self.machine));
        }
        self.gaps.failed();
        if matches!(self.machine.phase(), Phase::Watch { .. }) {
            self.is_doubted = matches!(failure, WatchError::Silence(_) | WatchError::Slow(_));
        }
        let is_denied = failure.is_denied();
        let mut retry = self.machine.failed(&failure, self.api.random.fraction());
        if is_denied && self.api.target.source.kind != Kind::Jobs {
            retry.after = Machine::denied_delay(self.api.random.fraction());
        }
        let times = self.machine.failures();
        let what = self.api.target.describe();
        let next_try_in = format!("{:.1}s", retry.after.as_secs_f64());
        let relists = retry.relists;
        // `health` logs the warnings, for all watches together.
        tracing::debug!(what, %failure, times, next_try_in, relists, "list or watch failed; retrying");
        self.api.first_list.fails(times);
        if is_denied {
            self.api.first_list.ends();
            self.observed(Observation::Forbidden);
        }
        self.arrives(Update::Failed { failure, times });
        self.deliver().await?;
        sleep(retry.after).await;
        Ok(State::of(&self.machine))
    }

    /// Reads one page of the list.
    async fn list(&mut self) -> Result<State, Stop> {
        let (token, limit) = (self.machine.listing().token(), self.machine.listing().limit());
        let is_first = token.is_empty();
        let encoding = self.negotiation.encoding();
        let body = reply::page(&self.api.client, &self.api.target, token, limit, encoding).await?;
        let page = body.page(T::TYPE).map_err(WatchError::from)?;
        // The page is checked before its objects are used.
        let is_last = self.machine.page_read(&page)?;
        if is_first {
            self.observed(Observation::ListBegins);
        }
        let wanted = self.api.target.wanted.clone();
        for item in page.objects_with::<T>(wanted.as_deref()) {
            match item.and_then(|item| self.api.target.check(item)) {
                Ok(item) if !self.api.target.has(item.metadata()) => {}
                Ok(item) => self.observed(Observation::Listed((self.object)(Box::new(item)))),
                Err(problem) => {
                    self.observed(Observation::ListLacks);
                    self.arrives(Update::Undecodable(problem));
                }
            }
        }
        if is_last {
            self.list_complete();
        }
        Ok(State::of(&self.machine))
    }

    fn list_complete(&mut self) {
        tracing::debug!(what = self.api.target.describe(), "list complete");
        if let Some(version) = self.machine.replay() {
            self.observed(Observation::ReplayBegins { version });
            self.gaps.listed(Instant::now());
            return self.observed(Observation::ListEnds);
        }
        self.observed(Observation::ListEnds);
        if let Phase::Watch { version } = self.machine.phase() {
            self.position(version.parse().ok());
        }
        // A gap ends with a watch that works: after the list it may fail again.
        if self.gaps.listed(Instant::now()) {
            self.arrives(Update::Healthy(None));
        }
        self.is_listed = true;
    }

    /// The watch that began at `began` works. During a replay that is not enough: older changes are missing.
    fn resumed(&mut self, began: Instant) {
        if self.machine.replay().is_none() {
            let gap = self.gaps.resumed(began);
            self.arrives(Update::Healthy(gap));
        }
    }

    /// The changes since an earlier process stopped are replayed, or the server no longer has them.
    fn replay_ends(&mut self, complete: bool) {
        self.machine.replayed();
        self.observed(Observation::ReplayEnds { complete });
        self.is_listed = true;
        self.resumed(Instant::now());
    }

    fn position(&mut self, version: Option<u64>) {
        if let Some(version) = version {
            self.arrives(Update::Position(version));
        }
    }

    fn observed(&mut self, observation: Observation) {
        self.arrives(Update::Observed(observation));
    }

    fn arrives(&mut self, update: Update) {
        let target = &self.api.target;
        let update = match &update {
            Update::Observed(
                Observation::Listed(object) | Observation::Changed(object) | Observation::Deleted(object),
            ) if !target.has(object.metadata()) => Update::Alive,
            _ => update,
        };
        let source = target.source;
        let extra_wait = self.extra_wait;
        self.arrived.push(SourceUpdate {
            source,
            update,
            extra_wait,
        });
    }

    /// Delivers what has arrived.
    async fn deliver(&mut self) -> Result<(), Stop> {
        for update in self.arrived.drain(..) {
            self.api.updates.send(update).await.map_err(|_| Stop::Closed)?;
        }
        // The next list begins after the last update of this one.
        if self.is_listed {
            self.api.first_list.ends();
        }
        Ok(())
    }
}
