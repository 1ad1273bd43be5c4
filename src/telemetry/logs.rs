//! Writes the collector's own log lines to standard error.
//!
//! A write to standard error blocks while it is not read, and fails when its disk is full or its reader is closed. So a
//! dedicated thread writes from a bounded buffer: lines that do not fit or cannot be written are counted and dropped, and
//! the pipeline continues.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many bytes of lines may wait: a few thousand lines.
const MAX_BYTES: usize = 1024 * 1024;
/// The timeout of the last lines on shutdown.
pub(crate) const LAST_LINES: Duration = Duration::from_secs(1);
/// The pause after a write to a non-blocking pipe that is full.
const RETRY: Duration = Duration::from_millis(10);

/// How many lines were dropped; shared with the metric that shows it.
pub(super) type Dropped = Arc<AtomicU64>;

/// Accepts whole lines and never blocks.
#[derive(Clone)]
pub(crate) struct LogWriter(Arc<Shared>);

struct Shared {
    buffer: Mutex<Buffer>,
    /// A line was added, or written.
    changed: Condvar,
    dropped: Dropped,
}

#[derive(Default)]
struct Buffer {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// True while a line from the buffer is being written.
    writing: bool,
    /// Lines that were dropped and not reported since.
    unreported: u64,
}

impl LogWriter {
    /// Starts the thread that writes to `sink`. `report` logs how many lines were dropped, once lines can be written
    /// again.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn start(
        sink: impl Write + Send + 'static,
        dropped: Dropped,
        report: impl Fn(u64) + Send + 'static,
    ) -> io::Result<LogWriter> {
        let shared = Arc::new(Shared {
            buffer: Mutex::default(),
            changed: Condvar::new(),
            dropped,
        });
        let writer = LogWriter(Arc::clone(&shared));
        thread::Builder::new()
            .name("log".into())
            .spawn(move || write_lines(&shared, sink, report))?;
        Ok(writer)
    }

    /// Waits until all lines are written or dropped, at most for `patience`. Returns false if some are left.
    pub(crate) fn flush(&self, patience: Duration) -> bool {
        let Shared { buffer, changed, .. } = &*self.0;
        let pending = |buffer: &mut Buffer| buffer.writing || !buffer.lines.is_empty();
        let waited = changed.wait_timeout_while(lock(buffer), patience, pending);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut buffer = lock(&self.0.buffer);
        if buffer.bytes + line.len() > MAX_BYTES {
            buffer.unreported += 1;
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            buffer.bytes += line.len();
            buffer.lines.push_back(line.to_vec());
            self.0.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines as long as the process lives.
fn write_lines(shared: &Shared, mut sink: impl Write, report: impl Fn(u64)) {
    let mut buffer = lock(&shared.buffer);
    loop {
        let Some(line) = buffer.lines.pop_front() else {
            buffer = shared.changed.wait(buffer).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        buffer.bytes -= line.len();
        buffer.writing = true;
        drop(buffer);
        let written = write_all(&mut sink, &line);
        buffer = lock(&shared.buffer);
        if written.is_err() {
            buffer.unreported += 1;
            shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        // With an empty buffer there is room for the report itself.
        let unreported = match written.is_ok() && buffer.lines.is_empty() {
            true => std::mem::take(&mut buffer.unreported),
            false => 0,
        };
        if unreported > 0 {
            drop(buffer);
            report(unreported);
            buffer = lock(&shared.buffer);
        }
        buffer.writing = false;
        shared.changed.notify_all();
    }
}

fn write_all(sink: &mut impl Write, mut line: &[u8]) -> io::Result<()> {
    while !line.is_empty() {
        match sink.write(line) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => line = &line[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
    sink.flush()
}

/// The buffer is never left half changed.
fn lock(buffer: &Mutex<Buffer>) -> MutexGuard<'_, Buffer> {
    buffer.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Long enough for anything that happens at all.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Hands each write to the test and waits for what is to become of it.
    struct Scripted {
        writes: Sender<String>,
        results: Receiver<io::Result<()>>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8_lossy(bytes).into_owned();
            self.writes.send(text).map_err(io::Error::other)?;
            let result = self.results.recv().map_err(io::Error::other)?;
            result.map(|()| bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Scene {
        writer: LogWriter,
        writes: Receiver<String>,
        results: Sender<io::Result<()>>,
        reports: Receiver<u64>,
        dropped: Dropped,
    }

    fn scene() -> Scene {
        let (writes, written) = channel();
        let (answer, results) = channel();
        let (report, reports) = channel();
        let dropped = Dropped::default();
        let sink = Scripted { writes, results };
        let report = move |lines| report.send(lines).unwrap();
        let writer = LogWriter::start(sink, Arc::clone(&dropped), report).unwrap();
        Scene {
            writer,
            writes: written,
            results: answer,
            reports,
            dropped,
        }
    }

    #[test]
    fn lines_arrive_in_order_and_the_last_ones_too() {
        let mut scene = scene();
        for line in ["a\n", "b\n", "c\n"] {
            scene.writer.write_all(line.as_bytes()).unwrap();
            scene.results.send(Ok(())).unwrap();
        }
        assert!(scene.writer.flush(PATIENCE));
        assert_eq!(scene.writes.try_iter().collect::<Vec<_>>(), ["a\n", "b\n", "c\n"]);
        assert_eq!(scene.dropped.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn unread_output_blocks_nobody() {
        let mut scene = scene();
        let line = [b'x'; 1024];
        scene.writer.write_all(&line).unwrap();
        // The first line is being written, and that takes as long as it likes.
        scene.writes.recv().unwrap();
        for _ in 0..MAX_BYTES / line.len() + 5 {
            scene.writer.write_all(&line).unwrap();
        }
        assert!(!scene.writer.flush(Duration::ZERO), "shutdown does not wait forever");
        assert_eq!(scene.dropped.load(Ordering::Relaxed), 5);
        // The reader resumes.
        for _ in 0..1 + MAX_BYTES / line.len() {
            scene.results.send(Ok(())).unwrap();
        }
        assert_eq!(scene.reports.recv(), Ok(5));
        assert!(scene.writer.flush(PATIENCE));
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_reported() {
        let mut scene = scene();
        for result in [
            Err(ErrorKind::StorageFull.into()),
            Err(ErrorKind::BrokenPipe.into()),
            Ok(()),
        ] {
            scene.writer.write_all(b"line\n").unwrap();
            scene.writes.recv().unwrap();
            scene.results.send(result).unwrap();
            assert!(scene.writer.flush(PATIENCE));
        }
        assert_eq!(scene.dropped.load(Ordering::Relaxed), 2);
        assert_eq!(scene.reports.try_iter().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn an_output_that_would_block_is_tried_again() {
        let mut scene = scene();
        scene.results.send(Err(ErrorKind::WouldBlock.into())).unwrap();
        scene.results.send(Ok(())).unwrap();
        scene.writer.write_all(b"line\n").unwrap();
        assert!(scene.writer.flush(PATIENCE));
        assert_eq!(scene.dropped.load(Ordering::Relaxed), 0);
    }
}
