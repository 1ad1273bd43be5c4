//! The contract finds broken components.

use collector_data::{Batch, Signal};
use collector_runtime::Inbox;
use collector_runtime::component::{ComponentError, Exporter, Extension, Factory, Running};
use collector_testing::contract::{self, Subject};
use futures_util::future::BoxFuture;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Strict {}

/// An exporter that handles each batch by a function.
struct Simple {
    handle: fn(Batch),
    ends: bool,
}

impl Exporter for Simple {
    fn run(self: Box<Self>, mut input: Inbox, _: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            while let Some(batch) = input.recv().await {
                (self.handle)(batch);
            }
            match self.ends {
                true => Ok(()),
                false => std::future::pending().await,
            }
        })
    }
}

fn exporter(create: collector_runtime::component::CreateFn<dyn Exporter>) -> Subject<dyn Exporter> {
    let factory = Factory {
        type_name: "simple",
        aliases: &[],
        signals: &Signal::ALL,
        makes: &[],
        description: "for tests",
        schema: collector_config::no_settings,
        create,
    };
    Subject::new(factory, "{}")
}

#[tokio::test(start_paused = true)]
async fn accepts_a_correct_exporter() {
    let subject = exporter(|create| {
        let Strict {} = create.settings.read()?;
        let handle = |batch: Batch| batch.ack.delivered();
        Ok(Box::new(Simple { handle, ends: true }))
    });
    contract::exporter(&subject).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "drops an acknowledgement")]
async fn finds_a_dropped_acknowledgement() {
    let subject = exporter(|create| {
        let Strict {} = create.settings.read()?;
        Ok(Box::new(Simple {
            handle: drop,
            ends: true,
        }))
    });
    contract::exporter(&subject).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "not done 30s after the inbox closed")]
async fn finds_an_exporter_that_does_not_end() {
    let subject = exporter(|create| {
        let Strict {} = create.settings.read()?;
        let handle = |batch: Batch| batch.ack.delivered();
        Ok(Box::new(Simple { handle, ends: false }))
    });
    contract::exporter(&subject).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "accepts the unknown key")]
async fn finds_an_accepted_unknown_key() {
    let subject = exporter(|_| {
        let handle = |batch: Batch| batch.ack.delivered();
        Ok(Box::new(Simple { handle, ends: true }))
    });
    contract::exporter(&subject).await;
}

struct EndsAtOnce;

impl Extension for EndsAtOnce {
    fn run(self: Box<Self>, _: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "ended before shutdown")]
async fn finds_an_extension_that_ends_before_shutdown() {
    let factory: Factory<dyn Extension> = Factory {
        type_name: "ends",
        aliases: &[],
        signals: &[],
        makes: &[],
        description: "for tests",
        schema: collector_config::no_settings,
        create: |create| {
            let Strict {} = create.settings.read()?;
            Ok(Box::new(EndsAtOnce))
        },
    };
    contract::extension(&Subject::new(factory, "{}")).await;
}
