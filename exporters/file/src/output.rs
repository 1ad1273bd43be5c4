//! The file at its path: opened, cut to whole lines, rotated, and opened again after another program moved it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use jiff::Timestamp;

use crate::backups;
use crate::lines::{self, Disk, WholeLines};
use crate::settings::FileConfig;

/// The mode of a new file: termination messages may contain secrets. An existing file keeps its mode.
const FILE_MODE: u32 = 0o600;

/// The file that lines are appended to.
#[derive(Debug)]
pub(crate) struct OutputFile {
    config: FileConfig,
    lines: WholeLines<File>,
}

impl OutputFile {
    /// Opens the file. An incomplete line at its end was never acknowledged, and is removed.
    ///
    /// # Errors
    /// If the file cannot be opened, locked or written.
    pub(crate) fn open(config: FileConfig) -> io::Result<OutputFile> {
        let lines = open(&config, config.append)?;
        Ok(OutputFile { config, lines })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// If the line cannot be written; no part of it stays.
    pub(crate) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.was_moved() {
            // The old file keeps its lines.
            self.lines.sync()?;
            self.lines = open(&self.config, true)?;
        }
        self.rotate(line.len() as u64)?;
        self.lines.append(line, self.config.flush_interval.is_zero())
    }

    /// Waits until all lines are on the disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.lines.sync()
    }

    fn was_moved(&self) -> bool {
        let ours = self.lines.disk().metadata();
        let current = std::fs::metadata(&self.config.path);
        match (ours, current) {
            (Ok(ours), Ok(current)) => (ours.dev(), ours.ino()) != (current.dev(), current.ino()),
            // Opening the file reports any other problem.
            _ => true,
        }
    }

    /// Begins a new file if the line does not fit. A line above `max_megabytes` has its own file.
    fn rotate(&mut self, more: u64) -> io::Result<()> {
        let Some(rotation) = self.config.rotation else {
            return Ok(());
        };
        let length = self.lines.length();
        if length == 0 || length + more <= rotation.max_bytes {
            return Ok(());
        }
        self.lines.sync()?;
        let path = &self.config.path;
        let now = Timestamp::now();
        std::fs::rename(path, backups::name(path, now))?;
        self.lines = open(&self.config, true)?;
        // The new file exists, so an old one that cannot be removed does not stop the exporter.
        match backups::prune(path, rotation, now) {
            Ok(gone) if !gone.is_empty() => {
                tracing::info!(path = %path.display(), files = gone.len(), "removed full files")
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(path = %path.display(), %error, "cannot remove full files"),
        }
        Ok(())
    }
}

fn open(config: &FileConfig, append: bool) -> io::Result<WholeLines<File>> {
    let path = &config.path;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if config.create_directory {
        std::fs::create_dir_all(folder)?;
    }
    // Not `truncate`: the file must be locked first.
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::new(
                error.kind(),
                format!("its folder does not exist ({error}); create it, or set create_directory: true"),
            ),
            _ => error,
        })?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let message = "another process or exporter writes to it; give each a file of its own";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let found = file.metadata()?.len();
    let length = if append { lines::whole_lines(&mut file)? } else { 0 };
    if length < found {
        file.cut(length)?;
        file.sync()?;
        if append {
            tracing::warn!(
                path = %path.display(),
                bytes = found - length,
                "removed an incomplete line, which was never acknowledged"
            );
        }
    }
    // Syncs the file's directory entry to the disk.
    File::open(folder)?.sync_all()?;
    Ok(WholeLines::new(file, length))
}
