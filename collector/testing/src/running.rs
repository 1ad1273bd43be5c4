use collector_data::{Batch, Delivery, Payload, Signal};
use collector_runtime::component::{
    ComponentError, Connector, Exporter, Extension, Receiver, Running as RunningComponent,
};
use collector_runtime::health::Status;
use collector_runtime::{Inbox, Outlet, Outputs};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::Host;

/// Batches that wait between the test and a component, for each signal.
const CAPACITY: usize = 64;

/// The component behind a receiver or connector.
pub struct Consumer {
    input: Inbox,
}

impl Consumer {
    /// Outputs of all signals, and the consumer behind them.
    pub fn new() -> (Outputs, Consumer) {
        let mut input = Inbox::empty();
        let mut outlet = || {
            let (sender, receiver) = mpsc::channel(CAPACITY);
            input.add(receiver);
            Outlet::new(vec![(crate::id("consumer"), sender)])
        };
        let outputs = Outputs {
            logs: outlet(),
            metrics: outlet(),
            traces: outlet(),
        };
        (outputs, Consumer { input })
    }

    /// The next batch; `None` once the producer has dropped its outputs.
    pub async fn recv(&mut self) -> Option<Batch> {
        self.input.recv().await
    }
}

/// A started component that runs as a task, as the runtime runs it.
pub struct Running {
    /// The inputs by signal, in the order of [`Signal::ALL`]; empty for receivers and extensions.
    inputs: Vec<mpsc::Sender<Batch>>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), ComponentError>>,
}

impl Running {
    /// Starts and runs an exporter.
    ///
    /// # Errors
    /// If the exporter does not start.
    pub async fn exporter(host: &Host, mut exporter: Box<dyn Exporter>) -> Result<Self, ComponentError> {
        exporter.start().await?;
        let (inputs, input) = inbox();
        Ok(Running::spawn(host, inputs, true, |running| {
            exporter.run(input, running)
        }))
    }

    /// Starts and runs a connector.
    ///
    /// # Errors
    /// If the connector does not start.
    pub async fn connector(
        host: &Host,
        mut connector: Box<dyn Connector>,
        outputs: Outputs,
    ) -> Result<Self, ComponentError> {
        connector.start().await?;
        let (inputs, input) = inbox();
        let run = |running| connector.run(input, outputs, running);
        Ok(Running::spawn(host, inputs, true, run))
    }

    /// Starts and runs a receiver.
    ///
    /// # Errors
    /// If the receiver does not start.
    pub async fn receiver(
        host: &Host,
        mut receiver: Box<dyn Receiver>,
        outputs: Outputs,
    ) -> Result<Self, ComponentError> {
        receiver.start().await?;
        Ok(Running::spawn(host, Vec::new(), false, |running| {
            receiver.run(outputs, running)
        }))
    }

    /// Starts and runs an extension.
    ///
    /// # Errors
    /// If the extension does not start.
    pub async fn extension(host: &Host, mut extension: Box<dyn Extension>) -> Result<Self, ComponentError> {
        extension.start().await?;
        Ok(Running::spawn(host, Vec::new(), true, |running| extension.run(running)))
    }

    fn spawn<F>(
        host: &Host,
        inputs: Vec<mpsc::Sender<Batch>>,
        is_reported_ok: bool,
        run: impl FnOnce(RunningComponent) -> F,
    ) -> Self
    where
        F: Future<Output = Result<(), ComponentError>> + Send + 'static,
    {
        let shutdown = CancellationToken::new();
        let health = host.health.reporter(&host.id);
        if is_reported_ok {
            health.report(Status::Ok);
        }
        let running = RunningComponent {
            shutdown: shutdown.clone(),
            health,
            succession: Default::default(),
        };
        Running {
            inputs,
            shutdown,
            task: tokio::spawn(run(running)),
        }
    }

    /// Sends a payload to the component; the future resolves with its outcome.
    ///
    /// # Panics
    /// If the component has ended, or takes no input.
    pub async fn send(&self, payload: Payload) -> Delivery {
        let (batch, delivery) = crate::batch(payload);
        let signal = batch.payload.signal();
        let at = Signal::ALL.iter().position(|known| *known == signal).unwrap();
        self.inputs[at].send(batch).await.unwrap();
        delivery
    }

    /// Closes the component's inbox: no more batches come.
    pub fn close_inbox(&mut self) {
        self.inputs.clear();
    }

    /// Signals shutdown without waiting for the end.
    pub fn shut_down(&self) {
        self.shutdown.cancel();
    }

    /// True once the component has ended.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits until the component ends without a signal.
    ///
    /// # Errors
    /// The error with which it ends, or its panic.
    pub async fn ended(mut self) -> Result<(), ComponentError> {
        (&mut self.task).await?
    }

    /// Signals shutdown, closes the inbox, and waits for the end.
    ///
    /// # Errors
    /// The error with which it ends, or its panic.
    pub async fn stop(mut self) -> Result<(), ComponentError> {
        self.shut_down();
        self.close_inbox();
        self.ended().await
    }

    /// Kills the component: nothing is flushed or acknowledged.
    pub async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn inbox() -> (Vec<mpsc::Sender<Batch>>, Inbox) {
    let mut input = Inbox::empty();
    let inputs = Signal::ALL.map(|_| {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        input.add(receiver);
        sender
    });
    (inputs.into(), input)
}
