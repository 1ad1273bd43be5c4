//! Watches.

use super::error::ApiError;
use super::format::ObjectFormat;
use super::list::parse_version;
use super::query::Query;
use super::server::{ConnectionEnd, ServerState};
use crate::faults::{Cut, Fault, WatchAction, WatchCommand};
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
    /// With the present objects, at least of this version, as ADDED, and a bookmark at their end: a streaming list.
    List(Option<u64>),
    /// With changes from now on.
    Later,
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
        let version = query.get("resourceVersion").map(parse_version).transpose()?;
        let start = match (query.get("sendInitialEvents"), version) {
            (Some(_), version) if query.flag("sendInitialEvents") => Start::List(version),
            (Some(_), None | Some(0)) => Start::Later,
            (None, None | Some(0)) => Start::Now,
            (_, Some(version)) => Start::After(version),
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

    /// Starts the watch; the receiver yields its lines. [`Fault::ExpiredInBand`] makes it end with 410 at once,
    /// [`Fault::BrokenList`] breaks a streaming list.
    pub(super) fn start(
        self,
        state: &Arc<ServerState>,
        connection: ConnectionEnd,
        fault: Option<Fault>,
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
            is_open: false,
            request: self,
            state: state.clone(),
        };
        let state = state.clone();
        state.clone().tasks.spawn(async move {
            let watch = async {
                // Either way the stream has ended, and the client sees that.
                let _ = match fault {
                    Some(Fault::ExpiredInBand) => {
                        stream.opens();
                        stream.expire().await
                    }
                    _ => stream.run(fault == Some(Fault::BrokenList)).await,
                };
            };
            tokio::select! {
                () = watch => {}
                () = state.stop.cancelled() => {}
            }
            drop(stream);
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
    /// It counts as an open watch: a streaming list does so once it is complete.
    is_open: bool,
}

impl Drop for WatchStream {
    fn drop(&mut self) {
        if self.is_open {
            self.state.faults.watches.send_modify(|watches| watches.open -= 1);
        }
    }
}

/// The stream has ended.
struct Ended;

type Flow = ControlFlow<Ended>;

impl WatchStream {
    async fn run(&mut self, breaks: bool) -> Flow {
        let mut versions = self.state.store.subscribe();
        if !matches!(self.request.start, Start::List(_)) {
            self.opens();
        }
        match self.request.start {
            Start::After(version) => self.last = version,
            Start::Later => self.last = self.state.store.resource_version(),
            Start::Now => self.initial(None, false).await?,
            Start::List(version) => self.list(version, breaks).await?,
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

    fn opens(&mut self) {
        self.is_open = true;
        self.state.faults.watches.send_modify(|watches| {
            watches.open += 1;
            watches.opened += 1;
        });
    }

    /// The list of a streaming list, at least of this version.
    async fn list(&mut self, version: Option<u64>, breaks: bool) -> Flow {
        let now = self.state.store.resource_version();
        if let Some(version) = version.filter(|version| *version > now) {
            return self.fail(&ApiError::too_large_version(version, now)).await;
        }
        // The watch cache answers version 0 as it is.
        let old = now.saturating_sub(self.state.faults.behind());
        let at = (version == Some(0) && old < now).then_some(old);
        self.initial(at, breaks).await?;
        if self.request.bookmarks {
            let bookmark = self.request.format.bookmark(self.request.resource, self.last, true);
            self.send(bookmark).await?;
        }
        self.opens();
        Flow::Continue(())
    }

    /// Sends the objects as of a version, now if none is given, or half of them before the connection breaks.
    async fn initial(&mut self, at: Option<u64>, breaks: bool) -> Flow {
        let (resource, selection) = (self.request.resource, &self.request.selection);
        let page = self.state.store.page(resource, selection, at, None, None);
        let Ok(mut page) = page else {
            return Flow::Break(Ended);
        };
        self.last = page.version;
        if breaks {
            page.items.truncate(page.items.len() / 2);
        }
        for objects in page.items.chunks(BATCH) {
            let mut lines = Vec::new();
            for object in objects {
                self.line(ChangeType::Added, object, &mut lines);
            }
            self.send(lines).await?;
        }
        match breaks {
            true => self.cut(Cut::Reset).await,
            false => Flow::Continue(()),
        }
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
        let bookmark = self.request.format.bookmark(self.request.resource, self.last, false);
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
            Start::Now | Start::Later | Start::List(_) => self.last,
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
