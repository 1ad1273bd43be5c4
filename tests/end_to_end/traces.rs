//! The traces of every Job that ended in a recording of a real cluster, and the one that `docs/traces.md` shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader};

use flate2::bufread::MultiGzDecoder;
use jiff::SignedDuration;
use job_event::{Evidence, Outcome, attributes as attr, otlp};
use job_traces_connector::trace::of_event;
use job_tracker::TrackerSettings;
use job_tracker::replay::replay;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use serde_json::Value;

use crate::support::{corpus, expected};

const ALL: [Outcome; 4] = [Outcome::Succeeded, Outcome::Failed, Outcome::Deleted, Outcome::Replaced];

fn ended(recording: &str) -> Vec<Evidence> {
    let file = File::open(corpus().join(format!("{recording}.jsonl.gz"))).expect("a recording");
    let lines = BufReader::new(MultiGzDecoder::new(BufReader::new(file))).lines();
    // The collector watches warnings about Pods only.
    let is_watched = |line: &String| {
        let json: Value = serde_json::from_str(line).expect("JSON");
        let event = &json["object"];
        event["involvedObject"]["kind"] != "Pod" || event["type"] == "Warning"
    };
    let watched: Vec<String> = lines.map(|line| line.expect("a line")).filter(is_watched).collect();
    let text = watched.join("\n");
    replay(text.as_bytes(), TrackerSettings::default())
        .expect("a recording")
        .ended
}

/// The trace of a Job, judged as in the default pipeline.
fn trace(evidence: &Evidence) -> ResourceSpans {
    let observed = evidence.job.decided_at().expect("a decision") + SignedDuration::from_secs(1);
    let mut resource = otlp::encode(evidence, Some("prod-1"), observed);
    let record = &mut resource.scope_logs[0].log_records[0];
    reason_enrichment_processor::encode::write(record, &job_judge::judge(evidence));
    of_event(resource.resource.as_ref(), record, &ALL)
        .expect("an event that can be read")
        .expect("the event of a Job that ended")
}

fn traces(recording: &str) -> Vec<Vec<Span>> {
    let traces = ended(recording).iter().map(trace).collect::<Vec<_>>();
    traces
        .into_iter()
        .map(|mut trace| trace.scope_spans.remove(0).spans)
        .collect()
}

fn text<'a>(span: &'a Span, key: &str) -> &'a str {
    otlp::find_text(&span.attributes, key).unwrap_or_default()
}

fn is_error(span: &Span) -> bool {
    span.status
        .as_ref()
        .is_some_and(|status| status.code == StatusCode::Error as i32)
}

fn events(spans: &[Span]) -> BTreeSet<&str> {
    let events = spans.iter().flat_map(|span| &span.events);
    events.map(|event| event.name.as_str()).collect()
}

#[test]
fn every_trace_is_one_tree_with_sensible_times() {
    let (mut seen, mut containers, mut ids) = (0, 0, BTreeSet::new());
    for recording in expected().keys() {
        for evidence in ended(recording) {
            let name = format!("{recording}/{}", evidence.job.name);
            let spans = trace(&evidence).scope_spans.remove(0).spans;
            let (root, rest) = spans.split_first().expect("a root");
            assert!(root.parent_span_id.is_empty(), "{name}");
            let known: BTreeMap<_, _> = spans.iter().map(|span| (&span.span_id, span)).collect();
            assert_eq!(known.len(), spans.len(), "{name}: a span's id is used twice");
            for span in &spans {
                assert!(
                    ids.insert((span.trace_id.clone(), span.span_id.clone())),
                    "{name}: known already"
                );
                assert_eq!(span.trace_id, root.trace_id, "{name}");
                assert!(
                    span.start_time_unix_nano >= 1_700_000_000_000_000_000,
                    "{name}:\n{}",
                    outline(&spans)
                );
                assert!(
                    span.end_time_unix_nano >= span.start_time_unix_nano,
                    "{name}:\n{}",
                    outline(&spans)
                );
                let after = span.start_time_unix_nano..;
                let early = span.events.iter().find(|event| !after.contains(&event.time_unix_nano));
                assert!(early.is_none(), "{name}: {early:?}\n{}", outline(&spans));
            }
            for span in rest {
                let parent = known.get(&span.parent_span_id).expect("a parent in the trace");
                assert!(
                    span.start_time_unix_nano >= parent.start_time_unix_nano,
                    "{name}:\n{}",
                    outline(&spans)
                );
            }
            assert_eq!(is_error(root), evidence.job.outcome() == Outcome::Failed, "{name}");
            let pods = rest.iter().filter(|span| span.parent_span_id == root.span_id).count();
            assert_eq!(pods, evidence.pods.len(), "{name}");
            containers += rest.len() - pods;
            seen += 1;
        }
    }
    assert!(
        seen > 60 && containers > 70,
        "{seen} traces, {containers} runs of containers"
    );
}

