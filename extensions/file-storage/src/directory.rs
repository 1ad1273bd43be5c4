//! The directory, and the lock that keeps a second collector out of it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

/// The pause between two attempts to lock the directory.
const PAUSE: Duration = Duration::from_millis(50);

/// Creates the directory and its parents if it is missing.
///
/// # Errors
/// The problem and its fix; `section` is the path of the settings.
pub fn create(path: &Path, mode: u32, section: &str) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(mode).create(path);
    made.map_err(|error| explain(&error, "made", path, section))
}

/// Content of the lock file while a collector uses the directory; empty after a clean shutdown.
const IN_USE: &[u8] = b"in use\n";

/// A directory that belongs to this process as long as this is held.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// True if the last collector that used the directory ended without closing its file.
    pub unclean: bool,
}

impl Lock {
    /// Takes the lock on an open lock file for granted, for tests.
    #[cfg(test)]
    pub(crate) fn of(file: File) -> Self {
        Lock { file, unclean: false }
    }

    fn new(mut file: File) -> Self {
        let mut found = Vec::new();
        // Only a log line depends on it, so a disk without room for these few bytes is not an error.
        let unclean = file.read_to_end(&mut found).is_ok() && !found.is_empty();
        if !unclean {
            let _ = file.write_all(IN_USE);
        }
        Lock { file, unclean }
    }

    /// Records that the file was closed cleanly, and releases the directory.
    pub fn close(self) {
        let _ = self.file.set_len(0);
    }
}

/// Locks the directory for this process.
///
/// # Errors
/// The problem and its fix; `section` is the path of the settings.
pub async fn lock(path: &Path, timeout: Duration, section: &str) -> Result<Lock, String> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path.join("lock"))
        .map_err(|error| explain(&error, "written to", path, section))?;
    let until = Instant::now() + timeout;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock::new(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "the directory {} is in use by another process; every collector needs one of its own: end the \
                     other one, or set {section}::directory",
                    path.display()
                ));
            }
            Err(TryLockError::Error(error)) => return Err(explain(&error, "locked", path, section)),
        }
    }
}

/// The error about the directory, with a remedy.
fn explain(error: &Error, verb: &str, path: &Path, section: &str) -> String {
    let advice = match error.kind() {
        ErrorKind::NotFound => format!("create it, or set {section}::create_directory: true"),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            format!("the path is not a directory; set {section}::directory to a directory")
        }
        ErrorKind::PermissionDenied => format!(
            "let the user that the collector runs as write there (in Kubernetes: securityContext.fsGroup), or set \
             {section}::directory"
        ),
        ErrorKind::ReadOnlyFilesystem => {
            format!("mount a volume there that can be written to, or set {section}::directory")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space".into(),
        ErrorKind::Unsupported => {
            format!("its file system has no locks; set {section}::directory to one on another file system")
        }
        _ => format!("see {section}::directory"),
    };
    format!("the directory {} cannot be {verb}: {error}; {advice}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_says_what_to_do() {
        // EACCES, EROFS, ENOSPC, EDQUOT, ENOTDIR, ENOLCK
        for (code, advice) in [
            (13, "securityContext.fsGroup"),
            (30, "mount a volume there that can be written to"),
            (28, "free some space"),
            (122, "free some space"),
            (20, "set s::directory to a directory"),
            (37, "see s::directory"),
        ] {
            let text = explain(&Error::from_raw_os_error(code), "written to", Path::new("/d"), "s");
            assert!(
                text.starts_with("the directory /d cannot be written to: ") && text.contains(advice),
                "{text}"
            );
        }
    }
}
