//! The Jobs of each window, stored before the window's points are sent. After a restart, or when another replica takes
//! over, the same points are sent again and no Job is counted twice. Pure.
//!
//! Each window is one record under the key `window/<number>`: the version 1 (one byte), the second it ends in (8 bytes), how
//! many Jobs (4 bytes), their UIDs (16 bytes each), all big-endian, then its points, compressed with zstd, until they
//! are delivered.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use bytes::Bytes;
use collector_runtime::storage::Change;
use jiff::Timestamp;
use job_event::uid::Uid;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use prost::Message;

/// The prefix of the keys of windows.
pub const PREFIX: &str = "window/";
/// The least number of Jobs of decided windows to remember: more than a receiver may have sent without having stored
/// their acknowledgement.
pub const REMEMBERED: usize = 6144;
const VERSION: u8 = 1;
const HEAD: usize = 1 + 8 + 4;
/// Points repeat names and keys, so a fast level compresses nearly as well as a slow one.
const LEVEL: i32 = 3;
/// The largest size of a window's points, bytes: far more than the most Jobs need.
const MOST: u64 = 64 << 20;
/// The highest valid number of a stored window, so that there is always a next one.
pub(crate) const LAST: u64 = u64::MAX / 2;

/// How far a counted Job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// In this window, whose points are in flight.
    Pending(u64),
    /// In a window whose points were delivered or lost.
    Decided,
}

#[derive(Debug)]
struct Record {
    end: i64,
    uids: Vec<Uid>,
    /// Compressed; `None` once they are decided.
    points: Option<Bytes>,
    /// True if the store still has the points although they are decided.
    stale: bool,
}

/// The windows of one connector.
#[derive(Debug, Default)]
pub struct Ledger {
    windows: BTreeMap<u64, Record>,
    by_uid: HashMap<Uid, u64>,
    delivered_uids: usize,
}

/// A stored record that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the stored window {key:?}: {why}; skipped, delete it from the store")]
pub struct UnreadableWindow {
    key: String,
    why: String,
}

impl Ledger {
    /// Adds a stored record.
    ///
    /// # Errors
    /// If the record cannot be read.
    pub fn restore(&mut self, key: &str, value: &Bytes) -> Result<(), UnreadableWindow> {
        let unreadable = |why: &str| UnreadableWindow {
            key: key.to_owned(),
            why: why.to_owned(),
        };
        let number = key.strip_prefix(PREFIX).and_then(|number| number.parse().ok());
        let number: u64 = number
            .filter(|number| *number <= LAST)
            .ok_or_else(|| unreadable("the key has no window number"))?;
        let record = Record::decode(value).map_err(|why| unreadable(&why))?;
        if let Some(points) = &record.points {
            decompress(points).map_err(|why| unreadable(&format!("its points: {why}")))?;
        }
        self.insert(number, record);
        Ok(())
    }

    /// How far a Job is; `None` if it was not counted.
    pub fn counted(&self, uid: &Uid) -> Option<Counted> {
        let number = self.by_uid.get(uid)?;
        let is_sent = self.windows.get(number).is_some_and(|window| window.points.is_some());
        Some(if is_sent {
            Counted::Pending(*number)
        } else {
            Counted::Decided
        })
    }

    /// The second in which the latest window ends.
    pub fn last_end(&self) -> Option<i64> {
        self.windows.values().map(|window| window.end).max()
    }

    /// Adds a window with these points, [compressed](compress), and Jobs. Returns its number, and the changes to store
    /// before the points are sent.
    pub fn close(&mut self, end: i64, points: Bytes, uids: Vec<Uid>) -> (u64, Vec<Change>) {
        let number = self.windows.last_key_value().map_or(0, |(last, _)| last + 1);
        let record = Record {
            end,
            uids,
            points: Some(points),
            stale: false,
        };
        let mut changes = self.changes();
        changes.push(Change::Set(key(number), record.encode()));
        self.insert(number, record);
        (number, changes)
    }

    /// Marks a window as decided: delivered or lost.
    pub fn done(&mut self, number: u64) {
        if let Some(window) = self.windows.get_mut(&number)
            && window.points.take().is_some()
        {
            window.stale = true;
            self.delivered_uids += window.uids.len();
        }
    }

