//! Lists and watches one kind of objects for as long as the receiver runs.
//!
//! The loop never waits for the pipeline, only for the tracker, which waits for nobody.

pub mod error;
pub mod gap;
pub mod heartbeat;
pub mod listing;
pub mod machine;
mod reply;
pub mod request;

use kube::Client;
use pacing::Random;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::decode::{DecodeError, Line, Lines, WatchEvent, list_page, watch_line};
use crate::model::Watched;
use crate::{Kind, Object, Observation, Source};
use error::WatchError;
use gap::{GapTracker, WatchGap};
use heartbeat::{GRACE, Heartbeat};
use machine::{Machine, Phase, SHORT_WATCH};
pub(crate) use reply::{next_data, page, send, whole};
use request::Target;

/// After how many failures of its first list a watch no longer holds up the others.
const PATIENCE: u32 = 3;

/// An update of one list and watch.
#[derive(Debug)]
pub struct SourceUpdate {
    /// The list and watch.
    pub source: Source,
    /// The update.
    pub update: Update,
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
}

/// One list and watch of the API server.
pub struct ListWatch {
    /// Sends its requests.
    pub client: Client,
    /// The objects to list and watch.
    pub target: Target,
    /// Receives the updates; a full channel pauses the watch.
    pub updates: mpsc::Sender<SourceUpdate>,
    /// Cancelled when the first list is complete, forbidden, or has failed several times.
    pub first_list: CancellationToken,
    /// Spreads its delays.
    pub random: Random,
}

/// The tracker's task is gone, so nobody needs the watch.
struct Gone;

/// What one list and watch has learned.
struct State {
    machine: Machine,
    heartbeat: Heartbeat,
    following: GapTracker,
    /// The last watch fell silent. That the next one is silent, too, does not show that it works.
    doubted: bool,
    random: Random,
}

impl ListWatch {
    /// Runs until nobody listens. `object` wraps an object for the tracker.
    pub async fn run<T: Watched>(self, object: fn(Box<T>) -> Object) {
        let mut state = State {
            machine: Machine::new(),
            heartbeat: Heartbeat::default(),
            following: GapTracker::default(),
            doubted: false,
            random: self.random.clone(),
        };
        while let Ok(outcome) = self.step(&mut state, object).await {
            let Err(failure) = outcome else { continue };
            state.following.failed();
            if matches!(state.machine.phase(), Phase::Watch { .. }) {
                state.doubted = matches!(failure, WatchError::Silence(_) | WatchError::Slow(_));
            }
            let denied = failure.is_denied();
            let mut retry = state.machine.failed(&failure, state.random.fraction());
            if denied && self.target.source.kind != Kind::Jobs {
                retry.after = Machine::denied_delay(state.random.fraction());
            }
            let times = state.machine.failures();
            let what = self.target.describe();
            let next_try_in = format!("{:.1}s", retry.after.as_secs_f64());
            let relists = retry.relists;
            // What is worth a warning is decided for all watches together.
            tracing::debug!(what, %failure, times, next_try_in, relists, "list or watch failed; retrying");
            // The order of the first lists is a courtesy; nobody waits for one that does not come.
            if denied || times >= PATIENCE {
                self.first_list.cancel();
            }
            if denied && self.tell(Update::Observed(Observation::Forbidden)).await.is_err() {
                return;
            }
            if self.tell(Update::Failed { failure, times }).await.is_err() {
                return;
            }
            sleep(retry.after).await;
        }
    }

    /// One page, or one watch.
    async fn step<T: Watched>(
        &self,
        state: &mut State,
        object: fn(Box<T>) -> Object,
    ) -> Result<Result<(), WatchError>, Gone> {
        match state.machine.phase().clone() {
            Phase::List => self.list(state, object).await,
            Phase::Watch { version } => self.watch(state, &version, object).await,
        }
    }

    async fn list<T: Watched>(
        &self,
        state: &mut State,
        object: fn(Box<T>) -> Object,
    ) -> Result<Result<(), WatchError>, Gone> {
        let (token, limit) = (state.machine.listing().token(), state.machine.listing().limit());
        let is_first = token.is_empty();
        let body = match reply::page(&self.client, &self.target, token, limit).await {
            Ok(body) => body,
            Err(failure) => return Ok(Err(failure)),
        };
        let page = match list_page(&body, T::TYPE) {
            Ok(page) => page,
            Err(error) => return Ok(Err(WatchError::BadList(error.to_string()))),
        };
        // Before anything of it is believed.
        let is_last = match state.machine.page_read(&page) {
            Ok(is_last) => is_last,
            Err(failure) => return Ok(Err(failure)),
        };
        if is_first {
            self.tell(Update::Observed(Observation::ListBegins)).await?;
        }
        for item in page.objects::<T>() {
            match item.and_then(|item| self.target.check(item)) {
                Ok(item) => {
                    let listed = Observation::Listed(object(Box::new(item)));
                    self.tell(Update::Observed(listed)).await?;
                }
                Err(problem) => {
                    self.tell(Update::Observed(Observation::ListLacks)).await?;
                    self.tell(Update::Undecodable(problem)).await?;
                }
            }
        }
        if is_last {
            self.tell(Update::Observed(Observation::ListEnds)).await?;
            // After a gap a list is not enough: the watch after it may fail again.
            if state.following.listed(Instant::now()) {
                self.tell(Update::Healthy(None)).await?;
            }
            self.first_list.cancel();
            tracing::debug!(what = self.target.describe(), "the list is in");
        }
        Ok(Ok(()))
    }

