//! Tracks free disk space: normal, or only the reserve for deletions left.

use std::time::{Duration, Instant};

use crate::database::{Database, DatabaseFailure};
use crate::reserve::Reserve;

/// The longest pause between two tries to make it smaller.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The space on the disk. It is low from the moment the disk is full until the reserve is taken again.
pub(crate) struct Space {
    reserve: Box<dyn Reserve>,
    low: bool,
    /// The shortest pause between two tries to take the reserve again.
    pause: Duration,
    /// Making the file smaller reads all of it, and may take one of so many parts of the time.
    parts: u32,
    /// When the next try may be made.
    next_try: Option<Instant>,
}

impl Space {
    /// Takes the reserve, if there is room for it. `pause` is the shortest one between two tries to take it again, which
    /// may need one of `parts` of the time.
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

    /// The disk is full: gives up the reserve. `true` if that has made room.
    pub(crate) fn give_up(&mut self) -> bool {
        self.low = true;
        self.reserve.release()
    }

    /// Makes the file smaller and tries to take the reserve again. `true` if what is new may be stored.
    ///
    /// # Errors
    /// If the file could not be made smaller; it must be opened again then.
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
