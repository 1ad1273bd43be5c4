//! How many transactions a second the storage makes on this disk:
//! `cargo run --release -p file-storage-extension --example throughput -- DIRECTORY`.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use collector_runtime::storage::{Change, Store};
use file_storage_extension::database::{Database, Place};
use file_storage_extension::directory;
use file_storage_extension::store::FileStore;
use file_storage_extension::writer::Writer;

const VALUE: usize = 10_000;
const TIME: Duration = Duration::from_secs(3);
/// How many values stay in each store.
const KEPT: usize = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("which directory?")?;
    let section = "file_storage";
    for fsync in [true, false] {
        for writers in [1, 10, 100] {
            let place = Place {
                directory: directory.clone().into(),
                fsync,
                recreate: false,
                section: section.into(),
            };
            let lock = directory::lock(&place.directory, TIME, section).await?;
            let writer = Writer::start(place.clone(), lock).await?;
            let started = Instant::now();
            let tasks: Vec<_> = (0..writers)
                .map(|n| {
                    let store = Arc::new(FileStore::new(format!("exporters::e{n}"), writer.commands.clone()));
                    tokio::spawn(write(store, started))
                })
                .collect();
            let mut done = 0;
            for task in tasks {
                done += task.await??;
            }
            let rate = done as f64 / started.elapsed().as_secs_f64();
            writer.close().await;
            let reopened = Instant::now();
            drop(Database::open(&place).map_err(|failure| failure.store_error(&place))?);
            let (open, size) = (reopened.elapsed(), std::fs::metadata(place.file())?.len() >> 20);
            writeln!(
                std::io::stdout(),
                "fsync {fsync}, {writers} writers, {VALUE} bytes each: {rate:.0} transactions/s; \
                 opening the file ({size} MiB) again takes {open:?}"
            )?;
        }
    }
    Ok(())
}

async fn write(store: Arc<FileStore>, started: Instant) -> Result<usize, collector_runtime::storage::StoreError> {
    store.claim().await?;
    let mut n = 0;
    while started.elapsed() < TIME {
        let mut changes = vec![Change::Set(n.to_string(), Bytes::from(vec![n as u8; VALUE]))];
        if n >= KEPT {
            changes.push(Change::Delete((n - KEPT).to_string()));
        }
        store.apply(changes).await?;
        n += 1;
    }
    Ok(n)
}
