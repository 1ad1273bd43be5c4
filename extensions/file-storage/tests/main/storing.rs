//! Stored values survive restarts, and errors say what to do.

use std::time::Duration;

use collector_runtime::component::Kind;
use collector_runtime::storage::StoreError;
use collector_testing::{Folder, id};
use file_storage_extension::directory;

use crate::support::{delete, errors, file, set, start, yaml};

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let folder = Folder::new("file-storage-restart");
    let extension = start(&yaml(&folder, "")).await.unwrap();
    assert_eq!(
        (extension.storage.capacity(), extension.storage.leader_elector()),
        (None, None)
    );
    let store = extension.store("a").await;
    store
        .apply(vec![
            set("w/2", "two"),
            set("w/1", "one"),
            set("x", ""),
            set("v", "gone"),
        ])
        .await
        .unwrap();
    store
        .apply(vec![delete("v"), delete("never there"), set("w/1", "1")])
        .await
        .unwrap();
    extension
        .store("b")
        .await
        .apply(vec![set("w/9", "other")])
        .await
        .unwrap();
    extension.stop().await;
    let error = store.apply(vec![set("late", "")]).await.unwrap_err();
    assert_eq!(error, StoreError::Unavailable("the file storage is closed".into()));

    let extension = start(&yaml(&folder, "")).await.unwrap();
    let store = extension.storage.open(Kind::Receiver, &id("a")).await.unwrap();
    assert_eq!(store.keys("w/").await.unwrap(), ["w/1", "w/2"], "without a claim, too");
    assert_eq!(store.keys("").await.unwrap(), ["w/1", "w/2", "x"]);
    assert_eq!(store.get("w/1").await.unwrap().unwrap(), "1");
    assert_eq!(store.get("x").await.unwrap().unwrap(), "");
    assert_eq!(store.get("v").await.unwrap(), None);
    let exporter = extension.storage.open(Kind::Exporter, &id("a")).await.unwrap();
    assert_eq!(exporter.keys("").await.unwrap(), [""; 0]);
    extension.stop().await;
}

#[tokio::test]
async fn only_the_last_claim_writes() {
    let folder = Folder::new("file-storage-claims");
    let extension = start(&yaml(&folder, "fsync: false")).await.unwrap();
    let unclaimed = extension.storage.open(Kind::Receiver, &id("a")).await.unwrap();
    assert!(matches!(
        unclaimed.apply(vec![set("k", "0")]).await,
        Err(StoreError::Fenced(_))
    ));
    let first = extension.store("a").await;
    first.apply(vec![set("k", "1")]).await.unwrap();
    let second = extension.store("a").await;
    extension.store("b").await;
    let error = first.apply(vec![set("k", "2")]).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Fenced(text) if text.contains("receivers::a")),
        "{error}"
    );
    assert_eq!(second.get("k").await.unwrap().unwrap(), "1");
    first.claim().await.unwrap();
    first.apply(vec![set("k", "3")]).await.unwrap();
    assert!(matches!(second.apply(vec![]).await, Err(StoreError::Fenced(_))));
    extension.stop().await;
}

#[tokio::test]
async fn a_second_collector_is_kept_out() {
    let folder = Folder::new("file-storage-second");
    let first = start(&yaml(&folder, "")).await.unwrap();
    let error = start(&yaml(&folder, "timeout: 100ms")).await.err().unwrap();
    let directory = folder.path().display();
    assert_eq!(
        error,
        format!(
            "the directory {directory} is in use by another process; every collector needs one of its own: end the \
             other one, or set extensions::file_storage::directory"
        )
    );
    // The second gets the lock as soon as the first is gone.
    let yaml = yaml(&folder, "timeout: 1h");
    let second = tokio::spawn(async move { start(&yaml).await.err() });
    tokio::task::yield_now().await;
    first.stop().await;
    assert_eq!(second.await.unwrap(), None);
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_says_what_to_do() {
    let folder = Folder::new("file-storage-directory");
    let missing = folder.path().join("a/b");
    let yaml = format!("directory: {}\n", missing.display());
    let error = start(&format!("{yaml}create_directory: false")).await.err().unwrap();
    assert_eq!(
        error,
        format!(
            "the directory {} cannot be written to: No such file or directory (os error 2); create it, or set \
             extensions::file_storage::create_directory: true",
            missing.display()
        )
    );
    start(&format!("{yaml}directory_permissions: 0700"))
        .await
        .unwrap()
        .stop()
        .await;
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&missing).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
    std::fs::write(folder.path().join("file"), "").unwrap();
    let error = start(&format!("directory: {}", folder.path().join("file").display()))
        .await
        .err()
        .unwrap();
    assert!(
        error.contains("the path is not a directory; set extensions::file_storage::directory"),
        "{error}"
    );
}

