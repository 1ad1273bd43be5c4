//! The file at its path: opened, cut to whole lines, rotated, and opened again if somebody has moved it away.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use jiff::Timestamp;

use crate::backups;
use crate::lines::{self, Disk, Lines};
use crate::settings::Config;

/// A new file is its owner's alone: termination messages may hold anything. One that exists keeps its mode.
const FILE_MODE: u32 = 0o600;

/// The file lines are added to.
#[derive(Debug)]
pub(crate) struct Log {
    config: Config,
    lines: Lines<File>,
}

impl Log {
    /// Opens the file. What does not end a line at its end was never acknowledged, and is cut off.
    ///
    /// # Errors
    /// Why it cannot be written to.
    pub fn open(config: Config) -> io::Result<Log> {
        let lines = open(&config, config.append)?;
        Ok(Log { config, lines })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// Why it could not be added; nothing of it stays.
    pub fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.was_moved() {
            // What is in the old one stays there, wherever that is.
            self.lines.sync()?;
            self.lines = open(&self.config, true)?;
        }
        self.rotate(line.len() as u64)?;
        self.lines.append(line, self.config.flush_interval.is_zero())
    }

    /// Waits until all lines are on the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.lines.sync()
    }

    fn was_moved(&self) -> bool {
        let ours = self.lines.disk().metadata();
        let there = std::fs::metadata(&self.config.path);
        match (ours, there) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) != (there.dev(), there.ino()),
            // Whatever else is wrong, opening it will say.
            _ => true,
        }
    }

    /// Begins a new file if the line does not fit any more. A line that is larger than a file may be has one of its own.
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
        // The new file is there; that an old one could not be removed is no reason not to write.
        match backups::prune(path, rotation, now) {
            Ok(gone) if !gone.is_empty() => {
                tracing::info!("removed {} full files beside {}", gone.len(), path.display())
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("cannot remove full files beside {}: {error}", path.display()),
        }
        Ok(())
    }
}

fn open(config: &Config, append: bool) -> io::Result<Lines<File>> {
    let path = &config.path;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if config.create_directory {
        std::fs::create_dir_all(folder)?;
    }
    // Not `truncate`: first it must be ours.
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::new(
                error.kind(),
                format!("its folder does not exist ({error}); make it, or set create_directory: true"),
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
                "{} ended within a line; its last {} bytes, which were never acknowledged, are cut off",
                path.display(),
                found - length
            );
        }
    }
    // The file's name is on the disk, too.
    File::open(folder)?.sync_all()?;
    Ok(Lines::new(file, length))
}
