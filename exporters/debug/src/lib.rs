//! Exporter `debug`: writes telemetry to standard error, for people who read it.
//!
//! * `verbosity: basic`: one line for each batch, with counts.
//! * `verbosity: normal`: one line for each log record, metric point and span; long values are cut.
//! * `verbosity: detailed`: all fields.
//!
//! Control characters are escaped, so data cannot disturb the terminal.

mod basic;
mod detailed;
mod detailed_metrics;
mod normal;
#[cfg(test)]
mod samples;
mod text;
mod value;

use std::io::{self, Write};

use collector_config::{Diagnostics, schema_of};
use collector_data::{Payload, Signal};
use collector_runtime::Inbox;
use collector_runtime::component::{ComponentError, Create, Exporter, Factory, Running};
use collector_runtime::health::Status;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;

/// The factory of exporter `debug`.
pub fn factory() -> Factory<dyn Exporter> {
    Factory {
        type_name: "debug",
        aliases: &[],
        signals: &Signal::ALL,
        makes: &[],
        description: "Writes telemetry to standard error",
        schema: schema_of::<DebugSettings>,
        create: |create| Ok(Box::new(Debug::new(create)?)),
    }
}

/// The amount of output: `basic`, one line for each batch; `normal`, one line for each log record, point or span;
/// `detailed`, all fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Verbosity {
    /// One line for each batch.
    #[default]
    Basic,
    /// One line for each item.
    Normal,
    /// All fields.
    Detailed,
}

/// An output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OutputPath {
    Stderr,
    Stdout,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct DebugSettings {
    /// The amount of output: `basic`, one line for each batch; `normal`, one line for each log record, point or span;
    /// `detailed`, all fields.
    verbosity: Verbosity,
    /// The outputs: `stderr`, `stdout` or both.
    #[schemars(length(min = 1))]
    output_paths: Vec<OutputPath>,
}

impl Default for DebugSettings {
    fn default() -> Self {
        DebugSettings {
            verbosity: Verbosity::default(),
            output_paths: vec![OutputPath::Stderr],
        }
    }
}

/// The text for a payload: whole lines.
fn render(payload: &Payload, verbosity: Verbosity) -> String {
    match verbosity {
        Verbosity::Basic => basic::render(payload),
        Verbosity::Normal => normal::render(payload),
        Verbosity::Detailed => detailed::render(payload),
    }
}

type Writer = Box<dyn Write + Send>;

/// The exporter. Writes each batch in one piece.
struct Debug {
    verbosity: Verbosity,
    writers: Vec<Writer>,
}

impl Debug {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        let settings: DebugSettings = create.settings.read()?;
        if settings.output_paths.is_empty() {
            let error = create
                .settings
                .error("output_paths", "is empty: nothing would be written");
            return Err(error.with_help("expected stderr, stdout or both").into());
        }
        let writers = settings.output_paths.iter().map(|path| match path {
            OutputPath::Stderr => Box::new(io::stderr()) as Writer,
            OutputPath::Stdout => Box::new(io::stdout()),
        });
        Ok(Debug::to(settings.verbosity, writers.collect()))
    }

    /// An exporter that writes to the given writers.
    fn to(verbosity: Verbosity, writers: Vec<Writer>) -> Self {
        Debug { verbosity, writers }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        for writer in &mut self.writers {
            writer.write_all(text.as_bytes())?;
            writer.flush()?;
        }
        Ok(())
    }
}

impl Exporter for Debug {
    fn run(mut self: Box<Self>, mut input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            while let Some(batch) = input.recv().await {
                let payload = batch.payload;
                // The reader of standard error may be slow, and a write blocks its thread.
                let written = tokio::task::spawn_blocking(move || {
                    let result = self.write(&render(&payload, self.verbosity));
                    (self, result)
                });
                let result;
                (self, result) = written.await?;
                match result {
                    Ok(()) => {
                        running.health.report(Status::Ok);
                        batch.ack.delivered();
                    }
                    Err(error) => {
                        let why = format!("cannot write: {error}");
                        running.health.report(Status::RecoverableError(why.clone()));
                        batch.ack.dropped(why);
                    }
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use collector_config::ComponentId;
    use collector_data::{Ack, Batch, Outcome};
    use collector_runtime::health::Health;
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// The written text, and a flag that makes writes fail.
    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<(String, bool)>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut page = self.0.lock().unwrap();
            if page.1 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            page.0.push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn create(yaml: &str) -> Result<Debug, Diagnostics> {
        Debug::new(&Create {
            id: &ComponentId {
                type_name: "debug".into(),
                name: None,
            },
            settings: &collector_config::Settings::from_yaml(yaml)?,
            meter: &opentelemetry::global::meter("test"),
            health: &Health::new(),
            provided: &collector_runtime::storage::Provided::new(),
        })
    }

    #[tokio::test]
    async fn writes_acknowledges_and_survives_a_broken_pipe() {
        let page = Output::default();
        let exporter = Box::new(Debug::to(Verbosity::Basic, vec![Box::new(page.clone())]));
        let health = Health::new();
        let running = Running {
            shutdown: CancellationToken::new(),
            health: health.reporter("exporters::debug"),
            succession: Default::default(),
        };
        let (sender, inbox) = mpsc::channel(1);
        let task = tokio::spawn(exporter.run(inbox.into(), running));
        let send = async || {
            let (ack, delivery) = Ack::new();
            sender.send(Batch::new(Payload::Logs(Vec::new()), ack)).await.unwrap();
            delivery.await
        };

        assert_eq!(send().await, Outcome::Delivered);
        assert_eq!(page.0.lock().unwrap().0, "logs: resources=0 records=0\n");
        page.0.lock().unwrap().1 = true;
        assert_eq!(send().await, Outcome::Dropped("cannot write: broken pipe".into()));
        assert_eq!(
            health.watch().borrow()["exporters::debug"],
            Status::RecoverableError("cannot write: broken pipe".into())
        );
        page.0.lock().unwrap().1 = false;
        assert_eq!(send().await, Outcome::Delivered);
        assert!(health.is_ready());
        drop(sender);
        task.await.unwrap().unwrap();
    }

    #[test]
    fn reads_and_checks_settings() {
        assert_eq!(create("").unwrap().verbosity, Verbosity::Basic);
        let both = create("{verbosity: detailed, output_paths: [stderr, stdout]}").unwrap();
        assert_eq!((both.verbosity, both.writers.len()), (Verbosity::Detailed, 2));
        let errors = |yaml| create(yaml).err().map(|m| m.to_string()).unwrap_or_default();
        assert!(errors("output_paths: []").contains("nothing would be written"));
        assert!(errors("output_paths: [/tmp/x]").contains("output_paths"));
        let verbosity = errors("verbosity: loud");
        assert!(
            verbosity.contains("loud") && verbosity.contains("detailed"),
            "{verbosity}"
        );
        assert!(errors("loglevel: debug").contains("loglevel"));
    }

    #[tokio::test]
    async fn fulfils_the_contract() {
        let subject = collector_testing::contract::Subject::new(factory(), "{}");
        collector_testing::contract::exporter(&subject).await;
    }
}
