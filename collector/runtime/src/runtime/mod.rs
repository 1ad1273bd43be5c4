//! Starts the components of a graph, supervises them, and stops them in order.
//!
//! * Start, against the data flow: extensions (which run from then on, so that the health endpoint answers), exporters,
//!   connectors, receivers. If one fails, no data has flowed yet, and the started ones are dropped.
//! * Run: one task for each component, and one for the processors of a pipeline.
//! * Stop, with the data flow: receivers get the shutdown signal; when they end they drop their outlets, so the inboxes
//!   behind them close and drain, and their owners end in turn; extensions stop last. Tasks that exceed the grace period
//!   are aborted.
//!
//! A reload makes the running components those of another graph: `engine`, `diff` and `wiring`, described in
//! `docs/reload.md`.
//!
//! A component that ends before shutdown, with an error, a panic or neither, has failed for good: its health shows a
//! permanent error, all other components stop in order, and [`Graph::run`] fails.

mod diff;
mod engine;
mod error;
mod instance;
mod reload;
mod tasks;
mod wiring;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use error::{Failure, RunError, Why};
pub use reload::{Reload, ReloadError, ReloadReport};

use crate::graph::Graph;
use engine::{Engine, Interruption, Limits};
use reload::Done;

/// The longest part of the grace period that is reserved for the extensions.
const FOR_EXTENSIONS: Duration = Duration::from_secs(1);

impl Graph {
    /// Starts all components, runs until `shutdown` is cancelled or a component fails, and stops all within `grace` (the
    /// last tenth of it, at most a second, is reserved for the extensions).
    ///
    /// # Errors
    /// Every component that did not start, failed, or did not stop in time.
    pub async fn run(self, shutdown: CancellationToken, grace: Duration) -> Result<(), RunError> {
        let (_, reloads) = mpsc::channel(1);
        self.run_with_reloads(shutdown, grace, reloads).await
    }

    /// The same, and becomes the graph of each reload. If several wait, only the last is applied.
    ///
    /// A component with equal settings whose extensions did not change runs on untouched. The others end first; then
    /// their successors start. If one does not start, the old components start again.
    ///
    /// # Errors
    /// The same as [`run`](Self::run); also if a component does not start again after a failed reload.
    pub async fn run_with_reloads(
        self,
        shutdown: CancellationToken,
        grace: Duration,
        mut reloads: mpsc::Receiver<Reload>,
    ) -> Result<(), RunError> {
        let mut run = RunState {
            engine: Engine::new(),
            graph: self,
            shutdown,
            grace,
            failures: Vec::new(),
        };
        if run.start().await {
            while run.step(&mut reloads).await {}
        }
        run.stop().await;
        match run.failures.is_empty() {
            true => Ok(()),
            false => Err(RunError { failures: run.failures }),
        }
    }
}

struct RunState {
    engine: Engine,
    /// The graph that runs.
    graph: Graph,
    shutdown: CancellationToken,
    grace: Duration,
    failures: Vec<Failure>,
}

impl RunState {
    /// Starts everything; false if the process should end.
    async fn start(&mut self) -> bool {
        let limits = Limits {
            shutdown: &self.shutdown,
            grace: self.grace,
            after_shutdown: Duration::ZERO,
        };
        match self.engine.apply(&self.graph, &limits).await {
            Ok(()) => tracing::info!("all components started"),
            Err(Interruption::Shutdown) => {
                tracing::info!("shutting down during startup");
                return false;
            }
            Err(Interruption::NotStarted(failure) | Interruption::Failed(failure)) => {
                self.failed(failure);
                return false;
            }
        }
        true
    }

    /// Waits for a reload, the shutdown, or a component that ends without it; false if the process should end.
    async fn step(&mut self, reloads: &mut mpsc::Receiver<Reload>) -> bool {
        let ended = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => {
                tracing::info!("shutting down");
                return false;
            }
            Some(ended) = self.engine.flow.next() => ended,
            Some(ended) = self.engine.extensions.next() => ended,
            Some(mut reload) = reloads.recv() => {
                while let Ok(later) = reloads.try_recv() {
                    let superseded = std::mem::replace(&mut reload, later);
                    let _ = superseded.done.send(Err(ReloadError::Superseded));
                }
                return self.reload(reload).await;
            }
        };
        match self.engine.on_end(ended) {
            Ok(()) => {
                self.engine.forward_returned();
                true
            }
            Err(failure) => {
                self.failed(failure);
                false
            }
        }
    }

    /// Applies the graph of a reload, or else the old one again; false if the process should end.
    async fn reload(&mut self, reload: Reload) -> bool {
        let Reload { graph, done } = reload;
        let mut report = diff::report(&self.graph, &graph);
        let limits = Limits {
            shutdown: &self.shutdown,
            grace: self.grace,
            after_shutdown: self.grace / 2,
        };
        let failure = match self.engine.apply(&graph, &limits).await {
            Ok(()) => {
                self.graph = graph;
                report.aborted = self.engine.take_aborted();
                let _ = done.send(Ok(report));
                return true;
            }
            Err(Interruption::NotStarted(failure)) => failure,
            Err(interruption) => return self.interrupted(interruption, done),
        };
        tracing::error!(
            component = failure.component,
            "{}; starting the old components again",
            failure.why
        );
        match self.engine.apply(&self.graph, &limits).await {
            Ok(()) => {
                // The log has them.
                self.engine.take_aborted();
                let _ = done.send(Err(ReloadError::NotStarted(failure)));
                true
            }
            Err(interruption) => {
                self.failures.push(failure);
                self.interrupted(interruption, done)
            }
        }
    }

    fn interrupted(&mut self, interruption: Interruption, done: Done) -> bool {
        match interruption {
            Interruption::Shutdown => tracing::info!("shutting down during a reload"),
            Interruption::NotStarted(failure) | Interruption::Failed(failure) => self.failed(failure),
        }
        let _ = done.send(Err(ReloadError::Ended));
        false
    }

    async fn stop(&mut self) {
        let deadline = self.engine.shutdown_at() + self.grace;
        let for_extensions = FOR_EXTENSIONS.min(self.grace / 10);
        self.engine.stop_flow();
        let failures = self.engine.flow.drain(deadline - for_extensions, self.grace).await;
        failures.into_iter().for_each(|failure| self.failed(failure));
        self.engine.stop_extensions();
        let failures = self.engine.extensions.drain(deadline, self.grace).await;
        failures.into_iter().for_each(|failure| self.failed(failure));
        if self.failures.is_empty() {
            tracing::info!("shutdown complete");
        }
    }

    fn failed(&mut self, failure: Failure) {
        tracing::error!(component = failure.component, "{}", failure.why);
        self.failures.push(failure);
    }
}
