//! A running extension, and folders for it.

#![allow(clippy::unwrap_used, dead_code)]

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use collector_config::ComponentId;
use collector_config::Settings;
use collector_runtime::component::{Create, Kind, Running};
use collector_runtime::health::{Health, Status};
use collector_runtime::storage::{Change, Provided, Storage, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A folder of this test's own, gone when it ends.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("file-storage-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn yaml(&self, more: &str) -> String {
        format!("directory: {}\n{more}", self.0.display())
    }

    pub fn file(&self) -> PathBuf {
        self.0.join("state.redb")
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Extension {
    pub storage: Arc<dyn Storage>,
    pub health: Health,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

pub fn id(name: &str) -> ComponentId {
    ComponentId {
        type_name: name.into(),
        name: None,
    }
}

/// What `validate` says of these settings; empty if they are right.
pub fn errors(yaml: &str) -> String {
    make(yaml).err().unwrap_or_default()
}

fn make(yaml: &str) -> Result<Box<dyn collector_runtime::component::Extension>, String> {
    let made = (file_storage_extension::factory().create)(&Create {
        id: &id("file_storage"),
        settings: &Settings::from_yaml(yaml).unwrap(),
        meter: &opentelemetry::global::meter("test"),
        health: &Health::new(),
        provided: &Provided::new(),
    });
    made.map_err(|errors| errors.to_string())
}

/// Starts the extension; the error is what the collector would end with.
pub async fn start(yaml: &str) -> Result<Extension, String> {
    let mut extension = make(yaml)?;
    let storage = extension.offer().storage.unwrap();
    extension.start().await.map_err(|error| error.to_string())?;
    let (health, shutdown) = (Health::new(), CancellationToken::new());
    let running = Running {
        shutdown: shutdown.clone(),
        health: health.reporter("extensions::file_storage"),
    };
    running.health.report(Status::Ok);
    let run = extension.run(running);
    let task = tokio::spawn(async move { run.await.unwrap() });
    Ok(Extension {
        storage,
        health,
        shutdown,
        task,
    })
}

impl Extension {
    pub async fn store(&self, name: &str) -> Arc<dyn Store> {
        let store = self.storage.open(Kind::Receiver, &id(name)).await.unwrap();
        store.claim().await.unwrap();
        store
    }

    /// Waits until the extension reports a problem.
    pub async fn problem(&mut self) -> String {
        let mut statuses = self.health.watch();
        let statuses = statuses
            .wait_for(|statuses| matches!(statuses[&"extensions::file_storage"], Status::RecoverableError(_)))
            .await
            .unwrap();
        statuses[&"extensions::file_storage"].reason().unwrap().to_owned()
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

pub fn set(key: &str, value: impl AsRef<[u8]>) -> Change {
    Change::Set(key.into(), Bytes::copy_from_slice(value.as_ref()))
}

pub fn delete(key: &str) -> Change {
    Change::Delete(key.into())
}
