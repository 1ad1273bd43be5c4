//! The bodies of the fuzz targets, on recordings that were damaged at random.

#[path = "../../fuzz/bodies/checkpoint.rs"]
mod checkpoint;
#[path = "../../fuzz/bodies/configuration.rs"]
mod configuration;
#[path = "../../fuzz/bodies/decoder.rs"]
mod decoder;
#[path = "../../fuzz/bodies/judge.rs"]
mod judge;
#[path = "../../fuzz/bodies/ledger.rs"]
mod ledger;
#[path = "../../fuzz/bodies/list.rs"]
mod list;
#[path = "../../fuzz/bodies/otlp_answers.rs"]
mod otlp_answers;
#[path = "../../fuzz/bodies/protobuf.rs"]
mod protobuf;
#[path = "../../fuzz/bodies/recording.rs"]
mod recording;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use crate::random::{Random, seed};
use crate::recording::{Recording, all, in_time};

/// How many damaged texts of each recording, for each body.
const TEXTS: u64 = 4;
/// How many damaged copies of each stored record.
const RECORDS: u64 = 2000;

/// The recording as text, at most `lines` lines from a random one on.
fn text(recording: &Recording, lines: usize, random: &mut Random) -> Vec<u8> {
    let from = random.below(recording.json.len());
    let lines = recording.json[from..].iter().take(lines);
    lines.flat_map(|line| format!("{line}\n").into_bytes()).collect()
}

/// Replaces, removes, repeats or swaps a few bytes or stretches.
fn damage(text: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(12) {
        if text.is_empty() {
            return;
        }
        let at = random.below(text.len());
        let end = (at + random.below(64)).min(text.len());
        match random.below(6) {
            0 => text[at] = random.next() as u8,
            1 => text[at] = b"\"{}[],:0-9\n\\eE"[random.below(14)],
            2 => drop(text.drain(at..end)),
            3 => {
                let again = text[at..end].to_vec();
                let to = random.below(text.len());
                text.splice(to..to, again);
            }
            4 => text.truncate(at),
            _ => text[at..end].reverse(),
        }
    }
}

fn try_body(body: fn(&[u8]), data: &[u8], seed: u64, name: &str) {
    if catch_unwind(AssertUnwindSafe(|| body(data))).is_err() {
        panic!(
            "{name}: PROPERTY_SEED={seed}, input {:?}",
            String::from_utf8_lossy(data)
        );
    }
}

#[test]
fn the_decoder_takes_any_bytes() {
    let seed = seed();
    for recording in all() {
        for number in 0..TEXTS {
            let mut random = Random::new(seed ^ number);
            let mut data = text(&recording, 4, &mut random);
            damage(&mut data, &mut random);
            data.insert(0, random.next() as u8);
            try_body(decoder::run, &data, seed, &recording.name);
        }
    }
}

#[test]
fn the_decoder_of_protobuf_takes_any_bytes() {
    let seed = seed();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs/watch/tests/protobuf");
    for name in ["corpus", "kubernetes-1.37", "reported", "samples"] {
        let file = std::fs::File::open(folder.join(format!("{name}.frames.gz"))).unwrap();
        let mut stream = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut stream).unwrap();
        for number in 0..TEXTS * 25 {
            let mut random = Random::new(seed ^ number);
            let from = random.below(stream.len());
            // From the start of a frame on, which begins with its type.
            let at = stream[from..]
                .windows(2)
                .position(|two| two == [0x0a, 0x05])
                .unwrap_or_default();
            let from = (from + at).saturating_sub(4);
            let to = (from + 8000).min(stream.len());
            let mut data = stream[from..to].to_vec();
            damage(&mut data, &mut random);
            data.insert(0, random.next() as u8);
            try_body(protobuf::run, &data, seed, name);
        }
    }
}

