//! A running extension.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use collector_runtime::component::Kind;
use collector_runtime::health::Status;
use collector_runtime::storage::{Change, Storage, Store};
use collector_testing::{Folder, Host, Running, id};

pub(crate) fn yaml(folder: &Folder, more: &str) -> String {
    format!("directory: {}\n{more}", folder.path().display())
}

/// The file of the store.
pub(crate) fn file(folder: &Folder) -> PathBuf {
    folder.path().join("state.redb")
}

pub(crate) struct Extension {
    pub storage: Arc<dyn Storage>,
    host: Host,
    running: Running,
}

/// The errors that `validate` prints for these settings.
pub(crate) fn errors(yaml: &str) -> String {
    let made = Host::new("file_storage").create(&file_storage_extension::factory(), yaml);
    made.err().map(|errors| errors.to_string()).unwrap_or_default()
}

/// Starts the extension; the error is the one with which the collector would end.
pub(crate) async fn start(yaml: &str) -> Result<Extension, String> {
    let host = Host::new("file_storage");
    let extension = host.create(&file_storage_extension::factory(), yaml);
    let extension = extension.map_err(|errors| errors.to_string())?;
    let storage = extension.offer().storage.unwrap();
    let running = Running::extension(&host, extension).await;
    Ok(Extension {
        storage,
        running: running.map_err(|error| error.to_string())?,
        host,
    })
}

impl Extension {
    pub(crate) async fn store(&self, name: &str) -> Arc<dyn Store> {
        let store = self.storage.open(Kind::Receiver, &id(name)).await.unwrap();
        store.claim().await.unwrap();
        store
    }

    /// Waits until the extension reports a problem.
    pub(crate) async fn problem(&self) -> String {
        let is_problem = |status: &Status| matches!(status, Status::RecoverableError(_));
        self.host.until(is_problem).await.reason().unwrap().to_owned()
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
    }
}

pub(crate) fn set(key: &str, value: impl AsRef<[u8]>) -> Change {
    Change::Set(key.into(), Bytes::copy_from_slice(value.as_ref()))
}

pub(crate) fn delete(key: &str) -> Change {
    Change::Delete(key.into())
}
