//! A client that only reads: streaming lists in protobuf, whose bytes are dropped. No client can be faster.

use std::time::{Duration, Instant};

use http::Request;
use http::header::ACCEPT;
use http_body_util::BodyExt;
use kube::client::Body;

use crate::Bench;
use crate::stats::ProcessStats;

/// The annotation of the bookmark that ends the initial events.
const END: &[u8] = b"k8s.io/initial-events-end";

/// The objects that are read, as the collector selects them.
const PATHS: [&str; 2] = [
    "/apis/batch/v1/jobs?watch=true",
    "/api/v1/pods?watch=true&labelSelector=job-name",
];

/// The cost of a client that only reads.
pub(crate) struct Floor {
    pub(crate) read: Duration,
    pub(crate) cpu: Duration,
    pub(crate) bytes: usize,
}

/// Reads all Jobs and then all Pods.
pub(crate) async fn read(bench: &Bench) -> Floor {
    let own = ProcessStats(std::process::id());
    let (began, before) = (Instant::now(), own.cpu());
    let client = bench.plane.client();
    let mut bytes = 0;
    for path in PATHS {
        let uri = format!("{path}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
        let request = Request::get(uri).header(ACCEPT, "application/vnd.kubernetes.protobuf;stream=watch");
        let response = client.send(request.body(Body::empty()).unwrap()).await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        let mut body = response.into_body();
        // The annotation may be split over two pieces.
        let mut seam: Vec<u8> = Vec::new();
        loop {
            let frame = body.frame().await.expect("an open watch").unwrap();
            let Ok(data) = frame.into_data() else { continue };
            bytes += data.len();
            seam.extend_from_slice(&data[..data.len().min(END.len())]);
            let tail = &data[data.len().saturating_sub(END.len())..];
            let is_end = |part: &[u8]| part.windows(END.len()).any(|window| window == END);
            // The bookmark is small and the last frame: only the end of a piece is searched.
            if is_end(&seam) || is_end(&data[data.len().saturating_sub(4096)..]) {
                break;
            }
            seam = tail.to_vec();
        }
    }
    Floor {
        read: began.elapsed(),
        cpu: own.cpu() - before,
        bytes,
    }
}
