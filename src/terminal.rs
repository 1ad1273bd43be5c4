//! Capabilities of the terminal, and messages to its user.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::sync::mpsc;
use std::time::Duration;

/// How long to wait for the last message to be written.
const LAST_MESSAGE: Duration = Duration::from_secs(2);

/// True if colours can be written to `stream`: a terminal that can show them (`TERM` is not `dumb`), for a person who has not
/// said otherwise (`NO_COLOR`, <https://no-color.org>).
pub(crate) fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && wanted(|name| std::env::var_os(name))
}

fn wanted(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let no_color = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = variable("TERM").is_some_and(|value| value == "dumb");
    !no_color && !dumb
}

/// How many characters fit on a line of standard output: `COLUMNS`, else the terminal's width. `None` without a
/// terminal.
pub(crate) fn width() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = std::io::stdout().is_terminal();
    let asked = || terminal_size::terminal_size().filter(|_| terminal);
    columns.or_else(|| asked().map(|(width, _)| usize::from(width.0)))
}

/// Like [`width`], for standard error.
pub(crate) fn error_width() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = std::io::stderr().is_terminal();
    let asked = || terminal_size::terminal_size_of(std::io::stderr()).filter(|_| terminal);
    columns.or_else(|| asked().map(|(width, _)| usize::from(width.0)))
}

/// Writes a line to standard error. A closed or full standard error is not a failure.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Like [`note`], with a limit on the wait for the write.
pub(crate) fn last_note(text: String) {
    let (done, written) = mpsc::channel();
    std::thread::spawn(move || {
        note(&text);
        // After the limit nothing waits for it.
        let _ = done.send(());
    });
    let _ = written.recv_timeout(LAST_MESSAGE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_off_where_nobody_wants_them() {
        let environment = |given: &'static [(&str, &str)]| {
            move |name: &str| {
                let found = given.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            }
        };
        assert!(wanted(environment(&[])));
        assert!(wanted(environment(&[("NO_COLOR", ""), ("TERM", "xterm-256color")])));
        assert!(!wanted(environment(&[("NO_COLOR", "1"), ("TERM", "xterm")])));
        assert!(!wanted(environment(&[("NO_COLOR", "0")])));
        assert!(!wanted(environment(&[("TERM", "dumb")])));
    }
}
