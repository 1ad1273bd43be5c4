//! The tasks of running components.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

use super::error::{Failure, Why, panic_text};
use crate::component::ComponentError;
use crate::health::{Reporter, Status};

/// How long aborted tasks are waited for. They end at once, unless they block their thread.
pub(super) const ABORT: Duration = Duration::from_millis(100);

/// The number of a task; no two tasks of a process have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Serial(pub(super) u64);

/// Some running tasks, each with the path and the health of its part.
#[derive(Default)]
pub(super) struct Tasks {
    set: JoinSet<Result<(), ComponentError>>,
    members: HashMap<Id, Member>,
}

/// The part that a task runs.
pub(super) struct Member {
    pub(super) path: Arc<str>,
    pub(super) serial: Serial,
    /// One for a component, one for each processor of a pipeline.
    pub(super) reporters: Vec<Reporter>,
}

impl Member {
    fn report(&self, status: &Status) {
        for reporter in &self.reporters {
            reporter.report(status.clone());
        }
    }

    fn failed(self, why: Why) -> Failure {
        self.report(&Status::PermanentError(why.to_string()));
        Failure {
            component: self.path.to_string(),
            why,
        }
    }
}

/// A task that has ended.
pub(super) struct Ended {
    member: Member,
    result: Result<(), Why>,
}

impl Ended {
    pub(super) fn serial(&self) -> Serial {
        self.member.serial
    }

    /// The failure of a task that ended before shutdown, in any way.
    pub(super) fn before_shutdown(self) -> Failure {
        self.member.failed(self.result.err().unwrap_or(Why::Ended))
    }

    /// The failure of a task that ended after shutdown was signalled, if any.
    pub(super) fn after_shutdown(self) -> Result<(), Failure> {
        match self.result {
            Ok(()) => {
                tracing::debug!(component = &*self.member.path, "stopped");
                self.member.report(&Status::Stopped);
                Ok(())
            }
            Err(why) => Err(self.member.failed(why)),
        }
    }

    /// The error of a task that ended because of a reload, if any. Its health is that of its successor.
    pub(super) fn after_reload(self) -> Option<Why> {
        tracing::debug!(component = &*self.member.path, "stopped");
        self.result.err()
    }
}

impl Tasks {
    pub(super) fn spawn(
        &mut self,
        member: Member,
        task: impl Future<Output = Result<(), ComponentError>> + Send + 'static,
    ) -> AbortHandle {
        let handle = self.set.spawn(task);
        self.members.insert(handle.id(), member);
        handle
    }

    /// The next task that ends; `None` when none is left. Nothing is lost if this is not awaited to its end.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        loop {
            let (id, result) = match self.set.join_next_with_id().await? {
                Ok((id, Ok(()))) => (id, Ok(())),
                Ok((id, Err(error))) => (id, Err(Why::Failed(error))),
                Err(error) => (error.id(), Err(died(error))),
            };
            // Every task has a member; `None` is impossible, and not worth a panic.
            if let Some(member) = self.members.remove(&id) {
                return Some(Ended { member, result });
            }
        }
    }

    /// Waits until all tasks have ended, at most until `deadline`; then aborts those that are left. `grace` is for
    /// their error text.
    pub(super) async fn drain(&mut self, deadline: Instant, grace: Duration) -> Vec<Failure> {
        let mut failures = Vec::new();
        loop {
            match timeout_at(deadline, self.next()).await {
                Ok(Some(ended)) => failures.extend(ended.after_shutdown().err()),
                Ok(None) => return failures,
                Err(_) => break,
            }
        }
        self.set.abort_all();
        let mut left: Vec<Member> = self.members.drain().map(|(_, member)| member).collect();
        left.sort_by(|a, b| a.path.cmp(&b.path));
        failures.extend(left.into_iter().map(|member| member.failed(Why::Overran(grace))));
        // So that what they held is dropped, and its acknowledgement decided, before the process ends.
        let _ = timeout(ABORT, async { while self.set.join_next().await.is_some() {} }).await;
        failures
    }
}

fn died(error: JoinError) -> Why {
    match error.try_into_panic() {
        Ok(panic) => Why::Panicked(panic_text(&*panic)),
        Err(_) => Why::Panicked("its task was cancelled".into()),
    }
}