#[tokio::test]
async fn a_damaged_file_stops_the_start_and_stays_as_it_is() {
    let folder = Folder::new("file-storage-damaged");
    let fill = async || {
        let extension = start(&yaml(&folder, "recreate: true")).await.unwrap();
        let store = extension.store("a").await;
        for n in 0..200 {
            store.apply(vec![set(&format!("k{n}"), [n as u8; 3000])]).await.unwrap();
        }
        extension.stop().await;
    };
    fill().await;
    let whole = std::fs::read(file(&folder)).unwrap();
    let mut garbled = whole.clone();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for byte in &mut garbled[8192..] {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = (random >> 33) as u8;
    }
    let mut header = whole.clone();
    header[64..320].fill(0xff);
    let cases = [
        ("garbage", vec![0x5a; 1 << 20]),
        ("text", b"not a database at all".to_vec()),
        ("empty", Vec::new()),
        ("truncated to a page", whole[..4096].to_vec()),
        ("truncated to the half", whole[..whole.len() / 2].to_vec()),
        ("garbled behind the header", garbled),
        ("a garbled header", header),
    ];
    for (name, damaged) in cases {
        std::fs::write(file(&folder), &damaged).unwrap();
        let error = start(&yaml(&folder, "")).await.err();
        let error = error.unwrap_or_else(|| panic!("{name}: it started"));
        assert!(
            error.starts_with(&format!("the file {} cannot be used: ", file(&folder).display()))
                && error.contains("set extensions::file_storage::recreate: true"),
            "{name}: {error}"
        );
        assert_eq!(folder.names(), ["lock", "reserve", "state.redb"], "{name}");
        assert_eq!(std::fs::read(file(&folder)).unwrap().len(), damaged.len(), "{name}");
    }
    // Moved aside, not deleted, if the settings ask for that; twice under two names.
    for names in [
        &["lock", "reserve", "state.redb", "state.redb.broken-1"][..],
        &[
            "lock",
            "reserve",
            "state.redb",
            "state.redb.broken-1",
            "state.redb.broken-2",
        ],
    ] {
        std::fs::write(file(&folder), "not a database").unwrap();
        fill().await;
        assert_eq!(folder.names(), names);
    }
    assert_eq!(
        std::fs::read(folder.path().join("state.redb.broken-2")).unwrap(),
        b"not a database"
    );
}

#[tokio::test]
async fn a_removed_file_is_reported_and_nothing_acknowledged() {
    for remove_all in [true, false] {
        let folder = Folder::new("file-storage-removed");
        let extension = start(&yaml(&folder, "")).await.unwrap();
        let store = extension.store("a").await;
        store.apply(vec![set("k", "1")]).await.unwrap();
        if remove_all {
            std::fs::remove_dir_all(folder.path()).unwrap();
        } else {
            std::fs::remove_file(file(&folder)).unwrap();
        }
        for value in ["2", "3"] {
            let error = store.apply(vec![set("k", value)]).await.unwrap_err();
            assert!(
                matches!(&error, StoreError::Unavailable(why) if why.contains("removed or replaced")),
                "{error}"
            );
        }
        assert!(extension.problem().await.contains("restart the collector"));
        extension.stop().await;
        assert!(!file(&folder).exists());
    }
}

#[tokio::test]
async fn files_are_readable_by_their_owner_only() {
    let folder = Folder::new("file-storage-modes");
    start(&yaml(&folder, "")).await.unwrap().stop().await;
    for name in folder.names() {
        let permissions = std::fs::metadata(folder.path().join(&name)).unwrap().permissions();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o077,
            0,
            "{name}"
        );
    }
}

#[tokio::test]
async fn only_an_unclean_shutdown_is_called_unclean() {
    let folder = Folder::new("file-storage-clean");
    let unclean = async || {
        let lock = directory::lock(folder.path(), Duration::ZERO, "s").await.unwrap();
        lock.unclean
    };
    assert!(!unclean().await, "the first start");
    // The lock was dropped without being closed, as in a crash.
    assert!(unclean().await, "after a crash");
    start(&yaml(&folder, "")).await.unwrap().stop().await;
    assert!(!unclean().await, "after an orderly shutdown");
}

#[tokio::test]
async fn every_single_damaged_page_is_noticed_or_harmless() {
    let folder = Folder::new("file-storage-pages");
    let extension = start(&yaml(&folder, "")).await.unwrap();
    let store = extension.store("a").await;
    let expected: Vec<_> = (0..40).map(|n| (format!("k{n:02}"), vec![n as u8; 2000])).collect();
    for (key, value) in &expected {
        store.apply(vec![set(key, value)]).await.unwrap();
    }
    extension.stop().await;
    let whole = std::fs::read(file(&folder)).unwrap();
    let mut noticed = 0;
    for page in (0..whole.len() / 4096).step_by(7) {
        let mut damaged = whole.clone();
        damaged[page * 4096..][..4096].fill(0xa5);
        std::fs::write(file(&folder), damaged).unwrap();
        match start(&yaml(&folder, "")).await {
            Err(error) => {
                assert!(error.contains("cannot be used: "), "page {page}: {error}");
                noticed += 1;
            }
            Ok(extension) => {
                let store = extension.store("a").await;
                for (key, value) in &expected {
                    assert_eq!(
                        store.get(key).await.unwrap().as_deref(),
                        Some(&value[..]),
                        "page {page}"
                    );
                }
                extension.stop().await;
            }
        }
    }
    assert!(noticed > 0, "no page mattered");
}

#[test]
fn settings_are_checked() {
    assert_eq!(errors(""), "");
    assert_eq!(
        errors("{directory: /d, timeout: 5s, fsync: false, directory_permissions: 0700, recreate: true}"),
        ""
    );
    let found = errors("directory: d\ndirectory_permissions: 0440");
    assert!(
        found.contains("directory: found \"d\", expected an absolute path"),
        "{found}"
    );
    assert!(
        found.contains("directory_permissions: found \"0440\", expected an octal mode"),
        "{found}"
    );
    for wrong in ["'0888'", "rwx", "'1777'", "''"] {
        let found = errors(&format!("directory_permissions: {wrong}"));
        assert!(found.contains("for example 0750"), "{wrong}: {found}");
    }
    assert!(errors("dirctory: /d").contains("did you mean `directory`?"));
}
