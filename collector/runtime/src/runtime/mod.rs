//! Starts the components of a graph, supervises them, and stops them in order.
//!
//! * Start, against the data flow: extensions (which run from then on, so that the health endpoint answers), exporters,
//!   connectors, receivers. If one fails, no data has flowed yet, and the started ones are dropped.
//! * Run: one task for each component, and one for the processors of a pipeline.
//! * Stop, with the data flow: receivers get the shutdown signal; when they end they drop their outlets, so the inboxes
//!   behind them close and drain, and their owners end in turn; extensions stop last. Tasks that exceed the grace period
//!   are aborted.
//!
//! A component that ends before shutdown, with an error, a panic or neither, has failed for good: its health shows a
//! permanent error, all other components stop in order, and [`Graph::run`] fails.

mod chain;
mod error;
mod reload;
mod tasks;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use error::{Failure, RunError, Why};
pub use reload::{Reload, ReloadError, ReloadReport};

use crate::component::{ComponentError, Running};
use crate::graph::Graph;
use crate::health::{Reporter, Status};
use tasks::Tasks;

/// The longest part of the grace period that is reserved for the extensions.
const FOR_EXTENSIONS: Duration = Duration::from_secs(1);

impl Graph {
    /// The same as [`run`](Self::run), and becomes the graph of each reload. Of several that wait, only the last is
    /// applied.
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
        // Until components can be replaced, each reload is refused.
        let refuse = async {
            while let Some(reload) = reloads.recv().await {
                let _ = reload.done.send(Err(ReloadError::Ended));
            }
            std::future::pending::<()>().await
        };
        tokio::select! {
            result = self.run(shutdown, grace) => result,
            () = refuse => Ok(()),
        }
    }

    /// Starts all components, runs until `shutdown` is cancelled or a component fails, and stops all within `grace` (the
    /// last tenth of it, at most a second, is reserved for the extensions).
    ///
    /// # Errors
    /// Every component that did not start, failed, or did not stop in time.
    pub async fn run(self, shutdown: CancellationToken, grace: Duration) -> Result<(), RunError> {
        let mut run = RunState {
            extensions: Tasks::default(),
            flow: Tasks::default(),
            stop_extensions: CancellationToken::new(),
            stop_flow: CancellationToken::new(),
            failures: Vec::new(),
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => tracing::info!("shutting down during startup"),
            started = run.start(self) => match started {
                Ok(()) => run.watch(&shutdown).await,
                Err(failure) => run.failed(failure),
            }
        }
        run.stop(grace).await;
        match run.failures.is_empty() {
            true => Ok(()),
            false => Err(RunError { failures: run.failures }),
        }
    }
}

struct RunState {
    extensions: Tasks,
    /// The components of pipelines.
    flow: Tasks,
    stop_extensions: CancellationToken,
    stop_flow: CancellationToken,
    failures: Vec<Failure>,
}

impl RunState {
    async fn start(&mut self, mut graph: Graph) -> Result<(), Failure> {
        for mut node in graph.extensions {
            start(&node.path, async { node.component.start().await }).await?;
            let running = Running {
                shutdown: self.stop_extensions.clone(),
                health: node.reporter.clone(),
            };
            node.reporter.report(Status::Ok);
            let task = async { node.component.run(running).await };
            self.extensions.spawn(node.path, vec![node.reporter], task);
        }
        for (node, _) in &mut graph.exporters {
            start(&node.path, async { node.component.start().await }).await?;
        }
        for (node, ..) in &mut graph.connectors {
            start(&node.path, async { node.component.start().await }).await?;
        }
        for (node, _) in &mut graph.receivers {
            start(&node.path, async { node.component.start().await }).await?;
        }

        let running = |reporter: &Reporter| Running {
            shutdown: self.stop_flow.clone(),
            health: reporter.clone(),
        };
        for (node, input) in graph.exporters {
            node.reporter.report(Status::Ok);
            let running = running(&node.reporter);
            let task = async { node.component.run(input, running).await };
            self.flow.spawn(node.path, vec![node.reporter], task);
        }
        for (node, input, outputs) in graph.connectors {
            node.reporter.report(Status::Ok);
            let running = running(&node.reporter);
            let task = async { node.component.run(input, outputs, running).await };
            self.flow.spawn(node.path, vec![node.reporter], task);
        }
        for chain in graph.chains {
            let path = chain.path.clone();
            let reporters: Vec<_> = chain.processors.iter().map(|node| node.reporter.clone()).collect();
            for reporter in &reporters {
                reporter.report(Status::Ok);
            }
            self.flow.spawn(path, reporters, chain::run(chain));
        }
        for (node, outputs) in graph.receivers {
            let running = running(&node.reporter);
            let task = async { node.component.run(outputs, running).await };
            self.flow.spawn(node.path, vec![node.reporter], task);
        }
        tracing::info!("all components started");
        Ok(())
    }

    /// Waits for the shutdown, or for the first component that ends without it.
    async fn watch(&mut self, shutdown: &CancellationToken) {
        let ended = tokio::select! {
            biased;
            () = shutdown.cancelled() => {
                tracing::info!("shutting down");
                return;
            }
            Some(ended) = self.flow.next() => ended,
            Some(ended) = self.extensions.next() => ended,
        };
        self.failed(ended.before_shutdown());
    }

    async fn stop(&mut self, grace: Duration) {
        let deadline = Instant::now() + grace;
        let for_extensions = FOR_EXTENSIONS.min(grace / 10);
        self.stop_flow.cancel();
        let failures = self.flow.drain(deadline - for_extensions, grace).await;
        failures.into_iter().for_each(|failure| self.failed(failure));
        self.stop_extensions.cancel();
        let failures = self.extensions.drain(deadline, grace).await;
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

async fn start(path: &str, starting: impl Future<Output = Result<(), ComponentError>>) -> Result<(), Failure> {
    tracing::debug!(component = path, "starting");
    let why = match AssertUnwindSafe(starting).catch_unwind().await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => Why::Start(error),
        Err(panic) => Why::Start(format!("panicked: {}", error::panic_text(&*panic)).into()),
    };
    Err(Failure {
        component: path.to_owned(),
        why,
    })
}
