//! One line of a log: its level, and its text without time and level, if it has a known form.
//!
//! Known forms: JSON, `key=value` pairs (logfmt), klog of Kubernetes (`E0310 02:00:00.000000 1 main.go:12] text`), a level in
//! capitals, in brackets or before a colon, and the errors of common programs.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::crash;
use job_event::secrets::{end_of_quote, first_bytes};

/// The level of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// An error, also a fatal one.
    Error,
    Warning,
    /// Everything below: information, debugging.
    Progress,
}

/// The most bytes of a line in which its level is searched.
const MAX_PREFIX: usize = 120;

/// Lines after the error that only say that an error occurred, or where its description continues.
const TRAILERS: [&str; 40] = [
    "exit status ",
    "exit code ",
    "exited with code ",
    "Exited with code ",
    "Exiting",
    "exiting",
    "Error: exit status ",
    "error: exit status ",
    "ERROR: Job failed",
    "Error: Process completed with exit code",
    "##[error]Process completed",
    "command terminated with exit code",
    "Command exited with non-zero status",
    "Process exited with code",
    "make: *** ",
    "make[",
    "gmake: *** ",
    "error Command failed with exit code",
    "error: script \"",
    "info Visit https://yarnpkg.com",
    "ELIFECYCLE",
    "ERR_PNPM_RECURSIVE_RUN_FIRST_FAIL",
    "Execution halted",
    "Node.js v",
    "note: run with `RUST_BACKTRACE",
    "note: Some details are omitted",
    "[ERROR] -> [Help",
    "[ERROR] To see the full stack trace",
    "[ERROR] Re-run Maven",
    "[ERROR] For more information about",
    "[ERROR] [Help",
    "BUILD FAILED in",
    "(Background on this error at",
    "For further information visit",
    "For more information, try",
    "Use \"",
    "See 'docker run --help'",
    "Try '",
    "Sentry is attempting to send",
    "goroutine ",
];

/// True for a line that follows an error without describing it.
pub(super) fn is_trailer(line: &str) -> bool {
    if crash::is_frame(line) {
        return true;
    }
    let line = line.trim();
    TRAILERS.iter().any(|start| line.starts_with(start))
        || matches!(line, "[ERROR]" | "error Command failed.")
        || !line.contains(char::is_alphanumeric)
}

/// The level of a line, if it has one.
pub(super) fn level(line: &str) -> Option<Level> {
    let start = line.trim_start();
    // The lines of `npm` are read together.
    if start.starts_with("npm ") {
        return None;
    }
    if start.starts_with('{') {
        return json(start).and_then(|object| json_level(&object));
    }
    if let Some((level, _)) = klog(start) {
        return Some(level);
    }
    if let Some(name) = logfmt(start, &["level", "lvl", "severity"]) {
        return named(&name);
    }
    match written(start) {
        Some((level, _)) => Some(level),
        None => is_error_of_program(start).then_some(Level::Error),
    }
}

/// The text of a line without its time and level.
pub(super) fn shown(line: &str) -> Cow<'_, str> {
    let start = line.trim();
    if let Some(text) = json(start).and_then(|object| json_text(&object)) {
        return Cow::Owned(text);
    }
    if let Some((_, text)) = klog(start) {
        return Cow::Borrowed(text);
    }
    if logfmt(start, &["level", "lvl", "severity"]).is_some()
        && let Some(text) = logfmt(start, &["msg", "message"])
    {
        return Cow::Owned(match logfmt(start, &["err", "error"]) {
            Some(error) if !text.contains(&*error) => format!("{text}: {error}"),
            _ => text.into_owned(),
        });
    }
    match written(start) {
        Some((_, at)) if is_time(&start[..at]) => {
            let is_bracket = start[..at].ends_with(['[', '<', '(']);
            Cow::Borrowed(&start[at - usize::from(is_bracket)..])
        }
        _ => Cow::Borrowed(start),
    }
}

fn named(name: &str) -> Option<Level> {
    const ERRORS: [&str; 12] = [
        "error",
        "err",
        "eror",
        "fatal",
        "critical",
        "crit",
        "severe",
        "panic",
        "dpanic",
        "alert",
        "emerg",
        "emergency",
    ];
    const PROGRESS: [&str; 8] = [
        "info",
        "information",
        "debug",
        "trace",
        "notice",
        "dbug",
        "verbose",
        "fine",
    ];
    let is_one = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    if is_one(&ERRORS) {
        Some(Level::Error)
    } else if is_one(&PROGRESS) {
        Some(Level::Progress)
    } else {
        is_one(&["warn", "warning"]).then_some(Level::Warning)
    }
}

/// The level in capitals (`ERROR`), in brackets (`[error]`) or before a colon (`Error: `), and its place.
fn written(line: &str) -> Option<(Level, usize)> {
    let prefix = first_bytes(line, MAX_PREFIX);
    let bytes = prefix.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let from = at;
        while at < bytes.len() && bytes[at].is_ascii_alphabetic() {
            at += 1;
        }
        let (word, after) = (&prefix[from..at], bytes.get(at).copied().unwrap_or(b' '));
        let before = if from == 0 { b' ' } else { bytes[from - 1] };
        let is_alone = matches!(
            before,
            b' ' | b'\t' | b'[' | b'(' | b'<' | b'|' | b':' | b']' | b'}' | b'*' | b'#'
        ) && !matches!(
            after,
            b'=' | b'_' | b'-' | b'.' | b'/' | b'0'..=b'9' | b'\'' | b'"' | b','
        );
        let is_capital = word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_marked = after == b':' || matches!((before, after), (b'[', b']') | (b'<', b'>') | (b'(', b')'));
        let is_title = matches!(word, "Error" | "Fatal") && prefix[at..].starts_with(" in ");
        if is_alone
            && (is_capital || is_marked || is_title)
            && let Some(level) = named(word)
        {
            return Some((level, from));
        }
    }
    None
}

