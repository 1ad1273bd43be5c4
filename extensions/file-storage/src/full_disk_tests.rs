//! A disk that the store itself has filled: delivered data can be deleted, and then there is room again.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use collector_runtime::storage::{Change, Store, StoreError};
use redb::StorageBackend;

use crate::database::{Database, Place};
use crate::directory::Lock;
use crate::open_file::{Open, Opener};
use crate::reserve::{HEADROOM, Reserve, SIZE};
use crate::store::FileStore;
use crate::writer::Writer;

const BLOCK: usize = 4096;

/// A file system with a number of blocks, which a file occupies when it is written. Clones share the blocks.
#[derive(Clone, Debug)]
struct SmallDisk(Arc<Mutex<Blocks>>);

#[derive(Debug)]
struct Blocks {
    capacity: usize,
    reserved: usize,
    bytes: Vec<u8>,
    occupied: BTreeSet<usize>,
}

impl SmallDisk {
    fn new(bytes: usize) -> Self {
        SmallDisk(Arc::new(Mutex::new(Blocks {
            capacity: bytes / BLOCK,
            reserved: 0,
            bytes: Vec::new(),
            occupied: BTreeSet::new(),
        })))
    }

    fn after_a_crash(&self) -> Self {
        let blocks = self.0.lock().unwrap();
        SmallDisk(Arc::new(Mutex::new(Blocks {
            bytes: blocks.bytes.clone(),
            occupied: blocks.occupied.clone(),
            ..*blocks
        })))
    }

    fn enlarge(&self, bytes: usize) {
        self.0.lock().unwrap().capacity += bytes / BLOCK;
    }
}

impl Blocks {
    fn free(&self) -> usize {
        self.capacity.saturating_sub(self.reserved + self.occupied.len())
    }
}

impl StorageBackend for SmallDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let blocks = self.0.lock().unwrap();
        let found = blocks.bytes.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut blocks = self.0.lock().unwrap();
        blocks.bytes.resize(len as usize, 0);
        blocks.occupied.split_off(&(len as usize).div_ceil(BLOCK));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut blocks = self.0.lock().unwrap();
        let (from, to) = (offset as usize, offset as usize + data.len());
        let new: Vec<usize> = (from / BLOCK..to.div_ceil(BLOCK))
            .filter(|block| !blocks.occupied.contains(block))
            .collect();
        if new.len() > blocks.free() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        blocks.occupied.extend(new);
        blocks.bytes[from..to].copy_from_slice(data);
        Ok(())
    }
}

/// The reserve on that disk.
struct Reserved(SmallDisk);

impl Reserve for Reserved {
    fn take(&mut self) -> io::Result<()> {
        let mut blocks = self.0.0.lock().unwrap();
        if blocks.reserved > 0 {
            return Ok(());
        }
        if (SIZE + HEADROOM) as usize / BLOCK > blocks.free() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        blocks.reserved = SIZE as usize / BLOCK;
        Ok(())
    }

    fn release(&mut self) -> bool {
        let mut blocks = self.0.0.lock().unwrap();
        std::mem::take(&mut blocks.reserved) > 0
    }
}

async fn open(disk: &SmallDisk) -> (Writer, FileStore) {
    let place = Place {
        directory: "/d".into(),
        fsync: true,
        recreate: false,
        section: "extensions::file_storage".into(),
    };
    let open = || -> Open {
        let disk = disk.clone();
        Box::new(move |_| Database::on(disk.clone()))
    };
    let opener = Opener {
        first: open(),
        again: open(),
        pause: Duration::ZERO,
        parts: 1,
    };
    let lock = Lock::of(std::fs::File::open("/dev/null").unwrap());
    let writer = Writer::with(place, lock, opener, Box::new(Reserved(disk.clone())));
    let writer = writer.await.unwrap();
    let store = FileStore::new("exporters::a".into(), writer.commands.clone());
    store.claim().await.unwrap();
    (writer, store)
}

fn set(key: &str, bytes: usize) -> Vec<Change> {
    vec![Change::Set(key.into(), Bytes::from(vec![7; bytes]))]
}

/// Stores values until the disk is full, and gives their keys.
async fn fill(store: &FileStore, bytes: usize) -> Vec<String> {
    let mut keys = Vec::new();
    let mut refused = 0;
    loop {
        let key = format!("{:06}", keys.len());
        match store.apply(set(&key, bytes)).await {
            Ok(()) => {
                refused = 0;
                keys.push(key);
            }
            Err(StoreError::Unavailable(why)) => {
                assert!(why.contains("is full"), "{why}");
                refused += 1;
                // The first time it makes the file smaller.
                if refused == 3 {
                    return keys;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_disk_filled_by_the_queue_drains_again() {
    for (capacity, bytes) in [(3_000_000, 1_500), (4_000_000, 4_500), (6_000_000, 70_000)] {
        let disk = SmallDisk::new(capacity);
        let (writer, store) = open(&disk).await;
        let mut most = 0;
        for round in 0..3 {
            let context = format!("{capacity} bytes of disk, values of {bytes}, round {round}");
            // Pending writes are stored.
            while store.apply(set("first", bytes)).await.is_err() {}
            assert_eq!(*writer.problem.borrow(), None);
            let mut keys = fill(&store, bytes).await;
            keys.push("first".into());
            assert!(keys.len() * 2 > most, "{context}: {} after {most}", keys.len());
            most = most.max(keys.len());
            let problem = writer.problem.borrow().clone();
            assert!(problem.is_some_and(|why| why.contains("is full")), "{context}");
            for keys in keys.chunks(5) {
                let deletes = keys.iter().cloned().map(Change::Delete).collect();
                assert_eq!(store.apply(deletes).await, Ok(()), "{context}, keys {keys:?}");
            }
            assert_eq!(store.keys("").await.unwrap(), [""; 0], "{context}");
        }
        writer.close().await;
    }
}

#[tokio::test]
async fn a_restart_on_a_full_disk_drains_it() {
    let disk = SmallDisk::new(4_000_000);
    let (writer, store) = open(&disk).await;
    let keys = fill(&store, 4_000).await;
    // As a crash leaves it.
    let disk = disk.after_a_crash();
    writer.close().await;
    let (writer, store) = open(&disk).await;
    for key in &keys {
        store.apply(vec![Change::Delete(key.clone())]).await.unwrap();
    }
    writer.close().await;
}

#[tokio::test]
async fn a_full_disk_still_lets_a_request_be_split() {
    let disk = SmallDisk::new(4_000_000);
    let (writer, store) = open(&disk).await;
    let keys = fill(&store, 40_000).await;
    let mut split = vec![Change::Delete(keys[0].clone())];
    split.extend(set("000000.000000", 20_100));
    split.extend(set("000000.000001", 20_100));
    store.apply(split).await.unwrap();
    assert_eq!(store.keys("000000").await.unwrap().len(), 2);
    assert!(store.apply(set("new", 100_000)).await.is_err());
    // A larger volume: new data is stored again.
    disk.enlarge(20_000_000);
    while store.apply(set("new", 100_000)).await.is_err() {}
    writer.close().await;
}
