//! Lists and watches with whole objects, as the API server sends them: for making a recording. The traps of watches
//! are those of [`watch`](crate::watch), and so is the machine that decides what follows a failure.

use std::collections::HashMap;
use std::time::Duration;

use kube::Client;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::decode::Lines;
use crate::model::Status;
use crate::watch::machine::{Failure, Machine, Phase};
use crate::watch::request::Target;
use crate::watch::{REPLY, next_data, send};

/// How long a watch is asked to last, seconds.
const WATCH_SECONDS: u64 = 270;
/// How long a watch may be silent.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS + 15);

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It came into being, or was there from the start.
    Added,
    /// It changed.
    Modified,
    /// It is gone.
    Deleted,
}

impl Change {
    /// The watch's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Added => "ADDED",
            Change::Modified => "MODIFIED",
            Change::Deleted => "DELETED",
        }
    }
}

/// What a raw watch tells.
#[derive(Debug)]
pub enum RawReport {
    /// An object, whole, and what happened to it.
    Object(Change, Value),
    /// The first list is complete.
    Listed,
    /// It has failed and tries again.
    Failed(Failure),
}

/// Lists, then watches until nobody listens. After an interruption that a watch cannot bridge it lists again and
/// tells what that list shows to have changed. `to`: where to tell, with `name`.
pub async fn run<N: Copy>(client: Client, target: Target, name: N, to: mpsc::Sender<(N, RawReport)>) {
    let mut raw = Raw {
        client,
        target,
        name,
        to,
        known: HashMap::new(),
        page: Vec::new(),
    };
    let mut machine = Machine::new();
    while let Ok(outcome) = raw.step(&mut machine).await {
        let Err(failure) = outcome else { continue };
        let retry = machine.failed(&failure, 0.5);
        if raw.tell(RawReport::Failed(failure)).await.is_err() {
            return;
        }
        sleep(retry.after).await;
    }
}

struct Raw<N> {
    client: Client,
    target: Target,
    name: N,
    to: mpsc::Sender<(N, RawReport)>,
    /// The last state of each object that exists, by UID.
    known: HashMap<String, Value>,
    /// The objects of the list that is being read.
    page: Vec<Value>,
}

/// Nobody listens any more.
struct Gone;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    #[serde(default)]
    items: Option<Vec<Value>>,
    #[serde(default)]
    kind: String,
    #[serde(default, rename = "apiVersion")]
    api_version: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageMetadata {
    resource_version: String,
    #[serde(rename = "continue")]
    next: String,
}

#[derive(Deserialize)]
struct Line {
    r#type: String,
    object: Value,
}

impl<N: Copy> Raw<N> {
    async fn tell(&self, report: RawReport) -> Result<(), Gone> {
        self.to.send((self.name, report)).await.map_err(|_| Gone)
    }

    async fn step(&mut self, machine: &mut Machine) -> Result<Result<(), Failure>, Gone> {
        match machine.phase().clone() {
            Phase::List { token, limited } => {
                if token.is_empty() {
                    self.page.clear();
                }
                match self.page(&token, limited).await {
                    Ok(metadata) => {
                        if machine.page_read(&metadata.next, &metadata.resource_version) {
                            self.listed().await?;
                        }
                        Ok(Ok(()))
                    }
                    Err(failure) => Ok(Err(failure)),
                }
            }
            Phase::Watch { version } => self.watch(machine, &version).await,
        }
    }

    async fn page(&mut self, token: &str, limited: bool) -> Result<PageMetadata, Failure> {
        let response = send(&self.client, self.target.list(token, limited)).await?;
        let mut body = response.into_body();
        let mut all = Vec::new();
        while let Some(data) = next_data(&mut body, REPLY).await? {
            all.extend_from_slice(&data);
        }
        let page: Page = serde_json::from_slice(&all).map_err(|error| Failure::Unreadable(error.to_string()))?;
        // The items of a list leave out what the list says for all of them.
        let kind = page.kind.strip_suffix("List").unwrap_or_default();
        for mut item in page.items.unwrap_or_default() {
            if let Some(item) = item.as_object_mut().filter(|_| !kind.is_empty()) {
                item.entry("kind").or_insert_with(|| kind.into());
                item.entry("apiVersion")
                    .or_insert_with(|| page.api_version.clone().into());
            }
            self.page.push(item);
        }
        Ok(page.metadata)
    }

    /// Tells what the complete list shows to have changed.
    async fn listed(&mut self) -> Result<(), Gone> {
        let mut before = std::mem::take(&mut self.known);
        for object in std::mem::take(&mut self.page) {
            let uid = uid(&object);
            let change = match before.remove(&uid) {
                None => Some(Change::Added),
                Some(old) => (version(&old) != version(&object)).then_some(Change::Modified),
            };
            self.known.insert(uid, object.clone());
            if let Some(change) = change {
                self.tell(RawReport::Object(change, object)).await?;
            }
        }
        for (_, last) in before {
            self.tell(RawReport::Object(Change::Deleted, last)).await?;
        }
        self.tell(RawReport::Listed).await
    }

    async fn watch(&mut self, machine: &mut Machine, from: &str) -> Result<Result<(), Failure>, Gone> {
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
                Err(failure) => return Ok(Err(failure)),
            };
            let whole = lines.push(&data, |line| {
                if !line.is_empty() {
                    read.push(serde_json::from_slice::<Line>(line));
                }
            });
            for line in read.drain(..) {
                let line = match line {
                    Ok(line) => line,
                    Err(error) => return Ok(Err(Failure::Unreadable(error.to_string()))),
                };
                let version = version(&line.object).to_owned();
                if let Some(failure) = self.line(line).await? {
                    return Ok(Err(failure));
                }
                delivered = true;
                machine.progressed(&version);
            }
            if let Err(error) = whole {
                return Ok(Err(Failure::Unreadable(error.to_string())));
            }
        }
        if lines.is_cut() {
            return Ok(Err(Failure::Cut));
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
    async fn line(&mut self, line: Line) -> Result<Option<Failure>, Gone> {
        let change = match &*line.r#type {
            "ADDED" => Change::Added,
            "MODIFIED" => Change::Modified,
            "DELETED" => Change::Deleted,
            "BOOKMARK" => return Ok(None),
            "ERROR" => {
                let status: Status = serde_json::from_value(line.object).unwrap_or_default();
                return Ok(Some(Failure::Status {
                    code: u16::try_from(status.code).unwrap_or(0),
                    message: status.message.into(),
                    retry_after: None,
                    in_band: true,
                }));
            }
            other => {
                return Ok(Some(Failure::Unreadable(format!(
                    "unknown type {other:?} of a watch's line"
                ))));
            }
        };
        if change == Change::Deleted {
            self.known.remove(&uid(&line.object));
        } else {
            self.known.insert(uid(&line.object), line.object.clone());
        }
        self.tell(RawReport::Object(change, line.object)).await?;
        Ok(None)
    }
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}
