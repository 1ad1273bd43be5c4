//! A part that was made: one component, or the processors of a pipeline.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use opentelemetry::metrics::Meter;

use super::error::{Failure, Why, panic_text};
use crate::component::{ComponentError, Connector, Exporter, Extension, Processor, Receiver, Running};
use crate::graph::{GraphPart, Recipe, Spec};
use crate::health::Health;
use crate::outlet::{Inbox, Outlet, Outputs};
use crate::storage::{Offer, Provided};
use collector_data::Signal;

/// The component of a part.
pub(super) enum Instance {
    Extension(Box<dyn Extension>),
    Exporter(Box<dyn Exporter>),
    Connector(Box<dyn Connector>),
    /// Each processor with its path, and the signal of the pipeline.
    Chain(Vec<(String, Box<dyn Processor>)>, Option<Signal>),
    Receiver(Box<dyn Receiver>),
}

impl Instance {
    /// Makes the component.
    ///
    /// # Errors
    /// The settings were valid when the graph was built, so an error is about something that changed since.
    pub(super) fn create(
        part: &GraphPart,
        meter: &Meter,
        health: &Health,
        provided: &Provided,
    ) -> Result<Self, Failure> {
        let created = match &part.recipe {
            Recipe::Extension(spec) => spec.create(meter, health, provided).map(Instance::Extension),
            Recipe::Exporter(spec) => spec.create(meter, health, provided).map(Instance::Exporter),
            Recipe::Connector(spec) => spec.create(meter, health, provided).map(Instance::Connector),
            Recipe::Receiver(spec) => spec.create(meter, health, provided).map(Instance::Receiver),
            Recipe::Chain(specs) => {
                let create =
                    |spec: &Spec<dyn Processor>| Ok((spec.path.clone(), spec.create(meter, health, provided)?));
                let processors: Result<_, _> = specs.iter().map(create).collect();
                processors.map(|processors| Instance::Chain(processors, part.inputs.first().copied()))
            }
        };
        created.map_err(|errors| failed(part, errors.to_string().into()))
    }

    /// The service that an extension offers; none of others.
    pub(super) fn offer(&self) -> Offer {
        match self {
            Instance::Extension(extension) => extension.offer(),
            _ => Offer::default(),
        }
    }

    /// Prepares to run.
    ///
    /// # Errors
    /// The error or the panic of the component.
    pub(super) async fn start(&mut self, part: &GraphPart) -> Result<(), Failure> {
        tracing::debug!(component = &*part.path, "starting");
        let starting = match self {
            Instance::Extension(extension) => extension.start(),
            Instance::Exporter(exporter) => exporter.start(),
            Instance::Connector(connector) => connector.start(),
            Instance::Receiver(receiver) => receiver.start(),
            Instance::Chain(..) => return Ok(()),
        };
        match AssertUnwindSafe(starting).catch_unwind().await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed(part, error)),
            Err(panic) => Err(failed(part, format!("panicked: {}", panic_text(&*panic)).into())),
        }
    }

    /// Runs until its end.
    pub(super) fn run(
        self,
        input: Inbox,
        mut outputs: Outputs,
        running: Running,
    ) -> BoxFuture<'static, Result<(), ComponentError>> {
        match self {
            Instance::Extension(extension) => extension.run(running),
            Instance::Exporter(exporter) => exporter.run(input, running),
            Instance::Connector(connector) => connector.run(input, outputs, running),
            Instance::Receiver(receiver) => receiver.run(outputs, running),
            Instance::Chain(processors, signal) => {
                let outlet = signal.map(|signal| std::mem::take(outputs.of(signal)));
                Box::pin(process(processors, input, outlet.unwrap_or_default()))
            }
        }
    }
}

fn failed(part: &GraphPart, error: ComponentError) -> Failure {
    Failure {
        component: part.path.to_string(),
        why: Why::Start(error),
    }
}

/// Takes batch after batch through all processors, until the input is closed and empty.
///
/// A panic in a processor is an error that names it; the batch it held is lost and acknowledged as such.
async fn process(
    mut processors: Vec<(String, Box<dyn Processor>)>,
    mut input: Inbox,
    outlet: Outlet,
) -> Result<(), ComponentError> {
    while let Some(batch) = input.recv().await {
        let mut left = Some(batch);
        for (path, processor) in &mut processors {
            let Some(batch) = left else { break };
            left = catch_unwind(AssertUnwindSafe(|| processor.process(batch)))
                .map_err(|panic| format!("{path} panicked: {}", panic_text(&*panic)))?;
        }
        if let Some(batch) = left {
            outlet.send(batch).await;
        }
    }
    Ok(())
}
