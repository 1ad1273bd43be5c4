//! Appends whole lines or nothing: the rest of a failed write is removed before the next one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// The file, which tests replace.
pub(crate) trait Disk: Write {
    /// Sets the length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Returns once written bytes survive a crash of the machine.
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A file with whole lines up to `length`.
#[derive(Debug)]
pub(crate) struct WholeLines<D> {
    disk: D,
    length: u64,
    /// True if bytes may follow `length`.
    torn: bool,
    /// True if bytes may not be on the disk yet.
    unsynced: bool,
}

impl<D: Disk> WholeLines<D> {
    /// A file in append mode with whole lines of `length` bytes.
    pub(crate) fn new(disk: D, length: u64) -> Self {
        WholeLines {
            disk,
            length,
            torn: false,
            unsynced: false,
        }
    }

    /// The length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn disk(&self) -> &D {
        &self.disk
    }

    /// Appends a line, which ends with a line break; `sync` waits for the disk.
    ///
    /// # Errors
    /// If the line cannot be written; it may be retried.
    pub(crate) fn append(&mut self, line: &[u8], sync: bool) -> io::Result<()> {
        if self.torn {
            self.disk.cut(self.length)?;
            self.torn = false;
        }
        // True until the whole line is written.
        self.torn = true;
        self.disk.write_all(line)?;
        self.unsynced = true;
        if sync {
            self.sync()?;
        }
        self.torn = false;
        self.length += line.len() as u64;
        Ok(())
    }

    /// Waits until all bytes are on the disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            self.disk.sync()?;
            self.unsynced = false;
        }
        Ok(())
    }
}

/// The end of the last whole line of a file.
pub(crate) fn whole_lines(file: &mut File) -> io::Result<u64> {
    const CHUNK: u64 = 64 * 1024;
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut chunk = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        file.take(end - start).read_to_end(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that writes up to `room` bytes, and then fails.
    #[derive(Default)]
    struct Small {
        content: Vec<u8>,
        room: usize,
        sync_fails: bool,
        cut_fails: bool,
        syncs: usize,
    }

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.room - self.content.len()).min(3);
            self.content.extend(&bytes[..fits]);
            match fits {
                0 => Err(io::ErrorKind::StorageFull.into()),
                fits => Ok(fits),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Disk for Small {
        fn cut(&mut self, length: u64) -> io::Result<()> {
            if self.cut_fails {
                return Err(io::ErrorKind::Other.into());
            }
            self.content.truncate(length as usize);
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            self.syncs += 1;
            if self.sync_fails {
                return Err(io::ErrorKind::Other.into());
            }
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_leaves_no_incomplete_line() {
        let mut lines = WholeLines::new(
            Small {
                room: 12,
                ..Small::default()
            },
            0,
        );
        lines.append(b"first\n", true).unwrap();
        for _ in 0..3 {
            let error = lines.append(b"second one\n", true).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
        assert_eq!(lines.disk.content, b"first\nsecond");
        // While the rest cannot be removed, nothing is appended to it.
        (lines.disk.cut_fails, lines.disk.room) = (true, 100);
        assert!(lines.append(b"second one\n", true).is_err());
        assert_eq!(lines.disk.content, b"first\nsecond");
        lines.disk.cut_fails = false;
        lines.append(b"second one\n", true).unwrap();
        assert_eq!(lines.disk.content, b"first\nsecond one\n");
        assert_eq!(lines.length(), 17);
    }

    #[test]
    fn a_line_is_written_once_after_a_failed_sync() {
        let mut lines = WholeLines::new(
            Small {
                room: 100,
                sync_fails: true,
                ..Small::default()
            },
            0,
        );
        assert!(lines.append(b"a\n", true).is_err());
        lines.disk.sync_fails = false;
        lines.append(b"a\n", true).unwrap();
        assert_eq!(lines.disk.content, b"a\n");
        lines.append(b"b\n", false).unwrap();
        assert_eq!(lines.disk.syncs, 2, "without `sync`, it does not wait");
        lines.sync().unwrap();
        lines.sync().unwrap();
        assert_eq!(lines.disk.syncs, 3);
    }
}
