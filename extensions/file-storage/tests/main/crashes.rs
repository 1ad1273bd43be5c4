//! A writing process is killed at any point, many times: acknowledged transactions survive, and none is stored in part.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use collector_testing::Folder;

use crate::support::{delete, set, start, yaml};

const FOLDER: &str = "FILE_STORAGE_TEST_FOLDER";
/// How many writers the child has.
const WRITERS: u64 = 4;
/// How many transactions stay; older ones are deleted.
const KEPT: u64 = 20;
const ROUNDS: u64 = 12;

/// Not a test by itself: the process that is killed.
#[test]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let extension = start(&format!("directory: {folder}\ntimeout: 10s")).await.unwrap();
        let writers = (0..WRITERS).map(|writer| {
            let storage = extension.storage.clone();
            async move {
                let id = collector_testing::id(&format!("writer_{writer}"));
                let store = storage
                    .open(collector_runtime::component::Kind::Receiver, &id)
                    .await
                    .unwrap();
                store.claim().await.unwrap();
                let first = match store.get("last").await.unwrap() {
                    Some(last) => number(&last) + 1,
                    None => KEPT,
                };
                for n in first.. {
                    let value = n.to_string().repeat(n as usize % 500);
                    let old = n - KEPT;
                    let changes = vec![
                        set(&format!("a/{n}"), &value),
                        delete(&format!("a/{old}")),
                        set("last", n.to_string()),
                        delete(&format!("b/{old}")),
                        set(&format!("b/{n}"), &value),
                    ];
                    store.apply(changes).await.unwrap();
                    let line = format!("acknowledged {writer} {n}\n");
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                }
            }
        });
        futures_util::future::join_all(writers).await;
    });
}

fn number(text: &[u8]) -> u64 {
    std::str::from_utf8(text).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_and_leaves_nothing_by_half() {
    let seed = RandomState::new().build_hasher().finish();
    let folder = Folder::new("file-storage-killed");
    let mut random = seed;
    let mut acknowledged = [0; WRITERS as usize];
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crashes::child", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let after = (random >> 33) % 200 + 1;
        let mut seen = 0;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut note = |line: String| {
            let mut parts = line.strip_prefix("acknowledged ")?.split(' ');
            let writer: usize = parts.next()?.parse().ok()?;
            acknowledged[writer] = parts.next()?.parse().ok()?;
            Some(())
        };
        while seen < after {
            let line = lines.next().expect("the child writes until it is killed").unwrap();
            seen += u64::from(note(line).is_some());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Its output before it died; the last line may be cut off.
        for line in lines {
            note(line.unwrap());
        }
        let extension = start(&yaml(&folder, "")).await.unwrap();
        for writer in 0..WRITERS {
            let context = format!("seed {seed}, round {round}, writer {writer}");
            let store = extension.store(&format!("writer_{writer}")).await;
            let last = store.get("last").await.unwrap().map_or(0, |last| number(&last));
            assert!(
                last >= acknowledged[writer as usize],
                "{context}: {last} of {acknowledged:?}"
            );
            if last == 0 {
                continue;
            }
            let there: Vec<u64> = (KEPT.max(last + 1 - KEPT)..=last).collect();
            for side in ["a/", "b/"] {
                let mut numbers: Vec<u64> = store
                    .keys(side)
                    .await
                    .unwrap()
                    .iter()
                    .map(|key| number(&key.as_bytes()[2..]))
                    .collect();
                numbers.sort_unstable();
                assert_eq!(numbers, there, "{context}: {side}");
                for n in &there {
                    let value = store.get(&format!("{side}{n}")).await.unwrap().unwrap();
                    assert_eq!(value, n.to_string().repeat(*n as usize % 500), "{context}: {side}{n}");
                }
            }
        }
        extension.stop().await;
    }
    assert!(acknowledged.iter().all(|n| *n > KEPT), "{acknowledged:?}");
}
