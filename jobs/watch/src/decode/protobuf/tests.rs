//! Messages as no official server writes them. Those of official types are in `jobs/watch/tests/main/protobuf.rs`.

use prost::encoding::{WireType, encode_key, encode_varint};

use super::*;
use crate::decode::{BrokenStream, EventReader, WireFormat};
use crate::model::{Job, Pod};

/// A message under construction.
#[derive(Clone, Default)]
struct Built(Vec<u8>);

impl Built {
    fn bytes(mut self, number: u32, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        encode_key(number, WireType::LengthDelimited, &mut self.0);
        encode_varint(bytes.len() as u64, &mut self.0);
        self.0.extend_from_slice(bytes);
        self
    }

    fn with(self, number: u32, message: Built) -> Self {
        self.bytes(number, message.0)
    }

    fn varint(mut self, number: u32, value: u64) -> Self {
        encode_key(number, WireType::Varint, &mut self.0);
        encode_varint(value, &mut self.0);
        self
    }

    fn key(mut self, number: u32, wire_type: WireType) -> Self {
        encode_key(number, wire_type, &mut self.0);
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

fn built() -> Built {
    Built::default()
}

fn unknown(kind: &str, api_version: &str, object: Built) -> Built {
    let type_meta = built().bytes(1, api_version).bytes(2, kind);
    built().raw(PREFIX).with(1, type_meta).with(2, object)
}

fn event(kind: &str, unknown: Built) -> Vec<u8> {
    built().bytes(1, kind).with(2, built().with(1, unknown)).0
}

fn added_job(job: Built) -> Result<Job, FrameError> {
    match watch_frame::<Job>(&event("ADDED", unknown("Job", "batch/v1", job)), None)? {
        WatchEvent::Added(job) => Ok(job),
        other => panic!("{other:?}"),
    }
}

fn metadata() -> Built {
    built().bytes(1, "n").bytes(3, "s").bytes(5, "u")
}

fn condition(kind: &str) -> Built {
    built().bytes(1, kind).bytes(2, "True")
}

#[test]
fn fields_come_in_any_order_and_lists_need_not_be_adjacent() {
    let status = built()
        .with(1, condition("FailureTarget"))
        .varint(6, 3)
        .with(1, condition("Failed"))
        .varint(4, 1);
    let job = added_job(built().with(3, status).with(1, metadata())).unwrap();
    let kinds: Vec<&str> = job.status.conditions.iter().map(|condition| &*condition.kind).collect();
    assert_eq!(kinds, ["FailureTarget", "Failed"]);
    assert_eq!((job.status.failed, job.status.active, &*job.metadata.name), (3, 1, "n"));
    // The object may precede its type, and the type of the event its object.
    let frame = built().with(
        2,
        built().with(1, unknown("Job", "batch/v1", built().with(1, metadata()))),
    );
    let frame = frame.bytes(1, "DELETED");
    assert!(matches!(watch_frame::<Job>(&frame.0, None), Ok(WatchEvent::Deleted(_))));
}

#[test]
fn the_last_of_two_scalars_counts() {
    let job = added_job(built().with(1, metadata().bytes(1, "later"))).unwrap();
    assert_eq!(&*job.metadata.name, "later");
}

#[test]
fn an_object_with_a_message_that_occurs_twice_is_skipped() {
    let twice = built().with(1, metadata()).with(3, built()).with(3, built());
    let FrameError::Event(error) = added_job(twice).unwrap_err() else {
        panic!("not the object's problem");
    };
    assert_eq!(
        error.to_string(),
        "Job \"n\" in namespace \"s\": field status occurs twice"
    );
}

#[test]
fn unknown_fields_are_skipped() {
    let group = built()
        .key(90, WireType::StartGroup)
        .varint(1, 5)
        .key(90, WireType::EndGroup);
    let unknown = built()
        .varint(7000, 1)
        .bytes(7001, [0xff; 300])
        .key(7002, WireType::SixtyFourBit)
        .raw(&[1; 8])
        .key(7003, WireType::ThirtyTwoBit)
        .raw(&[1; 4]);
    let object = built().raw(&unknown.0).with(1, metadata().raw(&group.0)).raw(&group.0);
    assert_eq!(&*added_job(object).unwrap().metadata.uid, "u");
}

#[test]
fn groups_nest_up_to_a_limit() {
    let mut deep = built().with(1, metadata());
    for _ in 0..100_000 {
        deep = deep.key(90, WireType::StartGroup);
    }
    let error = added_job(deep).unwrap_err();
    let FrameError::Event(DecodeError::Protobuf { problem, .. }) = error else {
        panic!("{error:?}");
    };
    assert!(problem.contains("recursion limit"), "{problem}");
}

#[test]
fn a_length_beyond_the_end_is_an_error() {
    for length in [1, 1 << 20, u64::from(u32::MAX), u64::MAX] {
        let mut object = built().with(1, metadata()).key(3, WireType::LengthDelimited);
        encode_varint(length, &mut object.0);
        let error = added_job(object).unwrap_err();
        let FrameError::Event(error) = error else {
            panic!("{error:?}");
        };
        let expected = format!("Job \"n\" in namespace \"s\": a field of {length} bytes begins where 0 are left");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_field_of_another_wire_type_is_an_error() {
    let object = built().with(1, metadata()).with(3, built().bytes(6, "three"));
    let FrameError::Event(error) = added_job(object).unwrap_err() else {
        panic!("not the object's problem");
    };
    assert!(
        error
            .to_string()
            .ends_with("field failed has another wire type than in the API"),
        "{error}"
    );
}

#[test]
fn replaces_invalid_utf8() {
    let label = built().bytes(1, b"job-\xffname").bytes(2, b"\xc3");
    let template = built().with(1, built().with(11, label));
    let object = built()
        .with(1, metadata().bytes(1, b"a\xffb"))
        .with(2, built().with(6, template));
    assert_eq!(&*added_job(object).unwrap().metadata.name, "a\u{fffd}b");
}

#[test]
fn zero_is_a_value_where_json_has_it() {
    let spec = built().varint(1, 0).varint(7, 0).bytes(15, "");
    let job = added_job(built().with(1, metadata().varint(7, 0).varint(10, 0)).with(2, spec)).unwrap();
    assert_eq!(job.spec.parallelism, Some(0));
    assert_eq!(job.spec.completions, None);
    assert_eq!(job.metadata.deletion_grace_period_seconds, Some(0));
    assert_eq!(job.metadata.generation, None, "int64 with omitempty");
    assert_eq!(job.to_evidence().spec.backoff_limit, Some(0));
}

#[test]
fn times_have_the_precision_of_json() {
    let time = built().varint(1, 1_795_450_476).varint(2, 123_456_789);
    let job = added_job(built().with(1, metadata().with(8, time.clone()).with(9, built()))).unwrap();
    assert_eq!(
        job.metadata.creation_timestamp.unwrap().to_string(),
        "2026-11-23T16:14:36Z"
    );
    assert_eq!(job.metadata.deletion_timestamp, None, "the zero time has no fields");
    let event_of = |time: Built| {
        let frame = event(
            "ADDED",
            unknown("Event", "v1", built().with(1, metadata()).with(10, time)),
        );
        match watch_frame::<crate::model::Event>(&frame, None) {
            Ok(WatchEvent::Added(event)) => event.event_time,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(event_of(time).unwrap().to_string(), "2026-11-23T16:14:36.123456Z");
    let before_1970 = built().varint(1, (-1_i64).cast_unsigned()).varint(2, 5000);
    assert_eq!(
        event_of(before_1970).unwrap().to_string(),
        "1969-12-31T23:59:59.000005Z"
    );
    assert_eq!(event_of(built().varint(1, u64::MAX >> 1)), None, "no time that can be");
}

#[test]
fn a_frame_that_is_no_event_breaks_the_stream() {
    let job = built().with(1, metadata());
    let with = |number, text: &str| event("ADDED", unknown("Job", "batch/v1", job.clone()).bytes(number, text));
    let json = built().bytes(1, "ADDED").with(2, built().bytes(1, r#"{"kind":"Job"}"#));
    for (frame, problem) in [
        (b"HTTP/1.1 200 OK".to_vec(), "end group"),
        (json.0, "found \"{\\\"ki\""),
        (event("ADDED", built()), "found \"\""),
        (with(3, "gzip"), "expected contentEncoding \"\", found \"gzip\""),
        (with(4, "application/json"), "found \"application/json\""),
    ] {
        let error = watch_frame::<Job>(&frame, None).unwrap_err();
        let FrameError::Broken(found) = error else {
            panic!("{error:?}");
        };
        assert!(found.contains(problem), "{found}");
    }
    assert!(watch_frame::<Job>(&with(4, "application/vnd.kubernetes.protobuf"), None).is_ok());
}

#[test]
fn events_before_a_broken_frame_are_complete() {
    let frame = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let good = event("ADDED", unknown("Pod", "v1", built().with(1, metadata())));
    let bad = event(
        "ADDED",
        unknown(
            "Pod",
            "v1",
            built().with(1, metadata()).key(2, WireType::LengthDelimited),
        ),
    );
    let stream = [
        frame(&good),
        frame(&[]),
        frame(&bad),
        frame(&good),
        frame(b"<html>"),
        frame(&good),
    ]
    .concat();
    let mut found = Vec::new();
    let read = EventReader::new(WireFormat::Protobuf).push::<Pod>(&stream, None, |event| found.push(event.is_ok()));
    assert!(matches!(read, Err(BrokenStream(_))));
    assert_eq!(found, [true, false, true], "one unusable object is skipped alone");
}

#[test]
fn an_error_is_a_status_in_protobuf() {
    let details = built().varint(5, 3);
    let body = unknown(
        "Status",
        "v1",
        built()
            .bytes(3, "too old")
            .bytes(4, "Expired")
            .varint(6, 410)
            .with(5, details),
    );
    let read = status(&body.0).unwrap();
    assert_eq!(
        (read.code, &*read.message, read.details.retry_after_seconds),
        (410, "too old", Some(3))
    );
    assert!(status(br#"{"kind":"Status","code":410}"#).is_none());
    let WatchEvent::Error(read) = watch_frame::<Job>(&event("ERROR", body), None).unwrap() else {
        panic!("not an error");
    };
    assert_eq!(read.code, 410);
}

#[test]
fn chooses_the_form_by_content_type() {
    for (content_type, encoding) in [
        ("application/vnd.kubernetes.protobuf;stream=watch", WireFormat::Protobuf),
        ("Application/vnd.Kubernetes.protobuf", WireFormat::Protobuf),
        ("application/json", WireFormat::Json),
        ("text/html; charset=utf-8", WireFormat::Json),
        ("", WireFormat::Json),
    ] {
        assert_eq!(WireFormat::of_content_type(content_type), encoding, "{content_type}");
    }
}