/// True for what loggers write before the level: a time, brackets, numbers.
fn is_time(prefix: &str) -> bool {
    let letters = prefix.bytes().filter(u8::is_ascii_alphabetic).count();
    prefix.is_empty() || letters <= 4 && prefix.bytes().any(|byte| byte.is_ascii_digit()) || letters == 0
}

/// Errors of common programs that write no level.
fn is_error_of_program(line: &str) -> bool {
    const ENDS: [&str; 18] = [
        "command not found",
        ": not found",
        "No such file or directory",
        "Permission denied",
        "Permission denied (publickey).",
        "Host key verification failed.",
        "Connection refused",
        "Connection timed out",
        "Network is unreachable",
        "Name or service not known",
        "Temporary failure in name resolution",
        "No space left on device",
        "Operation not permitted",
        "Read-only file system",
        "Exec format error",
        "Cannot allocate memory",
        "unbound variable",
        "Segmentation fault (core dumped)",
    ];
    let is_curl = line
        .strip_prefix("curl: (")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let is_shell = line.split_once(": line ").is_some_and(|(script, rest)| {
        !script.contains(' ') && rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains(": ")
    });
    is_curl
        || is_shell
        || line.starts_with("An error occurred (")
        || line.starts_with("Unexpected error")
        || line.contains("Error response from daemon: ")
        || line.starts_with("wget: ")
        || line.starts_with("FAILED ")
        || crash::is_exception(line) && !line.ends_with(':')
        || ENDS.iter().any(|end| line.ends_with(end))
}

/// `E0310 02:00:00.000000   1 main.go:12] text` (`k8s.io/klog`).
fn klog(line: &str) -> Option<(Level, &str)> {
    let level = match line.as_bytes().first()? {
        b'E' | b'F' => Level::Error,
        b'W' => Level::Warning,
        b'I' => Level::Progress,
        _ => return None,
    };
    let is_date = line.len() > 5 && line.as_bytes()[1..5].iter().all(u8::is_ascii_digit);
    let (header, text) = line
        .split_once("] ")
        .filter(|_| is_date && line.as_bytes()[5] == b' ')?;
    header.contains(':').then_some((level, text))
}

/// The value of the first of these keys in a line of `key=value` pairs.
fn logfmt<'a>(line: &'a str, keys: &[&str]) -> Option<Cow<'a, str>> {
    keys.iter().find_map(|key| {
        let mut places = line.match_indices(key);
        let at = places.find(|(at, _)| {
            let starts = *at == 0 || line.as_bytes()[at - 1] == b' ';
            starts && line[at + key.len()..].starts_with('=')
        });
        let value = &line[at?.0 + key.len() + 1..];
        match value.strip_prefix('"') {
            Some(text) => {
                let text = &text[..end_of_quote(text).unwrap_or(text.len())];
                Some(match text.contains('\\') {
                    true => Cow::Owned(text.replace("\\\"", "\"").replace("\\n", "\n").replace("\\t", "\t")),
                    false => Cow::Borrowed(text),
                })
            }
            None => Some(Cow::Borrowed(value.split(' ').next().unwrap_or_default())),
        }
    })
}

fn json(line: &str) -> Option<Map<String, Value>> {
    match line.starts_with('{') && line.ends_with('}') {
        true => serde_json::from_str(line).ok(),
        false => None,
    }
}

/// The level under the names of zap, logrus, pino and bunyan (numbers), Python, Google Cloud, ECS and Serilog.
fn json_level(object: &Map<String, Value>) -> Option<Level> {
    const KEYS: [&str; 8] = [
        "level",
        "severity",
        "levelname",
        "lvl",
        "log.level",
        "loglevel",
        "@l",
        "status",
    ];
    match KEYS.iter().find_map(|key| object.get(*key))? {
        Value::String(name) => named(name),
        Value::Number(number) => match number.as_i64()? {
            50.. => Some(Level::Error),
            40..50 => Some(Level::Warning),
            _ => Some(Level::Progress),
        },
        _ => None,
    }
}

/// The message of a structured error with its cause.
fn json_text(object: &Map<String, Value>) -> Option<String> {
    json_level(object).filter(|level| *level == Level::Error)?;
    const TEXTS: [&str; 8] = ["message", "msg", "@m", "@mt", "event", "textPayload", "log", "text"];
    const CAUSES: [&str; 9] = [
        "error",
        "err",
        "exception",
        "exc_info",
        "@x",
        "thrown",
        "stack_trace",
        "error.message",
        "cause",
    ];
    let mut texts = TEXTS.iter().filter_map(|key| object.get(*key)?.as_str());
    let text = texts.find(|text| !text.trim().is_empty());
    let cause = CAUSES.iter().find_map(|key| json_cause(object.get(*key)?));
    match (text, cause) {
        (Some(text), Some(cause)) if !text.contains(&cause) => Some(format!("{text}: {cause}")),
        (Some(text), _) => Some(crash::exception_in(text)),
        (None, cause) => cause,
    }
}

fn json_cause(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(crash::exception_in(text)),
        Value::Object(object) => {
            let text = ["message", "msg", "text"]
                .iter()
                .find_map(|key| object.get(*key)?.as_str())?;
            Some(text.to_owned())
        }
        _ => None,
    }
}
