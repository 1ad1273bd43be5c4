//! Lists and watches with whole objects, as the API server sends them: for making a recording. The traps of watches
//! are those of [`watch`](crate::watch), and so is the machine that decides what follows a failure.

use std::collections::HashMap;
use std::time::Duration;

use kube::Client;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::WatchError;
use crate::decode::{DecodeError, Line, Lines, clipped, list_page, name};
use crate::model::{Metadata, Status, TypeMeta};
use crate::watch::machine::{Machine, Phase};
use crate::watch::request::Target;
use crate::watch::{next_data, page, send};

/// How long a watch is asked to last, seconds.
const WATCH_SECONDS: u64 = 270;
/// How long a watch may be silent.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS + 15);

/// The type of a watch event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// The object was created, or is in the first list.
    Added,
    /// The object changed.
    Modified,
    /// The object was deleted.
    Deleted,
}

impl EventType {
    /// The name in the Kubernetes API.
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::Added => "ADDED",
            EventType::Modified => "MODIFIED",
            EventType::Deleted => "DELETED",
        }
    }
}

/// What a raw watch tells.
#[derive(Debug)]
pub enum RawUpdate {
    /// An object, whole, and what happened to it.
    Object(EventType, Value),
    /// A list is complete.
    Listed,
    /// An object cannot be used and is left out.
    Skipped(DecodeError),
    /// It has failed and tries again.
    Failed(WatchError),
}

/// Lists, then watches until nobody listens. After an interruption that a watch cannot bridge it lists again and
/// tells what that list shows to have changed. `to`: where to tell, with `name`.
pub async fn run<N: Copy>(client: Client, target: Target, name: N, to: mpsc::Sender<(N, RawUpdate)>) {
    let mut raw = Raw {
        client,
        target,
        name,
        to,
        known: HashMap::new(),
        page: Vec::new(),
        skipped: 0,
    };
    let mut machine = Machine::new();
    while let Ok(outcome) = raw.step(&mut machine).await {
        let Err(failure) = outcome else { continue };
        let retry = machine.failed(&failure, 0.5);
        if raw.tell(RawUpdate::Failed(failure)).await.is_err() {
            return;
        }
        sleep(retry.after).await;
    }
}

struct Raw<N> {
    client: Client,
    target: Target,
    name: N,
    to: mpsc::Sender<(N, RawUpdate)>,
    /// The last state of each object that exists, by UID.
    known: HashMap<String, Value>,
    /// The objects of the list that is being read.
    page: Vec<Value>,
    /// How many of its objects cannot be used.
    skipped: usize,
}

/// Nobody listens any more.
struct Gone;

/// A line of a watch.
#[derive(Deserialize)]
struct RawLine {
    r#type: String,
    object: Value,
}

impl<N: Copy> Raw<N> {
    async fn tell(&self, report: RawUpdate) -> Result<(), Gone> {
        self.to.send((self.name, report)).await.map_err(|_| Gone)
    }

    async fn step(&mut self, machine: &mut Machine) -> Result<Result<(), WatchError>, Gone> {
        match machine.phase().clone() {
            Phase::List => self.list(machine).await,
            Phase::Watch { version } => self.watch(machine, &version).await,
        }
    }

    /// Reads a page of the list.
    async fn list(&mut self, machine: &mut Machine) -> Result<Result<(), WatchError>, Gone> {
        let (token, limit) = (machine.listing().token(), machine.listing().limit());
        if token.is_empty() {
            self.page.clear();
            self.skipped = 0;
        }
        let body = match page(&self.client, &self.target, token, limit).await {
            Ok(body) => body,
            Err(failure) => return Ok(Err(failure)),
        };
        let expected = self.target.source.kind.type_meta();
        let page = match list_page(&body, expected) {
            Ok(page) => page,
            Err(error) => return Ok(Err(WatchError::BadList(error.to_string()))),
        };
        let is_last = match machine.page_read(&page) {
            Ok(is_last) => is_last,
            Err(failure) => return Ok(Err(failure)),
        };
        for item in page.raw_items() {
            match self.object(item) {
                Ok(object) => self.page.push(object),
                Err(problem) => {
                    self.skipped += 1;
                    self.tell(RawUpdate::Skipped(problem)).await?;
                }
            }
        }
        if is_last {
            self.listed().await?;
        }
        Ok(Ok(()))
    }

    /// An item of a list, with what the list says for all of them.
    fn object(&self, item: &str) -> Result<Value, DecodeError> {
        let TypeMeta { api_version, kind } = self.target.source.kind.type_meta();
        let mut object: Value = serde_json::from_str(item).map_err(|error| DecodeError::json(item, &error))?;
        if let Some(object) = object.as_object_mut() {
            object.entry("kind").or_insert_with(|| kind.into());
            object.entry("apiVersion").or_insert_with(|| api_version.into());
        }
        self.check(&object)?;
        Ok(object)
    }

