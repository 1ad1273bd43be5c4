//! Watches.

use super::error::ApiError;
use super::format::ObjectFormat;
use super::list::parse_version;
use super::query::Query;
use super::server::{ConnectionEnd, ServerState};
use crate::faults::{Cut, WatchAction, WatchCommand};
use crate::resource::{ChangeType, Resource};
use crate::store::selector::Selection;
use crate::store::{StoreChange, StoredObject};
use bytes::Bytes;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;

/// Changes are encoded and sent in pieces of this many.
const BATCH: usize = 256;
/// The real server picks a random timeout between half an hour and an hour where the client names none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1800);

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// With the present objects, as ADDED.
    Now,
    /// After this version.
    After(u64),
}

/// The options of a watch.
#[derive(Debug)]
pub(crate) struct WatchRequest {
    user: Box<str>,
    resource: Resource,
    selection: Selection,
    start: Start,
    bookmarks: bool,
    timeout: Duration,
    format: ObjectFormat,
}

impl WatchRequest {
    /// Reads the options of a watch.
    pub(super) fn parse(
        user: &str,
        resource: Resource,
        selection: Selection,
        query: &Query,
        format: ObjectFormat,
    ) -> Result<WatchRequest, ApiError> {
        if query.get("sendInitialEvents").is_some() || query.get("resourceVersionMatch").is_some() {
            let message = "the simulator serves no watch with sendInitialEvents or resourceVersionMatch";
            return Err(ApiError::bad_request(message));
        }
        let start = match query.get("resourceVersion") {
            None | Some("0") => Start::Now,
            Some(text) => Start::After(parse_version(text)?),
        };
        let timeout = query.number("timeoutSeconds").filter(|seconds| *seconds > 0);
        Ok(WatchRequest {
            user: user.into(),
            resource,
            selection,
            start,
            bookmarks: query.flag("allowWatchBookmarks"),
            timeout: timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs),
            format,
        })
    }

    /// Starts the watch; the receiver yields its lines. `expired` makes it end with 410 at once.
    pub(super) fn start(
        self,
        state: &Arc<ServerState>,
        connection: ConnectionEnd,
        expired: bool,
    ) -> mpsc::Receiver<io::Result<Bytes>> {
        let (out, lines) = mpsc::channel(1);
        let deadline = Instant::now() + self.timeout;
        let mut stream = WatchStream {
            out,
            connection,
            deadline,
            commands: state.faults.commands.subscribe(),
            stalled: state.faults.stalled.subscribe(),
            bookmark_at: Instant::now() + state.options.bookmark_interval,
            last: 0,
            sent: Bytes::new(),
            request: self,
            state: state.clone(),
        };
        state.faults.watches.send_modify(|watches| {
            watches.open += 1;
            watches.opened += 1;
        });
        let state = state.clone();
        state.clone().tasks.spawn(async move {
            let watch = async {
                // Either way the stream has ended, and the client sees that.
                let _ = if expired {
                    stream.expire().await
                } else {
                    stream.run().await
                };
            };
            tokio::select! {
                () = watch => {}
                () = state.stop.cancelled() => {}
            }
            state.faults.watches.send_modify(|watches| watches.open -= 1);
        });
        lines
    }
}

struct WatchStream {
    request: WatchRequest,
    state: Arc<ServerState>,
    connection: ConnectionEnd,
    out: mpsc::Sender<io::Result<Bytes>>,
    commands: broadcast::Receiver<WatchCommand>,
    stalled: watch::Receiver<BTreeSet<Resource>>,
    deadline: Instant,
    bookmark_at: Instant,
    /// Everything up to this version has been sent.
    last: u64,
    /// The last lines that were sent.
    sent: Bytes,
}

/// The stream has ended.
struct Ended;

type Flow = ControlFlow<Ended>;

impl WatchStream {
    async fn run(&mut self) -> Flow {
        let mut versions = self.state.store.subscribe();
        match self.request.start {
            Start::After(version) => self.last = version,
            Start::Now => self.initial().await?,
        }
        loop {
            versions.mark_unchanged();
            let resource = self.request.resource;
            match self.state.store.changes(resource, self.last, BATCH) {
                Ok((changes, upto)) => {
                    let lines = self.encode(&changes);
                    self.last = upto;
                    if !lines.is_empty() {
                        self.send(lines).await?;
                    }
                    if changes.len() == BATCH {
                        continue;
                    }
                }
                Err(too_old) if self.at_start() => {
                    let failure = ApiError::too_old_version(self.last, too_old.floor);
                    return self.fail(&failure).await;
                }
                // The client reads too slowly; the real server closes such a watch.
                Err(_) => return Flow::Break(Ended),
            }
            self.request.start = Start::Now;
            self.wait(&mut versions).await?;
        }
    }

    /// True until a change is sent or skipped.
    fn at_start(&self) -> bool {
        self.request.start == Start::After(self.last)
    }

    async fn initial(&mut self) -> Flow {
        let page = self
            .state
            .store
            .page(self.request.resource, &self.request.selection, None, None, None);
        let Ok(page) = page else { return Flow::Break(Ended) };
        self.last = page.version;
        for objects in page.items.chunks(BATCH) {
            let mut lines = Vec::new();
            for object in objects {
                self.line(ChangeType::Added, object, &mut lines);
            }
            self.send(lines).await?;
        }
        Flow::Continue(())
    }

