//! Disk space set aside for deletions.
//!
//! redb copies the pages it changes, so even a deletion needs free space. On a disk that the store itself has filled,
//! no delivered data could be removed and the queue would never drain. The reserve is a file that really occupies disk
//! space; it is released when the disk is full, and acquired again once there is room.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The reserve's size in bytes: many times what one commit of deletions writes.
pub const SIZE: u64 = 1024 * 1024;
/// Free space besides the reserve, in bytes, below which the disk counts as full.
pub const HEADROOM: u64 = SIZE / 4;
/// The file's name in the directory.
const FILE: &str = "reserve";

/// Space on the disk that can be released and acquired again.
pub trait Reserve: Send {
    /// Occupies the space; does nothing if it is occupied.
    ///
    /// # Errors
    /// If there is no room for [`SIZE`] and [`HEADROOM`]; nothing is occupied then.
    fn take(&mut self) -> io::Result<()>;

    /// Releases the space. `false` if nothing was occupied.
    fn release(&mut self) -> bool;
}

/// A reserve in a file of the storage directory.
#[derive(Debug)]
pub struct ReserveFile {
    path: PathBuf,
}

impl ReserveFile {
    /// The reserve in this directory; nothing is read or written yet.
    pub fn new(directory: &Path) -> Self {
        ReserveFile {
            path: directory.join(FILE),
        }
    }

    fn write(&self) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.path)?;
        write_all(&mut file)?;
        file.set_len(SIZE)?;
        file.sync_all()
    }
}

impl Reserve for ReserveFile {
    fn take(&mut self) -> io::Result<()> {
        if std::fs::metadata(&self.path).is_ok_and(|found| found.len() == SIZE) {
            return Ok(());
        }
        self.write().inspect_err(|_| {
            let _ = std::fs::remove_file(&self.path);
        })
    }

    fn release(&mut self) -> bool {
        std::fs::remove_file(&self.path).is_ok()
    }
}

/// Bytes that no file system compresses away or stores as a hole.
fn write_all(file: &mut File) -> io::Result<()> {
    let mut block = [0; 8192];
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..(SIZE + HEADROOM) / block.len() as u64 {
        for byte in &mut block {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (random >> 33) as u8;
        }
        file.write_all(&block)?;
    }
    Ok(())
}
