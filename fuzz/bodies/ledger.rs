//! Properties of the stored windows of `job_metrics` for arbitrary bytes, which may be damaged or foreign. Run by a
//! fuzz target, and by `cargo test` on damaged records.
//!
//! Input: the key of a window up to the first line break, then its record.

use bytes::Bytes;
use collector_runtime::storage::Change;
use job_event::Uid;
use job_metrics_connector::ledger::{Counted, Ledger, compress};
use job_metrics_connector::window::Windows;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;

/// Panics if something does not hold.
pub(super) fn run(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let key = String::from_utf8_lossy(&data[..end]);
    let record = Bytes::copy_from_slice(data.get(end + 1..).unwrap_or_default());
    let mut ledger = Ledger::default();
    if let Err(error) = ledger.restore(&key, &record) {
        let error = error.to_string();
        assert!(
            error.contains("cannot read the stored window") && error.contains("delete it"),
            "{error}"
        );
        assert_eq!(
            (ledger.size(), ledger.last_end()),
            (0, None),
            "no part of it is counted"
        );
        return;
    }
    assert_eq!(ledger.size(), record.len());
    let undelivered = ledger.undelivered().expect("counted points can be sent");
    let last = ledger.last_end().expect("it has an end");
    let mut windows = Windows::new(jiff::Timestamp::UNIX_EPOCH);
    windows.after(last);
    assert!(windows.earliest_end() > last);
    windows.close(jiff::Timestamp::UNIX_EPOCH);

    let uid = Uid::new("a Job that is new");
    let points = compress(Vec::new()).expect("points can be compressed");
    let (number, changes) = ledger.close(last, points, vec![uid]);
    assert_eq!(ledger.counted(&uid), Some(Counted::Pending(number)));
    assert!(changes.iter().any(|change| matches!(change, Change::Set(..))));
    for (undelivered, _) in undelivered {
        assert!(undelivered < number, "later windows have higher numbers");
        ledger.done(undelivered);
    }
    ledger.done(number);
    ledger.changes();
    assert_eq!(ledger.counted(&uid), Some(Counted::Decided));
}

/// A key and a record as they are stored, for inputs to begin with; without points once they are delivered.
#[allow(dead_code, reason = "the fuzz target itself needs none")]
pub(super) fn example(is_delivered: bool) -> Vec<u8> {
    let mut ledger = Ledger::default();
    let metrics = ResourceMetrics {
        schema_url: "https://opentelemetry.io/schemas/1.0.0".into(),
        ..Default::default()
    };
    let points = compress(vec![metrics; 3]).expect("points can be compressed");
    let uids = (0..5).map(|number: u32| Uid::new(&number.to_string())).collect();
    let (number, mut changes) = ledger.close(1_795_450_476, points, uids);
    if is_delivered {
        ledger.done(number);
        changes = ledger.changes();
    }
    let stored = changes.into_iter().filter_map(|change| match change {
        Change::Set(key, record) => Some([key.as_bytes(), b"\n", &record].concat()),
        Change::Delete(_) => None,
    });
    stored.flatten().collect()
}
