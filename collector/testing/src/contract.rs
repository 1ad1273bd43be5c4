//! The contract that every component passes; the model is `receivertest.CheckConsumeContract` of the Collector.
//!
//! * It acknowledges each batch exactly once, and not by dropping the acknowledgement.
//! * It ends without an error when its inbox closes; a receiver or extension when shutdown is signalled, not before.
//! * It drains in time: within [`DRAIN`] on the test's clock, which should be paused unless the component uses sockets.
//! * It reports health: it is never `Starting` once it works.
//! * It refuses an unknown key with the position of the key.

use std::time::Duration;

use collector_config::{Diagnostics, Position};
use collector_data::{Ack, Delivery, Outcome, Payload};
use collector_runtime::component::{Connector, Exporter, Extension, Factory, Processor, Receiver};
use collector_runtime::health::Status;
use tokio::time::timeout;

use crate::{Consumer, Host, Running, batch, one_item};

/// The longest time from closed inbox or signalled shutdown to the end: the collector's default grace period.
pub const DRAIN: Duration = Duration::from_secs(30);
/// The number of batches of each payload.
const BATCHES: usize = 3;
const UNKNOWN_KEY: &str = "no_such_key";

/// A component under test.
pub struct Subject<T: ?Sized> {
    factory: Factory<T>,
    yaml: String,
    host: Box<dyn Fn() -> Host>,
    build: Option<Box<Build<T>>>,
    payloads: Vec<Payload>,
}

type Build<T> = dyn Fn(&Host) -> Box<T>;

impl<T: ?Sized> Subject<T> {
    /// The component that the factory makes from valid settings, a YAML mapping in block style.
    pub fn new(factory: Factory<T>, yaml: impl Into<String>) -> Self {
        let type_name = factory.type_name;
        Subject {
            payloads: factory.signals.iter().map(|signal| one_item(*signal)).collect(),
            factory,
            yaml: yaml.into(),
            host: Box::new(move || Host::new(type_name)),
            build: None,
        }
    }

    /// Makes each host by `host`, for a component that uses extensions.
    #[must_use]
    pub fn with_host(self, host: impl Fn() -> Host + 'static) -> Self {
        Subject {
            host: Box::new(host),
            ..self
        }
    }

    /// Sends these payloads instead of one item of each signal, for a component that forwards only certain data.
    #[must_use]
    pub fn with_payloads(self, payloads: Vec<Payload>) -> Self {
        Subject { payloads, ..self }
    }

    /// Makes the running component by `build` instead of the factory, for a component with a scripted peer.
    #[must_use]
    pub fn with_build(self, build: impl Fn(&Host) -> Box<T> + 'static) -> Self {
        Subject {
            build: Some(Box::new(build)),
            ..self
        }
    }

    fn make(&self, host: &Host) -> Box<T> {
        match &self.build {
            Some(build) => build(host),
            None => self
                .create(host, &self.yaml)
                .unwrap_or_else(|errors| panic!("{errors}")),
        }
    }

    fn create(&self, host: &Host, yaml: &str) -> Result<Box<T>, Diagnostics> {
        host.create(&self.factory, yaml)
    }

    fn refuses_an_unknown_key(&self) {
        let settings = self.yaml.trim_end();
        let (yaml, line) = match settings {
            "" | "{}" => (format!("{UNKNOWN_KEY}: 1\n"), 1),
            _ => {
                let line = settings.lines().count() as u32 + 1;
                (format!("{settings}\n{UNKNOWN_KEY}: 1\n"), line)
            }
        };
        let Err(errors) = self.create(&(self.host)(), &yaml) else {
            panic!("accepts the unknown key {UNKNOWN_KEY}")
        };
        let position = Position {
            source: "yaml".into(),
            line,
            column: 1,
        };
        let is_reported = errors
            .0
            .iter()
            .any(|error| error.position.as_ref() == Some(&position) && error.to_string().contains(UNKNOWN_KEY));
        assert!(is_reported, "no error at {position} names {UNKNOWN_KEY}: {errors}");
    }

    async fn send_all(&self, running: &Running) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for payload in &self.payloads {
            for _ in 0..BATCHES {
                deliveries.push(running.send(payload.clone()).await);
            }
        }
        deliveries
    }
}

/// Checks the contract of an exporter.
///
/// # Panics
/// If it is broken.
pub async fn exporter(subject: &Subject<dyn Exporter>) {
    subject.refuses_an_unknown_key();
    let host = (subject.host)();
    let mut running = Running::exporter(&host, subject.make(&host)).await.unwrap();
    let deliveries = subject.send_all(&running).await;
    running.close_inbox();
    let ended = in_time("the inbox closed", running.ended()).await;
    ended.unwrap_or_else(|error| panic!("ended with an error: {error}"));
    acknowledged(deliveries).await;
    reported(&host);
}

