//! Watches.

use super::format::Format;
use super::list::parse_version;
use super::query::Query;
use super::server::{ConnectionControl, Shared};
use super::status::Failure;
use crate::faults::{Cut, WatchAction, WatchCommand};
use crate::resource::{ChangeType, Resource};
use crate::store::selector::Selection;
use crate::store::{Change, Stored};
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
    /// With what is there now, as ADDED; then, if asked, a bookmark that says so.
    Now { end_bookmark: bool },
    /// After this version.
    After(u64),
}

/// A watch as asked for.
#[derive(Debug)]
pub(crate) struct WatchRequest {
    user: Box<str>,
    resource: Resource,
    selection: Selection,
    start: Start,
    bookmarks: bool,
    timeout: Duration,
    format: Format,
}

impl WatchRequest {
    /// Reads the options of a watch (rules of `k8s.io/apimachinery/pkg/apis/meta/internalversion/validation`).
    pub fn parse(
        shared: &Shared,
        user: &str,
        resource: Resource,
        selection: Selection,
        query: &Query,
        format: Format,
    ) -> Result<WatchRequest, Failure> {
        let bookmarks = query.flag("allowWatchBookmarks");
        let initial = query.get("sendInitialEvents").map(|_| query.flag("sendInitialEvents"));
        let matching = query.get("resourceVersionMatch");
        if initial.is_some() && !shared.options.watch_list {
            let rule = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
            return Err(Failure::invalid_options("sendInitialEvents", rule));
        }
        if initial.is_some() && matching != Some("NotOlderThan") {
            let rule = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            return Err(Failure::invalid_options("resourceVersionMatch", rule));
        }
        if initial.is_none() && matching.is_some() {
            let rule = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            return Err(Failure::invalid_options("resourceVersionMatch", rule));
        }
        let version = match query.get("resourceVersion") {
            None | Some("0") => None,
            Some(text) => Some(parse_version(text)?),
        };
        let current = shared.store.resource_version();
        let start = match (initial, version) {
            (Some(true), Some(version)) if version > current => {
                return Err(Failure::too_large_version(version, current));
            }
            (Some(true), _) => Start::Now {
                end_bookmark: bookmarks,
            },
            (Some(false), None) => Start::After(current),
            (None, None) => Start::Now { end_bookmark: false },
            (_, Some(version)) => Start::After(version),
        };
        let timeout = query
            .number("timeoutSeconds")
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs);
        Ok(WatchRequest {
            user: user.into(),
            resource,
            selection,
            start,
            bookmarks,
            timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
            format,
        })
    }

    /// Starts the watch; its lines come out of the receiver. `expired` makes it end with 410 at once.
    pub fn start(
        self,
        shared: &Arc<Shared>,
        connection: Arc<ConnectionControl>,
        expired: bool,
    ) -> mpsc::Receiver<io::Result<Bytes>> {
        let (out, lines) = mpsc::channel(1);
        let deadline = Instant::now() + self.timeout;
        let mut stream = Stream {
            out,
            connection,
            deadline,
            commands: shared.faults.commands.subscribe(),
            stalled: shared.faults.stalled.subscribe(),
            bookmark_at: Instant::now() + shared.options.bookmark_interval,
            last: 0,
            said: Bytes::new(),
            request: self,
            shared: shared.clone(),
        };
        shared.faults.watches.send_modify(|watches| {
            watches.open += 1;
            watches.opened += 1;
        });
        let shared = shared.clone();
        shared.clone().tasks.spawn(async move {
            let watch = async {
                // Either way the stream has ended; there is nobody left to tell.
                let _ = if expired {
                    stream.expire().await
                } else {
                    stream.run().await
                };
            };
            tokio::select! {
                () = watch => {}
                () = shared.stop.cancelled() => {}
            }
            shared.faults.watches.send_modify(|watches| watches.open -= 1);
        });
        lines
    }
}

struct Stream {
    request: WatchRequest,
    shared: Arc<Shared>,
    connection: Arc<ConnectionControl>,
    out: mpsc::Sender<io::Result<Bytes>>,
    commands: broadcast::Receiver<WatchCommand>,
    stalled: watch::Receiver<BTreeSet<Resource>>,
    deadline: Instant,
    bookmark_at: Instant,
    /// Everything up to this version has been sent.
    last: u64,
    /// The lines that were sent last.
    said: Bytes,
}

/// The stream has ended.
struct Ended;

type Step = ControlFlow<Ended>;

