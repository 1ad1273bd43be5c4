//! The exporter with real files.
#![allow(clippy::unwrap_used, reason = "this binary contains only tests")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use collector_config::{ComponentId, Settings};
use collector_data::{Ack, Batch, Delivery, Outcome, Payload, Signal, json};
use collector_runtime::ComponentError;
use collector_runtime::component::{Create, Exporter, Running};
use collector_runtime::health::{Health, Status};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PATH: &str = "exporters::file";

/// A temporary folder for one test, removed on drop.
struct OutputFolder(PathBuf);

impl OutputFolder {
    fn new(name: &str) -> OutputFolder {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("file-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        OutputFolder(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("jobs.jsonl")
    }

    /// The names of the files in it, in order.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn create(path: &Path, more: &str) -> Box<dyn Exporter> {
    let yaml = format!("path: '{}'\n{more}", path.display());
    let made = (file_exporter::factory().create)(&Create {
        id: &ComponentId {
            type_name: "file".into(),
            name: None,
        },
        settings: &Settings::from_yaml(&yaml).unwrap(),
        meter: &opentelemetry::global::meter("test"),
        health: &Health::new(),
        provided: &collector_runtime::storage::Provided::new(),
    });
    made.map_err(|errors| errors.to_string()).unwrap()
}

struct Exporting {
    batches: mpsc::Sender<Batch>,
    health: Health,
    task: JoinHandle<Result<(), ComponentError>>,
}

impl Exporting {
    async fn start(path: &Path, more: &str) -> Exporting {
        let mut exporter = create(path, more);
        exporter.start().await.unwrap();
        let (batches, input) = mpsc::channel(64);
        let health = Health::new();
        let running = Running {
            shutdown: CancellationToken::new(),
            health: health.reporter(PATH),
            succession: Default::default(),
        };
        let task = tokio::spawn(exporter.run(input.into(), running));
        Exporting { batches, health, task }
    }

    async fn send(&self, name: &str) -> Delivery {
        let (ack, delivery) = Ack::new();
        self.batches.send(Batch::new(logs(name), ack)).await.unwrap();
        delivery
    }

