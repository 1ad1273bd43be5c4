//! The stored form of an event: the version 1 (one byte), then an OTLP `ResourceLogs` with one record as protobuf, compressed
//! with zstd.

use std::io::Read;

use bytes::Bytes;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

const VERSION: u8 = 1;
const LEVEL: i32 = 3;
/// The largest event, bytes of protobuf: far more than the receiver emits (evidence above 256 KiB is omitted).
const MOST: usize = 4 << 20;

pub(crate) fn encode(resource: Option<&Resource>, record: &LogRecord) -> Result<Bytes, String> {
    let logs = ResourceLogs {
        resource: resource.cloned(),
        scope_logs: vec![ScopeLogs {
            log_records: vec![record.clone()],
            ..Default::default()
        }],
        ..Default::default()
    };
    let size = logs.encoded_len();
    if size > MOST {
        return Err(format!("it has {size} bytes, expected at most {MOST}"));
    }
    let compressed = zstd::bulk::compress(&logs.encode_to_vec(), LEVEL).map_err(|error| error.to_string())?;
    let mut whole = Vec::with_capacity(1 + compressed.len());
    whole.push(VERSION);
    whole.extend(compressed);
    Ok(whole.into())
}

pub(crate) fn decode(whole: &[u8]) -> Result<(Option<Resource>, LogRecord), String> {
    let compressed = match whole.split_first() {
        Some((&VERSION, compressed)) => compressed,
        Some((other, _)) => return Err(format!("version {other}, expected {VERSION}")),
        None => return Err("it is empty".into()),
    };
    let mut bytes = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(compressed).map_err(|error| error.to_string())?;
    let limit = MOST as u64 + 1;
    decoder
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() > MOST {
        return Err(format!("more than {MOST} bytes"));
    }
    let mut logs = ResourceLogs::decode(&*bytes).map_err(|error| error.to_string())?;
    let record = logs.scope_logs.pop().and_then(|mut scope| scope.log_records.pop());
    Ok((logs.resource, record.ok_or("it has no record")?))
}
