//! A secret in a file that is replaced while the collector runs, as Kubernetes does with mounted Secrets.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use collector_config::{Diagnostic, Secret, Settings, credential_problem};

/// A token or password is shorter than this, in bytes.
const LONGEST: u64 = 64 * 1024;

/// A file that holds one secret and nothing else. White space around it does not count.
#[derive(Debug)]
pub struct SecretFile {
    path: PathBuf,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    value: Option<Secret>,
    /// The last logged problem, so that it is not logged for each request.
    logged: Option<String>,
}

impl SecretFile {
    /// Reads nothing yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        SecretFile {
            path: path.into(),
            last: Mutex::default(),
        }
    }

    /// The current content of the file. If the file cannot be read, the previous content, with a warning in the log.
    ///
    /// # Errors
    /// If the file has never been readable.
    pub async fn read(&self) -> Result<Secret, String> {
        let path = self.path.clone();
        let found = tokio::task::spawn_blocking(move || read(&path)).await;
        let found = found.unwrap_or_else(|_| Err("reading it was aborted".into()));
        let found = found.map_err(|why| format!("`{}`: {why}", self.path.display()));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match (found, last.value.clone()) {
            (Ok(value), _) => {
                last.value = Some(value.clone());
                last.logged = None;
                Ok(value)
            }
            (Err(why), None) => Err(why),
            (Err(why), Some(value)) => {
                if last.logged.as_ref() != Some(&why) {
                    tracing::warn!("cannot reload the secret, keeping the current one: {why}");
                    last.logged = Some(why);
                }
                Ok(value)
            }
        }
    }
}

fn read(path: &PathBuf) -> Result<Secret, String> {
    let cannot = |why: std::io::Error| format!("cannot read it: {why}");
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text));
    read.map_err(cannot)?;
    if text.len() as u64 > LONGEST {
        return Err(format!("it has more than {LONGEST} bytes, expected one secret"));
    }
    let value = text.trim();
    if value.is_empty() {
        return Err("it is empty, expected one secret".into());
    }
    if value.contains(['\n', '\r']) {
        return Err("it has several lines, expected one secret".into());
    }
    match credential_problem(value) {
        Some(why) => Err(why.into()),
        None => Ok(Secret::new(value)),
    }
}

/// A secret of the settings: written there, or in a file.
#[derive(Debug)]
pub enum SecretSource {
    /// Written in the settings, mostly from a variable.
    Value(Secret),
    /// Read again each time.
    File(SecretFile),
}

impl SecretSource {
    /// Reads the pair of settings `key` and `file_key`, of which exactly one must be given; errors are added.
    pub fn read(
        (key, value): (&str, &Secret),
        (file_key, file): (&str, &str),
        settings: &Settings,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<SecretSource> {
        match (value.is_empty(), file.is_empty()) {
            (true, true) => {
                let message = match settings.is_set(key) {
                    true => "it is empty; check that the environment variable is set".to_owned(),
                    false => format!("`{key}` or `{file_key}` is required"),
                };
                errors.push(settings.error(key, message));
            }
            (false, false) => {
                let message = format!("`{key}` and `{file_key}` are mutually exclusive");
                errors.push(settings.error(file_key, message));
            }
            (true, false) => return Some(SecretSource::File(SecretFile::new(file))),
            (false, true) => match credential_problem(value.expose()) {
                Some(why) => errors.push(settings.error(key, format!("unusable value: {why}"))),
                None => return Some(SecretSource::Value(value.clone())),
            },
        }
        None
    }

    /// Its value now.
    ///
    /// # Errors
    /// If the file has never been readable.
    pub async fn get(&self) -> Result<Secret, String> {
        match self {
            SecretSource::Value(value) => Ok(value.clone()),
            SecretSource::File(file) => file.read().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of the test, removed at its end.
    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str) -> Self {
            Temporary(std::env::temp_dir().join(format!("pipeline-{name}-{}", std::process::id())))
        }

        fn write(&self, text: &str) {
            std::fs::write(&self.0, text).expect("a file");
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[tokio::test]
    async fn file_is_read_again_and_its_last_good_value_stays() {
        let file = Temporary::new("rotation");
        let secret = SecretFile::new(&file.0);
        let value = async || secret.read().await.map(|value| value.expose().to_owned());
        let why = value().await.expect_err("no file");
        assert!(why.contains("cannot read it"), "{why}");
        file.write("hunter2-one\n");
        assert_eq!(value().await.as_deref(), Ok("hunter2-one"));
        file.write("hunter2-two");
        assert_eq!(value().await.as_deref(), Ok("hunter2-two"));
        for bad in ["", " \n", "a\nb", "YOUR_TOKEN"] {
            file.write(bad);
            assert_eq!(value().await.as_deref(), Ok("hunter2-two"), "{bad:?}");
        }
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn rejects_invalid_secret_files() {
        for (content, expected) in [
            ("", "it is empty"),
            ("hunter2\nhunter3", "several lines"),
            ("<token>", "placeholder"),
            (&"x y".repeat(30_000), "more than 65536 bytes"),
        ] {
            let file = Temporary::new(&format!("bad-{}", content.len()));
            file.write(content);
            let why = SecretFile::new(&file.0).read().await.expect_err(expected);
            assert!(why.contains(expected) && !why.contains("hunter"), "{why}");
        }
    }
}
