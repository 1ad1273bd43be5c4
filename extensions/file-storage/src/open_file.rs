//! The open file and its operations: commits of many transactions, opening it again after a failure, and continuing
//! with deletions when the disk is full.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use collector_runtime::storage::StoreError;
use tokio::sync::{mpsc, watch};

use crate::database::{Database, DatabaseFailure, Place, Transaction};
use crate::directory::Lock;
use crate::reserve::Reserve;
use crate::space::Space;
use crate::writer::{Command, GROUP, Reply};

/// A way to open the file.
pub(crate) type Open = Box<dyn Fn(&Place) -> Result<Database, DatabaseFailure> + Send>;

/// How the file is opened.
pub(crate) struct Opener {
    /// On startup.
    pub(crate) first: Open,
    /// After a failure.
    pub(crate) again: Open,
    /// The pause before it is opened again.
    pub(crate) pause: Duration,
    /// Compacting the file on a full disk may take one of this many parts of the time.
    pub(crate) parts: u32,
}

enum FileState {
    Open(Database),
    Failed {
        error: StoreError,
        /// When it may be opened again.
        until: Instant,
    },
}

/// The state of the thread.
pub(crate) struct OpenFile {
    state: FileState,
    lock: Lock,
    place: Place,
    opener: Opener,
    space: Space,
    /// The number of the last claim, by path.
    claims: BTreeMap<String, u64>,
    report: watch::Sender<Option<String>>,
}

type Write = (Transaction, Reply<()>);

/// The result of a commit: the error and whether the disk is full.
type Committed = Result<(), (StoreError, bool)>;

impl OpenFile {
    /// Opens the file on startup.
    ///
    /// # Errors
    /// The problem and how to fix it.
    pub(crate) fn open(
        place: Place,
        lock: Lock,
        opener: Opener,
        reserve: Box<dyn Reserve>,
        report: watch::Sender<Option<String>>,
    ) -> Result<Self, StoreError> {
        if lock.unclean {
            tracing::info!(file = %place.file().display(), "the last shutdown was not clean; checking the file");
        }
        let mut space = Space::new(reserve, opener.pause, opener.parts);
        let database = match (opener.first)(&place) {
            // Opening a file that was not closed cleanly writes to it.
            Err(DatabaseFailure::Full(_)) if space.give_up() => (opener.first)(&place),
            opened => opened,
        };
        let database = database.map_err(|failure| failure.store_error(&place))?;
        if space.is_low() {
            let error = full().store_error(&place).to_string();
            tracing::warn!("{error}");
            report.send_replace(Some(error));
        }
        Ok(OpenFile {
            state: FileState::Open(database),
            lock,
            place,
            opener,
            space,
            claims: BTreeMap::new(),
            report,
        })
    }

    /// Handles calls until the file is closed or all callers are dropped.
    pub(crate) fn serve(mut self, mut calls: mpsc::Receiver<Command>) {
        let mut group = Vec::new();
        let mut writes = Vec::new();
        while calls.blocking_recv_many(&mut group, GROUP) > 0 {
            let mut close = None;
            for command in group.drain(..) {
                match command {
                    Command::Claim(path, reply) => {
                        let claim = self.claims.entry(path).or_default();
                        *claim += 1;
                        let _ = reply.send(Ok(*claim));
                    }
                    Command::Apply(claim, transaction, reply) => match self.fenced(claim, &transaction.path) {
                        Some(fenced) => drop(reply.send(Err(fenced))),
                        None => writes.push((transaction, reply)),
                    },
                    Command::Get(path, key, reply) => {
                        let _ = reply.send(self.read(|database| database.get(&path, &key)));
                    }
                    Command::Keys(path, prefix, reply) => {
                        let _ = reply.send(self.read(|database| database.keys(&path, &prefix)));
                    }
                    Command::Close(done) => close = Some(done),
                }
            }
            if !writes.is_empty() {
                self.write(std::mem::take(&mut writes));
            }
            if let Some(done) = close {
                self.close();
                let _ = done.send(());
                return;
            }
        }
    }