/// Checks the contract of a connector: behind it, each batch is delivered, then each batch is rejected.
///
/// # Panics
/// If it is broken.
pub async fn connector(subject: &Subject<dyn Connector>) {
    subject.refuses_an_unknown_key();
    for outcome in [Outcome::Delivered, Outcome::Rejected("refused".into())] {
        let host = (subject.host)();
        let (outputs, mut consumer) = Consumer::new();
        let connector = subject.make(&host);
        let mut running = Running::connector(&host, connector, outputs).await.unwrap();
        let deliveries = subject.send_all(&running).await;
        running.close_inbox();
        // It drops its outputs before it waits for their outcome, so that exporters can end.
        let mut batches = Vec::new();
        let drained = async {
            while let Some(batch) = consumer.recv().await {
                batches.push(batch);
            }
        };
        in_time("the inbox closed", drained).await;
        assert!(!batches.is_empty(), "emits nothing; choose other payloads");
        for batch in batches {
            batch.ack.decide(outcome.clone());
        }
        let ended = in_time("the inbox closed", running.ended()).await;
        ended.unwrap_or_else(|error| panic!("ended with an error: {error}"));
        let outcomes = acknowledged(deliveries).await;
        match outcome {
            Outcome::Delivered => assert!(outcomes.iter().all(|o| *o == Outcome::Delivered), "{outcomes:?}"),
            _ => assert!(outcomes.contains(&outcome), "hides a rejection: {outcomes:?}"),
        }
        reported(&host);
    }
}

/// Checks the contract of a processor, which has no health of its own.
///
/// # Panics
/// If it is broken.
pub async fn processor(subject: &Subject<dyn Processor>) {
    subject.refuses_an_unknown_key();
    let host = (subject.host)();
    let mut processor = subject.make(&host);
    for payload in &subject.payloads {
        for outcome in [Outcome::Delivered, Outcome::Rejected("refused".into())] {
            let (batch, delivery) = batch(payload.clone());
            match processor.process(batch) {
                Some(batch) => {
                    batch.ack.decide(outcome.clone());
                    assert_eq!(delivery.await, outcome, "changes the outcome");
                }
                None => drop(acknowledged(vec![delivery]).await),
            }
        }
    }
}

/// Checks the contract of a receiver. Events that it emits are delivered.
///
/// # Panics
/// If it is broken.
pub async fn receiver(subject: &Subject<dyn Receiver>) {
    subject.refuses_an_unknown_key();
    let host = (subject.host)();
    let (outputs, mut consumer) = Consumer::new();
    let receiver = subject.make(&host);
    let running = Running::receiver(&host, receiver, outputs).await.unwrap();
    let consume = tokio::spawn(async move {
        while let Some(batch) = consumer.recv().await {
            batch.ack.delivered();
        }
    });
    let status = in_time("the start", host.until(|status| *status != Status::Starting)).await;
    assert!(!running.is_finished(), "ended before shutdown: {status:?}");
    running.shut_down();
    let ended = in_time("shutdown", running.ended()).await;
    ended.unwrap_or_else(|error| panic!("ended with an error: {error}"));
    in_time("shutdown", consume).await.unwrap();
}

/// Checks the contract of an extension.
///
/// # Panics
/// If it is broken.
pub async fn extension(subject: &Subject<dyn Extension>) {
    subject.refuses_an_unknown_key();
    let host = (subject.host)();
    let running = Running::extension(&host, subject.make(&host)).await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!running.is_finished(), "ended before shutdown");
    reported(&host);
    running.shut_down();
    let ended = in_time("shutdown", running.ended()).await;
    ended.unwrap_or_else(|error| panic!("ended with an error: {error}"));
}

async fn in_time<T>(since: &str, end: impl Future<Output = T>) -> T {
    let ended = timeout(DRAIN, end).await;
    ended.unwrap_or_else(|_| panic!("not done {DRAIN:?} after {since}"))
}

/// That each batch has an outcome, and none by a dropped acknowledgement.
async fn acknowledged(deliveries: Vec<Delivery>) -> Vec<Outcome> {
    let (ack, undecided) = Ack::new();
    drop(ack);
    let undecided = undecided.await;
    let mut outcomes = Vec::new();
    for delivery in deliveries {
        let outcome = in_time("the end", delivery).await;
        assert_ne!(outcome, undecided, "drops an acknowledgement without deciding it");
        outcomes.push(outcome);
    }
    outcomes
}

fn reported(host: &Host) {
    let status = host.status();
    assert!(
        matches!(status, Status::Ok | Status::RecoverableError(_) | Status::Stopped),
        "{status:?}"
    );
}