    /// The changes to store for decided windows; forgets the oldest.
    pub fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        let newest = self.windows.last_key_value().map(|(number, _)| *number);
        let mut forgotten = Vec::new();
        for (number, window) in &mut self.windows {
            if window.points.is_some() {
                continue;
            }
            // The newest stays, because its end is the first free second.
            if self.delivered_uids - window.uids.len() >= REMEMBERED && Some(*number) != newest {
                self.delivered_uids -= window.uids.len();
                forgotten.push(*number);
                changes.push(Change::Delete(key(*number)));
            } else if std::mem::take(&mut window.stale) {
                changes.push(Change::Set(key(*number), window.encode()));
            }
        }
        for number in forgotten {
            for uid in self.windows.remove(&number).into_iter().flat_map(|window| window.uids) {
                self.by_uid.remove(&uid);
            }
        }
        changes
    }

    /// The windows whose points are pending, oldest first.
    ///
    /// # Errors
    /// If their points cannot be read.
    pub fn undelivered(&self) -> Result<Vec<(u64, Vec<ResourceMetrics>)>, UnreadableWindow> {
        let mut undelivered = Vec::new();
        for (number, window) in &self.windows {
            let Some(points) = &window.points else { continue };
            let request = decompress(points).map_err(|why| UnreadableWindow { key: key(*number), why })?;
            undelivered.push((*number, request.resource_metrics));
        }
        Ok(undelivered)
    }

    /// The size of all records, bytes.
    pub fn size(&self) -> usize {
        let record = |window: &Record| HEAD + 16 * window.uids.len() + window.points.as_ref().map_or(0, Bytes::len);
        self.windows.values().map(record).sum()
    }

    fn insert(&mut self, number: u64, record: Record) {
        self.by_uid.extend(record.uids.iter().map(|uid| (*uid, number)));
        if record.points.is_none() {
            self.delivered_uids += record.uids.len();
        }
        self.windows.insert(number, record);
    }
}

impl Record {
    fn encode(&self) -> Bytes {
        let points = self.points.as_deref().unwrap_or_default();
        let mut bytes = Vec::with_capacity(HEAD + 16 * self.uids.len() + points.len());
        bytes.push(VERSION);
        bytes.extend(self.end.to_be_bytes());
        bytes.extend(u32::try_from(self.uids.len()).unwrap_or(u32::MAX).to_be_bytes());
        for uid in &self.uids {
            bytes.extend(uid.to_bytes());
        }
        bytes.extend(points);
        bytes.into()
    }

    fn decode(value: &Bytes) -> Result<Record, String> {
        let Some((head, rest)) = value.split_first_chunk::<HEAD>() else {
            return Err(format!("it has {} bytes, expected at least {HEAD}", value.len()));
        };
        let [version, e0, e1, e2, e3, e4, e5, e6, e7, c0, c1, c2, c3] = *head;
        if version != VERSION {
            return Err(format!(
                "found stored format {version}, expected {VERSION}: a later release of the collector wrote it"
            ));
        }
        let end = i64::from_be_bytes([e0, e1, e2, e3, e4, e5, e6, e7]);
        if end < 0 || Timestamp::from_second(end).is_err() {
            return Err(format!("its end, second {end}, is not a valid time"));
        }
        let count = u32::from_be_bytes([c0, c1, c2, c3]) as usize;
        let length = count.saturating_mul(16);
        if length > rest.len() {
            return Err(format!("it names {count} Jobs and has {} bytes for them", rest.len()));
        }
        let (uids, points) = rest.split_at(length);
        Ok(Record {
            end,
            uids: uids
                .as_chunks::<16>()
                .0
                .iter()
                .map(|uid| Uid::from_bytes(*uid))
                .collect(),
            points: (!points.is_empty()).then(|| value.slice_ref(points)),
            stale: false,
        })
    }
}

/// The points of a window as they are stored.
///
/// # Errors
/// If they cannot be compressed.
pub fn compress(metrics: Vec<ResourceMetrics>) -> std::io::Result<Bytes> {
    let request = ExportMetricsServiceRequest {
        resource_metrics: metrics,
    };
    zstd::bulk::compress(&request.encode_to_vec(), LEVEL).map(Bytes::from)
}

/// So that keys sort like their numbers.
fn key(number: u64) -> String {
    format!("{PREFIX}{number:020}")
}

