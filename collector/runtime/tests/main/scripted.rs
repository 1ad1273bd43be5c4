//! Components that follow a script and record their calls, for the tests of graph and runtime.
//!
//! Each test runs on its own thread with its runtimes, so each has its own journal.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use tokio::sync::mpsc;

use collector_config::{ComponentId, Config, Diagnostics, Located, Pipeline, PipelineId, Position, Service, Settings};
use collector_data::{Ack, Delivery};
use collector_data::{Batch, Payload, Signal};
use collector_runtime::component::*;
use collector_runtime::outlet::{Inbox, Outputs};

thread_local! {
    static JOURNAL: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static FEEDS: RefCell<HashMap<String, mpsc::UnboundedReceiver<Command>>> = RefCell::new(HashMap::new());
}

/// Writes a line into the journal.
pub(crate) fn note(line: impl Into<String>) {
    JOURNAL.with_borrow_mut(|journal| journal.push(line.into()));
}

/// Takes the entries of the journal.
pub(crate) fn journal() -> Vec<String> {
    JOURNAL.take()
}

/// The next step of a `feed` receiver.
pub(crate) enum Command {
    Send(Batch),
    Fail(&'static str),
    Panic(&'static str),
    End,
}

/// The commands for the receiver `id`, before the graph is built.
pub(crate) fn feed(id: &str) -> mpsc::UnboundedSender<Command> {
    let (sender, receiver) = mpsc::unbounded_channel();
    FEEDS.with_borrow_mut(|feeds| feeds.insert(id.to_owned(), receiver));
    sender
}

/// One log record, and its outcome.
pub(crate) fn one_log() -> (Batch, Delivery) {
    let (ack, delivery) = Ack::new();
    let records = ScopeLogs {
        log_records: vec![LogRecord::default()],
        ..Default::default()
    };
    let resource = ResourceLogs {
        scope_logs: vec![records],
        ..Default::default()
    };
    (Batch::new(Payload::Logs(vec![resource]), ack), delivery)
}

/// A component with its id; its behavior depends on the type name.
struct Scripted(ComponentId);

impl Scripted {
    fn starts(&self) -> Result<(), ComponentError> {
        match self.0.type_name.as_str() {
            "badstart" => Err("the port is taken".into()),
            "panicstart" => panic!("no port"),
            _ => {
                note(format!("start {}", self.0));
                Ok(())
            }
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        note(format!("drop {}", self.0));
    }
}

impl Receiver for Scripted {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            if self.0.type_name == "slowstart" {
                std::future::pending::<()>().await;
            }
            self.starts()
        })
    }

    fn run(self: Box<Self>, outputs: Outputs, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            running.health.report(collector_runtime::health::Status::Ok);
            let mut commands = FEEDS.with_borrow_mut(|feeds| feeds.remove(&self.0.to_string()));
            loop {
                let next = async {
                    match &mut commands {
                        Some(commands) => commands.recv().await,
                        None => None,
                    }
                };
                let command = tokio::select! {
                    biased;
                    () = running.shutdown.cancelled() => return Ok(()),
                    Some(command) = next => command,
                    else => {
                        running.shutdown.cancelled().await;
                        return Ok(());
                    }
                };
                match command {
                    Command::Send(batch) => {
                        tokio::select! {
                            () = running.shutdown.cancelled() => return Ok(()),
                            () = outputs.send(batch) => note("sent"),
                        }
                    }
                    Command::Fail(why) => return Err(why.into()),
                    Command::Panic(why) => panic!("{why}"),
                    Command::End => return Ok(()),
                }
            }
        })
    }
}

impl Processor for Scripted {
    fn process(&mut self, batch: Batch) -> Option<Batch> {
        note(format!("{} {}", self.0, batch.payload.signal()));
        match self.0.type_name.as_str() {
            "bomb" => panic!("boom"),
            "sieve" => {
                batch.ack.delivered();
                None
            }
            _ => Some(batch),
        }
    }
}

impl Connector for Scripted {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async { self.starts() })
    }

    fn run(
        self: Box<Self>,
        mut input: Inbox,
        outputs: Outputs,
        _: Running,
    ) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            while let Some(mut batch) = input.recv().await {
                note(format!("{} {}", self.0, batch.payload.signal()));
                if self.0.type_name == "count" {
                    batch.payload = Arc::new(Payload::Metrics(Vec::new()));
                }
                outputs.send(batch).await;
            }
            Ok(())
        })
    }
}

impl Exporter for Scripted {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async { self.starts() })
    }

    fn run(self: Box<Self>, mut input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            while let Some(batch) = input.recv().await {
                note(format!("{} {}", self.0, batch.payload.signal()));
                match self.0.type_name.as_str() {
                    "fails" => return Err("the disk is full".into()),
                    "panics" => panic!("boom"),
                    "ends" => return Ok(()),
                    "rejects" => batch.ack.rejected("400"),
                    "stalls" => std::future::pending().await,
                    "patient" => {
                        running.shutdown.cancelled().await;
                        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
                        batch.ack.delivered();
                    }
                    _ => batch.ack.delivered(),
                }
            }
            Ok(())
        })
    }
}

impl Extension for Scripted {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async { self.starts() })
    }

    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            note(format!("run {}", self.0));
            running.shutdown.cancelled().await;
            Ok(())
        })
    }
}

