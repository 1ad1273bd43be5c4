//! How the marks of a checkpoint are stored: five tables, each with the number of its entries (4 bytes).
//!
//! 1. Announced stalls: short UID of the Job (8 bytes), the beginning of the stall (8 bytes), the cause (its length, 1 byte, and
//!    its name).
//! 2. Announced missed runs: short UID of the CronJob (8 bytes), the first and the last slot (8 bytes each), their number (4
//!    bytes), the reason (1 byte, the position in [`MissReason::ALL`]).
//! 3. Stalls: short UID of the Job (8 bytes), the beginning (8 bytes), 1 if it lasts (1 byte), the number of causes that a
//!    recovery was reported for (1 byte), the number of causes (1 byte) and the causes.
//! 4. CronJobs: short UID (8 bytes), the last slot and the last success (4 bytes each), the generation (2 bytes), failures (2
//!    bytes) and, if there are any, the last one (4 bytes).
//! 5. Histories: short UID of the owner (8 bytes), a length (1 byte) and that many bytes.
//!
//! Times of 4 bytes are seconds since 1970 without a sign. The tables are in the order of their importance: if the checkpoint
//! would be too large, the last entries of the last tables are omitted.

use std::cmp::Reverse;

use bytes::{Buf, BufMut, Bytes};
use job_event::notice::MissReason;

use super::format::{Unreadable, take, text};
use super::{AnnouncedRuns, CronJobMark, Marks, StallMark};

/// The number of tables.
const TABLES: usize = 5;
/// The length of a number of entries.
const COUNT: usize = 4;

/// Writes tables of bounded size.
struct MarkWriter<'a> {
    bytes: &'a mut Vec<u8>,
    max_size: usize,
    /// The tables that are still to be written.
    tables: usize,
    omitted: usize,
}

impl MarkWriter<'_> {
    /// Writes the entries, the most important first, as long as they fit.
    fn table<T>(&mut self, entries: impl ExactSizeIterator<Item = T>, put: impl Fn(&mut Vec<u8>, T)) {
        self.tables -= 1;
        let room = self.max_size.saturating_sub(COUNT * self.tables);
        let all = entries.len();
        let start = self.bytes.len();
        self.bytes.put_u32(0);
        let mut count: u32 = 0;
        for entry in entries {
            let end = self.bytes.len();
            put(self.bytes, entry);
            if self.bytes.len() > room {
                self.bytes.truncate(end);
                break;
            }
            count += 1;
        }
        self.bytes[start..start + COUNT].copy_from_slice(&count.to_be_bytes());
        self.omitted += all - count as usize;
    }

    /// The entries in the order of their importance, if some may not fit.
    fn sorted<'a, V, K: Ord>(
        &self,
        entries: impl Iterator<Item = (&'a u64, &'a V)>,
        importance: impl Fn(&V) -> K,
    ) -> std::vec::IntoIter<(&'a u64, &'a V)> {
        let mut entries: Vec<_> = entries.collect();
        if self.max_size < usize::MAX {
            entries.sort_by_key(|(uid, value)| (importance(value), **uid));
        }
        entries.into_iter()
    }
}

