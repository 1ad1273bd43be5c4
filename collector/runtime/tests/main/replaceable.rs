//! Scripted components that take part in a reload: a receiver that sends numbered batches, an exporter with a backend that
//! may be down, a connector that counts.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use serde::Deserialize;
use tokio::sync::mpsc;

use collector_config::{ComponentId, Diagnostics};
use collector_data::{Ack, Batch, Delivery, Payload, Signal};
use collector_runtime::component::*;
use collector_runtime::health::Status;
use collector_runtime::outlet::{Inbox, Outputs};
use collector_runtime::storage::Offer;
use collector_runtime::storage::memory::MemoryStorage;

use crate::scripted::note;

thread_local! {
    static SOURCES: RefCell<BTreeMap<String, mpsc::UnboundedReceiver<Batch>>> = const { RefCell::new(BTreeMap::new()) };
    static STARTED: Cell<bool> = const { Cell::new(false) };
    static ARRIVED: RefCell<Vec<Arrival>> = const { RefCell::new(Vec::new()) };
}

/// A batch at the backend of a `sink`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) sink: String,
    pub(crate) version: u32,
    pub(crate) number: u64,
}

/// Takes what the backends have received.
pub(crate) fn arrived() -> Vec<Arrival> {
    ARRIVED.take()
}

/// The batches that the receiver `id` sends.
pub(crate) fn source(id: &str) -> mpsc::UnboundedSender<Batch> {
    let (sender, receiver) = mpsc::unbounded_channel();
    SOURCES.with_borrow_mut(|sources| sources.insert(id.to_owned(), receiver));
    sender
}

/// A log record with a number, and its outcome.
pub(crate) fn numbered(number: u64) -> (Batch, Delivery) {
    let (ack, delivery) = Ack::new();
    let record = LogRecord {
        time_unix_nano: number,
        ..Default::default()
    };
    let logs = ResourceLogs {
        scope_logs: vec![ScopeLogs {
            log_records: vec![record],
            ..Default::default()
        }],
        ..Default::default()
    };
    (Batch::new(Payload::Logs(vec![logs]), ack), delivery)
}

fn number(batch: &Batch) -> u64 {
    match &*batch.payload {
        Payload::Logs(logs) => logs[0].scope_logs[0].log_records[0].time_unix_nano,
        other => panic!("expected logs, found {other:?}"),
    }
}

/// The state of the backend of a `sink`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Backend {
    #[default]
    Up,
    /// Takes a second for each batch.
    Slow,
    Down,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ReplaceableSettings {
    version: u32,
    backend: Backend,
    /// An extension.
    storage: String,
}

/// A component with its id and settings.
struct Replaceable {
    id: ComponentId,
    settings: ReplaceableSettings,
}

fn create<T: ?Sized>(create: &Create<'_>, into: fn(Box<Replaceable>) -> Box<T>) -> Result<Box<T>, Diagnostics> {
    let settings: ReplaceableSettings = create.settings.read()?;
    if !settings.storage.is_empty()
        && let Err(problem) = create.provided.storage(&settings.storage)
    {
        return Err(create.settings.error("storage", problem).into());
    }
    Ok(into(Box::new(Replaceable {
        id: create.id.clone(),
        settings,
    })))
}

impl Replaceable {
    fn name(&self) -> String {
        format!("{} v{}", self.id, self.settings.version)
    }
}

impl Receiver for Replaceable {
    fn run(self: Box<Self>, outputs: Outputs, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            note(format!("run {}", self.name()));
            running.health.report(Status::Ok);
            let first = || SOURCES.with_borrow_mut(|sources| sources.remove(&self.id.to_string()));
            let Some(mut batches) = running.succession.inherit().or_else(first) else {
                running.shutdown.cancelled().await;
                return Ok(());
            };
            let mut pending: Option<BoxFuture<'static, ()>> = None;
            loop {
                let next = async {
                    match &mut pending {
                        Some(sending) => {
                            sending.await;
                            None
                        }
                        None => batches.recv().await,
                    }
                };
                let batch = tokio::select! {
                    biased;
                    () = running.shutdown.cancelled() => break,
                    batch = next => batch,
                };
                let is_closed = batch.is_none() && pending.take().is_none();
                if is_closed {
                    running.shutdown.cancelled().await;
                    break;
                }
                let outputs = outputs.clone();
                pending = batch.map(|batch| Box::pin(async move { outputs.send(batch).await }) as _);
            }
            if let Some(sending) = pending {
                running.succession.finish_later(sending);
            }
            match running.is_replaced() {
                true => running.succession.leave(batches),
                false => drop(SOURCES.with_borrow_mut(|sources| sources.insert(self.id.to_string(), batches))),
            }
            Ok(())
        })
    }
}