    fn fenced(&self, claim: u64, path: &str) -> Option<StoreError> {
        (self.claims.get(path) != Some(&claim)).then(|| {
            StoreError::Fenced(format!(
                "the store of {path} is not claimed by the component that writes to it"
            ))
        })
    }

    /// Applies all transactions in one commit. On a full disk the transactions that free space come first, then the
    /// others if there is room by then.
    fn write(&mut self, writes: Vec<Write>) {
        if !self.space.is_low() {
            match self.commit(&writes) {
                Err((_, true)) => {}
                committed => return answer(writes, &committed),
            }
        }
        let (mut freeing, mut adding) = (Vec::new(), Vec::new());
        for write in writes {
            match self.read(|database| database.frees(&write.0)) {
                Ok(true) => freeing.push(write),
                Ok(false) => adding.push(write),
                Err(error) => drop(write.1.send(Err(error))),
            }
        }
        if !freeing.is_empty() {
            let committed = self.commit(&freeing);
            answer(freeing, &committed);
        }
        let has_room = self.restore();
        if !adding.is_empty() {
            let committed = if has_room {
                self.commit(&adding)
            } else {
                Err((full().store_error(&self.place), true))
            };
            answer(adding, &committed);
        }
    }

    /// Takes the reserve again if there is room by now.
    fn restore(&mut self) -> bool {
        if self.reopen().is_err() {
            return false;
        }
        let FileState::Open(database) = &mut self.state else {
            return false;
        };
        match self.space.restore(database) {
            Ok(restored) => {
                self.report_working();
                restored
            }
            Err(failure) => {
                self.failed(&failure);
                false
            }
        }
    }

    fn commit(&mut self, writes: &[Write]) -> Committed {
        let transactions = writes.iter().map(|(transaction, _)| transaction);
        match self.with(|database| database.apply(transactions)) {
            Ok(()) => {
                self.report_working();
                Ok(())
            }
            Err(error) => Err((error, self.space.is_low())),
        }
    }

    fn read<T>(&mut self, work: impl FnOnce(&Database) -> Result<T, DatabaseFailure>) -> Result<T, StoreError> {
        let read = self.with(work)?;
        self.report_working();
        Ok(read)
    }

    /// Runs an operation on the file, which is opened again after a failure: redb rolls back incomplete writes.
    fn with<T>(&mut self, work: impl FnOnce(&Database) -> Result<T, DatabaseFailure>) -> Result<T, StoreError> {
        self.reopen()?;
        let FileState::Open(database) = &self.state else {
            return Err(StoreError::Unavailable("the file is closed".into()));
        };
        work(database).map_err(|failure| self.failed(&failure))
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let FileState::Failed { error, until } = &self.state else {
            return Ok(());
        };
        if Instant::now() < *until {
            return Err(error.clone());
        }
        let opened = match (self.opener.again)(&self.place) {
            Err(DatabaseFailure::Full(_)) if self.space.give_up() => (self.opener.again)(&self.place),
            opened => opened,
        };
        self.state = FileState::Open(opened.map_err(|failure| self.failed(&failure))?);
        Ok(())
    }

    fn failed(&mut self, failure: &DatabaseFailure) -> StoreError {
        let error = failure.store_error(&self.place);
        let made_room = matches!(failure, DatabaseFailure::Full(_)) && self.space.give_up();
        let pause = if made_room { Duration::ZERO } else { self.opener.pause };
        self.state = FileState::Failed {
            error: error.clone(),
            until: Instant::now() + pause,
        };
        self.report.send_replace(Some(error.to_string()));
        error
    }

    /// Clears the problem, unless the disk accepts deletions only.
    fn report_working(&mut self) {
        if !self.space.is_low() {
            self.report.send_if_modified(|problem| problem.take().is_some());
        }
    }

    fn close(self) {
        let is_whole = matches!(self.state, FileState::Open(_));
        drop(self.state);
        if is_whole {
            self.lock.close();
        }
    }
}

/// The failure of a disk that accepts deletions only.
fn full() -> DatabaseFailure {
    DatabaseFailure::Full("no storage space".into())
}

fn answer(writes: Vec<Write>, committed: &Committed) {
    for (_, reply) in writes {
        let _ = reply.send(committed.clone().map_err(|(error, _)| error));
    }
}
