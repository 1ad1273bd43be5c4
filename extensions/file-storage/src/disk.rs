//! The disk, as redb sees it.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use redb::StorageBackend;

/// The problem with a file that is no longer where it was opened.
pub const GONE: &str = "it was removed or replaced while the collector used it; restart the collector";

/// A file. It takes no lock: the directory's lock is held as long as the file is open.
#[derive(Debug)]
pub struct Disk {
    /// The file.
    pub file: File,
    /// Syncs each commit to the disk. Otherwise the kernel holds it, which survives a crash of this process but not of
    /// the machine.
    pub fsync: bool,
    /// The path of the file, if it must still exist when a commit is synced: the content of a removed file is lost when
    /// the process ends.
    pub path: Option<PathBuf>,
}

impl Disk {
    fn is_in_place(&self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let (open, found) = (self.file.metadata()?, std::fs::metadata(path));
        match found {
            Ok(found) if (found.dev(), found.ino()) == (open.dev(), open.ino()) => Ok(()),
            _ => Err(io::Error::other(GONE)),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.is_in_place()?;
        match self.fsync {
            true => self.file.sync_data(),
            false => Ok(()),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}
