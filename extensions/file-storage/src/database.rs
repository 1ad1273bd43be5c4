//! The file: a redb database with a table for each component.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use collector_runtime::storage::{Change, StoreError};
use redb::{Builder, ReadableDatabase, StorageBackend, TableDefinition, TableError};

use crate::disk::{Disk, GONE};

/// The file's name in the directory.
pub const FILE: &str = "state.redb";
/// The name of a new file until it is complete.
const NEW_FILE: &str = "state.redb.new";
/// Describes the content of the other tables. No component's path begins like this.
const FORMAT: TableDefinition<'_, &str, u64> = TableDefinition::new("::format");
/// The version of the content of the tables.
const VERSION: u64 = 1;
/// redb's own default is a gigabyte.
const CACHE: usize = 8 * 1024 * 1024;

/// The share of a value that may be added when it is replaced by its parts: each part repeats the value's envelope.
const OVERHEAD: usize = 4;

type Values<'a> = TableDefinition<'a, &'static str, &'static [u8]>;

/// Where the file is, and how it is used.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory, which this process has locked.
    pub directory: PathBuf,
    /// Syncs each commit to the disk.
    pub fsync: bool,
    /// Replaces an unreadable file on startup.
    pub recreate: bool,
    /// The path of the settings, for error texts.
    pub section: String,
}

impl Place {
    /// The file.
    pub fn file(&self) -> PathBuf {
        self.directory.join(FILE)
    }
}

/// The open file.
pub struct Database {
    redb: redb::Database,
}

/// Changes of one component's table.
pub struct Transaction {
    /// The component's path.
    pub path: String,
    /// The changes, in order.
    pub changes: Vec<Change>,
}

/// Why an operation of the database failed.
#[derive(Debug)]
pub enum DatabaseFailure {
    /// The disk is full.
    Full(String),
    /// The disk failed.
    Disk(String),
    /// The file is unreadable.
    Broken(String),
}

impl Database {
    /// Opens the file on startup: creates a missing one, and replaces an unreadable one if the settings say so.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn start(place: &Place) -> Result<Database, DatabaseFailure> {
        let file = place.file();
        let broken = match Database::open(place) {
            Err(DatabaseFailure::Broken(broken)) if place.recreate => broken,
            opened => return opened,
        };
        let aside = unused(&file);
        std::fs::rename(&file, &aside).map_err(disk)?;
        let problem = DatabaseFailure::Broken(broken).store_error(place);
        tracing::warn!(aside = %aside.display(), "{problem}; moved it aside and created an empty one");
        Database::open(place)
    }

    /// Opens the file; creates a missing one.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn open(place: &Place) -> Result<Database, DatabaseFailure> {
        if !place.file().try_exists().map_err(disk)? {
            make(place)?;
        }
        Database::reopen(place)
    }

    /// Opens the file that this process has used before: one that is missing is not replaced by an empty one.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn reopen(place: &Place) -> Result<Database, DatabaseFailure> {
        let file = place.file();
        if !file.try_exists().map_err(disk)? {
            return Err(DatabaseFailure::Disk(GONE.into()));
        }
        let disk = Disk {
            file: OpenOptions::new().read(true).write(true).open(&file).map_err(disk)?,
            fsync: place.fsync,
            path: Some(file),
        };
        if disk.file.metadata().map_err(self::disk)?.len() == 0 {
            return Err(DatabaseFailure::Broken("it is empty".into()));
        }
        let database = Database::on(disk)?;
        match database.version()? {
            VERSION => Ok(database),
            other => Err(DatabaseFailure::Broken(format!(
                "found stored format {other}, expected {VERSION}: another release of the collector wrote it"
            ))),
        }
    }

    /// The database on a disk. Compares the checksums of its whole content, so that damage is found now.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn on(disk: impl StorageBackend) -> Result<Database, DatabaseFailure> {
        guarded(|| {
            let mut builder = Builder::new();
            builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
            let redb = builder.create_with_backend(disk)?;
            Ok(Database { redb })
        })
    }

    /// Applies all transactions in one commit: all of them or, on an error, none.
    ///
    /// # Errors
    /// Why nothing was written. The database must not be used after that: open it again.
    pub fn apply<'a>(&self, transactions: impl Iterator<Item = &'a Transaction>) -> Result<(), DatabaseFailure> {
        guarded(|| {
            let writing = self.redb.begin_write()?;
            for Transaction { path, changes } in transactions {
                let mut table = writing.open_table(Values::new(path))?;
                for change in changes {
                    match change {
                        Change::Set(key, value) => drop(table.insert(key.as_str(), &**value)?),
                        Change::Delete(key) => drop(table.remove(key.as_str())?),
                    }
                }
            }
            writing.commit()?;
            Ok(())
        })
    }

    /// True if a transaction leaves no more stored than before. One that replaces values by their parts counts, too.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn frees(&self, transaction: &Transaction) -> Result<bool, DatabaseFailure> {
        guarded(|| {
            let Some(table) = self.table(&transaction.path)? else {
                return Ok(false);
            };
            let (mut added, mut freed, mut deletes) = (0, 0, false);
            for change in &transaction.changes {
                let key = match change {
                    Change::Set(key, value) => {
                        added += value.len();
                        key
                    }
                    Change::Delete(key) => {
                        deletes = true;
                        key
                    }
                };
                freed += table.get(key.as_str())?.map_or(0, |stored| stored.value().len());
            }
            let overhead = if deletes { freed / OVERHEAD } else { 0 };
            Ok(added <= freed + overhead)
        })
    }

    /// Moves the content to the front of the file and truncates the file, which frees disk space. Reads and writes up
    /// to all of it.
    ///
    /// # Errors
    /// Why it failed. The database must not be used after that: open it again.
    pub fn compact(&mut self) -> Result<(), DatabaseFailure> {
        guarded(|| {
            self.redb.compact()?;
            Ok(())
        })
    }

    /// The value of a key.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn get(&self, path: &str, key: &str) -> Result<Option<Bytes>, DatabaseFailure> {
        guarded(|| {
            let Some(table) = self.table(path)? else {
                return Ok(None);
            };
            Ok(table.get(key)?.map(|value| Bytes::copy_from_slice(value.value())))
        })
    }

    /// The keys that begin with `prefix`, in order of their bytes.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub fn keys(&self, path: &str, prefix: &str) -> Result<Vec<String>, DatabaseFailure> {
        guarded(|| {
            let mut keys = Vec::new();
            let Some(table) = self.table(path)? else {
                return Ok(keys);
            };
            for entry in table.range(prefix..)? {
                let key = entry?.0;
                if !key.value().starts_with(prefix) {
                    break;
                }
                keys.push(key.value().to_owned());
            }
            Ok(keys)
        })
    }

    fn table(&self, path: &str) -> Result<Option<redb::ReadOnlyTable<&'static str, &'static [u8]>>, redb::Error> {
        match self.redb.begin_read()?.open_table(Values::new(path)) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn version(&self) -> Result<u64, DatabaseFailure> {
        guarded(|| match self.redb.begin_read()?.open_table(FORMAT) {
            Ok(table) => Ok(table.get("version")?.map_or(0, |version| version.value())),
            Err(TableError::TableDoesNotExist(_)) => Ok(0),
            Err(error) => Err(error.into()),
        })
    }

    fn set_version(&self) -> Result<(), DatabaseFailure> {
        guarded(|| {
            let writing = self.redb.begin_write()?;
            writing.open_table(FORMAT)?.insert("version", VERSION)?;
            writing.commit()?;
            Ok(())
        })
    }
}

