//! The thread that owns the file. All transactions that wait are made together in one commit, so that many writers cost
//! one wait for the disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pipeline::storage::StoreError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::database::{Database, Failure, Place, Transaction};

/// The most calls that are answered together.
const GROUP: usize = 1024;
/// The pause before a file that failed is opened again: opening reads all of it.
const PAUSE: Duration = Duration::from_secs(1);

/// Where an answer goes. Whoever asked may be gone.
pub type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// One call of a store.
pub enum Command {
    /// The store at this path is claimed; answered with the number of the claim.
    Claim(String, Reply<u64>),
    /// A transaction under a claim.
    Apply(u64, Transaction, Reply<()>),
    /// The value of a key of a path.
    Get(String, String, Reply<Option<Bytes>>),
    /// The keys of a path that begin with a prefix.
    Keys(String, String, Reply<Vec<String>>),
    /// The file is closed; nothing is done after that.
    Close(oneshot::Sender<()>),
}

/// The handle of the thread.
pub struct Writer {
    /// Where calls go.
    pub commands: mpsc::Sender<Command>,
    problem: watch::Receiver<Option<String>>,
}

impl Writer {
    /// Starts the thread and waits until it has opened the file.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub async fn start(place: Place, lock: File) -> Result<Writer, String> {
        let first = {
            let place = place.clone();
            move || Database::start(&place)
        };
        let again = {
            let place = place.clone();
            move || Database::open(&place)
        };
        Writer::with(place, lock, first, again, PAUSE).await
    }

    /// The same, with other ways to open the file at the start and after a failure.
    pub(crate) async fn with(
        place: Place,
        lock: File,
        first: impl FnOnce() -> Result<Database, StoreError> + Send + 'static,
        again: impl Fn() -> Result<Database, StoreError> + Send + 'static,
        pause: Duration,
    ) -> Result<Writer, String> {
        let (commands, calls) = mpsc::channel(GROUP);
        let (report, problem) = watch::channel(None);
        let (opened, opening) = oneshot::channel();
        let thread = move || match first() {
            Ok(database) => {
                // Whoever waits for it is there, or the collector is told to stop.
                let _ = opened.send(Ok(()));
                let file = OpenFile {
                    place,
                    _lock: lock,
                    state: State::Open(database),
                    again: Box::new(again),
                    pause,
                    claims: BTreeMap::new(),
                    report,
                };
                file.serve(calls);
            }
            Err(error) => {
                let _ = opened.send(Err(error.to_string()));
            }
        };
        std::thread::Builder::new()
            .name("file_storage".into())
            .spawn(thread)
            .map_err(|error| format!("no thread can be started: {error}"))?;
        match opening.await {
            Ok(opened) => opened.map(|()| Writer { commands, problem }),
            Err(_) => Err("the thread that opens the file has ended; see the log".into()),
        }
    }

    /// Waits for the next change: what keeps it from working, or that nothing does any more. `None`: it has ended.
    pub async fn problem(&mut self) -> Option<Option<String>> {
        self.problem.changed().await.ok()?;
        Some(self.problem.borrow_and_update().clone())
    }

    /// Closes the file, after everything that was asked for before.
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close(done)).await.is_ok() {
            // An error says that the thread is gone, and the file closed with it.
            let _ = closed.await;
        }
    }
}

enum State {
    Open(Database),
    /// It failed then, for this reason, and has not been opened again.
    Failed(Instant, StoreError),
}

/// What the thread holds.
struct OpenFile {
    // Dropped first: the lock goes last.
    state: State,
    _lock: File,
    place: Place,
    again: Box<dyn Fn() -> Result<Database, StoreError> + Send>,
    pause: Duration,
    /// The number of the last claim, by path.
    claims: BTreeMap<String, u64>,
    report: watch::Sender<Option<String>>,
}

impl OpenFile {
    fn serve(mut self, mut calls: mpsc::Receiver<Command>) {
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
                        let _ = reply.send(self.with(|database| database.get(&path, &key)));
                    }
                    Command::Keys(path, prefix, reply) => {
                        let _ = reply.send(self.with(|database| database.keys(&path, &prefix)));
                    }
                    Command::Close(done) => close = Some(done),
                }
            }
            if !writes.is_empty() {
                let written = self.with(|database| database.apply(writes.iter().map(|(transaction, _)| transaction)));
                for (_, reply) in writes.drain(..) {
                    let _ = reply.send(written.clone());
                }
            }
            if let Some(done) = close {
                drop(self);
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

    /// Does something with the file. After a failure it is opened again, so that it is whole: redb takes back what was
    /// half written.
    fn with<T>(&mut self, work: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, StoreError> {
        if let State::Failed(when, error) = &self.state {
            if when.elapsed() < self.pause {
                return Err(error.clone());
            }
            match (self.again)() {
                Ok(database) => self.state = State::Open(database),
                Err(error) => return Err(self.failed(error)),
            }
        }
        let State::Open(database) = &self.state else {
            return Err(StoreError::Unavailable("the file is closed".into()));
        };
        match work(database) {
            Ok(done) => {
                self.report.send_if_modified(|problem| problem.take().is_some());
                Ok(done)
            }
            Err(failure) => {
                let error = failure.told(&self.place);
                Err(self.failed(error))
            }
        }
    }

    fn failed(&mut self, error: StoreError) -> StoreError {
        self.state = State::Failed(Instant::now(), error.clone());
        self.report.send_replace(Some(error.to_string()));
        error
    }
}