impl Marks {
    /// Appends the marks, as many as fit into `max_size` bytes; returns how many do not.
    ///
    /// Omitted first are histories, the shortest first; then CronJobs without failures, those that ran longest ago first; then
    /// stalls, those that ended first.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>, max_size: usize) -> usize {
        let mut writer = MarkWriter {
            bytes,
            max_size,
            tables: TABLES,
            omitted: 0,
        };
        writer.table(self.announced_stalls.iter(), |bytes, ((job, cause), since)| {
            bytes.put_u64(*job);
            bytes.put_i64(*since);
            put_text(bytes, cause);
        });
        writer.table(self.announced_runs.iter(), |bytes, ((cronjob, first), runs)| {
            bytes.put_u64(*cronjob);
            bytes.put_i64(*first);
            bytes.put_i64(runs.last);
            bytes.put_u32(runs.count);
            let reason = MissReason::ALL.iter().position(|reason| *reason == runs.reason);
            bytes.put_u8(length(reason.unwrap_or(usize::MAX)));
        });
        let stalls = writer.sorted(self.stalls.iter(), |stall| (!stall.is_open, Reverse(stall.since)));
        writer.table(stalls, |bytes, (uid, stall)| {
            bytes.put_u64(*uid);
            bytes.put_i64(stall.since);
            bytes.put_u8(stall.is_open.into());
            bytes.put_u8(length(stall.recovered));
            bytes.put_u8(length(stall.causes.len()));
            for cause in stall.causes.iter().take(u8::MAX.into()) {
                put_text(bytes, cause);
            }
        });
        let cronjobs = writer.sorted(self.cronjobs.iter(), |mark| (mark.failures == 0, Reverse(mark.slot)));
        writer.table(cronjobs, |bytes, (uid, cronjob)| {
            bytes.put_u64(*uid);
            bytes.put_u32(time(cronjob.slot));
            bytes.put_u32(time(cronjob.last_success));
            bytes.put_u16(cronjob.generation);
            bytes.put_u16(cronjob.failures.try_into().unwrap_or(u16::MAX));
            if cronjob.failures > 0 {
                bytes.put_u32(time(cronjob.last_failure));
            }
        });
        let histories = writer.sorted(self.histories.iter(), |durations| Reverse(durations.len()));
        writer.table(histories, |bytes, (owner, durations)| {
            bytes.put_u64(*owner);
            let durations = &durations[..durations.len().min(u8::MAX.into())];
            bytes.put_u8(length(durations.len()));
            bytes.put_slice(durations);
        });
        writer.omitted
    }

    /// The stored marks.
    pub(super) fn decode(bytes: &mut Bytes) -> Result<Marks, Unreadable> {
        let mut marks = Marks::default();
        for _ in 0..bytes.try_get_u32()? {
            let job = bytes.try_get_u64()?;
            let since = bytes.try_get_i64()?;
            marks.announced_stalls.insert((job, cause(bytes)?), since);
        }
        for _ in 0..bytes.try_get_u32()? {
            let key = (bytes.try_get_u64()?, bytes.try_get_i64()?);
            let runs = AnnouncedRuns {
                last: bytes.try_get_i64()?,
                count: bytes.try_get_u32()?,
                reason: reason(bytes.try_get_u8()?),
            };
            marks.announced_runs.insert(key, runs);
        }
        for _ in 0..bytes.try_get_u32()? {
            let uid = bytes.try_get_u64()?;
            let since = bytes.try_get_i64()?;
            let is_open = bytes.try_get_u8()? != 0;
            let recovered = bytes.try_get_u8()?.into();
            let causes = (0..bytes.try_get_u8()?)
                .map(|_| cause(bytes))
                .collect::<Result<_, _>>()?;
            let stall = StallMark {
                since,
                is_open,
                causes,
                recovered,
            };
            marks.stalls.insert(uid, stall);
        }
        for _ in 0..bytes.try_get_u32()? {
            let uid = bytes.try_get_u64()?;
            let mut cronjob = CronJobMark {
                slot: bytes.try_get_u32()?.into(),
                last_success: bytes.try_get_u32()?.into(),
                generation: bytes.try_get_u16()?,
                failures: bytes.try_get_u16()?.into(),
                last_failure: 0,
            };
            if cronjob.failures > 0 {
                cronjob.last_failure = bytes.try_get_u32()?.into();
            }
            marks.cronjobs.insert(uid, cronjob);
        }
        for _ in 0..bytes.try_get_u32()? {
            let owner = bytes.try_get_u64()?;
            let length = usize::from(bytes.try_get_u8()?);
            marks.histories.insert(owner, take(bytes, length)?.as_ref().into());
        }
        marks.resume_announced();
        Ok(marks)
    }
}

fn length(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

fn time(second: i64) -> u32 {
    second.clamp(0, u32::MAX.into()).try_into().unwrap_or(u32::MAX)
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let end = (0..=text.len().min(u8::MAX.into())).rfind(|end| text.is_char_boundary(*end));
    let text = &text[..end.unwrap_or(0)];
    bytes.put_u8(length(text.len()));
    bytes.put_slice(text.as_bytes());
}

fn cause(bytes: &mut Bytes) -> Result<Box<str>, Unreadable> {
    let length = bytes.try_get_u8()?.into();
    text(bytes, length)
}

/// A position that a later release added has no known meaning.
fn reason(position: u8) -> MissReason {
    let known = MissReason::ALL.get(usize::from(position));
    known.copied().unwrap_or(MissReason::Unknown)
}

#[cfg(test)]
#[path = "marks_tests.rs"]
mod tests;