impl Stream {
    async fn run(&mut self) -> Step {
        let mut versions = self.shared.store.subscribe();
        match self.request.start {
            Start::After(version) => self.last = version,
            Start::Now { end_bookmark } => self.initial(end_bookmark).await?,
        }
        loop {
            versions.mark_unchanged();
            let resource = self.request.resource;
            match self.shared.store.changes(resource, self.last, BATCH) {
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
                    let failure = Failure::too_old_version(self.last, too_old.floor);
                    return self.fail(&failure).await;
                }
                // The client reads too slowly; the real server closes such a watch.
                Err(_) => return Step::Break(Ended),
            }
            self.request.start = Start::Now { end_bookmark: false };
            self.wait(&mut versions).await?;
        }
    }

    /// Whether nothing has been sent or skipped yet.
    fn at_start(&self) -> bool {
        self.request.start == Start::After(self.last)
    }

    async fn initial(&mut self, end_bookmark: bool) -> Step {
        let page = self
            .shared
            .store
            .page(self.request.resource, &self.request.selection, None, None, None);
        let Ok(page) = page else { return Step::Break(Ended) };
        self.last = page.version;
        for objects in page.items.chunks(BATCH) {
            let mut lines = Vec::new();
            for object in objects {
                self.line(ChangeType::Added, object, &mut lines);
            }
            self.send(lines).await?;
        }
        if end_bookmark {
            self.send(self.request.format.bookmark(self.request.resource, self.last, true))
                .await?;
        }
        Step::Continue(())
    }

    /// Waits for a change of the store; sends bookmarks meanwhile.
    async fn wait(&mut self, versions: &mut watch::Receiver<u64>) -> Step {
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => self.obey(command).await?,
                () = self.out.closed() => return Step::Break(Ended),
                () = tokio::time::sleep_until(self.deadline) => return self.unless_stalled().await,
                changed = versions.changed() => {
                    return if changed.is_ok() { Step::Continue(()) } else { Step::Break(Ended) };
                }
                () = tokio::time::sleep_until(self.bookmark_at), if self.request.bookmarks => {
                    self.bookmark_at = Instant::now() + self.shared.options.bookmark_interval;
                    self.bookmark().await?;
                }
            }
        }
    }

    /// At the timeout a stream ends, but a stalled one says nothing at all.
    async fn unless_stalled(&mut self) -> Step {
        self.unstall().await?;
        Step::Break(Ended)
    }

    async fn bookmark(&mut self) -> Step {
        let now = self.shared.store.resource_version();
        // Nothing of this resource may lie between what was sent and the bookmark.
        if matches!(self.shared.store.changes(self.request.resource, self.last, 1), Ok((changes, _)) if changes.is_empty())
        {
            self.last = self.last.max(now);
        }
        self.send(self.request.format.bookmark(self.request.resource, self.last, false))
            .await
    }

    async fn send(&mut self, lines: Vec<u8>) -> Step {
        self.unstall().await?;
        let (out, lines) = (self.out.clone(), Bytes::from(lines));
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => Box::pin(self.obey(command)).await?,
                permit = out.reserve() => {
                    let Ok(permit) = permit else { return Step::Break(Ended) };
                    self.said = lines.clone();
                    permit.send(Ok(lines));
                    return Step::Continue(());
                }
            }
        }
    }

    /// Waits while watches are stalled.
    async fn unstall(&mut self) -> Step {
        while self.stalled.borrow_and_update().contains(&self.request.resource) {
            tokio::select! {
                biased;
                command = self.commands.recv() => Box::pin(self.obey(command)).await?,
                changed = self.stalled.changed() => if changed.is_err() { return Step::Break(Ended) },
                () = self.out.closed() => return Step::Break(Ended),
            }
        }
        Step::Continue(())
    }

    async fn obey(&mut self, command: Result<WatchCommand, broadcast::error::RecvError>) -> Step {
        let command = match command {
            Ok(command) => command,
            Err(broadcast::error::RecvError::Lagged(_)) => return Step::Continue(()),
            Err(broadcast::error::RecvError::Closed) => return Step::Break(Ended),
        };
        if !command.is_for(self.request.resource, &self.request.user) {
            return Step::Continue(());
        }
        match command.action {
            WatchAction::Bookmark if self.request.bookmarks => Box::pin(self.bookmark()).await,
            WatchAction::Bookmark => Step::Continue(()),
            WatchAction::Repeat if self.said.is_empty() => Step::Continue(()),
            WatchAction::Repeat => Box::pin(self.send(self.said.to_vec())).await,
            WatchAction::Expire => self.expire().await,
            WatchAction::Cut(cut) => self.cut(cut).await,
        }
    }

    async fn cut(&mut self, cut: Cut) -> Step {
        if matches!(cut, Cut::EndMidLine | Cut::ResetMidLine) {
            // The last byte is the first half of a two-byte character.
            let half = b"{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Job\",\"metadata\":{\"name\":\"\xc3";
            // An error says that the client left first.
            let _ = self.out.send(Ok(Bytes::from_static(half))).await;
        }
        if matches!(cut, Cut::Reset | Cut::ResetMidLine) {
            if cut == Cut::ResetMidLine {
                // Gives the half line time to leave before the connection goes.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.connection.reset();
            let _ = self.out.send(Err(io::ErrorKind::ConnectionReset.into())).await;
        }
        Step::Break(Ended)
    }

    /// Ends the watch as the real server does for a version from before its window.
    async fn expire(&mut self) -> Step {
        let (asked, floor) = match self.request.start {
            Start::After(version) => (version, self.shared.store.resource_version()),
            Start::Now { .. } => (self.last, self.shared.store.resource_version()),
        };
        self.fail(&Failure::too_old_version(asked, floor)).await
    }

    async fn fail(&mut self, failure: &Failure) -> Step {
        let line = format!("{{\"type\":\"ERROR\",\"object\":{}}}\n", failure.to_json());
        let _ = self.out.send(Ok(Bytes::from(line))).await;
        Step::Break(Ended)
    }

    fn encode(&self, changes: &[Change]) -> Vec<u8> {
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
                // It left the selection: the client is told what it last saw, under the version it left at.
                (Some(previous), false) => {
                    let last = previous.restamped(self.request.resource, change.version);
                    self.line(ChangeType::Deleted, &last, &mut lines);
                }
            }
        }
        lines
    }

    fn line(&self, kind: ChangeType, object: &Stored, lines: &mut Vec<u8>) {
        self.request
            .format
            .event(self.request.resource, kind, object, Timestamp::now(), lines);
    }
}