    async fn end(self) {
        drop(self.batches);
        self.task.await.unwrap().unwrap();
    }
}

fn logs(name: &str) -> Payload {
    let record = LogRecord {
        event_name: name.into(),
        ..Default::default()
    };
    Payload::Logs(vec![ResourceLogs {
        scope_logs: vec![ScopeLogs {
            log_records: vec![record],
            ..Default::default()
        }],
        ..Default::default()
    }])
}

/// The names of the events in a file, which must contain whole lines.
fn names(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let name = |line: &str| {
        let Payload::Logs(mut resources) = json::decode(Signal::Logs, line.as_bytes()).unwrap() else {
            unreachable!()
        };
        resources
            .remove(0)
            .scope_logs
            .remove(0)
            .log_records
            .remove(0)
            .event_name
    };
    text.lines().map(name).collect()
}

#[tokio::test]
async fn acknowledged_lines_survive_a_restart() {
    let folder = OutputFolder::new("restart");
    let file = folder.0.join("not/there/yet.jsonl");
    for (flush_interval, run) in ["0s", "1h"].into_iter().zip(0..) {
        let more = format!("create_directory: true\nflush_interval: {flush_interval}");
        let exporting = Exporting::start(&file, &more).await;
        for event in 0..5 {
            let outcome = exporting.send(&format!("{run}-{event}")).await.await;
            assert_eq!(outcome, Outcome::Delivered);
            assert_eq!(names(&file).last(), Some(&format!("{run}-{event}")));
        }
        exporting.end().await;
    }
    assert_eq!(names(&file).len(), 10);
    Exporting::start(&file, "append: false").await.end().await;
    assert_eq!(names(&file).len(), 0);
}

#[tokio::test]
async fn removes_only_an_incomplete_line_on_startup() {
    let folder = OutputFolder::new("torn");
    let exporting = Exporting::start(&folder.file(), "").await;
    for name in ["a", "b"] {
        assert_eq!(exporting.send(name).await.await, Outcome::Delivered);
    }
    exporting.end().await;
    let whole = std::fs::read(folder.file()).unwrap();
    // Every length that a crash may leave, and one above the size of a read.
    let longer = [&whole[..], &vec![b'x'; 200_000]].concat();
    for length in (0..=whole.len()).chain([longer.len()]) {
        std::fs::write(folder.file(), &longer[..length]).unwrap();
        Exporting::start(&folder.file(), "").await.end().await;
        let kept = longer[..length].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(names(&folder.file()), ["a", "b"][..kept], "cut at {length}");
    }
}

#[tokio::test]
async fn reports_a_full_disk_and_retries() {
    // Every write to it fails with "no space left".
    let exporting = Exporting::start(Path::new("/dev/full"), "").await;
    let mut delivery = Box::pin(exporting.send("a").await);
    let mut health = exporting.health.watch();
    let unhealthy = health
        .wait_for(|health| matches!(health.get(PATH), Some(Status::RecoverableError(_))))
        .await
        .unwrap();
    let Some(Status::RecoverableError(why)) = unhealthy.get(PATH).cloned() else {
        unreachable!()
    };
    drop(unhealthy);
    let why = why.to_lowercase();
    assert!(
        why.contains("cannot write to /dev/full") && why.contains("no space left"),
        "{why}"
    );
    assert!(
        futures_util::poll!(&mut delivery).is_pending(),
        "the batch must stay pending"
    );
    exporting.task.abort();
}

#[tokio::test]
async fn invalid_paths_fail_on_startup() {
    let folder = OutputFolder::new("start");
    let fails = async |path: &Path| create(path, "").start().await.unwrap_err().to_string();
    let missing = fails(&folder.0.join("no/file")).await;
    assert!(missing.contains("set create_directory: true"), "{missing}");
    let a_folder = fails(&folder.0).await;
    assert!(
        a_folder.starts_with(&format!("cannot write to {}", folder.0.display())),
        "{a_folder}"
    );
    let exporting = Exporting::start(&folder.file(), "").await;
    let taken = fails(&folder.file()).await;
    assert!(taken.contains("another process or exporter writes to it"), "{taken}");
    exporting.end().await;
}

#[tokio::test]
async fn rotates_full_files_and_removes_the_oldest() {
    let folder = OutputFolder::new("rotation");
    // A file of another program.
    std::fs::write(folder.0.join("jobs-of-others.jsonl"), "").unwrap();
    std::fs::write(folder.0.join("jobs-2020-01-01T00-00-00.000.jsonl"), "").unwrap();
    let more = "rotation: {max_megabytes: 1, max_backups: 3, max_days: 30}";
    let exporting = Exporting::start(&folder.file(), more).await;
    let padding = "x".repeat(400 * 1024);
    for number in 0..9 {
        let outcome = exporting.send(&format!("{number}{padding}")).await.await;
        assert_eq!(outcome, Outcome::Delivered);
    }
    // A line above `max_megabytes`.
    let huge = exporting.send(&"x".repeat(2 * 1024 * 1024)).await;
    assert_eq!(huge.await, Outcome::Delivered);
    exporting.end().await;
    let files = folder.names();
    let full: Vec<&String> = files.iter().filter(|name| name.starts_with("jobs-2")).collect();
    assert_eq!((files.len(), full.len()), (5, 3), "{files:?}");
    assert!(
        !full.contains(&&"jobs-2020-01-01T00-00-00.000.jsonl".to_owned()),
        "it is too old"
    );
    // Two lines per file, in order; the first two files are removed.
    let numbers: Vec<String> = full
        .iter()
        .flat_map(|name| names(&folder.0.join(name)))
        .map(|name| name[..1].to_owned())
        .collect();
    assert_eq!(numbers, ["4", "5", "6", "7", "8"]);
    assert_eq!(names(&folder.file()).len(), 1);
}

#[tokio::test]
async fn new_files_have_mode_0600() {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = OutputFolder::new("mode");
    let exporting = Exporting::start(&folder.file(), "").await;
    assert_eq!(mode(&folder.file()), 0o600);
    // The mode of an existing file is kept.
    let made = folder.0.join("made.jsonl");
    std::fs::write(&made, "").unwrap();
    std::fs::set_permissions(&made, Permissions::from_mode(0o640)).unwrap();
    let other = Exporting::start(&made, "").await;
    assert_eq!(mode(&made), 0o640);
    exporting.end().await;
    other.end().await;
}

#[tokio::test]
async fn begins_a_new_file_after_a_move() {
    let folder = OutputFolder::new("moved");
    let exporting = Exporting::start(&folder.file(), "").await;
    assert_eq!(exporting.send("a").await.await, Outcome::Delivered);
    let elsewhere = folder.0.join("elsewhere");
    std::fs::rename(folder.file(), &elsewhere).unwrap();
    assert_eq!(exporting.send("b").await.await, Outcome::Delivered);
    std::fs::remove_file(folder.file()).unwrap();
    assert_eq!(exporting.send("c").await.await, Outcome::Delivered);
    exporting.end().await;
    assert_eq!(
        (names(&elsewhere), names(&folder.file())),
        (vec!["a".to_owned()], vec!["c".to_owned()])
    );
}

#[tokio::test]
async fn fulfils_the_contract() {
    let folder = collector_testing::Folder::new("file-exporter-contract");
    let yaml = format!("path: {}/out.jsonl", folder.path().display());
    let subject = collector_testing::contract::Subject::new(file_exporter::factory(), yaml);
    collector_testing::contract::exporter(&subject).await;
}
