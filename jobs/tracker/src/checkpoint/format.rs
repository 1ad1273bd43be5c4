//! How a checkpoint is stored.
//!
//! The version (one byte); when it was stored (8 bytes); the number of scopes (2 bytes), each with the length of its
//! name (2 bytes), its name, the time when it was first watched (8 bytes), its watermark (8 bytes), the number of its
//! reported Jobs (4 bytes), and each of these with its short UID (8 bytes), how many seconds after the watermark it was
//! decided (4 bytes) and how many seconds later it was over (2 bytes, all bits set if it is not); the number of late
//! ones (4 bytes), each with its short UID.
//!
//! Since version 4 the number of watches (2 bytes) follows, each with its kind (1 byte: 1 Jobs, 2 Pods), the length of the name of
//! its scope (2 bytes), that name, and the version at which the watch resumes (8 bytes).
//!
//! Since version 3 the marks follow ([`super::marks_format`]).
//!
//! All numbers are big-endian, times are seconds since 1970.
//!
//! Version 1 stored one time for each scope, used both as its watermark and as the time when it was first watched. Its
//! names of scopes were off by one.

use std::collections::HashMap;

use bytes::{Buf, BufMut, Bytes, TryGetError};
use jiff::Timestamp;

use job_watch::Kind;

use super::{Checkpoint, FinishedJob, Marks, Scope, StoredPosition};
use crate::outbox::AckState;
use crate::resume::RESUMED;

const VERSION: u8 = 4;
/// The oldest version that is read.
const FIRST_VERSION: u8 = 1;
/// Marks a Job that is not finished.
const NOT_OVER: u16 = u16::MAX;

/// Why stored bytes are not a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the stored checkpoint: {0}")]
pub struct Unreadable(String);

impl From<TryGetError> for Unreadable {
    fn from(_: TryGetError) -> Self {
        Unreadable("it is truncated".into())
    }
}

impl Checkpoint {
    /// The stored form at `now`.
    pub(crate) fn encode(&mut self, now: Timestamp) -> Bytes {
        self.is_dirty = false;
        self.has_new_positions = false;
        self.saved_at = Some(now);
        let mut bytes = Vec::with_capacity(64 + 14 * self.reported.len() + 8 * self.late.len());
        bytes.put_u8(VERSION);
        bytes.put_i64(now.as_second());
        bytes.put_u16(self.scopes.len().try_into().unwrap_or(u16::MAX));
        let mut by_scope: HashMap<&str, Vec<(u64, &FinishedJob)>> = HashMap::new();
        for (uid, job) in &self.reported {
            by_scope.entry(&job.scope).or_default().push((*uid, job));
        }
        for (name, scope) in &self.scopes {
            bytes.put_u16(name.len().try_into().unwrap_or(u16::MAX));
            bytes.put_slice(name.as_bytes());
            bytes.put_i64(scope.since);
            bytes.put_i64(scope.watermark);
            let jobs = by_scope.get(&**name).map(Vec::as_slice).unwrap_or_default();
            bytes.put_u32(jobs.len().try_into().unwrap_or(u32::MAX));
            for (uid, job) in jobs {
                bytes.put_u64(*uid);
                // Entries before the watermark are kept for lookup only.
                let after = job.at.saturating_sub(scope.watermark).clamp(0, u32::MAX.into());
                bytes.put_u32(after.try_into().unwrap_or(u32::MAX));
                let over = job
                    .over
                    .and_then(|over| over.min(u32::from(NOT_OVER) - 1).try_into().ok());
                bytes.put_u16(over.unwrap_or(NOT_OVER));
            }
        }
        bytes.put_u32(self.late.len().try_into().unwrap_or(u32::MAX));
        for uid in &self.late {
            bytes.put_u64(*uid);
        }
        bytes.put_i64(self.positions_at);
        bytes.put_u16(self.positions.len().try_into().unwrap_or(u16::MAX));
        for StoredPosition { kind, scope, version } in self.positions.iter().take(u16::MAX.into()) {
            bytes.put_u8(code(*kind));
            bytes.put_u16(scope.len().try_into().unwrap_or(u16::MAX));
            bytes.put_slice(scope.as_bytes());
            bytes.put_u64(*version);
        }
        self.omitted = self.marks.encode(&mut bytes, self.max_size);
        bytes.into()
    }

