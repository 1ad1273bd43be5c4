//! The memory that docs/reliability.md states, against the heap.

use std::sync::Arc;

use bytes::Bytes;
use collector_config::ComponentId;
use collector_data::{Ack, Batch, Payload};
use collector_runtime::component::Running;
use collector_runtime::health::Health;
use collector_sending::{Destination, QueueSettings, Request, RetrySettings, SendOutcome, Sender, Sizer};
use dhat::{HeapStats, Profiler};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support::Recorded;
use crate::support::tracking::tracker_of;

/// Just before the tables of the tracker grow, which is when they are fullest.
const JOBS: usize = 3_500;
/// The bytes of each request.
const BODY: usize = 4 * 1024;
/// How many requests have room.
const REQUESTS: usize = 1_000;

/// The second column of a row of the table, in bytes.
fn stated(term: &str) -> f64 {
    let page = include_str!("../../docs/reliability.md");
    let row = page.lines().find(|line| line.starts_with(&format!("| {term} |")));
    let cell = row.and_then(|row| row.split('|').nth(2)).expect(term);
    let mut words = cell.split_whitespace().rev();
    let unit = words.next();
    let number: f64 = words.next().and_then(|word| word.parse().ok()).expect(cell);
    match unit {
        Some("B") => number,
        Some("MiB") => number * 1024.0 * 1024.0,
        other => panic!("{term}: unknown unit {other:?}"),
    }
}

fn heap() -> usize {
    HeapStats::get().curr_bytes
}

#[test]
fn memory_is_what_the_documentation_states() {
    let _alone = crate::alone();
    let _profiler = Profiler::builder().testing().build();
    let recorded = Recorded::read();
    let before = heap();
    let tracker = tracker_of(&recorded, JOBS);
    let job = (heap() - before) as f64 / JOBS as f64;
    drop(tracker);
    let (request, taken) = request_that_waits();
    println!("a live Job with one Pod: {job:.0} B; a request of {BODY} B that waits: {request:.0} B; {taken} wait");

    let stated_job = stated("a live Job with one Pod");
    assert!(
        job <= stated_job * 1.1 && job >= stated_job * 0.5,
        "a live Job costs {job:.0} bytes, docs/reliability.md states {stated_job}"
    );
    let stated_request = BODY as f64 + stated("a request that waits");
    assert!(
        request <= stated_request,
        "a request of {BODY} bytes costs {request:.0} bytes, docs/reliability.md states {stated_request}"
    );
    // The queued requests, and one that waits for capacity.
    assert_eq!(taken, REQUESTS + 1, "the queue is bounded by its bytes");
}

/// A backend that is away.
struct Away;

impl Destination for Away {
    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String> {
        Ok(vec![Request::new(&payload, "proto", "", Bytes::from(vec![0; BODY]))])
    }

    fn unpack(&self, _request: &Request) -> Result<Payload, String> {
        Err("never asked for".into())
    }

    async fn export(&self, _request: &Request) -> SendOutcome {
        std::future::pending().await
    }
}

/// The heap of each request while the backend is down, and the number of accepted requests.
#[tokio::main(flavor = "current_thread")]
async fn request_that_waits() -> (f64, usize) {
    let id = ComponentId {
        type_name: "otlp_http".into(),
        name: None,
    };
    let queue = QueueSettings {
        sizer: Some(Sizer::Bytes),
        queue_size: (REQUESTS * BODY) as u64,
        ..QueueSettings::default()
    };
    let health = Health::new();
    let running = Running {
        shutdown: CancellationToken::new(),
        health: health.reporter(&id),
        succession: Default::default(),
    };
    let meter = NoopMeterProvider::new().meter("test");
    let sender = Sender::new(Away, id, RetrySettings::default(), queue, meter);
    let (input, inbox) = mpsc::channel(1);
    let run = tokio::spawn(sender.run(inbox.into(), running));
    settle().await;

    let before = heap();
    let mut taken = 0;
    let mut deliveries = Vec::with_capacity(2 * REQUESTS);
    let vector = deliveries.capacity() * size_of::<collector_data::Delivery>();
    // A batch in the channel does not count as accepted.
    while let Ok(room) = input.try_reserve() {
        let (ack, delivery) = Ack::new();
        room.send(Batch::new(one_record(), ack));
        deliveries.push(delivery);
        settle().await;
        taken = deliveries.len() - usize::from(input.capacity() == 0);
    }
    let held = heap() - before - vector;
    run.abort();
    (held as f64 / taken as f64, taken)
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn one_record() -> Payload {
    Payload::Logs(vec![ResourceLogs {
        scope_logs: vec![ScopeLogs {
            log_records: vec![LogRecord::default()],
            ..Default::default()
        }],
        ..Default::default()
    }])
}
