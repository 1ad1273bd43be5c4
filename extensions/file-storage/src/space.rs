//! Tracks free disk space: normal, or only the reserve for deletions left.

use std::time::{Duration, Instant};

use crate::database::{Database, DatabaseFailure};
use crate::reserve::Reserve;

/// The longest pause between two attempts to compact the file.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The space on the disk. It is low from the moment the disk is full until the reserve is acquired again.
pub(crate) struct Space {
    reserve: Box<dyn Reserve>,
    low: bool,
    /// The shortest pause between two attempts to acquire the reserve again.
    pause: Duration,
    /// Compacting reads the whole file, and may take one of this many parts of the time.
    parts: u32,
    /// The earliest time of the next attempt.
    next_try: Option<Instant>,
}

impl Space {
    /// Acquires the reserve, if there is room for it. `pause` is the shortest one between two attempts to acquire it
    /// again, which may take one of `parts` of the time.
    pub(crate) fn new(mut reserve: Box<dyn Reserve>, pause: Duration, parts: u32) -> Self {
        Space {
            low: reserve.take().is_err(),
            reserve,
            pause,
            parts,
            next_try: None,
        }
    }

    /// True if only deletions may be stored.
    pub(crate) fn is_low(&self) -> bool {
        self.low
    }

    /// The disk is full: releases the reserve. `true` if that made room.
    pub(crate) fn give_up(&mut self) -> bool {
        self.low = true;
        self.reserve.release()
    }

    /// Compacts the file and tries to acquire the reserve again. `true` if new data may be stored.
    ///
    /// # Errors
    /// If compacting failed; the file must be opened again then.
    pub(crate) fn restore(&mut self, database: &mut Database) -> Result<bool, DatabaseFailure> {
        let start = Instant::now();
        if self.next_try.is_some_and(|next| start < next) {
            return Ok(false);
        }
        let compacted = database.compact();
        let pause = (start.elapsed() * self.parts).clamp(self.pause, LONGEST_PAUSE);
        self.next_try = Some(Instant::now() + pause);
        compacted?;
        self.low = self.reserve.take().is_err();
        Ok(!self.low)
    }
}