    async fn watch<T: Watched>(
        &self,
        state: &mut State,
        version: &str,
        object: fn(Box<T>) -> Object,
    ) -> Result<Result<(), WatchError>, Gone> {
        let asked = state.heartbeat.timeout(state.random.fraction());
        let patience = state.heartbeat.patience(state.random.fraction());
        let request = self.target.watch(version, asked.as_secs());
        let mut body = match send(&self.client, request).await {
            Ok(response) => response.into_body(),
            Err(failure) => return Ok(Err(failure)),
        };
        let began = Instant::now();
        let (ends, overdue) = (began + asked, began + asked + GRACE);
        let mut heard = began;
        let mut lines = Lines::default();
        let mut events = Vec::new();
        let mut delivered = false;
        // After a failure it works again once it says something, ends in its time, or has lived for a while.
        let mut proven = state.machine.failures() == 0 && state.following.is_connected();
        state.following.received(began);
        loop {
            let silent = patience.map_or(overdue, |patience| overdue.min(heard + patience));
            let until = match proven || state.doubted {
                true => silent,
                false => silent.min(began + SHORT_WATCH),
            };
            let wait = until.saturating_duration_since(Instant::now());
            let data = match next_data(&mut body, wait).await {
                Ok(Some(data)) => data,
                Ok(None) => break,
                Err(WatchError::Silence(_)) if until < silent => {
                    proven = true;
                    state.machine.survived();
                    self.works(state, began).await?;
                    continue;
                }
                // Some bytes now and then, and never a whole line.
                Err(WatchError::Silence(_)) if lines.is_cut() => return Ok(Err(WatchError::Slow(heard.elapsed()))),
                Err(WatchError::Silence(_)) if until < overdue => {
                    state.heartbeat.missed();
                    return Ok(Err(WatchError::Silence(heard.elapsed())));
                }
                Err(WatchError::Silence(_)) if heard.elapsed() > GRACE => {
                    return Ok(Err(WatchError::Silence(heard.elapsed())));
                }
                // It talks on beyond its time, so nothing is wrong with it, but some day it must be asked anew.
                Err(WatchError::Silence(_)) => break,
                // The cause may break it again at the same place.
                Err(WatchError::Connection(_)) if lines.is_cut() => return Ok(Err(WatchError::Cut)),
                Err(failure) => return Ok(Err(failure)),
            };
            lines.push(&data, |line| match line {
                Line::Whole([]) => {}
                Line::Whole(line) => {
                    events.push(watch_line::<T>(line).and_then(|event| self.target.check_event(event)))
                }
                Line::TooLong => events.push(Err(DecodeError::LineTooLong)),
            });
            for event in events.drain(..) {
                let (version, report) = match event {
                    Ok(WatchEvent::Added(new) | WatchEvent::Modified(new)) => (
                        new.metadata().resource_version.clone(),
                        Update::Observed(Observation::Changed(object(Box::new(new)))),
                    ),
                    Ok(WatchEvent::Deleted(last)) => (
                        last.metadata().resource_version.clone(),
                        Update::Observed(Observation::Deleted(object(Box::new(last)))),
                    ),
                    Ok(WatchEvent::Bookmark { resource_version, .. }) => {
                        state.heartbeat.bookmark(ends.saturating_duration_since(Instant::now()));
                        (resource_version, Update::Alive)
                    }
                    Ok(WatchEvent::Error(status)) => return Ok(Err(reply::in_band(status))),
                    // Its version is not known; a later one passes it, so it is lost and must be counted. It proves
                    // nothing: a server that sends nothing else must not be asked in a hot loop.
                    Err(problem) => {
                        self.tell(Update::Undecodable(problem)).await?;
                        continue;
                    }
                };
                delivered = true;
                heard = Instant::now();
                state.following.received(heard);
                if !std::mem::replace(&mut proven, true) {
                    self.works(state, began).await?;
                }
                state.doubted = false;
                self.tell(report).await?;
                // Only now: what was not handed over must be asked for again.
                state.machine.progressed(&version);
            }
        }
        // An end is a sign of life.
        state.following.received(Instant::now());
        if lines.is_cut() {
            return Ok(Err(WatchError::Cut));
        }
        let jitter = state.random.fraction();
        match state.machine.watch_ended(began.elapsed(), delivered, jitter) {
            Ok(pause) => {
                match proven {
                    true => self.tell(Update::Alive).await?,
                    false => self.works(state, began).await?,
                }
                state.doubted = false;
                sleep(pause).await;
                Ok(Ok(()))
            }
            Err(failure) => Ok(Err(failure)),
        }
    }

    /// The watch that began at `began` has shown that it works.
    async fn works(&self, state: &mut State, began: Instant) -> Result<(), Gone> {
        let gap = state.following.resumed(began);
        self.tell(Update::Healthy(gap)).await
    }

    async fn tell(&self, update: Update) -> Result<(), Gone> {
        let source = self.target.source;
        self.updates
            .send(SourceUpdate { source, update })
            .await
            .map_err(|_| Gone)
    }
}
