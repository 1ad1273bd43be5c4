use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::subscriber::DefaultGuard;

/// The lines that are logged on one thread.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Captures lines of all levels from INFO on until the guard is dropped.
    pub fn capture() -> (Log, DefaultGuard) {
        Log::capture_from(tracing::Level::INFO)
    }

    /// Captures lines from this level on until the guard is dropped.
    pub fn capture_from(level: tracing::Level) -> (Log, DefaultGuard) {
        let log = Log::default();
        let writer = log.clone();
        // Beside a second one, a thread without a subscriber that logs first does not disable the event for all threads.
        let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(level)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Everything that was logged, with quotes in fields as they are.
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).replace("\\\"", "\"")
    }

    /// The lines that contain this text, such as a level.
    pub fn lines(&self, part: &str) -> Vec<String> {
        let text = self.text();
        text.lines()
            .filter(|line| line.contains(part))
            .map(str::to_owned)
            .collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
