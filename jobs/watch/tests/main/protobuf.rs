//! JSON and protobuf give the same result, for every recorded object and for samples. The bytes are those of the official
//! types; see `jobs/watch/tests/protobuf/README.md`.

use std::fmt::Debug;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use job_watch::Kind;
use job_watch::decode::{
    BrokenStream, DecodeError, EventReader, FrameError, WatchEvent, WireFormat, list_page, protobuf_page, watch_frame,
    watch_line_with,
};
use job_watch::extract::{Extraction, LabelSource, MetadataField, Rule, Wanted};
use job_watch::model::{CronJob, Event, Job, Namespace, Pod, TypeMeta, Watched};
use proptest::prelude::*;
use serde_json::Value;

/// The recordings with their JSON, each folder with the number of its recordings and events.
const RECORDINGS: [(&str, &str, usize, usize); 4] = [
    ("corpus", "../../tests/corpus", 53, 1849),
    ("kubernetes-1.37", "../../tests/kubernetes-1.37", 17, 624),
    ("reported", "../../tests/reported", 24, 295),
    ("simulator", "../../simulator/tests/recordings", 13, 462),
];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn bytes(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    match path.extension() {
        Some(extension) if extension == "gz" => GzDecoder::new(file).read_to_end(&mut bytes).unwrap(),
        _ => std::io::BufReader::new(file).read_to_end(&mut bytes).unwrap(),
    };
    bytes
}

fn frames(name: &str) -> Vec<u8> {
    bytes(&here(&format!("tests/protobuf/{name}.frames.gz")))
}

/// Cuts a stream into frames, without the code under test.
fn cut(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk::<4>() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        frames.push(frame);
        stream = rest;
    }
    frames
}

