//! The end of parts that a reload removes or replaces, and what they leave.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Engine, Interruption, Limits, RunningPart, hurry};
use crate::component::{ComponentError, Kind};
use crate::graph::GraphPart;
use crate::runtime::error::{Failure, Why};
use crate::runtime::tasks::{ABORT, Ended, Member, Serial};
use crate::runtime::wiring::Edges;
use crate::succession::Succession;
use collector_data::{Batch, Signal};

/// How long a reload waits for a part that may drain beside the new parts.
const BESIDE: Duration = Duration::from_secs(5);

/// A part that was stopped and has not ended.
pub(super) struct EndingPart {
    path: Arc<str>,
    succession: Succession,
    /// True if it may drain beside its successor.
    may_overlap: bool,
    task: AbortHandle,
    is_aborted: bool,
}

/// The work that a replaced part left for its successor.
#[derive(Default)]
pub(super) struct Estate {
    pub(super) state: Option<Box<dyn Any + Send>>,
    returned: Vec<Batch>,
}

impl Engine {
    /// Signals a part to end, and gives its producers another inbox. `None` if it does not run.
    pub(super) fn stop(
        &mut self,
        path: &Arc<str>,
        starting: &[&GraphPart],
        is_ending: &HashSet<Arc<str>>,
        edges: &Edges,
    ) -> Option<Serial> {
        let RunningPart {
            part,
            serial,
            stop,
            succession,
            task,
            ..
        } = self.running.remove(path)?;
        let successor = starting.iter().find(|part| part.path == *path);
        match successor {
            Some(successor) => {
                let uses = successor.recipe.uses();
                let is_ending = |id| is_ending.contains(&*Kind::Extension.path(id));
                match uses == part.recipe.uses() && !uses.into_iter().any(is_ending) {
                    true => succession.replace_with_same_services(),
                    false => succession.replace(),
                }
                self.wiring.open(successor, edges);
            }
            None => self.wiring.close(&part, edges),
        }
        let ending = EndingPart {
            path: part.path,
            succession,
            may_overlap: successor.is_none_or(|part| part.recipe.may_overlap()),
            task,
            is_aborted: false,
        };
        self.ending.insert(serial, ending);
        stop.cancel();
        Some(serial)
    }

    /// Parts of an earlier reload that still drain and now have a successor.
    pub(super) fn claim_leftovers(&mut self, starting: &[&GraphPart], edges: &Edges) -> HashSet<Serial> {
        let mut serials = HashSet::new();
        for (serial, ending) in &mut self.ending {
            let Some(successor) = starting.iter().find(|part| part.path == ending.path) else {
                continue;
            };
            if !successor.recipe.may_overlap() && !ending.succession.is_replaced() {
                self.wiring.open(successor, edges);
                ending.succession.replace();
                ending.may_overlap = false;
                serials.insert(*serial);
            }
        }
        serials
    }

    /// Waits until these have ended. Those that may overlap are left to drain after a while; others are aborted at the
    /// deadline.
    pub(super) async fn wait_for(
        &mut self,
        mut serials: HashSet<Serial>,
        deadline: Instant,
        limits: &Limits<'_>,
    ) -> Result<(), Interruption> {
        let patience = deadline.min(Instant::now() + BESIDE);
        self.wait_until(&mut serials, patience, limits).await?;
        serials.retain(|serial| self.ending.get(serial).is_some_and(|ending| !ending.may_overlap));
        self.wait_until(&mut serials, deadline, limits).await?;
        for serial in &serials {
            if let Some(ending) = self.ending.get_mut(serial) {
                let why = Why::Overran(limits.grace);
                tracing::error!(component = &*ending.path, "{why}");
                ending.is_aborted = true;
                ending.task.abort();
                self.aborted.insert(ending.path.to_string());
            }
        }
        self.wait_until(&mut serials, Instant::now() + ABORT, limits).await
    }

    /// Removes those that have ended, at most until a time.
    async fn wait_until(
        &mut self,
        serials: &mut HashSet<Serial>,
        until: Instant,
        limits: &Limits<'_>,
    ) -> Result<(), Interruption> {
        loop {
            serials.retain(|serial| self.ending.contains_key(serial));
            if serials.is_empty() {
                return Ok(());
            }
            let is_late = async {
                let hurry = hurry(&mut self.shutdown_at, limits);
                tokio::select! {
                    () = tokio::time::sleep_until(until) => {}
                    () = hurry => {}
                }
            };
            let ended = tokio::select! {
                biased;
                Some(ended) = self.flow.next() => ended,
                Some(ended) = self.extensions.next() => ended,
                () = is_late => return Ok(()),
            };
            self.on_end(ended).map_err(Interruption::Failed)?;
        }
    }

    /// A task has ended.
    ///
    /// # Errors
    /// If its part was not stopped.
    pub(in crate::runtime) fn on_end(&mut self, ended: Ended) -> Result<(), Failure> {
        let Some(ending) = self.ending.remove(&ended.serial()) else {
            return Err(ended.before_shutdown());
        };
        // The abort of a task is logged where it is decided.
        if let Some(why) = ended.after_reload().filter(|_| !ending.is_aborted) {
            tracing::error!(component = &*ending.path, "{why}");
        }
        for work in ending.succession.take_unfinished() {
            self.finish_beside(&ending.path, work.map(Ok).boxed());
        }
        if ending.succession.is_replaced() {
            let estate = self.estates.entry(ending.path).or_default();
            estate.state = ending.succession.take_left();
            estate.returned.extend(ending.succession.take_returned());
        }
        Ok(())
    }

    /// Sends the batches that replaced exporters gave back to their successors.
    pub(in crate::runtime) fn forward_returned(&mut self) {
        let estates = self.estates.iter_mut();
        let returned: Vec<(Arc<str>, Vec<Batch>)> = estates
            .filter(|(path, estate)| !estate.returned.is_empty() && self.running.contains_key(*path))
            .map(|(path, estate)| (path.clone(), std::mem::take(&mut estate.returned)))
            .collect();
        for (path, batches) in returned {
            tracing::info!(
                component = &*path,
                batches = batches.len(),
                "sending undelivered batches again"
            );
            let name = format!("{path} (returned {})", self.last_serial);
            let outlets = Signal::ALL.map(|signal| (signal, self.wiring.outlet_to(&path, signal, &name)));
            let forward = async move {
                for batch in batches {
                    let signal = batch.payload.signal();
                    if let Some((_, outlet)) = outlets.iter().find(|(of, _)| *of == signal) {
                        outlet.send(batch).await;
                    }
                }
                Ok(())
            };
            self.finish_beside(&path, forward.boxed());
        }
    }

    /// Runs work that a part left, until its end.
    fn finish_beside(&mut self, path: &Arc<str>, work: BoxFuture<'static, Result<(), ComponentError>>) {
        let serial = self.next_serial();
        let path: Arc<str> = format!("{path} (replaced)").into();
        let member = Member {
            path: path.clone(),
            serial,
            reporters: Vec::new(),
        };
        let ending = EndingPart {
            path,
            succession: Succession::default(),
            may_overlap: true,
            task: self.flow.spawn(member, work),
            is_aborted: false,
        };
        self.ending.insert(serial, ending);
    }
}
