//! The times of the lines of a recording.

use std::collections::VecDeque;
use std::io::BufRead;

use jiff::Timestamp;

use super::lines::{Lines, Recorded, ReplayError, after};

/// How much of a recording is read ahead to set its clock: lines, and bytes.
const AHEAD: (usize, u64) = (16_384, 64 * 1024 * 1024);

/// The lines of a recording with their times.
///
/// A line has only the milliseconds since an arbitrary start. No object arrives before it is created, so the start is at least
/// each creation minus the milliseconds of its line; the objects that existed before the recording give earlier ones. The
/// latest of these is the start.
pub(super) struct TimedLines<R> {
    lines: Lines<R>,
    ahead: VecDeque<(usize, Recorded)>,
    start: Option<Timestamp>,
    /// The time of the last line.
    now: Timestamp,
}

impl<R: BufRead> TimedLines<R> {
    pub(super) fn new(lines: Lines<R>) -> Result<Self, ReplayError> {
        let mut timed = TimedLines {
            lines,
            ahead: VecDeque::new(),
            start: None,
            now: Timestamp::MIN,
        };
        while timed.ahead.len() < AHEAD.0 && timed.lines.bytes() < AHEAD.1 {
            let Some(line) = timed.lines.next()? else { break };
            timed.start = timed.start.max(start(&line.1));
            timed.ahead.push_back(line);
        }
        timed.now = timed.start.unwrap_or_default();
        Ok(timed)
    }

    /// The next line, with its number and its time, which is never before that of the line before it.
    pub(super) fn next(&mut self) -> Result<Option<(usize, Timestamp, Recorded)>, ReplayError> {
        let line = match self.ahead.pop_front() {
            Some(line) => Some(line),
            None => self.lines.next()?,
        };
        Ok(line.map(|(number, recorded)| {
            self.now = self.now.max(after(self.start.unwrap_or_default(), recorded.t));
            (number, self.now, recorded)
        }))
    }
}

/// The start of the recording if its object was created when its line arrived.
fn start(recorded: &Recorded) -> Option<Timestamp> {
    Some(after(recorded.created?, recorded.t.saturating_neg()))
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::*;

    fn times(lines: &[(i64, &str)]) -> Vec<String> {
        let text = lines.iter().map(|(t, created)| {
            format!(
                "{{\"t\":{t},\"resource\":\"jobs\",\"type\":\"ADDED\",\"object\":{{\"kind\":\"Job\",\"metadata\":\
                 {{\"uid\":\"u\",\"creationTimestamp\":\"2026-11-28T{created}Z\"}}}}}}\n"
            )
        });
        let text: String = text.collect();
        let mut timed = TimedLines::new(Lines::new(text.as_bytes(), Limits::default())).unwrap();
        std::iter::from_fn(|| Some(timed.next().unwrap()?.1.to_string())).collect()
    }

    #[test]
    fn objects_older_than_the_recording_do_not_set_its_clock() {
        let lines = [
            (0, "10:00:00"),
            (5, "12:00:00"),
            (60_000, "12:30:00"),
            (90_000, "12:30:29"),
        ];
        assert_eq!(
            times(&lines),
            [
                "2026-11-28T12:29:00Z",
                "2026-11-28T12:29:00.005Z",
                "2026-11-28T12:30:00Z",
                "2026-11-28T12:30:30Z"
            ]
        );
    }

    #[test]
    fn time_never_runs_backwards() {
        let lines = [(5_000, "10:00:05"), (0, "10:00:00")];
        assert_eq!(times(&lines), ["2026-11-28T10:00:05Z", "2026-11-28T10:00:05Z"]);
    }
}
