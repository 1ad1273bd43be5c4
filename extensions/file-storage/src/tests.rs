//! Disks that fail: full ones, and ones that lose power.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use collector_runtime::storage::{Change, Store, StoreError};
use redb::StorageBackend;

use crate::database::{Database, DatabaseFailure, Place, Transaction};
use crate::directory::Lock;
use crate::open_file::{Open, Opener};
use crate::reserve::Reserve;
use crate::store::FileStore;
use crate::writer::Writer;

/// A disk in memory. Clones are the same one.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    /// The content as it is read.
    bytes: Vec<u8>,
    /// The content that survives a power cut.
    synced: Vec<u8>,
    /// The writes since the last sync.
    unsynced: Vec<(usize, Vec<u8>)>,
    /// How many bytes may still be written.
    space: Option<usize>,
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let content = self.0.lock().unwrap();
        let from = offset as usize;
        let found = content
            .bytes
            .get(from..from + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        // Lengths are kept by a journal; only what is in the file may be torn.
        let mut content = self.0.lock().unwrap();
        content.bytes.resize(len as usize, 0);
        content.synced.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut content = self.0.lock().unwrap();
        content.synced = content.bytes.clone();
        content.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut content = self.0.lock().unwrap();
        let data = match &mut content.space {
            Some(space) if *space < data.len() => {
                // As much as fits is written.
                let fits = std::mem::take(space);
                &data[..fits]
            }
            Some(space) => {
                *space -= data.len();
                data
            }
            None => data,
        };
        content.bytes[offset as usize..][..data.len()].copy_from_slice(data);
        content.unsynced.push((offset as usize, data.to_vec()));
        match content.space {
            Some(0) => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

/// A sequence that a seed decides.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

impl Memory {
    /// The disk after a power cut: of what was not synced, some sectors have arrived, in any order.
    fn after_power_cut(&self, random: &mut Random) -> Memory {
        const SECTOR: usize = 512;
        let content = self.0.lock().unwrap();
        let mut bytes = content.synced.clone();
        for (offset, data) in &content.unsynced {
            for (at, sector) in data.chunks(SECTOR).enumerate() {
                if random.below(2) == 0 {
                    bytes[offset + at * SECTOR..][..sector.len()].copy_from_slice(sector);
                }
            }
        }
        Memory(Arc::new(Mutex::new(Content {
            synced: bytes.clone(),
            bytes,
            ..Content::default()
        })))
    }

    fn give_space(&self, space: Option<usize>) {
        self.0.lock().unwrap().space = space;
    }
}

fn transaction(n: usize) -> Transaction {
    let value = Bytes::from(n.to_string().repeat(n % 700));
    let changes = vec![
        Change::Set(format!("a/{n}"), value.clone()),
        Change::Set(format!("b/{n}"), value),
        Change::Delete(format!("a/{}", n.wrapping_sub(30))),
        Change::Delete(format!("b/{}", n.wrapping_sub(30))),
    ];
    Transaction {
        path: format!("receivers::r{}", n % 2),
        changes,
    }
}

/// The numbers of the stored transactions. None may be stored in part.
fn numbers(database: &Database, context: &str) -> Vec<usize> {
    let mut numbers = Vec::new();
    for path in ["receivers::r0", "receivers::r1"] {
        let side = |side: &str| -> Vec<usize> {
            let keys = database.keys(path, side).unwrap();
            keys.iter().map(|key| key[2..].parse().unwrap()).collect()
        };
        let (a, b) = (side("a/"), side("b/"));
        assert_eq!(a, b, "{context}");
        for n in &a {
            let value = database.get(path, &format!("b/{n}")).unwrap().unwrap();
            assert_eq!(value, n.to_string().repeat(n % 700), "{context}");
        }
        numbers.extend(a);
    }
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_power_cut_at_any_point_keeps_what_was_acknowledged() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let mut disk = Memory::default();
        let mut next = 0;
        for cut in 0..5 {
            let database = Database::on(disk.clone()).unwrap();
            let context = format!("seed {seed}, power cut {cut}");
            let there = numbers(&database, &context);
            let acknowledged: Vec<usize> = (next.max(30) - 30..next).collect();
            // The interrupted one may be present too; then the oldest of its table is removed.
            let and_one: Vec<usize> = (next.max(30) - 30..=next).filter(|n| n + 30 != next).collect();
            assert!(
                there == acknowledged || there == and_one,
                "{context}: {there:?}, {next} acknowledged"
            );
            next += usize::from(there == and_one);
            for _ in 0..random.below(40) {
                database.apply([transaction(next)].iter()).unwrap();
                next += 1;
            }
            // The power goes in the middle of a commit: the disk takes a part of it only.
            disk.give_space(Some(random.below(60_000) + 1));
            while database.apply([transaction(next)].iter()).is_ok() {
                next += 1;
            }
            let after = disk.after_power_cut(&mut random);
            drop(database);
            disk = after;
        }
    }
}

#[test]
fn a_full_disk_is_not_taken_for_a_broken_file() {
    let disk = Memory::default();
    let database = Database::on(disk.clone()).unwrap();
    database.apply([transaction(1)].iter()).unwrap();
    disk.give_space(Some(1));
    let failure = database.apply([transaction(2)].iter()).unwrap_err();
    assert!(
        matches!(&failure, DatabaseFailure::Full(why) if why.contains("no storage space")),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_full_disk_is_reported_and_overcome() {
    let disk = Memory::default();
    let place = Place {
        directory: "/d".into(),
        fsync: true,
        recreate: false,
        section: "extensions::file_storage".into(),
    };
    let lock = tempfile();
    let open = |disk: &Memory| -> Open {
        let disk = disk.clone();
        Box::new(move |_| Database::on(disk.clone()))
    };
    let opener = Opener {
        first: open(&disk),
        again: open(&disk),
        pause: Duration::ZERO,
        parts: 1,
    };
    let mut writer = Writer::with(place, lock, opener, Box::new(NoReserve)).await.unwrap();
    let store = FileStore::new("receivers::a".into(), writer.commands.clone());
    store.claim().await.unwrap();
    let set = |key: &str, value: &str| vec![Change::Set(key.into(), Bytes::copy_from_slice(value.as_bytes()))];
    store.apply(set("k", "1")).await.unwrap();
    disk.give_space(Some(1));
    let error = store.apply(set("k", "2")).await.unwrap_err();
    assert_eq!(
        error,
        StoreError::Unavailable(
            "the disk of the file /d/state.redb is full: no storage space; until there is space, only deletions are \
             stored: make the volume larger, or let the queue drain"
                .into()
        )
    );
    assert_eq!(writer.problem().await.unwrap(), Some(error.to_string()));
    // Still full.
    assert!(matches!(
        store.apply(set("k", "2")).await,
        Err(StoreError::Unavailable(_))
    ));
    disk.give_space(None);
    assert_eq!(store.get("k").await.unwrap().unwrap(), "1");
    store.apply(set("k", "3")).await.unwrap();
    assert_eq!(store.get("k").await.unwrap().unwrap(), "3");
    while writer.problem().await.unwrap().is_some() {}
    writer.close().await;
}

/// The lock of a directory that does not exist.
fn tempfile() -> Lock {
    Lock::of(std::fs::File::open("/dev/null").unwrap())
}

/// A disk without a reserve.
struct NoReserve;

impl Reserve for NoReserve {
    fn take(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn release(&mut self) -> bool {
        false
    }
}
