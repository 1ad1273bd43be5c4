//! Whether the disk has room, or only the reserve for deletions is left.

use std::time::{Duration, Instant};

use crate::database::{Database, Failure};
use crate::reserve::Reserve;

/// The longest pause between two tries to store what is new.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The first and the longest pause between two compactions while nothing is deleted. It doubles, since each reads the
/// whole file.
const COMPACTION_PAUSE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

/// The space on the disk. It is low from the moment the disk is full until what is new is stored again.
pub struct Space {
    reserve: Box<dyn Reserve>,
    low: bool,
    first_pause: Duration,
    pause: Duration,
    tried: Option<Instant>,
    /// When the file was made smaller last.
    compacted: Option<Instant>,
    compaction_pause: Duration,
    /// The most entries since then.
    entries: u64,
}

impl Space {
    /// Takes the reserve, if there is room for it. `pause` is the first one between two tries to store what is new.
    pub fn new(mut reserve: Box<dyn Reserve>, pause: Duration) -> Self {
        Space {
            low: reserve.take().is_err(),
            reserve,
            first_pause: pause,
            pause,
            tried: None,
            compacted: None,
            compaction_pause: COMPACTION_PAUSE.0,
            entries: 0,
        }
    }

    /// Whether only what frees space may be stored.
    pub fn is_low(&self) -> bool {
        self.low
    }

    /// The disk is full: gives up the reserve. `true` if that has made room.
    pub fn give_up(&mut self, now: Instant) -> bool {
        self.low = true;
        self.tried = Some(now);
        self.reserve.release()
    }

    /// What was new has been stored.
    pub fn stored(&mut self) {
        self.pause = self.first_pause;
    }

    /// Tries to take the reserve again; makes the file smaller first if that is worth it. `true` if what is new may be
    /// stored.
    ///
    /// # Errors
    /// If the file could not be made smaller; it must be opened again then.
    pub fn restore(&mut self, database: &mut Database, now: Instant) -> Result<bool, Failure> {
        let over = |last: Option<Instant>, pause| last.is_none_or(|last| now.duration_since(last) >= pause);
        let entries = database.entries()?;
        self.entries = self.entries.max(entries);
        let halved = entries <= self.entries / 2;
        let compact = halved || over(self.compacted, self.compaction_pause);
        if !compact && !over(self.tried, self.pause) {
            return Ok(false);
        }
        self.tried = Some(now);
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
        if compact {
            self.entries = entries;
            self.compacted = Some(now);
            let (first, longest) = COMPACTION_PAUSE;
            self.compaction_pause = if halved {
                first
            } else {
                longest.min(self.compaction_pause * 2)
            };
            database.compact()?;
        }
        self.low = self.reserve.take().is_err();
        Ok(!self.low)
    }
}