/// Creates an empty file. It gets its name once it is complete, so that a crash leaves none or a valid one.
fn make(place: &Place) -> Result<(), DatabaseFailure> {
    let new = place.directory.join(NEW_FILE);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .map_err(disk)?;
    let database = Database::on(Disk {
        file,
        fsync: true,
        path: None,
    })?;
    database.set_version()?;
    drop(database);
    std::fs::rename(&new, place.file()).map_err(disk)?;
    // The name must survive a crash of the machine, too.
    File::open(&place.directory)
        .and_then(|directory| directory.sync_all())
        .map_err(disk)
}

/// The first name for a broken file that is not taken.
fn unused(file: &Path) -> PathBuf {
    let named = |number: u32| file.with_extension(format!("redb.broken-{number}"));
    (1..).map(named).find(|path| !path.exists()).unwrap_or_else(|| named(0))
}

impl DatabaseFailure {
    /// The error for the component that uses the store, with a remedy.
    pub fn store_error(&self, place: &Place) -> StoreError {
        match self {
            DatabaseFailure::Full(why) => StoreError::Unavailable(format!(
                "the disk of the file {} is full: {why}; until there is space, only deletions are stored: make the \
                 volume larger, or let the queue drain",
                place.file().display()
            )),
            DatabaseFailure::Disk(why) => StoreError::Unavailable(format!(
                "cannot read or write the file {}: {why}; check the disk and the directory it is in",
                place.file().display()
            )),
            DatabaseFailure::Broken(why) => StoreError::Permanent(format!(
                "the file {} cannot be used: {why}; restore it, or replace it by an empty one: move it away, or set \
                 {}::recreate: true (queued data in it is lost then)",
                place.file().display(),
                place.section
            )),
        }
    }
}

/// Classifies an error of the disk.
fn disk(error: io::Error) -> DatabaseFailure {
    use io::ErrorKind::{FileTooLarge, InvalidData, QuotaExceeded, StorageFull, UnexpectedEof};
    match error.kind() {
        InvalidData | UnexpectedEof => DatabaseFailure::Broken(error.to_string()),
        StorageFull | QuotaExceeded | FileTooLarge => DatabaseFailure::Full(error.to_string()),
        _ => DatabaseFailure::Disk(error.to_string()),
    }
}

/// Calls redb, which panics on some files that it did not write.
fn guarded<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, DatabaseFailure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(DatabaseFailure::from),
        Err(_) => Err(DatabaseFailure::Broken("its content is inconsistent".into())),
    }
}

impl From<redb::Error> for DatabaseFailure {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => disk(error),
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => DatabaseFailure::Disk(error.to_string()),
            error => DatabaseFailure::Broken(error.to_string()),
        }
    }
}