impl Exporter for Replaceable {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        let is_again = self.id.type_name == "startonce" && STARTED.replace(true);
        Box::pin(async move {
            match is_again {
                true => Err("it can start only once".into()),
                false => Ok(()),
            }
        })
    }

    fn run(self: Box<Self>, mut input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            note(format!("run {}", self.name()));
            let mut queue = VecDeque::new();
            let mut is_open = true;
            while is_open || !queue.is_empty() {
                let replaced = running.replaced();
                let is_due = async {
                    match (self.settings.backend, queue.is_empty()) {
                        (Backend::Down, _) | (_, true) => std::future::pending().await,
                        (Backend::Slow, _) => tokio::time::sleep(Duration::from_secs(1)).await,
                        (Backend::Up, _) => {}
                    }
                };
                tokio::select! {
                    biased;
                    () = replaced => break,
                    () = is_due => if let Some(batch) = queue.pop_front() {
                        self.deliver(batch);
                    },
                    batch = input.recv(), if is_open => match batch {
                        Some(batch) => queue.push_back(batch),
                        None => is_open = false,
                    },
                }
            }
            if running.is_replaced() {
                while let Some(batch) = input.recv().await {
                    queue.push_back(batch);
                }
                queue.into_iter().for_each(|batch| running.succession.give_back(batch));
            }
            note(format!("end {}", self.name()));
            Ok(())
        })
    }
}

impl Replaceable {
    fn deliver(&self, batch: Batch) {
        let arrival = Arrival {
            sink: self.id.to_string(),
            version: self.settings.version,
            number: number(&batch),
        };
        ARRIVED.with_borrow_mut(|arrived| arrived.push(arrival));
        batch.ack.delivered();
    }
}

impl Connector for Replaceable {
    fn run(
        self: Box<Self>,
        mut input: Inbox,
        outputs: Outputs,
        running: Running,
    ) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let mut count: u64 = running.succession.inherit().unwrap_or_default();
            note(format!("run {} from {count}", self.name()));
            while let Some(batch) = input.recv().await {
                count += 1;
                outputs.send(batch).await;
            }
            running.succession.leave(count);
            Ok(())
        })
    }
}

impl Extension for Replaceable {
    fn offer(&self) -> Offer {
        Offer {
            storage: Some(Arc::new(MemoryStorage::new())),
            ..Offer::default()
        }
    }

    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        note(format!("start {}", self.name()));
        Box::pin(async { Ok(()) })
    }

    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            running.shutdown.cancelled().await;
            note(format!("end {}", self.name()));
            Ok(())
        })
    }
}

/// Processors hold their settings only.
impl Processor for Replaceable {
    fn process(&mut self, batch: Batch) -> Option<Batch> {
        Some(batch)
    }
}

fn factory<T: ?Sized>(type_name: &'static str, create: CreateFn<T>) -> Factory<T> {
    Factory {
        type_name,
        aliases: &[],
        signals: &[Signal::Logs, Signal::Metrics],
        makes: &[],
        description: "for tests of a reload",
        schema: collector_config::no_settings,
        create,
    }
}

/// Those of the graph's tests, and receiver `source`, processor `step`, connector `tally`, exporters `sink` and
/// `startonce`, extension `store`.
pub(crate) fn factories() -> Factories {
    let mut factories = crate::scripted::factories();
    let receiver = factory::<dyn Receiver>("source", |c| create(c, |component| component as _));
    factories.receivers.push(receiver);
    let processor = factory::<dyn Processor>("step", |c| create(c, |component| component as _));
    factories.processors.push(processor);
    let connector = factory::<dyn Connector>("tally", |c| create(c, |component| component as _));
    factories.connectors.push(Factory {
        makes: &[Signal::Logs],
        ..connector
    });
    let exporter = factory::<dyn Exporter>("sink", |c| create(c, |component| component as _));
    factories.exporters.push(exporter);
    let exporter = factory::<dyn Exporter>("startonce", |c| create(c, |component| component as _));
    factories.exporters.push(exporter);
    let extension = factory::<dyn Extension>("store", |c| create(c, |component| component as _));
    factories.extensions.push(extension);
    factories
}