    /// Checks that an object has the requested type and namespace, and a UID.
    fn check(&self, object: &Value) -> Result<(), DecodeError> {
        let expected = self.target.source.kind.type_meta();
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let metadata = Metadata {
            name: text("/metadata/name").into(),
            namespace: text("/metadata/namespace").into(),
            ..Default::default()
        };
        let (kind, api_version) = (text("/kind"), text("/apiVersion"));
        if kind != expected.kind || api_version != expected.api_version {
            return Err(DecodeError::OtherType {
                object: name(kind, &metadata),
                expected,
                found: format!("{} ({})", clipped(kind), clipped(api_version)),
            });
        }
        if uid(object).is_empty() {
            return Err(DecodeError::NoUid(name(kind, &metadata)));
        }
        match &self.target.namespace {
            Some(namespace) if *metadata.namespace != **namespace => Err(DecodeError::OtherNamespace {
                object: name(kind, &metadata),
                expected: namespace.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Tells what the complete list shows to have changed.
    async fn listed(&mut self) -> Result<(), Gone> {
        let mut before = std::mem::take(&mut self.known);
        for object in std::mem::take(&mut self.page) {
            let uid = uid(&object);
            let change = match before.remove(&uid) {
                None => Some(EventType::Added),
                Some(old) => (version(&old) != version(&object)).then_some(EventType::Modified),
            };
            self.known.insert(uid, object.clone());
            if let Some(change) = change {
                self.tell(RawUpdate::Object(change, object)).await?;
            }
        }
        // A missing object may be one that was skipped.
        if self.skipped > 0 {
            self.known.extend(before.drain());
        }
        for (_, last) in before {
            self.tell(RawUpdate::Object(EventType::Deleted, last)).await?;
        }
        self.tell(RawUpdate::Listed).await
    }

    async fn watch(&mut self, machine: &mut Machine, from: &str) -> Result<Result<(), WatchError>, Gone> {
        let began = Instant::now();
        let mut body = match send(&self.client, self.target.watch(from, WATCH_SECONDS)).await {
            Ok(response) => response.into_body(),
            Err(failure) => return Ok(Err(failure)),
        };
        let mut lines = Lines::default();
        let mut read = Vec::new();
        let mut delivered = false;
        loop {
            let data = match next_data(&mut body, SILENCE).await {
                Ok(Some(data)) => data,
                Ok(None) => break,
                Err(WatchError::Connection(_)) if lines.is_cut() => return Ok(Err(WatchError::Cut)),
                Err(failure) => return Ok(Err(failure)),
            };
            lines.push(&data, |line| match line {
                Line::Whole([]) => {}
                Line::Whole(line) => {
                    let line = String::from_utf8_lossy(line);
                    let parsed = serde_json::from_str::<RawLine>(&line);
                    read.push(parsed.map_err(|error| DecodeError::json(&line, &error)));
                }
                Line::TooLong => read.push(Err(DecodeError::LineTooLong)),
            });
            for line in read.drain(..) {
                let line = match line {
                    Ok(line) => line,
                    Err(problem) => {
                        self.tell(RawUpdate::Skipped(problem)).await?;
                        continue;
                    }
                };
                let version = version(&line.object).to_owned();
                if let Some(failure) = self.line(line).await? {
                    return Ok(Err(failure));
                }
                delivered = true;
                machine.progressed(&version);
            }
        }
        if lines.is_cut() {
            return Ok(Err(WatchError::Cut));
        }
        match machine.watch_ended(began.elapsed(), delivered, 0.5) {
            Ok(pause) => {
                sleep(pause).await;
                Ok(Ok(()))
            }
            Err(failure) => Ok(Err(failure)),
        }
    }

    /// Takes in one line of a watch. Returns the failure if it is one.
    async fn line(&mut self, line: RawLine) -> Result<Option<WatchError>, Gone> {
        let change = match &*line.r#type {
            "ADDED" => EventType::Added,
            "MODIFIED" => EventType::Modified,
            "DELETED" => EventType::Deleted,
            "BOOKMARK" => return Ok(None),
            "ERROR" => {
                let status: Status = serde_json::from_value(line.object).unwrap_or_default();
                return Ok(Some(WatchError::Status {
                    code: u16::try_from(status.code).unwrap_or(0),
                    message: clipped(&status.message),
                    retry_after: None,
                    in_band: true,
                }));
            }
            other => {
                let problem = DecodeError::UnknownType {
                    object: name(self.target.source.kind.type_meta().kind, &Metadata::default()),
                    found: clipped(other),
                };
                self.tell(RawUpdate::Skipped(problem)).await?;
                return Ok(None);
            }
        };
        if let Err(problem) = self.check(&line.object) {
            self.tell(RawUpdate::Skipped(problem)).await?;
            return Ok(None);
        }
        if change == EventType::Deleted {
            self.known.remove(&uid(&line.object));
        } else {
            self.known.insert(uid(&line.object), line.object.clone());
        }
        self.tell(RawUpdate::Object(change, line.object)).await?;
        Ok(None)
    }
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}
