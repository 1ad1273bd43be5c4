//! Lists and watches with whole objects, as the API server sends them, for a recording. It survives the same faults as
//! [`watch`](crate::watch), with the same state machine.

use std::collections::HashMap;
use std::time::Duration;

use kube::Client;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::WatchError;
use crate::decode::{Body, DecodeError, Line, Lines, WireFormat, clipped, list_page, name};
use crate::model::{Metadata, Status, TypeMeta};
use crate::watch::machine::{Machine, Phase};
use crate::watch::request::Target;
use crate::watch::{Stop, encoding_of, in_band, next_data, page, send};

/// The requested length of a watch, seconds.
const WATCH_SECONDS: u64 = 270;
/// The longest silence of a watch.
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

/// An update of a raw watch.
#[derive(Debug)]
pub enum RawUpdate {
    /// A whole object, and the type of its event.
    Object(EventType, Value),
    /// A list is complete.
    Listed,
    /// An object that cannot be used and is skipped.
    Skipped(DecodeError),
    /// The list or watch failed and retries.
    Failed(WatchError),
}

/// Lists, then watches until nothing receives the updates. After a gap that a watch cannot bridge, it relists and sends the
/// differences as events. Each update is sent to `updates` with `name`.
pub async fn run<N: Copy>(client: Client, target: Target, name: N, updates: mpsc::Sender<(N, RawUpdate)>) {
    let mut raw = Raw {
        client,
        target,
        name,
        updates,
        known: HashMap::new(),
        page: Vec::new(),
        skipped: 0,
    };
    let mut machine = Machine::new();
    loop {
        let failure = match raw.step(&mut machine).await {
            Ok(()) => continue,
            Err(Stop::Failed(failure)) => failure,
            Err(Stop::Closed) => return,
        };
        let retry = machine.failed(&failure, 0.5);
        if raw.send(RawUpdate::Failed(failure)).await.is_err() {
            return;
        }
        sleep(retry.after).await;
    }
}

struct Raw<N> {
    client: Client,
    target: Target,
    name: N,
    updates: mpsc::Sender<(N, RawUpdate)>,
    /// The last state of each existing object, by UID.
    known: HashMap<String, Value>,
    /// The objects of the current list.
    page: Vec<Value>,
    /// The number of its objects that cannot be used.
    skipped: usize,
}

/// A line of a watch.
#[derive(Deserialize)]
struct RawLine {
    r#type: String,
    object: Value,
}

impl<N: Copy> Raw<N> {
    async fn send(&self, update: RawUpdate) -> Result<(), Stop> {
        let sent = self.updates.send((self.name, update)).await;
        sent.map_err(|_| Stop::Closed)
    }

    async fn step(&mut self, machine: &mut Machine) -> Result<(), Stop> {
        match machine.phase().clone() {
            Phase::List | Phase::Stream { .. } => self.list(machine).await,
            Phase::Watch { version } => self.watch(machine, &version).await,
        }
    }

    /// Reads a page of the list.
    async fn list(&mut self, machine: &mut Machine) -> Result<(), Stop> {
        let (token, limit) = (machine.listing().token(), machine.listing().limit());
        if token.is_empty() {
            self.page.clear();
            self.skipped = 0;
        }
        let body = page(&self.client, &self.target, token, limit, WireFormat::Json).await?;
        let Body::Json(body) = body else {
            return Err(not_json().into());
        };
        let expected = self.target.source.kind.type_meta();
        let page = list_page(&body, expected).map_err(WatchError::from)?;
        let is_last = machine.page_read(&page)?;
        for item in page.raw_items() {
            match self.object(item) {
                Ok(object) => self.page.push(object),
                Err(problem) => {
                    self.skipped += 1;
                    self.send(RawUpdate::Skipped(problem)).await?;
                }
            }
        }
        match is_last {
            true => self.listed().await,
            false => Ok(()),
        }
    }

    /// An item of a list, with the kind and apiVersion of the list.
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

    /// Sends the differences between the complete list and the known objects.
    async fn listed(&mut self) -> Result<(), Stop> {
        let mut before = std::mem::take(&mut self.known);
        for object in std::mem::take(&mut self.page) {
            let uid = uid(&object);
            let change = match before.remove(&uid) {
                None => Some(EventType::Added),
                Some(old) => (version(&old) != version(&object)).then_some(EventType::Modified),
            };
            self.known.insert(uid, object.clone());
            if let Some(change) = change {
                self.send(RawUpdate::Object(change, object)).await?;
            }
        }
        // A missing object may be one that was skipped.
        if self.skipped > 0 {
            self.known.extend(before.drain());
        }
        for (_, last) in before {
            self.send(RawUpdate::Object(EventType::Deleted, last)).await?;
        }
        self.send(RawUpdate::Listed).await
    }

    async fn watch(&mut self, machine: &mut Machine, from: &str) -> Result<(), Stop> {
        let began = Instant::now();
        let request = self.target.watch(from, WATCH_SECONDS, WireFormat::Json);
        let response = send(&self.client, request).await?;
        if encoding_of(&response) != WireFormat::Json {
            return Err(not_json().into());
        }
        let mut body = response.into_body();
        let mut lines = Lines::default();
        let mut read = Vec::new();
        let mut has_events = false;
        loop {
            let data = match next_data(&mut body, SILENCE).await {
                Ok(Some(data)) => data,
                Ok(None) => break,
                Err(WatchError::Connection(_)) if lines.is_cut() => return Err(WatchError::Cut.into()),
                Err(error) => return Err(error.into()),
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
                match line {
                    Ok(line) => {
                        let version = version(&line.object).to_owned();
                        self.line(line).await?;
                        has_events = true;
                        machine.progressed(&version);
                    }
                    Err(problem) => self.send(RawUpdate::Skipped(problem)).await?,
                }
            }
        }
        if lines.is_cut() {
            return Err(WatchError::Cut.into());
        }
        sleep(machine.watch_ended(began.elapsed(), has_events, 0.5)?).await;
        Ok(())
    }

    /// Sends one line of a watch.
    async fn line(&mut self, line: RawLine) -> Result<(), Stop> {
        let change = match &*line.r#type {
            "ADDED" => EventType::Added,
            "MODIFIED" => EventType::Modified,
            "DELETED" => EventType::Deleted,
            "BOOKMARK" => return Ok(()),
            "ERROR" => {
                let status: Status = serde_json::from_value(line.object).unwrap_or_default();
                return Err(in_band(status).into());
            }
            other => {
                let problem = DecodeError::UnknownType {
                    object: name(self.target.source.kind.type_meta().kind, &Metadata::default()),
                    found: clipped(other),
                };
                return self.send(RawUpdate::Skipped(problem)).await;
            }
        };
        if let Err(problem) = self.check(&line.object) {
            return self.send(RawUpdate::Skipped(problem)).await;
        }
        if change == EventType::Deleted {
            self.known.remove(&uid(&line.object));
        } else {
            self.known.insert(uid(&line.object), line.object.clone());
        }
        self.send(RawUpdate::Object(change, line.object)).await
    }
}

/// A recording holds objects as JSON, with all fields.
fn not_json() -> WatchError {
    WatchError::Unreadable("expected JSON, found protobuf, which was not requested".into())
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}
