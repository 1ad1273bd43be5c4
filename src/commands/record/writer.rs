//! Writes a recording: one change a line, without secrets.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::Value;

use super::redact::redact;

/// A recording that is being written.
pub(super) struct RecordingWriter {
    out: Out,
    /// The time of the first line.
    first: Option<Instant>,
    lines: u64,
    /// The number of flushed lines.
    flushed: u64,
}

enum Out {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
}

#[derive(Serialize)]
struct RecordedLine<'a> {
    t: u128,
    resource: &'a str,
    r#type: &'a str,
    object: &'a Value,
}

impl RecordingWriter {
    /// Creates the file, readable by its owner alone; compressed if its name ends in `.gz`.
    ///
    /// # Errors
    /// The file exists, or cannot be created.
    pub(super) fn create(path: &Path) -> Result<RecordingWriter> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let file = BufWriter::new(file);
        let out = match path.extension() {
            Some(extension) if extension == "gz" => Out::Gzip(GzEncoder::new(file, Compression::default())),
            _ => Out::Plain(file),
        };
        Ok(RecordingWriter {
            out,
            first: None,
            lines: 0,
            flushed: 0,
        })
    }

    /// Writes one change with the current time.
    pub(super) fn write(&mut self, resource: &str, change: &str, object: Value) -> Result<()> {
        let object = redact(resource, object);
        let line = RecordedLine {
            t: self.first.get_or_insert_with(Instant::now).elapsed().as_millis(),
            resource,
            r#type: change,
            object: &object,
        };
        let mut line = serde_json::to_vec(&line)?;
        line.push(b'\n');
        match &mut self.out {
            Out::Plain(out) => out.write_all(&line)?,
            Out::Gzip(out) => out.write_all(&line)?,
        }
        self.lines += 1;
        Ok(())
    }

    /// Flushes the written lines, so that they can be read after a crash.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.lines == self.flushed {
            return Ok(());
        }
        self.flushed = self.lines;
        match &mut self.out {
            Out::Plain(out) => out.flush(),
            Out::Gzip(out) => out.flush(),
        }
    }

    /// Completes the file. Returns the number of lines.
    pub(super) fn finish(self) -> Result<u64> {
        let mut out = match self.out {
            Out::Plain(out) => out,
            Out::Gzip(out) => out.finish()?,
        };
        out.flush()?;
        Ok(self.lines)
    }
}
