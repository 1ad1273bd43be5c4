//! Facts about the slots of one CronJob that are not decided yet.

/// How many are remembered: the notes of some minutes, until a silent watch is proven to work.
const CAPACITY: usize = 24;

/// An observation about a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// A Job was created for it, this many seconds later.
    Started(u32),
    /// It was `status.lastScheduleTime`, so a Job was created for it.
    Scheduled,
    /// The controller did not start it because the previous run was active.
    Forbidden,
    /// The controller found its starting deadline exceeded.
    DeadlinePassed,
    /// The controller could not create its Job.
    CreationFailed,
}

impl Note {
    fn is_start(self) -> bool {
        matches!(self, Note::Started(_) | Note::Scheduled)
    }
}

/// Notes, each with its slot in seconds since 1970, in the order of their arrival.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<(i64, Note)>);

impl Notes {
    /// Adds a note. Returns the slot whose start is forgotten to make room for it.
    pub(crate) fn add(&mut self, slot: i64, note: Note) -> Option<i64> {
        if let Note::Started(late) = note
            && let Some((_, known)) = self.0.iter_mut().find(|(at, known)| *at == slot && known.is_start())
        {
            *known = match *known {
                // The earliest Job counts.
                Note::Started(before) => Note::Started(before.min(late)),
                _ => note,
            };
            return None;
        }
        let is_known = self.0.contains(&(slot, note)) || (note == Note::Scheduled && self.start(slot).is_some());
        if is_known {
            return None;
        }
        let forgotten = (self.0.len() >= CAPACITY).then(|| self.0.remove(0));
        self.0.reserve_exact(1);
        self.0.push((slot, note));
        forgotten.filter(|(_, note)| note.is_start()).map(|(slot, _)| slot)
    }

    /// The start of a slot.
    pub(crate) fn start(&self, slot: i64) -> Option<Note> {
        let mut of_it = self.0.iter().filter(|(at, note)| *at == slot && note.is_start());
        of_it.next().map(|(_, note)| *note)
    }

    /// True if there is that note about a slot.
    pub(crate) fn has(&self, slot: i64, note: Note) -> bool {
        self.0.contains(&(slot, note))
    }

    /// The slots with that note.
    pub(crate) fn slots(&self, note: Note) -> impl Iterator<Item = i64> {
        self.0
            .iter()
            .filter(move |(_, known)| *known == note)
            .map(|(slot, _)| *slot)
    }

    /// Forgets the slots up to `slot`.
    pub(crate) fn forget(&mut self, slot: i64) {
        self.0.retain(|(at, _)| *at > slot);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0 = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_says_more_than_the_status() {
        let mut notes = Notes::default();
        notes.add(60, Note::Scheduled);
        assert_eq!(notes.start(60), Some(Note::Scheduled));
        notes.add(60, Note::Started(5));
        notes.add(60, Note::Scheduled);
        notes.add(60, Note::Started(9));
        assert_eq!(notes.start(60), Some(Note::Started(5)));
        notes.add(60, Note::Forbidden);
        notes.forget(59);
        assert!(notes.has(60, Note::Forbidden));
        notes.forget(60);
        assert_eq!((notes.start(60), notes.0.capacity()), (None, 0));
    }

    #[test]
    fn reports_the_start_that_makes_room() {
        let mut notes = Notes::default();
        notes.add(0, Note::Forbidden);
        for slot in 1..CAPACITY as i64 {
            assert_eq!(notes.add(slot, Note::Started(0)), None);
        }
        assert_eq!(notes.add(100, Note::Started(0)), None, "the oldest one is no start");
        assert_eq!(notes.add(101, Note::Started(0)), Some(1));
    }
}