/// The lines of every recording of a folder, as JSON.
fn lines(folder: &str, recordings: usize) -> Vec<Value> {
    let entries = std::fs::read_dir(here(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().contains(".jsonl"));
    paths.sort();
    assert_eq!(paths.len(), recordings, "{folder}");
    let texts = paths.iter().flat_map(|path| {
        String::from_utf8(bytes(path))
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    texts.map(|line| serde_json::from_str(&line).unwrap()).collect()
}

/// Rules that select every label and annotation.
static EVERYTHING: LazyLock<Extraction> = LazyLock::new(|| {
    let mut rules = Extraction::default();
    for source in [
        LabelSource::Job,
        LabelSource::Pod,
        LabelSource::CronJob,
        LabelSource::Namespace,
    ] {
        for field in [MetadataField::Labels, MetadataField::Annotations] {
            rules.add(Rule::pattern(source, field, "(.*)", "x.$1").unwrap());
        }
    }
    rules
});

fn everything(kind: Kind) -> Option<&'static Wanted> {
    EVERYTHING.of(kind).map(|wanted| &**wanted)
}

/// A decoded event as text, or the error without the problem's words, which differ between the forms.
fn shown<T: Debug>(event: Result<WatchEvent<T>, DecodeError>) -> String {
    match event {
        Ok(event) => format!("{event:?}"),
        Err(DecodeError::Json { .. } | DecodeError::Protobuf { .. }) => "not decoded".into(),
        Err(error) => error.to_string(),
    }
}

fn from_frame<T: Watched>(frame: &[u8], wanted: Option<&Wanted>) -> Result<WatchEvent<T>, DecodeError> {
    match watch_frame(frame, wanted) {
        Err(FrameError::Event(error)) => Err(error),
        Err(FrameError::Broken(problem)) => panic!("{problem}"),
        Ok(event) => Ok(event),
    }
}

fn compare<T: Watched + Debug>(line: &Value, frame: &[u8], kind: Kind) {
    let json = line.to_string();
    for wanted in [None, everything(kind)] {
        let expected = shown(watch_line_with::<T>(json.as_bytes(), wanted));
        assert_eq!(shown(from_frame::<T>(frame, wanted)), expected, "{json}");
    }
}

/// Compares an event of any kind. Returns false for a kind that is not watched.
fn compare_any(line: &Value, frame: &[u8]) -> bool {
    match line["object"]["kind"].as_str().unwrap() {
        "Job" => compare::<Job>(line, frame, Kind::Jobs),
        "CronJob" => compare::<CronJob>(line, frame, Kind::CronJobs),
        "Pod" => compare::<Pod>(line, frame, Kind::Pods),
        "Event" => compare::<Event>(line, frame, Kind::JobEvents),
        "Namespace" => compare::<Namespace>(line, frame, Kind::Namespaces),
        _ => return false,
    }
    true
}

#[test]
fn every_recorded_event_is_the_same_in_both_forms() {
    let mut compared = 0;
    for (name, folder, recordings, events) in RECORDINGS {
        let (lines, stream) = (lines(folder, recordings), frames(name));
        let frames = cut(&stream);
        assert_eq!((lines.len(), frames.len()), (events, events), "{name}");
        for (line, frame) in lines.iter().zip(frames) {
            compared += usize::from(compare_any(line, frame));
        }
    }
    assert_eq!(compared, 3230);
}

/// The samples: what they are, their JSON, and their bytes.
fn samples() -> Vec<(String, Value, Vec<u8>)> {
    let (stream, text) = (frames("samples"), bytes(&here("tests/protobuf/samples.jsonl.gz")));
    let lines = std::str::from_utf8(&text).unwrap().lines();
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let frames = cut(&stream);
    assert_eq!(lines.len(), frames.len());
    let sample = |(mut line, frame): (Value, &[u8])| {
        (
            line["sample"].as_str().unwrap().to_owned(),
            line["json"].take(),
            frame.to_vec(),
        )
    };
    lines.into_iter().zip(frames).map(sample).collect()
}

#[test]
fn every_sample_is_the_same_in_both_forms() {
    let mut pages = 0;
    for (sample, json, bytes) in samples() {
        if sample == "page" {
            compare_pages(&json, &bytes);
            pages += 1;
        } else if json["object"]["kind"] == "Status" {
            compare::<Job>(&json, &bytes, Kind::Jobs);
        } else {
            assert!(compare_any(&json, &bytes), "{json}");
        }
    }
    assert_eq!(pages, 6);
}

#[test]
fn an_object_of_another_type_is_refused() {
    for (name, folder, recordings, _) in &RECORDINGS[..1] {
        let stream = frames(name);
        for (line, frame) in lines(folder, *recordings).iter().zip(cut(&stream)) {
            if line["object"]["kind"] == "Pod" {
                let error = from_frame::<Job>(frame, None).unwrap_err().to_string();
                assert!(
                    error.ends_with("expected a Job (batch/v1), found a Pod (v1)"),
                    "{error}"
                );
            }
        }
    }
}

fn page_of<T: Watched + Debug>(page: Result<job_watch::decode::ListPage<'_>, job_watch::decode::ListError>) -> String {
    let page = match page {
        Ok(page) => page,
        Err(error) => return error.to_string(),
    };
    let objects: Vec<_> = page
        .objects::<T>()
        .map(|object| object.map_err(|error| error.to_string()))
        .collect();
    format!("{} {} {} {objects:?}", page.resource_version, page.next, page.len())
}

fn compare_pages(json: &Value, body: &[u8]) {
    fn both<T: Watched + Debug>(json: &str, body: &[u8], expected: TypeMeta) {
        let shown = page_of::<T>(list_page(json, expected));
        assert_eq!(page_of::<T>(protobuf_page(body, expected)), shown);
    }
    let text = json.to_string();
    both::<Job>(&text, body, Job::TYPE);
    both::<Pod>(&text, body, Pod::TYPE);
}

/// A message with one field of bytes after another.
fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut message = Vec::new();
    for (number, bytes) in fields {
        message.push(number << 3 | 2);
        let mut length = bytes.len();
        while length > 127 {
            message.push(length as u8 | 128);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(bytes);
    }
    message
}

/// The object in a frame, without its type.
fn raw(frame: &[u8]) -> &[u8] {
    // The last field of each message: WatchEvent.object, RawExtension.raw, Unknown.raw, before two empty texts.
    let at = frame.windows(4).position(|window| window == b"k8s\0").unwrap() + 4;
    let unknown = &frame[at..];
    let type_meta = usize::from(unknown[1]) + 2;
    let rest = &unknown[type_meta + 1..];
    let digits = rest.iter().position(|byte| byte & 128 == 0).unwrap();
    let length = rest[..=digits]
        .iter()
        .rev()
        .fold(0, |length, byte| length << 7 | usize::from(byte & 127));
    &rest[digits + 1..][..length]
}

/// All recorded objects of a kind as one page; lists have no types for their items.
fn compare_list<T: Watched + Debug>(name: &str, folder: &str, recordings: usize) {
    let TypeMeta { api_version, kind } = T::TYPE;
    let (lines, stream) = (lines(folder, recordings), frames(name));
    let (mut objects, mut items) = (Vec::new(), Vec::new());
    for (line, frame) in lines.iter().zip(cut(&stream)) {
        if line["object"]["kind"] == kind {
            let mut object = line["object"].clone();
            let map = object.as_object_mut().unwrap();
            map.remove("kind");
            map.remove("apiVersion");
            objects.push(object);
            items.push(raw(frame));
        }
    }
    let json = serde_json::json!({"kind": format!("{kind}List"), "apiVersion": api_version,
        "metadata": {"resourceVersion": "9", "continue": "c"}, "items": objects});
    let metadata = message(&[(2, b"9"), (3, b"c")]);
    let fields: Vec<(u8, &[u8])> = std::iter::once((1, &*metadata))
        .chain(items.iter().map(|item| (2, *item)))
        .collect();
    let type_meta = message(&[(1, api_version.as_bytes()), (2, format!("{kind}List").as_bytes())]);
    let mut body = b"k8s\0".to_vec();
    body.extend(message(&[(1, &type_meta), (2, &message(&fields))]));
    let expected = page_of::<T>(list_page(&json.to_string(), T::TYPE));
    assert_eq!(page_of::<T>(protobuf_page(&body, T::TYPE)), expected, "{name}");
}

#[test]
fn every_recorded_object_is_the_same_in_a_list() {
    for (name, folder, recordings, _) in RECORDINGS {
        compare_list::<Job>(name, folder, recordings);
        compare_list::<Pod>(name, folder, recordings);
        compare_list::<Event>(name, folder, recordings);
        compare_list::<CronJob>(name, folder, recordings);
    }
}

/// Reads a stream in chunks as a watch of Pods does.
fn watched<'a>(
    encoding: WireFormat,
    chunks: impl Iterator<Item = &'a [u8]>,
) -> (Vec<String>, Result<(), BrokenStream>, bool) {
    let mut events = EventReader::new(encoding);
    let mut all = Vec::new();
    for chunk in chunks {
        let read = events.push::<Pod>(chunk, None, |event| all.push(shown(event)));
        if read.is_err() {
            return (all, read, events.is_cut());
        }
    }
    (all, Ok(()), events.is_cut())
}

#[test]
fn events_do_not_depend_on_where_chunks_end() {
    let stream = frames("reported");
    let whole = watched(WireFormat::Protobuf, std::iter::once(&*stream));
    assert_eq!((whole.0.len(), &whole.1, whole.2), (295, &Ok(()), false));
    for size in [1, 2, 3, 5, 7, 64, 1000, 4096] {
        assert_eq!(
            watched(WireFormat::Protobuf, stream.chunks(size)),
            whole,
            "chunks of {size}"
        );
    }
}

#[test]
fn a_stream_that_ends_anywhere_is_cut_or_complete() {
    let stream = &frames("reported")[..20_000];
    let mut ends = Vec::new();
    let mut at = 0;
    while let Some(length) = stream.get(at..at + 4) {
        ends.push(at);
        at += 4 + u32::from_be_bytes(length.try_into().unwrap()) as usize;
    }
    let all = watched(WireFormat::Protobuf, std::iter::once(stream)).0;
    for end in (0..stream.len()).step_by(7).chain(ends.iter().copied()) {
        let (events, read, is_cut) = watched(WireFormat::Protobuf, std::iter::once(&stream[..end]));
        assert_eq!((read, is_cut), (Ok(()), !ends.contains(&end)), "{end}");
        assert_eq!(events, all[..events.len()]);
    }
}

/// The first Job, Pod and Event of a recording, as frames.
fn some_frames() -> Vec<Vec<u8>> {
    let stream = frames("corpus");
    cut(&stream).iter().take(3).map(|frame| frame.to_vec()).collect()
}

fn read_all(frame: &[u8]) {
    for read in [
        watch_frame::<Job>(frame, everything(Kind::Jobs)).map(drop),
        watch_frame::<Pod>(frame, None).map(drop),
        watch_frame::<Event>(frame, None).map(drop),
        watch_frame::<CronJob>(frame, None).map(drop),
    ] {
        match read {
            Err(FrameError::Event(error)) => assert!(error.to_string().len() < 4000, "{error}"),
            Err(FrameError::Broken(problem)) => assert!(problem.len() < 4000),
            Ok(()) => {}
        }
    }
    let _ = protobuf_page(frame, Job::TYPE).map(|page| page.objects::<Job>().count());
}

#[test]
fn a_truncated_frame_is_an_error() {
    for frame in some_frames() {
        for end in (0..frame.len()).step_by(3) {
            read_all(&frame[..end]);
            assert!(watch_frame::<Job>(&frame[..end], None).is_err());
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
        let mut prefixed = b"k8s\0".to_vec();
        prefixed.extend_from_slice(&bytes);
        read_all(&prefixed);
        read_all(&message(&[(1, b"ADDED"), (2, &message(&[(1, &prefixed)]))]));
    }

    #[test]
    fn no_damage_makes_it_panic(
        which in 0..3_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut frame = some_frames().swap_remove(which);
        for (at, byte) in damage {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        frame.truncate(cut.map_or(frame.len(), |cut| cut.index(frame.len())));
        read_all(&frame);
    }
}
