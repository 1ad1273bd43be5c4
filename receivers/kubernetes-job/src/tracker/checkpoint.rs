//! Which Jobs have been told of: what survives a restart so that none is told of twice and none is passed over. Pure.
//!
//! It is bounded. For each part of the cluster that is watched by itself there is a watermark, in the time of the Jobs' own
//! verdicts: everything that was decided before it has been told of, but for those that are listed as late. After it, the
//! UIDs of those that have been told of are listed. The watermark stays [`MARGIN`] behind the latest verdict: a verdict is
//! written to the API server some time after the time that it bears.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::{Buf, BufMut, Bytes};
use jiff::Timestamp;
use job_event::Uid;

/// How far the watermark stays behind the latest verdict that was told of, seconds. Controllers' clocks may differ by as much.
const MARGIN: i64 = 300;
/// The Event of a verdict may bear a second or more after it, and is looked up here by its own time.
const EVENT_DELAY: i64 = 60;
const VERSION: u8 = 1;
/// Stands for a Job that is not over.
const NOT_OVER: u16 = u16::MAX;

/// Which Jobs have been told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// By namespace, or one for the whole cluster under the empty name.
    watermarks: BTreeMap<Box<str>, i64>,
    /// By their short UIDs.
    told: HashMap<u64, Told>,
    /// Decided before the watermark and not told of; short UIDs.
    late: HashSet<u64>,
    /// Decided, and on their way.
    pending: HashMap<Uid, Told>,
    /// Parts whose Jobs are being listed: what ended in them is not all known yet, so their watermarks stay.
    listing: BTreeSet<Box<str>>,
    /// How many of those that were told of are listed at most.
    capacity: usize,
    /// When it was last stored.
    saved_at: Option<Timestamp>,
    is_dirty: bool,
}

/// A Job that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    part: Box<str>,
    /// When it was decided.
    at: i64,
    /// When its last Pod was gone, or the Job itself: its controller writes nothing more about it.
    over: Option<i64>,
}

/// Why a stored checkpoint is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored checkpoint cannot be read: {0}")]
pub struct Unreadable(String);

impl Checkpoint {
    /// Nothing was ever watched. At most `capacity` Jobs that were told of are to be listed.
    pub fn new(capacity: usize) -> Self {
        Checkpoint {
            watermarks: BTreeMap::new(),
            told: HashMap::new(),
            late: HashSet::new(),
            pending: HashMap::new(),
            listing: BTreeSet::new(),
            capacity,
            saved_at: None,
            is_dirty: false,
        }
    }

    /// When the process that stored it last did so.
    pub fn saved_at(&self) -> Option<Timestamp> {
        self.saved_at
    }

    /// Whether it has changed since it was last encoded.
    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// How many Jobs are on their way.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// A part of the cluster is going to be watched. If none ever was, what was decided before `since` is not told of.
    pub fn begin(&mut self, part: &str, since: Timestamp) {
        if self.watermarks.contains_key(part) {
            return;
        }
        // Who watches other parts than before goes on from where all of them were.
        let known = self.watermarks.values().min().copied();
        self.watermarks
            .insert(part.into(), known.unwrap_or(since.as_second().max(0)));
        self.is_dirty = true;
    }

    /// The Jobs of a part begin to be listed, perhaps again.
    pub fn list_begins(&mut self, part: &str) {
        self.listing.insert(part.into());
    }

    /// All Jobs of a part were listed.
    pub fn list_ends(&mut self, part: &str) {
        self.listing.remove(part);
    }

    /// Whether a Job that was decided at that time has been told of.
    pub fn is_told(&self, part: &str, uid: &Uid, at: Timestamp) -> bool {
        self.lists(uid)
            || self
                .watermarks
                .get(part)
                .is_some_and(|watermark| at.as_second() < *watermark && !self.late.contains(&uid.short()))
    }

    /// Whether a Job is listed as told of.
    pub fn lists(&self, uid: &Uid) -> bool {
        self.told.contains_key(&uid.short())
    }

    /// A Job has ended and is to be told of.
    pub fn decided(&mut self, part: &str, uid: Uid, at: Timestamp) {
        let told = Told {
            part: part.into(),
            at: at.as_second(),
            over: None,
        };
        self.pending.entry(uid).or_insert(told);
    }

    /// A Job need not be told of: another process has done so.
    pub fn told_elsewhere(&mut self, uid: &Uid) {
        self.pending.remove(uid);
    }

    /// Nothing more will be written about a Job: its last Pod is gone, or the Job is.
    pub fn over(&mut self, uid: &Uid, at: Timestamp) {
        let known = [self.pending.get_mut(uid), self.told.get_mut(&uid.short())];
        for job in known.into_iter().flatten() {
            if job.over.is_none() {
                job.over = Some(at.as_second());
                self.is_dirty = true;
            }
        }
    }