    /// Waits for a change of the store; sends bookmarks meanwhile.
    async fn wait(&mut self, versions: &mut watch::Receiver<u64>) -> Flow {
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => self.execute(command).await?,
                () = self.out.closed() => return Flow::Break(Ended),
                () = tokio::time::sleep_until(self.deadline) => return self.time_out().await,
                changed = versions.changed() => {
                    return if changed.is_ok() { Flow::Continue(()) } else { Flow::Break(Ended) };
                }
                () = tokio::time::sleep_until(self.bookmark_at), if self.request.bookmarks => {
                    self.bookmark_at = Instant::now() + self.state.options.bookmark_interval;
                    self.bookmark().await?;
                }
            }
        }
    }

    /// Ends the stream at its timeout, unless it is stalled.
    async fn time_out(&mut self) -> Flow {
        self.unstall().await?;
        Flow::Break(Ended)
    }

    async fn bookmark(&mut self) -> Flow {
        let now = self.state.store.resource_version();
        // Nothing of this resource may lie between what was sent and the bookmark.
        if matches!(self.state.store.changes(self.request.resource, self.last, 1), Ok((changes, _)) if changes.is_empty())
        {
            self.last = self.last.max(now);
        }
        let bookmark = self.request.format.bookmark(self.request.resource, self.last);
        self.send(bookmark).await
    }

    async fn send(&mut self, lines: Vec<u8>) -> Flow {
        self.unstall().await?;
        let (out, lines) = (self.out.clone(), Bytes::from(lines));
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => Box::pin(self.execute(command)).await?,
                permit = out.reserve() => {
                    let Ok(permit) = permit else { return Flow::Break(Ended) };
                    self.sent = lines.clone();
                    permit.send(Ok(lines));
                    return Flow::Continue(());
                }
            }
        }
    }

    /// Waits while watches are stalled.
    async fn unstall(&mut self) -> Flow {
        while self.stalled.borrow_and_update().contains(&self.request.resource) {
            tokio::select! {
                biased;
                command = self.commands.recv() => Box::pin(self.execute(command)).await?,
                changed = self.stalled.changed() => if changed.is_err() { return Flow::Break(Ended) },
                () = self.out.closed() => return Flow::Break(Ended),
            }
        }
        Flow::Continue(())
    }

    async fn execute(&mut self, command: Result<WatchCommand, broadcast::error::RecvError>) -> Flow {
        let command = match command {
            Ok(command) => command,
            Err(broadcast::error::RecvError::Lagged(_)) => return Flow::Continue(()),
            Err(broadcast::error::RecvError::Closed) => return Flow::Break(Ended),
        };
        if !command.is_for(self.request.resource, &self.request.user) {
            return Flow::Continue(());
        }
        match command.action {
            WatchAction::Repeat if self.sent.is_empty() => Flow::Continue(()),
            WatchAction::Repeat => Box::pin(self.send(self.sent.to_vec())).await,
            WatchAction::Expire => self.expire().await,
            WatchAction::Cut(cut) => self.cut(cut).await,
        }
    }

    async fn cut(&mut self, cut: Cut) -> Flow {
        if matches!(cut, Cut::EndMidLine | Cut::ResetMidLine) {
            let half = self.request.format.half_a_line();
            // An error means that the client closed the connection first.
            let _ = self.out.send(Ok(Bytes::from_static(half))).await;
        }
        if matches!(cut, Cut::Reset | Cut::ResetMidLine) {
            if cut == Cut::ResetMidLine {
                // The half line must leave before the reset, which drops what is not sent.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let _ = self.out.send(Err(self.connection.reset())).await;
        }
        Flow::Break(Ended)
    }

    /// Ends the watch as a real server does for a version from before its window.
    async fn expire(&mut self) -> Flow {
        let requested = match self.request.start {
            Start::After(version) => version,
            Start::Now => self.last,
        };
        let floor = self.state.store.resource_version();
        self.fail(&ApiError::too_old_version(requested, floor)).await
    }

    async fn fail(&mut self, failure: &ApiError) -> Flow {
        let line = self.request.format.error(failure);
        let _ = self.out.send(Ok(Bytes::from(line))).await;
        Flow::Break(Ended)
    }

    fn encode(&self, changes: &[StoreChange]) -> Vec<u8> {
        let mut lines = Vec::new();
        for change in changes {
            let selection = &self.request.selection;
            let before = change.previous.as_ref().filter(|previous| selection.matches(previous));
            let after = change.kind != ChangeType::Deleted && selection.matches(&change.object);
            match (before, after) {
                (None, false) => {}
                (None, true) => self.line(ChangeType::Added, &change.object, &mut lines),
                (Some(_), true) => self.line(ChangeType::Modified, &change.object, &mut lines),
                (Some(_), false) if change.kind == ChangeType::Deleted => {
                    self.line(ChangeType::Deleted, &change.object, &mut lines);
                }
                // The object left the selection: the client receives its last state, under the version it left at.
                (Some(previous), false) => {
                    let last = previous.restamped(self.request.resource, change.version);
                    self.line(ChangeType::Deleted, &last, &mut lines);
                }
            }
        }
        lines
    }

    fn line(&self, kind: ChangeType, object: &StoredObject, lines: &mut Vec<u8>) {
        self.request
            .format
            .event(self.request.resource, kind, object, Timestamp::now(), lines);
    }
}