    /// The stored checkpoint.
    ///
    /// # Errors
    /// If it is not a checkpoint, or one of a later version.
    pub fn decode(mut bytes: Bytes, capacity: usize) -> Result<Checkpoint, Unreadable> {
        let mut checkpoint = Checkpoint::new(capacity);
        let version = bytes.try_get_u8()?;
        if version > VERSION {
            return Err(Unreadable(format!(
                "version {version}, expected {FIRST_VERSION} to {VERSION}: written by a later release of the collector, run that one"
            )));
        }
        if version < FIRST_VERSION {
            return Err(Unreadable(format!("unknown version {version}")));
        }
        checkpoint.is_misnamed = version == 1;
        let saved_at = Timestamp::from_second(bytes.try_get_i64()?);
        checkpoint.saved_at = Some(saved_at.map_err(|error| Unreadable(error.to_string()))?);
        for _ in 0..bytes.try_get_u16()? {
            let name = name(&mut bytes)?;
            let since = bytes.try_get_i64()?;
            // The origin of the times in version 1.
            let watermark = if version == 1 { since } else { bytes.try_get_i64()? };
            for _ in 0..bytes.try_get_u32()? {
                let uid = bytes.try_get_u64()?;
                let at = watermark.saturating_add(bytes.try_get_u32()?.into());
                let over = bytes.try_get_u16()?;
                let job = FinishedJob {
                    scope: name.clone(),
                    at,
                    over: (over != NOT_OVER).then(|| over.into()),
                    state: AckState::Stored,
                    observed: 0,
                };
                checkpoint.reported.insert(uid, job);
            }
            let watermark = if version == 1 { 0 } else { watermark };
            checkpoint.scopes.insert(name, Scope { since, watermark });
        }
        for _ in 0..bytes.try_get_u32()? {
            checkpoint.late.insert(bytes.try_get_u64()?);
        }
        if version >= 4 {
            checkpoint.positions_at = bytes.try_get_i64()?;
            for _ in 0..bytes.try_get_u16()? {
                let kind = bytes.try_get_u8()?;
                let scope = name(&mut bytes)?;
                let version = bytes.try_get_u64()?;
                // A kind of a later release is skipped: without it that watch starts with its list.
                if let Some(kind) = RESUMED.into_iter().find(|resumed| code(*resumed) == kind) {
                    checkpoint.positions.push(StoredPosition { kind, scope, version });
                }
            }
        }
        if version >= 3 {
            checkpoint.marks = Marks::decode(&mut bytes)?;
        }
        match bytes.len() {
            0 => Ok(checkpoint),
            more => Err(Unreadable(format!("{more} bytes after its end"))),
        }
    }
}

/// A kind whose watch resumes; 0 for the others, which are not stored.
fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Jobs => 1,
        Kind::Pods => 2,
        _ => 0,
    }
}

pub(super) fn take(bytes: &mut Bytes, length: usize) -> Result<Bytes, Unreadable> {
    match bytes.len() < length {
        true => Err(Unreadable("it is truncated".into())),
        false => Ok(bytes.split_to(length)),
    }
}

pub(super) fn text(bytes: &mut Bytes, length: usize) -> Result<Box<str>, Unreadable> {
    match std::str::from_utf8(&take(bytes, length)?) {
        Ok(text) => Ok(text.into()),
        Err(_) => Err(Unreadable("a name in it is not UTF-8".into())),
    }
}

fn name(bytes: &mut Bytes) -> Result<Box<str>, Unreadable> {
    let length = bytes.try_get_u16()?.into();
    text(bytes, length)
}
