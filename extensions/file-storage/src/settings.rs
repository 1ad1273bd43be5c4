//! The extension's settings.

use std::path::PathBuf;

use collector_config::{Diagnostics, Duration};
use schemars::JsonSchema;
use serde::Deserialize;

/// The extension's settings, under the names of the collector's extension of the same type.
#[derive(Debug)]
pub(crate) struct FileStorageSettings {
    /// Where the file is.
    pub directory: PathBuf,
    /// How long to wait on startup for another process to release the directory.
    pub timeout: Duration,
    /// Syncs each commit to the disk.
    pub fsync: bool,
    /// Creates the directory if it is missing.
    pub create_directory: bool,
    /// The mode of a created directory.
    pub directory_permissions: u32,
    /// Moves an unreadable file aside and starts with an empty one.
    pub recreate: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileStorageKeys {
    /// The directory of the file: an absolute path that no other collector uses.
    #[schemars(regex(pattern = "^/"))]
    directory: PathBuf,
    /// How long to wait on startup for another process to release the directory.
    timeout: Duration,
    /// Flushes each commit to the disk. With `false` a crash of the machine may lose stored data or damage the file.
    fsync: bool,
    /// Creates a missing directory.
    create_directory: bool,
    /// The octal mode of a created directory. The owner may read, write and enter.
    #[schemars(regex(pattern = "^0*7[0-7]{2}$"), extend("type" = ["string", "integer"], "minimum" = 700, "maximum" = 777))]
    directory_permissions: String,
    /// Moves an unusable file aside on startup and begins with an empty one.
    recreate: bool,
}

impl Default for FileStorageKeys {
    fn default() -> Self {
        FileStorageKeys {
            directory: "/var/lib/otelcol/file_storage".into(),
            timeout: Duration::from_secs(1),
            fsync: true,
            create_directory: true,
            directory_permissions: "0750".into(),
            recreate: false,
        }
    }
}

impl FileStorageSettings {
    /// Reads and checks them.
    pub(crate) fn read(settings: &collector_config::Settings) -> Result<Self, Diagnostics> {
        let written: FileStorageKeys = settings.read()?;
        let mut errors = Diagnostics::default();
        if !written.directory.is_absolute() {
            let found = written.directory.display().to_string();
            errors.push(
                settings
                    .error("directory", format!("found {found:?}, expected an absolute path"))
                    .with_help("a relative path depends on the directory in which the collector is started"),
            );
        }
        let text = &written.directory_permissions;
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
        match mode {
            // Without these the collector itself could not use the directory.
            Some(mode) if mode & 0o700 == 0o700 => {}
            _ => errors.push(
                settings
                    .error(
                        "directory_permissions",
                        format!("found {text:?}, expected an octal mode that lets the owner read, write and enter"),
                    )
                    .with_help("for example 0750"),
            ),
        }
        errors.into_result(FileStorageSettings {
            directory: written.directory,
            timeout: written.timeout,
            fsync: written.fsync,
            create_directory: written.create_directory,
            directory_permissions: mode.unwrap_or(0o750),
            recreate: written.recreate,
        })
    }
}