#[test]
fn a_trace_shows_what_went_wrong() {
    let of = |recording: &str| traces(recording).remove(0);
    let oom = of("backoff-oom");
    assert!(events(&oom).contains("OOMKilled"), "{:?}", events(&oom));
    assert!(
        oom[1..]
            .iter()
            .filter(|span| is_error(span))
            .all(|span| text(span, attr::ERROR_TYPE) == "OutOfMemory")
    );
    let image = of("deadline-imagepull");
    assert!(
        events(&image).is_superset(&["ImagePullBackOff", "k8s.pod.scheduled", "Failed"].into()),
        "{:?}",
        events(&image)
    );
    let waiting = image
        .iter()
        .find(|span| text(span, attr::CONTAINER_STATE) == "waiting")
        .expect("a container");
    assert!(is_error(waiting));
    let unschedulable = of("deadline-unschedulable");
    assert!(
        events(&unschedulable).is_superset(&["k8s.pod.unschedulable", "FailedScheduling"].into()),
        "{:?}",
        events(&unschedulable)
    );
    let preempted = traces("preempted").concat();
    assert!(
        events(&preempted).contains("k8s.pod.disrupted"),
        "{:?}",
        events(&preempted)
    );
    // A Pod that restarts its container has one span for each run.
    let restarts = of("backoff-onfailure");
    let runs: Vec<&Span> = restarts
        .iter()
        .filter(|span| text(span, attr::CONTAINER_STATE) == "terminated")
        .collect();
    assert!(
        runs.len() > 1 && runs.iter().all(|run| run.name == runs[0].name),
        "{}",
        outline(&restarts)
    );
}

#[test]
fn runs_of_a_cronjob_share_a_name_and_lead_back_in_time() {
    let traces = traces("cron-failing");
    assert!(traces.len() > 2, "{}", traces.len());
    let by_id: BTreeMap<&[u8], &Span> = traces.iter().map(|spans| (&spans[0].span_id[..], &spans[0])).collect();
    let mut linked = 0;
    for root in by_id.values() {
        assert_eq!(root.name, traces[0][0].name);
        for link in &root.links {
            let previous = by_id.get(&link.span_id[..]).expect("a run that was seen");
            assert_eq!(previous.trace_id, link.trace_id);
            assert!(previous.start_time_unix_nano < root.start_time_unix_nano);
            linked += 1;
        }
    }
    assert_eq!(linked, traces.len() - 1, "all but the first");
}

/// Spans as an indented outline: seconds since the start of the Job, name, status, and what happened.
fn outline(spans: &[Span]) -> String {
    let mut out = String::new();
    let begin = spans[0].start_time_unix_nano;
    let seconds = |nanos: u64| (nanos as f64 - begin as f64) / 1e9;
    for span in spans {
        let mut depth = 0;
        let mut at = span;
        while let Some(parent) = spans.iter().find(|other| other.span_id == at.parent_span_id) {
            (at, depth) = (parent, depth + 1);
        }
        let indent = "  ".repeat(depth);
        let (start, end) = (seconds(span.start_time_unix_nano), seconds(span.end_time_unix_nano));
        let status = match span.status.as_ref().map(|status| status.code) {
            Some(2) => format!("ERROR {}", text(span, attr::ERROR_TYPE)),
            Some(1) => "OK".to_owned(),
            _ => "UNSET".to_owned(),
        };
        let _ = writeln!(out, "{indent}{} {start}s..{end}s {status}", span.name);
        for event in &span.events {
            let _ = writeln!(out, "{indent}  @{}s {}", seconds(event.time_unix_nano), event.name);
        }
    }
    out
}

#[test]
fn the_documented_trace_is_a_real_one() {
    let page = include_str!("../../docs/traces.md");
    let shown = page
        .split("```text deadline-imagepull\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let real = outline(&traces("deadline-imagepull")[0]);
    assert_eq!(shown, Some(&*real), "the trace is\n{real}");
}
