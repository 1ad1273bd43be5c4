//! Whole lines at the end of a file, or none: what a failed write left behind is cut off before the next one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// What lines are written to.
pub(crate) trait Disk: Write {
    /// Makes it that long.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Returns once what was written survives a crash of the machine.
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

/// A file that holds whole lines up to `length`.
#[derive(Debug)]
pub(crate) struct Lines<D> {
    disk: D,
    length: u64,
    /// Whether there may be something behind that.
    torn: bool,
    /// Whether something is not on the disk yet.
    unsynced: bool,
}

impl<D: Disk> Lines<D> {
    /// A file that is written at its end and holds whole lines, `length` bytes.
    pub fn new(disk: D, length: u64) -> Self {
        Lines {
            disk,
            length,
            torn: false,
            unsynced: false,
        }
    }

    /// How long it is.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What it is written to.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Adds a line, which ends with a line break, and waits for the disk if it should survive a crash at once.
    ///
    /// # Errors
    /// Then nothing of it counts as written, and it may be tried again.
    pub fn append(&mut self, line: &[u8], sync: bool) -> io::Result<()> {
        if self.torn {
            self.disk.cut(self.length)?;
            self.torn = false;
        }
        // Set first: it holds until all of it has worked.
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

    /// Waits until everything is on the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            self.disk.sync()?;
            self.unsynced = false;
        }
        Ok(())
    }
}

/// Where the last whole line of a file ends.
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

    /// A disk with so much room, which writes what fits and then fails.
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
    fn a_full_disk_leaves_no_half_line_between_whole_ones() {
        let mut lines = Lines::new(
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
        // As long as the rest cannot be cut off, nothing is added to it.
        (lines.disk.cut_fails, lines.disk.room) = (true, 100);
        assert!(lines.append(b"second one\n", true).is_err());
        assert_eq!(lines.disk.content, b"first\nsecond");
        lines.disk.cut_fails = false;
        lines.append(b"second one\n", true).unwrap();
        assert_eq!(lines.disk.content, b"first\nsecond one\n");
        assert_eq!(lines.length(), 17);
    }

    #[test]
    fn a_line_that_may_not_be_on_the_disk_is_written_again_and_not_twice() {
        let mut lines = Lines::new(
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
        assert_eq!(lines.disk.syncs, 2, "who does not ask does not wait");
        lines.sync().unwrap();
        lines.sync().unwrap();
        assert_eq!(lines.disk.syncs, 3);
    }
}
