//! The store of a component.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use collector_runtime::storage::{Change, Store, StoreError};
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::database::Transaction;
use crate::writer::{Command, Reply};

/// The store of one component.
pub struct FileStore {
    path: String,
    commands: mpsc::Sender<Command>,
    /// The number of its claim; 0: none.
    claim: AtomicU64,
}

impl FileStore {
    /// The store of the component at this path (`receivers::k8s_job`).
    pub fn new(path: String, commands: mpsc::Sender<Command>) -> Self {
        FileStore {
            path,
            commands,
            claim: AtomicU64::new(0),
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let closed = || StoreError::Unavailable("the file storage is closed".into());
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }
}

impl Store for FileStore {
    /// Another process cannot claim it: this process has locked the directory.
    fn claim(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            let claim = self.ask(|reply| Command::Claim(self.path.clone(), reply)).await?;
            self.claim.store(claim, Ordering::Release);
            Ok(())
        })
    }

    fn keys(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        let prefix = prefix.to_owned();
        Box::pin(self.ask(|reply| Command::Keys(self.path.clone(), prefix, reply)))
    }

    fn get(&self, key: &str) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        let key = key.to_owned();
        Box::pin(self.ask(|reply| Command::Get(self.path.clone(), key, reply)))
    }

    fn apply(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<(), StoreError>> {
        let claim = self.claim.load(Ordering::Acquire);
        let transaction = Transaction {
            path: self.path.clone(),
            changes,
        };
        Box::pin(self.ask(move |reply| Command::Apply(claim, transaction, reply)))
    }
}