/// Pages of a list of the recording's objects of one type, each with a token for the next but the last.
fn pages(recording: &Recording, random: &mut Random) -> Vec<u8> {
    let chosen = random.below(4);
    let (resource, kind, api_version) = [
        ("jobs", "JobList", "batch/v1"),
        ("pods", "PodList", "v1"),
        ("events", "EventList", "v1"),
        ("cronjobs", "CronJobList", "batch/v1"),
    ][chosen];
    let objects = recording.json.iter().filter(|line| line["resource"] == resource);
    let objects: Vec<&Value> = objects.map(|line| &line["object"]).take(4).collect();
    let mut text = vec![chosen as u8];
    for (number, items) in [&objects[..objects.len() / 2], &objects[objects.len() / 2..]]
        .iter()
        .enumerate()
    {
        let next = ["a token", ""][number];
        let metadata = json!({"resourceVersion": "9", "continue": next});
        let page = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items});
        text.extend_from_slice(format!("{page}\n").as_bytes());
    }
    text
}

#[test]
fn lists_take_any_bytes() {
    let seed = seed();
    for recording in all() {
        for number in 0..TEXTS {
            let mut random = Random::new(seed ^ number);
            let mut data = pages(&recording, &mut random);
            damage(&mut data, &mut random);
            try_body(list::run, &data, seed, &recording.name);
        }
    }
}

#[test]
fn the_reader_of_recordings_takes_any_bytes() {
    let seed = seed();
    for recording in all() {
        for number in 0..TEXTS {
            let mut random = Random::new(seed ^ number);
            let mut data = text(&recording, 40, &mut random);
            // Damaged before it is compressed, after, or not at all.
            let compressed = random.below(2) == 0;
            if !compressed || random.below(2) == 0 {
                damage(&mut data, &mut random);
            }
            if compressed {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                std::io::Write::write_all(&mut encoder, &data).unwrap();
                data = encoder.finish().unwrap();
                if random.below(2) == 0 {
                    damage(&mut data, &mut random);
                }
            }
            try_body(recording::run, &data, seed, &recording.name);
        }
    }
}

/// Everything the language of configurations has.
const WRITTEN: &str = "\
x-common: &common {endpoint: 'https://u:${env:P}@h:4318/?key=v', headers: {a: \"Bearer ${env:T:-t}\"}}
receivers:
  k8s_job: {settle_time: 1s, namespaces: {include: [a, b]}}
exporters:
  otlp_http/a:
    <<: *common
    tls:
      key_pem: |
        -----BEGIN
    timeout: ${TIME:-30s}
    text: >-
      $$x ${env:UNSET}
  debug: ~
service:
  pipelines:
    logs: {receivers: [k8s_job], exporters: [debug, otlp_http/a]}
";

#[test]
fn the_configuration_may_be_any_bytes() {
    let seed = seed();
    let shipped = include_str!("../../pipeline.yaml");
    let overlay = format!("{WRITTEN}\0exporters:\n  debug:\n  otlp_http/a: {{tls: , timeout: x}}\n");
    let manifest = format!(
        "kind: A\napiVersion: b\ndata:\n  relay: |\n    {}",
        WRITTEN.replace('\n', "\n    ")
    );
    for (name, text) in [
        ("shipped", shipped),
        ("written", WRITTEN),
        ("overlay", &overlay),
        ("manifest", &manifest),
    ] {
        try_body(configuration::run, text.as_bytes(), seed, name);
        for number in 0..250 {
            let mut random = Random::new(seed ^ number);
            let mut data = text.as_bytes().to_vec();
            damage(&mut data, &mut random);
            if random.below(2) == 0 && !data.is_empty() {
                let at = random.below(data.len());
                data[at] = b"&*!|>%@`#?:-\t\r${}'"[random.below(18)];
            }
            try_body(configuration::run, &data, seed, name);
        }
    }
}

#[test]
fn the_judge_takes_any_recording() {
    let seed = seed();
    for recording in all() {
        for number in 0..TEXTS {
            let mut random = Random::new(seed ^ number);
            let mut data = text(&recording, 40, &mut random);
            damage(&mut data, &mut random);
            try_body(judge::run, &data, seed, &recording.name);
        }
    }
}

#[test]
fn the_judge_takes_any_evidence() {
    let seed = seed();
    for recording in all() {
        for evidence in in_time(&recording.lines).values() {
            judge::check(evidence);
            let json = serde_json::to_vec(evidence).unwrap();
            for number in 0..TEXTS {
                let mut data = json.clone();
                damage(&mut data, &mut Random::new(seed ^ number));
                try_body(judge::run, &data, seed, &recording.name);
            }
        }
    }
}