    /// A Job has been told of, or never can be.
    pub fn told(&mut self, uid: &Uid) {
        if let Some(job) = self.pending.remove(uid) {
            self.late.remove(&uid.short());
            self.told.insert(uid.short(), job);
            self.is_dirty = true;
            self.bound();
        }
    }

    /// A Job is not told of although it ended, because of when it did. It is listed if its Event may bear a time that lies
    /// after the watermark.
    pub fn passed_over(&mut self, part: &str, uid: Uid, at: Timestamp) {
        let watermark = self.watermarks.get(part).copied().unwrap_or(i64::MIN);
        if at.as_second() >= watermark.saturating_sub(MARGIN + EVENT_DELAY) {
            self.decided(part, uid, at);
            self.told(&uid);
        }
    }

    /// Takes over what another process, or an earlier one, has stored. What is on its way here stays so, unless it says
    /// that it was told of.
    pub fn adopt(&mut self, stored: Checkpoint) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|uid, _| !stored.lists(uid));
        *self = Checkpoint {
            pending,
            listing: std::mem::take(&mut self.listing),
            capacity: self.capacity,
            ..stored
        };
    }

    /// Moves the watermarks on, but past none that is on its way, and forgets what lies before them.
    fn advance(&mut self) {
        let mut latest: HashMap<&str, i64> = HashMap::new();
        for job in self.told.values() {
            let latest = latest.entry(&job.part).or_insert(i64::MIN);
            *latest = (*latest).max(job.at.saturating_sub(MARGIN));
        }
        for job in self.pending.values() {
            if let Some(latest) = latest.get_mut(&*job.part) {
                *latest = (*latest).min(job.at);
            }
        }
        for (part, watermark) in &mut self.watermarks {
            if let Some(latest) = latest.get(&**part)
                && !self.listing.contains(part)
            {
                *watermark = (*watermark).max(*latest);
            }
        }
        let watermarks = &self.watermarks;
        self.told.retain(|_, job| {
            let watermark = watermarks.get(&job.part).copied().unwrap_or(i64::MIN);
            let over = job.over.map(|over| over.max(job.at).saturating_add(EVENT_DELAY));
            over.is_none_or(|over| over >= watermark)
        });
        self.late = self
            .pending
            .iter()
            .filter(|(_, job)| watermarks.get(&job.part).is_some_and(|watermark| job.at < *watermark))
            .map(|(uid, _)| uid.short())
            .collect();
    }

    /// If too many are listed the watermarks move up to the oldest, a whole second at a time.
    fn bound(&mut self) {
        // With some slack, as it takes a look at all of them.
        if self.told.len() > self.capacity + self.capacity / 4 {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        self.advance();
        if self.told.len() <= self.capacity {
            return;
        }
        let mut times: Vec<i64> = self.told.values().map(|job| job.at).collect();
        let excess = self.told.len() - self.capacity;
        let (_, last, _) = times.select_nth_unstable(excess - 1);
        let last = *last;
        for job in self.told.values().filter(|job| job.at <= last) {
            if let Some(watermark) = self.watermarks.get_mut(&job.part) {
                *watermark = (*watermark).max(job.at.saturating_add(1));
            }
        }
        self.told.retain(|_, job| job.at > last);
        self.advance();
    }

    /// As it is stored: the version (one byte); when (8 bytes); the number of parts (2 bytes), each with the length of its
    /// name (2 bytes), its name, its watermark (8 bytes), the number of its Jobs that were told of (4 bytes), and each of
    /// these with its short UID (8 bytes), how many seconds after the watermark it was decided (4 bytes) and how many
    /// seconds later it was over (2 bytes, all bits set if it is not); the number of late ones (4 bytes), each with its
    /// short UID. All numbers are big-endian, times are seconds since 1970.
    pub fn encode(&mut self, now: Timestamp) -> Bytes {
        self.shrink();
        self.is_dirty = false;
        self.saved_at = Some(now);
        let mut bytes = Vec::with_capacity(64 + 14 * self.told.len() + 8 * self.late.len());
        bytes.put_u8(VERSION);
        bytes.put_i64(now.as_second());
        bytes.put_u16(self.watermarks.len().try_into().unwrap_or(u16::MAX));
        let mut of_parts: HashMap<&str, Vec<(u64, &Told)>> = HashMap::new();
        for (uid, job) in &self.told {
            of_parts.entry(&job.part).or_default().push((*uid, job));
        }
        for (part, watermark) in &self.watermarks {
            bytes.put_u16(part.len().try_into().unwrap_or(u16::MAX));
            bytes.put_slice(part.as_bytes());
            bytes.put_i64(*watermark);
            let jobs = of_parts.get(&**part).map(Vec::as_slice).unwrap_or_default();
            bytes.put_u32(jobs.len().try_into().unwrap_or(u32::MAX));
            for (uid, job) in jobs {
                bytes.put_u64(*uid);
                // What is listed from before the watermark is only listed so that it is known.
                let after = job.at.saturating_sub(*watermark).clamp(0, u32::MAX.into());
                bytes.put_u32(after.try_into().unwrap_or(u32::MAX));
                let over = job
                    .over
                    .map(|over| over.saturating_sub(job.at).clamp(0, i64::from(NOT_OVER) - 1));
                bytes.put_u16(over.and_then(|over| over.try_into().ok()).unwrap_or(NOT_OVER));
            }
        }
        bytes.put_u32(self.late.len().try_into().unwrap_or(u32::MAX));
        for uid in &self.late {
            bytes.put_u64(*uid);
        }
        bytes.into()
    }

    /// What was stored.
    ///
    /// # Errors
    /// If it is not a checkpoint, or one of a later version.
    pub fn decode(mut bytes: Bytes, capacity: usize) -> Result<Checkpoint, Unreadable> {
        let cut = |_| Unreadable("it ends too early".into());
        let mut checkpoint = Checkpoint::new(capacity);
        let version = bytes.try_get_u8().map_err(cut)?;
        if version != VERSION {
            return Err(Unreadable(format!(
                "it is of version {version}, expected {VERSION}: a later collector wrote it"
            )));
        }
        let saved_at = Timestamp::from_second(bytes.try_get_i64().map_err(cut)?);
        checkpoint.saved_at = Some(saved_at.map_err(|error| Unreadable(error.to_string()))?);
        for _ in 0..bytes.try_get_u16().map_err(cut)? {
            let length = usize::from(bytes.try_get_u16().map_err(cut)?);
            if bytes.len() < length {
                return Err(Unreadable("it ends too early".into()));
            }
            let name = bytes.split_to(length);
            let name = std::str::from_utf8(&name).map_err(|_| Unreadable("a name is not UTF-8".into()))?;
            let part: Box<str> = name.into();
            let watermark = bytes.try_get_i64().map_err(cut)?;
            for _ in 0..bytes.try_get_u32().map_err(cut)? {
                let uid = bytes.try_get_u64().map_err(cut)?;
                let at = watermark.saturating_add(bytes.try_get_u32().map_err(cut)?.into());
                let over = bytes.try_get_u16().map_err(cut)?;
                let told = Told {
                    part: part.clone(),
                    at,
                    over: (over != NOT_OVER).then(|| at.saturating_add(over.into())),
                };
                checkpoint.told.insert(uid, told);
            }
            checkpoint.watermarks.insert(part, watermark);
        }
        for _ in 0..bytes.try_get_u32().map_err(cut)? {
            checkpoint.late.insert(bytes.try_get_u64().map_err(cut)?);
        }
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: usize = 100;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn id(n: u32) -> Uid {
        Uid::new(&format!("00000000-0000-0000-0000-{n:012x}"))
    }

    fn restart(checkpoint: &mut Checkpoint) -> Checkpoint {
        Checkpoint::decode(checkpoint.encode(at(7)), CAPACITY).unwrap()
    }

    fn tell(checkpoint: &mut Checkpoint, n: u32, second: i64) {
        checkpoint.decided("", id(n), at(second));
        checkpoint.told(&id(n));
        checkpoint.over(&id(n), at(second));
    }

    #[test]
    fn only_what_was_told_is_told_after_a_restart() {
        let mut checkpoint = Checkpoint::new(CAPACITY);
        checkpoint.begin("", at(1000));
        tell(&mut checkpoint, 1, 1010);
        checkpoint.decided("", id(2), at(1011));
        let mut after = restart(&mut checkpoint);
        after.begin("", at(5000));
        assert_eq!(after.saved_at(), Some(at(7)));
        assert!(after.is_told("", &id(1), at(1010)));
        assert!(!after.is_told("", &id(2), at(1011)), "it was on its way");
        assert!(!after.is_told("", &id(3), at(1009)), "nobody has seen it");
        assert!(after.is_told("", &id(4), at(999)), "before the first start");
    }

    #[test]
    fn the_watermark_follows_but_not_past_what_is_still_on_its_way() {
        let mut checkpoint = Checkpoint::new(CAPACITY);
        checkpoint.begin("", at(0));
        checkpoint.decided("", id(0), at(5));
        for n in 1..=50 {
            tell(&mut checkpoint, n, i64::from(n) * 60);
        }
        let after = restart(&mut checkpoint);
        assert_eq!(after.told.len(), 50);
        assert!(!after.is_told("", &id(0), at(5)));
        assert!(!after.is_told("", &id(99), at(600)));
        checkpoint.told(&id(0));
        checkpoint.over(&id(0), at(6));
        let after = restart(&mut checkpoint);
        // 3000 - 300 - 60 is the oldest that is listed.
        assert_eq!(after.told.len(), 7);
        assert!(after.is_told("", &id(0), at(5)));
        assert!(after.is_told("", &id(10), at(600)));
        assert!(
            after.is_told("", &id(99), at(600)),
            "whatever lies before the watermark"
        );
        assert!(!after.is_told("", &id(99), at(2700)));
    }

    #[test]
    fn the_watermark_does_not_pass_what_the_next_page_may_hold() {
        let mut checkpoint = Checkpoint::new(CAPACITY);
        checkpoint.begin("", at(0));
        checkpoint.list_begins("");
        tell(&mut checkpoint, 1, 5000);
        let after = restart(&mut checkpoint);
        assert!(!after.is_told("", &id(2), at(10)), "nobody has seen it yet");
        checkpoint.list_ends("");
        let after = restart(&mut checkpoint);
        assert!(after.is_told("", &id(2), at(10)), "it would have been in the list");
    }

    #[test]
    fn a_job_whose_pods_still_run_is_listed_until_nothing_more_is_written_about_it() {
        let mut checkpoint = Checkpoint::new(CAPACITY);
        checkpoint.begin("", at(0));
        checkpoint.decided("", id(0), at(10));
        checkpoint.told(&id(0));
        for n in 1..=50 {
            tell(&mut checkpoint, n, i64::from(n) * 60);
        }
        let mut after = restart(&mut checkpoint);
        assert!(after.lists(&id(0)), "its Event is still to come");
        after.over(&id(0), at(3000));
        let mut after = restart(&mut after);
        assert!(after.is_told("", &id(0), at(3005)), "as the Event may say");
        for n in 51..=70 {
            tell(&mut after, n, i64::from(n) * 60);
        }
        assert!(!restart(&mut after).lists(&id(0)));
    }

    #[test]
    fn it_is_bounded_whatever_happens_in_one_second() {
        let mut checkpoint = Checkpoint::new(CAPACITY);
        checkpoint.begin("", at(0));
        checkpoint.decided("", id(0), at(100));
        for n in 1..=1000 {
            tell(&mut checkpoint, n, 100 + i64::from(n / 60));
            assert!(checkpoint.told.len() <= CAPACITY + CAPACITY / 4 + 1);
        }
        let after = restart(&mut checkpoint);
        assert!(after.told.len() <= CAPACITY);
        for n in 1..=1000 {
            assert!(after.is_told("", &id(n), at(100 + i64::from(n / 60))), "{n}");
        }
        assert!(!after.is_told("", &id(0), at(100)));
        assert!(!after.is_told("", &id(2000), at(116)));
    }

    #[test]
    fn each_namespace_that_is_watched_by_itself_has_its_own_watermark() {
        let mut checkpoint = Checkpoint::new(CAPACITY);
        checkpoint.begin("a", at(0));
        checkpoint.begin("b", at(0));
        for n in 1..=20 {
            checkpoint.decided("a", id(n), at(i64::from(n) * 60));
            checkpoint.told(&id(n));
            checkpoint.over(&id(n), at(i64::from(n) * 60));
        }
        let mut after = restart(&mut checkpoint);
        assert!(after.is_told("a", &id(99), at(600)));
        assert!(!after.is_told("b", &id(99), at(600)), "nothing of b was seen yet");
        after.begin("", at(9999));
        assert!(
            !after.is_told("", &id(99), at(600)),
            "watching more than before is no first start"
        );
    }

    #[test]
    fn what_is_on_its_way_here_may_have_been_told_by_another_replica() {
        let mut leader = Checkpoint::new(CAPACITY);
        leader.begin("", at(0));
        tell(&mut leader, 1, 10);
        let mut follower = Checkpoint::new(CAPACITY);
        follower.begin("", at(0));
        for n in [1, 2] {
            follower.decided("", id(n), at(10));
        }
        follower.adopt(restart(&mut leader));
        assert_eq!(follower.pending(), 1);
        assert!(follower.lists(&id(1)) && !follower.lists(&id(2)));
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        let decode = |bytes: &'static [u8]| {
            let error = Checkpoint::decode(Bytes::from_static(bytes), 1).unwrap_err();
            error.to_string()
        };
        assert!(decode(b"").contains("too early"));
        assert!(decode(&[9]).contains("version 9"));
        let mut checkpoint = Checkpoint::new(CAPACITY);
        checkpoint.begin("shop", at(0));
        checkpoint.decided("shop", id(1), at(10));
        checkpoint.told(&id(1));
        let bytes = checkpoint.encode(at(1));
        for length in 0..bytes.len() {
            assert!(Checkpoint::decode(bytes.slice(..length), CAPACITY).is_err(), "{length}");
        }
    }
}
