//! Log lines in which text from outside stays in its field: no line break, no escape sequence.
//!
//! It is done where lines are formatted, so that no call site can forget it.

use std::fmt;

use escape::{Escaping, is_unsafe};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Fields of the console encoding, escaped. They have no colours: those of level and time are enough.
pub(super) struct EscapedFields;

impl<'w> FormatFields<'w> for EscapedFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut escaping = Escaping(&mut writer);
        DefaultFields::new().format_fields(Writer::new(&mut escaping), fields)
    }
}

/// Lines of the JSON encoding. JSON itself escapes only the control characters of ASCII.
pub(super) struct EscapedJson<E>(
    /// Writes the line.
    pub E,
);

impl<S, N, E> FormatEvent<S, N> for EscapedJson<E>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    E: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        for character in line.trim_end_matches('\n').chars() {
            match is_unsafe(character) {
                // Such a character can only be part of a string.
                true => write!(writer, "\\u{:04x}", u32::from(character))?,
                false => writer.write_char(character)?,
            }
        }
        writer.write_char('\n')
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::fmt::format::Format;

    use super::*;

    const FORGED: &str = "x\r\n2026-01-01T00:00:00Z  INFO forged\u{1b}[2J\u{9b}31m\u{2028}\u{202e}";

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Written;

        fn make_writer(&'a self) -> Written {
            self.clone()
        }
    }

    /// Text from outside in every place where a field can hold it.
    fn log() {
        let error = io::Error::other(FORGED);
        let span = tracing::info_span!("span", field = FORGED);
        let _entered = span.enter();
        tracing::info!(shown = %FORGED, text = FORGED, debug = ?FORGED, error = &error as &dyn std::error::Error, "{FORGED}");
    }

    /// The one line, which ends in a line break and has nothing else that is unsafe.
    fn the_line(written: &Written) -> String {
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let line = text.strip_suffix('\n').unwrap().to_owned();
        assert!(!line.contains(is_unsafe), "{line:?}");
        line
    }

    #[test]
    fn a_console_line_cannot_be_forged() {
        for ansi in [false, true] {
            let written = Written::default();
            let builder = tracing_subscriber::fmt().with_writer(written.clone()).with_ansi(ansi);
            tracing::subscriber::with_default(builder.fmt_fields(EscapedFields).finish(), log);
            let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
            assert_eq!(text.lines().count(), 1, "{text:?}");
            assert!(text.contains("x\\r\\n2026-01-01T00:00:00Z  INFO forged\\"), "{text:?}");
            assert!(!text.contains("\u{1b}[2J") && !text.contains('\u{9b}'), "{text:?}");
            assert_eq!(text.contains("\u{1b}["), ansi, "only its own colours: {text:?}");
        }
    }

    #[test]
    fn a_json_line_cannot_be_forged() {
        let written = Written::default();
        let json = EscapedJson(Format::default().json().flatten_event(true));
        let subscriber = tracing_subscriber::fmt()
            .json()
            .event_format(json)
            .with_writer(written.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let line: serde_json::Value = serde_json::from_str(&the_line(&written)).unwrap();
        assert_eq!(line["shown"], FORGED, "and nothing is lost");
        assert_eq!(line["message"], FORGED);
    }
}