fn refuse_bad(create: &Create<'_>) -> Result<Box<Scripted>, Diagnostics> {
    note(format!("make {}", create.id));
    create.meter.u64_counter("made").build().add(1, &[]);
    match create.id.name.as_deref() {
        Some("bad") => Err(Diagnostics(vec![
            create.settings.error("key", format!("error in {}", create.id)),
        ])),
        _ => Ok(Box::new(Scripted(create.id.clone()))),
    }
}

fn factory<T: ?Sized>(type_name: &'static str, signals: &'static [Signal], create: CreateFn<T>) -> Factory<T> {
    Factory {
        type_name,
        aliases: &[],
        signals,
        makes: &[],
        description: "for tests",
        schema: collector_config::no_settings,
        create,
    }
}

/// Receivers `feed` (logs), `metricfeed`, `slowstart`; processors `tag`, `bomb`, `sieve`; connectors `count` (logs to
/// metrics), `forward`; exporters `good` (alias `fine`) and those that fail in some way; extension `ext`.
pub(crate) fn factories() -> Factories {
    const LOGS: &[Signal] = &[Signal::Logs];
    const ALL: &[Signal] = &Signal::ALL;
    let receiver = |name, signals| factory::<dyn Receiver>(name, signals, |c| refuse_bad(c).map(|x| x as _));
    let exporter = |name, signals| factory::<dyn Exporter>(name, signals, |c| refuse_bad(c).map(|x| x as _));
    let extension = |name| factory::<dyn Extension>(name, &[], |c| refuse_bad(c).map(|x| x as _));
    let processor = |name| factory::<dyn Processor>(name, ALL, |c| refuse_bad(c).map(|x| x as _));
    let connector = |name, signals, makes| Factory {
        makes,
        ..factory::<dyn Connector>(name, signals, |c| refuse_bad(c).map(|x| x as _))
    };
    let good = Factory {
        aliases: &["fine"],
        ..exporter("good", ALL)
    };
    Factories {
        receivers: vec![
            receiver("feed", LOGS),
            receiver("metricfeed", &[Signal::Metrics]),
            receiver("slowstart", ALL),
        ],
        processors: vec![processor("tag"), processor("bomb"), processor("sieve")],
        connectors: vec![
            connector("count", LOGS, &[Signal::Metrics]),
            connector("forward", ALL, ALL),
        ],
        exporters: vec![
            good,
            exporter("fails", ALL),
            exporter("panics", ALL),
            exporter("ends", ALL),
            exporter("rejects", ALL),
            exporter("stalls", ALL),
            exporter("patient", ALL),
            exporter("badstart", ALL),
            exporter("panicstart", ALL),
            exporter("logsonly", LOGS),
        ],
        extensions: vec![extension("ext"), extension("badstart")],
    }
}

/// A configuration from lines such as `exporters: good, good/b={version: 2}`, `extensions: ext`, `service: ext`, and for a
/// pipeline `logs/a: feed | tag, tag/b | good`. Positions are those in the text.
pub(crate) fn config(text: &str) -> Config {
    let settings = || Settings::from_yaml("{}").unwrap();
    let mut config = Config {
        receivers: BTreeMap::new(),
        processors: BTreeMap::new(),
        connectors: BTreeMap::new(),
        exporters: BTreeMap::new(),
        extensions: BTreeMap::new(),
        service: Service {
            extensions: Vec::new(),
            pipelines: BTreeMap::new(),
            telemetry: settings(),
        },
        warnings: collector_config::Warnings::default(),
    };
    for (number, line) in text.lines().enumerate() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let ids = |part: &str| -> Vec<Located<ComponentId>> {
            let words = part.split(',').map(str::trim).filter(|word| !word.is_empty());
            words
                .map(|word| Located {
                    value: id(word),
                    position: Position {
                        source: "test".into(),
                        line: number as u32 + 1,
                        column: (word.as_ptr() as usize - line.as_ptr() as usize) as u32 + 1,
                    },
                })
                .collect()
        };
        let section = match key.trim() {
            "receivers" => &mut config.receivers,
            "processors" => &mut config.processors,
            "connectors" => &mut config.connectors,
            "exporters" => &mut config.exporters,
            "extensions" => &mut config.extensions,
            "service" => {
                config.service.extensions = ids(value);
                continue;
            }
            pipeline => {
                let parts: Vec<&str> = value.split('|').collect();
                let pipeline_id = id(pipeline);
                let signal = Signal::ALL
                    .into_iter()
                    .find(|s| s.as_str() == pipeline_id.type_name)
                    .unwrap();
                config.service.pipelines.insert(
                    PipelineId {
                        signal,
                        name: pipeline_id.name,
                    },
                    Pipeline {
                        position: Position {
                            source: "test".into(),
                            line: number as u32 + 1,
                            column: 1,
                        },
                        receivers: ids(parts[0]),
                        processors: ids(parts[1]),
                        exporters: ids(parts[2]),
                    },
                );
                continue;
            }
        };
        for word in words(value) {
            let (name, yaml) = word.split_once('=').unwrap_or((word, "{}"));
            section.insert(id(name), Settings::from_yaml(yaml).unwrap());
        }
    }
    config
}

fn id(word: &str) -> ComponentId {
    let (type_name, name) = match word.split_once('/') {
        Some((type_name, name)) => (type_name, Some(name.to_owned())),
        None => (word, None),
    };
    ComponentId {
        type_name: type_name.to_owned(),
        name,
    }
}

/// The parts of a list, of which some are `id={key: value, key: value}`.
fn words(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let words = list.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    words.map(str::trim).filter(|word| !word.is_empty()).collect()
}