fn decompress(points: &[u8]) -> Result<ExportMetricsServiceRequest, String> {
    let mut raw = Vec::new();
    let decoder = zstd::stream::Decoder::new(points).map_err(|error| error.to_string())?;
    let length = decoder.take(MOST + 1).read_to_end(&mut raw);
    if length.map_err(|error| error.to_string())? as u64 > MOST {
        return Err(format!("more than {MOST} bytes when decompressed"));
    }
    ExportMetricsServiceRequest::decode(&*raw).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uids(range: std::ops::Range<u32>) -> Vec<Uid> {
        range
            .map(|n| Uid::new(&format!("00000000-0000-0000-0000-{n:012x}")))
            .collect()
    }

    fn points(name: &str) -> Vec<ResourceMetrics> {
        vec![ResourceMetrics {
            schema_url: name.into(),
            ..Default::default()
        }]
    }

    /// Applies changes to a store.
    fn stored(into: &mut BTreeMap<String, Bytes>, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Set(key, value) => into.insert(key, value),
                Change::Delete(key) => into.remove(&key),
            };
        }
    }

    fn restored(store: &BTreeMap<String, Bytes>) -> Ledger {
        let mut ledger = Ledger::default();
        for (key, value) in store {
            ledger.restore(key, value).unwrap();
        }
        ledger
    }

    #[test]
    fn a_restart_finds_what_was_sent_and_what_arrived() {
        let (mut ledger, mut store) = (Ledger::default(), BTreeMap::new());
        let (first, changes) = ledger.close(10, compress(points("a")).unwrap(), uids(0..2));
        stored(&mut store, changes);
        ledger.done(first);
        let (second, changes) = ledger.close(20, compress(points("b")).unwrap(), uids(2..3));
        stored(&mut store, changes);
        for ledger in [ledger, restored(&store)] {
            assert_eq!(ledger.counted(&uids(0..1)[0]), Some(Counted::Decided));
            assert_eq!(ledger.counted(&uids(2..3)[0]), Some(Counted::Pending(second)));
            assert_eq!(ledger.counted(&uids(3..4)[0]), None);
            assert_eq!(ledger.undelivered().unwrap(), [(second, points("b"))]);
            assert_eq!(ledger.last_end(), Some(20));
            assert_eq!(ledger.size(), store.values().map(Bytes::len).sum::<usize>());
        }
    }

    #[test]
    fn it_is_bounded_and_remembers_the_latest() {
        let (mut ledger, mut store) = (Ledger::default(), BTreeMap::new());
        for n in 0..100 {
            let uids = uids(n * 1000..(n + 1) * 1000);
            let (number, changes) = ledger.close(i64::from(n), compress(points("a")).unwrap(), uids);
            stored(&mut store, changes);
            ledger.done(number);
        }
        stored(&mut store, ledger.changes());
        assert!(ledger.changes().is_empty(), "nothing is written twice");
        let after = restored(&store);
        for ledger in [&ledger, &after] {
            assert!((REMEMBERED..REMEMBERED + 1000).contains(&ledger.by_uid.len()));
            assert_eq!(ledger.windows.len(), store.len());
            assert_eq!(
                ledger.counted(&uids(99_999 - REMEMBERED as u32 + 1..100_000)[0]),
                Some(Counted::Decided)
            );
            assert_eq!(ledger.last_end(), Some(99));
            assert!(ledger.undelivered().unwrap().is_empty());
        }
    }

    #[test]
    fn what_is_not_a_record_is_refused_with_what_is_wrong() {
        let mut ledger = Ledger::default();
        let mut refused =
            |key: &str, value: &'static [u8]| ledger.restore(key, &Bytes::from_static(value)).unwrap_err().to_string();
        assert!(refused("window/x", b"").contains("no window number"));
        assert!(refused("window/18446744073709551615", &[1; HEAD]).contains("no window number"));
        let late = refused("window/1", &[1, 127, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]);
        assert!(late.contains("not a valid time"), "{late}");
        let damaged = refused("window/1", &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9]);
        assert!(damaged.contains("its points"), "{damaged}");
        assert!(refused("window/1", b"short").contains("5 bytes"));
        let later = refused("window/1", &[2; HEAD]);
        assert!(later.contains("found stored format 2"), "{later}");
        let cut = refused("window/1", &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
        assert!(cut.contains("9 Jobs"), "{cut}");
    }

    #[test]
    fn rejects_oversized_points() {
        let mut ledger = Ledger::default();
        let bomb = zstd::bulk::compress(&vec![0; (MOST + 1) as usize], LEVEL).unwrap();
        let record = Record {
            end: 1,
            uids: Vec::new(),
            points: Some(bomb.into()),
            stale: false,
        };
        let error = ledger.restore("window/1", &record.encode()).unwrap_err().to_string();
        assert!(error.contains("more than 67108864 bytes"), "{error}");
    }
}
