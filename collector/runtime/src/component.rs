//! The traits of components, and the factories that make components from settings.
//!
//! Components are made without any I/O (`validate` makes them all), then started (exporters first), then run as
//! one task each. A component whose `run` ends before the shutdown ends the process.
//!
//! The status of a component is [`Starting`](crate::health::Status::Starting) once it is created. A **receiver**
//! reports `Ok` itself, when its first data is complete (the first list has arrived). Every **other** component is
//! reported `Ok` by the runtime right before its `run` begins, and reports changes only. The runtime reports `Stopped`
//! at a clean end and `PermanentError` when a component fails.

use std::fmt;

use futures_util::future::BoxFuture;
use opentelemetry::metrics::Meter;
use tokio_util::sync::CancellationToken;

use crate::health::Reporter;
use crate::outlet::{Inbox, Outputs};
use crate::process_status::Process;
use crate::storage::{Offer, Provided};
use crate::succession::Succession;
use collector_config::{ComponentId, Diagnostics, SchemaFn, Settings};
use collector_data::{Batch, Signal};

/// The error with which a component fails to start or ends. Its text is for the operator of the collector.
pub type ComponentError = Box<dyn std::error::Error + Send + Sync>;

/// The kind of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Brings data in.
    Receiver,
    /// Changes data.
    Processor,
    /// Ends one pipeline and begins another.
    Connector,
    /// Sends data out.
    Exporter,
    /// Runs beside the pipelines.
    Extension,
}

impl Kind {
    /// Every kind, in the order in which a configuration lists them.
    pub const ALL: [Kind; 5] = [
        Kind::Receiver,
        Kind::Processor,
        Kind::Connector,
        Kind::Exporter,
        Kind::Extension,
    ];

    /// The section of the configuration for components of this kind.
    pub fn section(self) -> &'static str {
        match self {
            Kind::Receiver => "receivers",
            Kind::Processor => "processors",
            Kind::Connector => "connectors",
            Kind::Exporter => "exporters",
            Kind::Extension => "extensions",
        }
    }

    /// The path of the component `id` of this kind in the configuration: `exporters::debug`.
    pub fn path(self, id: &ComponentId) -> String {
        format!("{}::{id}", self.section())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Receiver => "receiver",
            Kind::Processor => "processor",
            Kind::Connector => "connector",
            Kind::Exporter => "exporter",
            Kind::Extension => "extension",
        })
    }
}

/// The environment of a running component.
#[derive(Clone, Debug)]
pub struct Running {
    /// Cancelled when the component should stop. Only receivers and extensions need to watch it: the others stop when
    /// their inbox is closed and empty. An exporter may watch it to finish sooner.
    pub shutdown: CancellationToken,
    /// Reports the component's status.
    pub health: Reporter,
    /// Connects the component with the one that a reload replaces, and with the one that replaces it.
    pub succession: Succession,
}

impl Running {
    /// True if the component should stop because a reload replaces it.
    pub fn is_replaced(&self) -> bool {
        self.shutdown.is_cancelled() && self.succession.is_replaced()
    }

    /// Resolves when the component should stop because a reload replaces it.
    pub async fn replaced(&self) {
        self.shutdown.cancelled().await;
        self.succession.replaced().await;
    }
}

/// Brings data in.
pub trait Receiver: Send {
    /// Prepares to run; an error ends the process before any data flows.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async { Ok(()) })
    }

    /// Runs until `running.shutdown` is cancelled, then returns `Ok`.
    fn run(self: Box<Self>, outputs: Outputs, running: Running) -> BoxFuture<'static, Result<(), ComponentError>>;
}

/// Changes data. A pure step: no I/O, no waiting.
pub trait Processor: Send {
    /// Changes a batch, or keeps it (and then decides its acknowledgement).
    fn process(&mut self, batch: Batch) -> Option<Batch>;
}

/// Ends one pipeline and begins another, often with another signal.
pub trait Connector: Send {
    /// Prepares to run; an error ends the process before any data flows.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async { Ok(()) })
    }

    /// Runs until `input` is closed and empty, sends the data it still holds, then returns `Ok`.
    fn run(
        self: Box<Self>,
        input: Inbox,
        outputs: Outputs,
        running: Running,
    ) -> BoxFuture<'static, Result<(), ComponentError>>;
}

/// Sends data out.
pub trait Exporter: Send {
    /// Receives the signals of its pipelines, before it starts and also in `validate`, to warn of settings that do not
    /// fit them ([`Settings::warn`]).
    fn connected(&self, _signals: &[Signal]) {}

    /// Prepares to run; an error ends the process before any data flows.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async { Ok(()) })
    }

    /// Runs until `input` is closed and everything taken from it is decided, then returns `Ok`.
    fn run(self: Box<Self>, input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>>;
}

/// Runs beside the pipelines: a health endpoint, a store.
pub trait Extension: Send {
    /// The service it offers to other components; called once, on creation. None by default.
    fn offer(&self) -> Offer {
        Offer::default()
    }

    /// Prepares to run (binds its port); an error ends the process before any data flows.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async { Ok(()) })
    }

    /// Runs until `running.shutdown` is cancelled, then returns `Ok`.
    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>>;
}

/// The input of a factory.
pub struct Create<'a> {
    /// The component's id in the configuration.
    pub id: &'a ComponentId,
    /// Its settings.
    pub settings: &'a Settings,
    /// For the collector's own metrics (`otelcol_…`).
    pub meter: &'a Meter,
    /// The status of every component, for an extension that shows it.
    pub health: &'a crate::health::Health,
    /// The services that extensions offer.
    pub provided: &'a Provided,
}

impl Create<'_> {
    /// Takes snapshots of the process, for a component that shows it.
    pub fn process(&self) -> Process {
        Process::new(self.health)
    }
}

/// Makes a component of one kind from its settings, without any I/O; on failure every error with its position.
pub type CreateFn<T> = fn(&Create<'_>) -> Result<Box<T>, Diagnostics>;

/// One kind of component the binary knows.
pub struct Factory<T: ?Sized> {
    /// Its type in the configuration.
    pub type_name: &'static str,
    /// Other spellings that are accepted, such as the collector's older names.
    pub aliases: &'static [&'static str],
    /// The signals it consumes (processor, connector, exporter) or produces (receiver); none for an extension.
    pub signals: &'static [Signal],
    /// The signals a connector produces; empty for all other kinds.
    pub makes: &'static [Signal],
    /// One line on what it does.
    pub description: &'static str,
    /// The JSON Schema of its settings, for editors: `schema_of::<Settings>`, or `no_settings`.
    pub schema: SchemaFn,
    /// Makes it.
    pub create: CreateFn<T>,
}

impl<T: ?Sized> Clone for Factory<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Factory<T> {}

/// Every component the binary knows, by kind.
pub struct Factories {
    /// Receivers.
    pub receivers: Vec<Factory<dyn Receiver>>,
    /// Processors.
    pub processors: Vec<Factory<dyn Processor>>,
    /// Connectors.
    pub connectors: Vec<Factory<dyn Connector>>,
    /// Exporters.
    pub exporters: Vec<Factory<dyn Exporter>>,
    /// Extensions.
    pub extensions: Vec<Factory<dyn Extension>>,
}
