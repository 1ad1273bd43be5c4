//! Recordings of watch streams of a real cluster.

use crate::resource::{ChangeType, Resource};
use crate::timeline::TimelineStep;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The reason a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read, or is not gzip although its name ends in `.gz`.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A line is not a recorded change.
    #[error(
        "{path}: line {line}: {problem}; expected {{\"t\": ms, \"resource\": …, \"type\": \"ADDED\", \"object\": …}}"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The problem.
        problem: String,
    },
}

#[derive(Deserialize)]
struct RecordedLine {
    t: u64,
    resource: String,
    r#type: String,
    object: Value,
}

/// Reads a recording: one JSON object per line, compressed if the name ends in `.gz`. Objects are not changed.
///
/// # Errors
/// If the file cannot be read or a line is not a recorded change.
pub fn read(path: &Path) -> Result<Vec<TimelineStep>, RecordingError> {
    let unreadable = |source| RecordingError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let reader: Box<dyn Read> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(GzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut steps = Vec::new();
    for (index, line) in BufReader::new(reader).lines().enumerate() {
        let line = line.map_err(unreadable)?;
        let malformed = |problem| RecordingError::Malformed {
            path: path.to_owned(),
            line: index + 1,
            problem,
        };
        steps.push(step(&line).map_err(malformed)?);
    }
    Ok(steps)
}

fn step(line: &str) -> Result<TimelineStep, String> {
    let line: RecordedLine = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let resource = Resource::from_plural(&line.resource).ok_or(format!("unknown resource \"{}\"", line.resource))?;
    let change = ChangeType::parse(&line.r#type).ok_or(format!("unknown type \"{}\"", line.r#type))?;
    Ok(TimelineStep {
        at: Duration::from_millis(line.t),
        resource,
        change,
        object: line.object,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_problem_of_a_line() {
        assert!(step(r#"{"t":5,"resource":"pods","type":"ADDED","object":{}}"#).is_ok());
        assert_eq!(
            step(r#"{"t":5,"resource":"pots","type":"ADDED","object":{}}"#),
            Err("unknown resource \"pots\"".to_owned())
        );
        assert!(step("{").is_err());
    }
}
