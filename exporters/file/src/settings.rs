//! The settings of `file`, under the Collector's names, and their check.

use std::path::PathBuf;
use std::time::Duration;

use collector_config::{self, Diagnostics, Settings};
use schemars::JsonSchema;
use serde::Deserialize;

const MEGABYTE: u64 = 1024 * 1024;

/// `exporters::file`, as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["path"]))]
pub struct FileSettings {
    /// The file to write to.
    #[schemars(length(min = 1))]
    pub path: PathBuf,
    /// Keeps existing content; otherwise the file is emptied on every startup.
    pub append: bool,
    /// Creates missing directories.
    pub create_directory: bool,
    /// The format: only `json`, one export request in each line.
    #[schemars(extend("enum" = ["json"]))]
    pub format: String,
    /// How often acknowledged lines are flushed to the disk; 0: each line is on the disk before it is acknowledged.
    pub flush_interval: collector_config::Duration,
    /// Replaces a full file by a new one. Without it one file grows without limit.
    pub rotation: Option<RotationSettings>,
}

/// `rotation`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RotationSettings {
    /// The maximum size of a file, MiB.
    #[schemars(range(min = 1))]
    pub max_megabytes: u64,
    /// The age in days after which rotated files are removed; 0: no limit.
    pub max_days: u32,
    /// The number of rotated files that are kept; 0: all.
    pub max_backups: usize,
}

impl Default for FileSettings {
    fn default() -> Self {
        FileSettings {
            path: PathBuf::new(),
            append: true,
            create_directory: false,
            format: "json".into(),
            flush_interval: collector_config::Duration::default(),
            rotation: None,
        }
    }
}

impl Default for RotationSettings {
    fn default() -> Self {
        RotationSettings {
            max_megabytes: 100,
            max_days: 0,
            max_backups: 100,
        }
    }
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub(crate) struct FileConfig {
    pub(crate) path: PathBuf,
    pub(crate) append: bool,
    pub(crate) create_directory: bool,
    pub(crate) flush_interval: Duration,
    pub(crate) rotation: Option<Rotation>,
}

/// `rotation`, checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rotation {
    pub(crate) max_bytes: u64,
    pub(crate) max_days: u32,
    pub(crate) max_backups: usize,
}

impl FileConfig {
    /// Reads and checks the settings, without any I/O.
    pub(crate) fn read(settings: &Settings) -> Result<FileConfig, Diagnostics> {
        let raw: FileSettings = settings.read()?;
        let mut errors = Vec::new();
        if raw.path.as_os_str().is_empty() {
            errors.push(settings.error("path", "is missing: the file to write to"));
        } else if raw.path.file_name().is_none() {
            let found = raw.path.display();
            errors.push(settings.error("path", format!("`{found}` names no file")));
        }
        if raw.format != "json" {
            errors.push(settings.error(
                "format",
                format!("only the format `json` is supported, found `{}`", raw.format),
            ));
        }
        let rotation = raw.rotation.map(|rotation| Rotation {
            max_bytes: rotation.max_megabytes.saturating_mul(MEGABYTE),
            max_days: rotation.max_days,
            max_backups: rotation.max_backups,
        });
        if rotation.is_some_and(|rotation| rotation.max_bytes == 0) {
            errors.push(settings.error("rotation::max_megabytes", "found 0, expected 1 or more"));
        }
        if !errors.is_empty() {
            return Err(Diagnostics(errors));
        }
        Ok(FileConfig {
            path: raw.path,
            append: raw.append,
            create_directory: raw.create_directory,
            flush_interval: raw.flush_interval.get(),
            rotation,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<FileConfig, String> {
        FileConfig::read(&Settings::from_yaml(yaml).unwrap()).map_err(|errors| errors.to_string())
    }

    #[test]
    fn defaults_lose_no_data() {
        let config = read("path: /var/log/jobs.jsonl").unwrap();
        assert!(config.append && config.flush_interval.is_zero() && config.rotation.is_none());
        let rotation = read("{path: a, rotation: {}}").unwrap().rotation.unwrap();
        assert_eq!(
            (rotation.max_bytes, rotation.max_days, rotation.max_backups),
            (104_857_600, 0, 100)
        );
    }

    #[test]
    fn reports_all_errors_at_once() {
        let found = read("format: proto\nrotation:\n  max_megabytes: 0").unwrap_err();
        for expected in [
            "path: is missing",
            "yaml:1:9: format: only the format `json`",
            "yaml:3:18: rotation::max_megabytes: found 0",
        ] {
            assert!(found.contains(expected), "{expected} in:\n{found}");
        }
        assert!(read("path: /").unwrap_err().contains("names no file"));
        assert!(read("{path: a, paht: b}").unwrap_err().contains("did you mean `path`"));
    }
}
