//! The component `job_traces`: its settings, events in, traces out.

use collector_config::{Diagnostics, schema_of};
use collector_data::{Batch, Payload, Signal};
use collector_runtime::component::{ComponentError, Connector, Create, Factory, Running};
use collector_runtime::{Inbox, Outputs};
use futures_util::future::BoxFuture;
use job_event::Outcome;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::trace;

/// Settings of the connector.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct JobTracesSettings {
    /// The outcomes of Jobs that get a trace.
    #[schemars(length(min = 1))]
    outcomes: Vec<Traced>,
}

/// The outcome of a Job, by its name in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
enum Traced {
    Succeeded,
    Failed,
    Deleted,
    Replaced,
}

impl From<Traced> for Outcome {
    fn from(traced: Traced) -> Outcome {
        match traced {
            Traced::Succeeded => Outcome::Succeeded,
            Traced::Failed => Outcome::Failed,
            Traced::Deleted => Outcome::Deleted,
            Traced::Replaced => Outcome::Replaced,
        }
    }
}

impl Default for JobTracesSettings {
    fn default() -> Self {
        JobTracesSettings {
            outcomes: vec![Traced::Succeeded, Traced::Failed, Traced::Deleted, Traced::Replaced],
        }
    }
}

/// The connector's factory.
pub fn factory() -> Factory<dyn Connector> {
    Factory {
        type_name: "job_traces",
        aliases: &[],
        signals: &[Signal::Logs],
        makes: &[Signal::Traces],
        description: "Makes a trace of each finished Kubernetes Job: its attempts, their containers, and what went wrong",
        schema: schema_of::<JobTracesSettings>,
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Connector>, Diagnostics> {
    let settings: JobTracesSettings = create.settings.read()?;
    if settings.outcomes.is_empty() {
        let error = create.settings.error("outcomes", "is empty: no Job would have a trace");
        let help = "expected some of Succeeded, Failed, Deleted and Replaced, or nothing for all of them";
        return Err(error.with_help(help).into());
    }
    Ok(Box::new(JobTraces::new(
        settings.outcomes.into_iter().map(Outcome::from).collect(),
    )))
}

/// Turns the events of finished Jobs into traces.
pub struct JobTraces {
    outcomes: Vec<Outcome>,
}

impl JobTraces {
    /// A connector that makes traces of Jobs with one of these outcomes.
    pub fn new(outcomes: Vec<Outcome>) -> Self {
        JobTraces { outcomes }
    }

    fn traces(&self, payload: &Payload) -> Vec<ResourceSpans> {
        let Payload::Logs(resources) = payload else {
            return Vec::new();
        };
        let mut traces = Vec::new();
        for resource in resources {
            for record in resource.scope_logs.iter().flat_map(|scope| &scope.log_records) {
                match trace::of_event(resource.resource.as_ref(), record, &self.outcomes) {
                    Ok(trace) => traces.extend(trace),
                    Err(error) => tracing::warn!("an event has no trace, as it cannot be read: {error}"),
                }
            }
        }
        traces
    }
}

impl Connector for JobTraces {
    fn run(
        self: Box<Self>,
        mut input: Inbox,
        outputs: Outputs,
        _running: Running,
    ) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            while let Some(Batch { payload, ack }) = input.recv().await {
                let traces = self.traces(&payload);
                if traces.is_empty() {
                    ack.delivered();
                } else {
                    // The spans decide the acknowledgement of their events.
                    outputs.send(Batch::new(Payload::Traces(traces), ack)).await;
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use collector_config::ComponentId;
    use collector_runtime::health::Health;

    use super::*;

    fn errors(yaml: &str) -> String {
        let made = create(&Create {
            id: &ComponentId {
                type_name: "job_traces".into(),
                name: None,
            },
            settings: &collector_config::Settings::from_yaml(yaml).unwrap(),
            meter: &opentelemetry::global::meter("test"),
            health: &Health::new(),
            provided: &collector_runtime::storage::Provided::new(),
        });
        made.err().map(|errors| errors.to_string()).unwrap_or_default()
    }

    #[test]
    fn settings() {
        assert_eq!(errors(""), "");
        assert_eq!(errors("outcomes: [Failed]"), "");
        assert!(errors("outcomes: []").contains("yaml:1:11: outcomes: is empty"));
        let found = errors("outcomes: [failed]");
        assert!(found.contains("failed") && found.contains("Failed"), "{found}");
        assert!(errors("outcome: Failed").contains("did you mean `outcomes`"));
    }
}