/// An answer in the form of the targets `otlp_http` and `otlp_grpc`: signal and status, some lines, and a body.
fn answer(status: u16, lines: &[&str], body: &[u8]) -> Vec<u8> {
    let mut data = vec![0];
    data.extend((status - 100).to_be_bytes());
    for line in lines {
        data.extend(line.as_bytes());
        data.push(b'\n');
    }
    data.extend(body);
    data
}

/// An `ExportLogsServiceResponse` that rejects two records, with a message about the key.
fn partial_success() -> Vec<u8> {
    let message = format!("key {} is unknown", otlp_answers::KEY);
    let partial = [&[8, 2, 0x12, message.len() as u8][..], message.as_bytes()].concat();
    [&[0x0a, partial.len() as u8][..], &partial].concat()
}

#[test]
fn otlp_answers_over_http_may_be_any_bytes() {
    let proto = partial_success();
    let json = format!(
        r#"{{"partialSuccess":{{"rejectedLogRecords":"2","errorMessage":"{} is old"}}}}"#,
        otlp_answers::KEY
    );
    let page = format!("<!doctype html><html><title>{} x</title>", otlp_answers::KEY);
    let seed = seed();
    for (number, (status, lines, body)) in [
        (200, ["application/x-protobuf", ""], &proto[..]),
        (200, ["application/json", ""], json.as_bytes()),
        (200, ["text/html", ""], page.as_bytes()),
        (400, ["application/x-protobuf", ""], &proto),
        (403, ["application/json", ""], b"{\"message\":\"no\"}"),
        (429, ["text/plain", "120"], b"slow down"),
        (503, ["text/plain", "Fri, 31 Dec 9999 23:59:59 GMT"], b"later"),
    ]
    .into_iter()
    .enumerate()
    {
        let whole = answer(status, &lines, body);
        try_body(otlp_answers::http, &whole, seed, "http");
        for text in 0..500 {
            let mut data = whole.clone();
            damage(&mut data, &mut Random::new(seed ^ text ^ ((number as u64) << 32)));
            try_body(otlp_answers::http, &data, seed, "http");
        }
    }
}

#[test]
fn otlp_answers_over_grpc_may_be_any_bytes() {
    let message = partial_success();
    let framed = [&[0, 0, 0, 0, message.len() as u8][..], &message].concat();
    // google.rpc.Status with a RetryInfo of 10 s, in base64.
    let details = "CA4SBGJ1c3kaLgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxICCgA=";
    let grpc = "application/grpc";
    let seed = seed();
    for (number, (status, lines, body)) in [
        (200, [grpc, "0", "", ""], &framed[..]),
        (200, [grpc, "8", "busy", details], b""),
        (200, [grpc, "14", otlp_answers::KEY, ""], b""),
        (200, [grpc, "16", "key%20unknown", "AAAA"], b""),
        (200, [grpc, "", "", ""], &framed),
        (502, ["text/html", "", "", ""], b"<html><title>Bad Gateway</title>"),
    ]
    .into_iter()
    .enumerate()
    {
        let whole = answer(status, &lines, body);
        try_body(otlp_answers::grpc, &whole, seed, "grpc");
        for text in 0..500 {
            let mut data = whole.clone();
            damage(&mut data, &mut Random::new(seed ^ text ^ ((number as u64) << 32)));
            try_body(otlp_answers::grpc, &data, seed, "grpc");
        }
    }
}

/// Many damaged copies of a stored record.
fn damaged(example: &[u8], body: fn(&[u8]), name: &str) {
    body(example);
    let seed = seed();
    for number in 0..RECORDS {
        let mut data = example.to_vec();
        damage(&mut data, &mut Random::new(seed ^ number));
        try_body(body, &data, seed, name);
    }
}

#[test]
fn a_checkpoint_may_be_any_bytes() {
    let example = checkpoint::example();
    let read = job_tracker::checkpoint::Checkpoint::decode(example.clone(), 100);
    assert!(read.is_ok(), "{:?}", read.err());
    damaged(&example, checkpoint::run, "checkpoint");
}

#[test]
fn a_window_of_counts_may_be_any_bytes() {
    for is_delivered in [false, true] {
        damaged(&ledger::example(is_delivered), ledger::run, "ledger");
    }
}
