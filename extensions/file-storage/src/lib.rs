//! Extension `file_storage`: the state of components, in one file of a directory on this machine.
//!
//! * [`directory`]: the directory, and the lock that keeps a second collector out of it.
//! * [`database`]: the file, a redb database with a table for each component.
//! * [`writer`]: the thread that owns the file. All waiting transactions are written in one commit.
//! * [`reserve`]: space for deletions on a disk that is full.
//! * [`store`]: the store of a component.

pub mod database;
pub mod directory;
pub mod disk;
#[cfg(test)]
mod full_disk_tests;
mod open_file;
pub mod reserve;
mod settings;
mod space;
pub mod store;
#[cfg(test)]
mod tests;
pub mod writer;

use std::sync::{Arc, OnceLock};

use collector_config::ComponentId;
use collector_config::{Diagnostics, schema_of};
use collector_runtime::component::{ComponentError, Create, Extension, Factory, Kind, Running};
use collector_runtime::health::Status;
use collector_runtime::storage::{Offer, Storage, Store, StoreError};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::database::Place;
use crate::settings::FileStorageSettings;
use crate::store::FileStore;
use crate::writer::{Command, Writer};

/// The extension, for the table of components.
pub fn factory() -> Factory<dyn Extension> {
    Factory {
        type_name: "file_storage",
        aliases: &[],
        signals: &[],
        makes: &[],
        description: "Stores the state of components in a file, so that it survives a restart",
        schema: schema_of::<settings::FileStorageKeys>,
        create: |create| Ok(Box::new(FileStorage::new(create)?)),
    }
}

struct FileStorage {
    settings: FileStorageSettings,
    /// The path of its settings, for error texts: `extensions::file_storage`.
    section: String,
    access: Arc<StoreAccess>,
    writer: Option<Writer>,
}

/// The service that it offers to other components.
struct StoreAccess {
    section: String,
    /// Set when it starts.
    commands: OnceLock<mpsc::Sender<Command>>,
}

impl FileStorage {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        let section = Kind::Extension.path(create.id);
        Ok(FileStorage {
            settings: FileStorageSettings::read(create.settings)?,
            access: Arc::new(StoreAccess {
                section: section.clone(),
                commands: OnceLock::new(),
            }),
            section,
            writer: None,
        })
    }

    async fn open(&self) -> Result<Writer, String> {
        let settings = &self.settings;
        let path = &settings.directory;
        if settings.create_directory {
            directory::create(path, settings.directory_permissions, &self.section)?;
        }
        let lock = directory::lock(path, settings.timeout.get(), &self.section).await?;
        let place = Place {
            directory: path.clone(),
            fsync: settings.fsync,
            recreate: settings.recreate,
            section: self.section.clone(),
        };
        Writer::start(place, lock).await
    }
}

impl Extension for FileStorage {
    fn offer(&self) -> Offer {
        Offer {
            storage: Some(self.access.clone()),
            ..Offer::default()
        }
    }

    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let writer = self.open().await?;
            // It is set once: a component is started once.
            let _ = self.access.commands.set(writer.commands.clone());
            self.writer = Some(writer);
            tracing::info!(directory = %self.settings.directory.display(), "file storage is open");
            Ok(())
        })
    }

    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let mut writer = self.writer.ok_or("it was not started")?;
            loop {
                tokio::select! {
                    biased;
                    () = running.shutdown.cancelled() => break,
                    problem = writer.problem() => match problem {
                        Some(Some(problem)) => running.health.report(Status::RecoverableError(problem)),
                        Some(None) => running.health.report(Status::Ok),
                        None => return Err("the writer thread has ended; see the log".into()),
                    },
                }
            }
            writer.close().await;
            Ok(())
        })
    }
}

impl Storage for StoreAccess {
    fn open(&self, kind: Kind, id: &ComponentId) -> BoxFuture<'_, Result<Arc<dyn Store>, StoreError>> {
        let opened = match self.commands.get() {
            Some(commands) => Ok(Arc::new(FileStore::new(kind.path(id), commands.clone())) as Arc<dyn Store>),
            None => Err(StoreError::Unavailable(format!("{} is not started yet", self.section))),
        };
        Box::pin(async { opened })
    }

    fn leader_elector(&self) -> Option<&ComponentId> {
        None
    }

    fn capacity(&self) -> Option<usize> {
        None
    }
}
