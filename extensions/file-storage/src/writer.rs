//! The thread that owns the file. All waiting transactions are written in one commit, so that many writers wait for the
//! disk once.

use std::time::Duration;

use bytes::Bytes;
use collector_runtime::storage::StoreError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::database::{Database, Place, Transaction};
use crate::directory::Lock;
use crate::open_file::{OpenFile, Opener};
use crate::reserve::{Reserve, ReserveFile};

/// The most calls that are answered together.
pub(crate) const GROUP: usize = 1024;
/// The pause before a file that failed is opened again: opening reads all of it.
const PAUSE: Duration = Duration::from_secs(1);

/// The receiver of an answer, which may have ended.
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
    /// The file is closed; no call is answered after that.
    Close(oneshot::Sender<()>),
}

/// The handle of the thread.
pub struct Writer {
    /// The channel for calls.
    pub commands: mpsc::Sender<Command>,
    pub(crate) problem: watch::Receiver<Option<String>>,
}

impl Writer {
    /// Starts the thread and waits until it has opened the file.
    ///
    /// # Errors
    /// The problem and how to fix it.
    pub async fn start(place: Place, lock: Lock) -> Result<Writer, String> {
        let opener = Opener {
            first: Box::new(Database::start),
            again: Box::new(Database::reopen),
            pause: PAUSE,
            parts: 20,
        };
        let reserve = Box::new(ReserveFile::new(&place.directory));
        Writer::with(place, lock, opener, reserve).await
    }

    /// The same, with another way to open the file and to reserve space.
    pub(crate) async fn with(
        place: Place,
        lock: Lock,
        opener: Opener,
        reserve: Box<dyn Reserve>,
    ) -> Result<Writer, String> {
        let (commands, calls) = mpsc::channel(GROUP);
        let (report, problem) = watch::channel(None);
        let (opened, opening) = oneshot::channel();
        let thread = move || match OpenFile::open(place, lock, opener, reserve, report) {
            Ok(file) => {
                // The receiver is closed if the collector shuts down meanwhile.
                let _ = opened.send(Ok(()));
                file.serve(calls);
            }
            Err(error) => {
                let _ = opened.send(Err(error.to_string()));
            }
        };
        std::thread::Builder::new()
            .name("file_storage".into())
            .spawn(thread)
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        match opening.await {
            Ok(opened) => opened.map(|()| Writer { commands, problem }),
            Err(_) => Err("the thread that opens the file has ended; see the log".into()),
        }
    }

    /// Waits for the next change of the problem; the inner `None`: the problem is gone. `None`: the thread has ended.
    pub async fn problem(&mut self) -> Option<Option<String>> {
        self.problem.changed().await.ok()?;
        Some(self.problem.borrow_and_update().clone())
    }

    /// Closes the file, after all earlier calls.
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close(done)).await.is_ok() {
            // An error means that the thread has ended and the file is closed.
            let _ = closed.await;
        }
    }
}
