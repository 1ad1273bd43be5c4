//! Full files: `name-2026-11-23T12-00-00.000.jsonl` beside `name.jsonl`, with the Collector's names.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::settings::Rotation;

const TIME: &str = "%Y-%m-%dT%H-%M-%S%.3f";

fn parts(path: &Path) -> (String, String) {
    let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let extension = text(path.extension());
    let extension = if extension.is_empty() {
        extension
    } else {
        format!(".{extension}")
    };
    (text(path.file_stem()), extension)
}

/// A free name for a file that is full at `now`.
pub(crate) fn name(path: &Path, now: Timestamp) -> PathBuf {
    let (stem, extension) = parts(path);
    let mut at = now;
    loop {
        let time = at.to_zoned(TimeZone::UTC).strftime(TIME).to_string();
        let name = path.with_file_name(format!("{stem}-{time}{extension}"));
        match (name.exists(), at.checked_add(jiff::SignedDuration::from_millis(1))) {
            (true, Ok(later)) => at = later,
            _ => return name,
        }
    }
}

/// Removes the full files above the limits of age and number. Returns the removed ones.
pub(crate) fn prune(path: &Path, rotation: Rotation, now: Timestamp) -> io::Result<Vec<PathBuf>> {
    let (stem, extension) = parts(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut full = Vec::new();
    for entry in std::fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let entry = entry?;
        let name = entry.file_name();
        let time = name.to_str().and_then(|name| {
            let name = name.strip_prefix(&stem)?.strip_prefix('-')?;
            name.strip_suffix(&extension)
        });
        let time = time.and_then(|time| DateTime::strptime(TIME, time).ok());
        if let Some(time) = time.and_then(|time| time.to_zoned(TimeZone::UTC).ok()) {
            full.push((time.timestamp(), entry.path()));
        }
    }
    full.sort();
    let too_many = match rotation.max_backups {
        0 => 0,
        most => full.len().saturating_sub(most),
    };
    let oldest = match rotation.max_days {
        0 => Timestamp::MIN,
        days => now
            .checked_sub(jiff::SignedDuration::from_hours(24 * i64::from(days)))
            .unwrap_or(Timestamp::MIN),
    };
    let mut gone = Vec::new();
    for (number, (time, path)) in full.into_iter().enumerate() {
        if number < too_many || time < oldest {
            std::fs::remove_file(&path)?;
            gone.push(path);
        }
    }
    Ok(gone)
}
