//! The component `resourcedetection`.

use std::ffi::OsString;

use collector_config::{Diagnostics, Duration, Settings, nearest, schema_of};
use collector_data::{Batch, Signal};
use collector_runtime::component::{Create, Factory, Processor};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::environment::Detected;

/// The only detector.
const ENV: &str = "env";

/// Settings of the processor.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct DetectionSettings {
    /// The detectors: only `env`, variables of the environment.
    #[schemars(length(min = 1), extend("items" = {"type": "string", "enum": [ENV]}))]
    detectors: Vec<String>,
    /// Attributes from `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` replace existing ones. Variables of Datadog never
    /// do.
    #[serde(rename = "override")]
    replace: bool,
    /// Accepted without effect: `env` does not wait.
    timeout: Duration,
}

impl Default for DetectionSettings {
    fn default() -> Self {
        DetectionSettings {
            detectors: vec![ENV.to_owned()],
            replace: true,
            timeout: Duration::from_secs(5),
        }
    }
}

/// Adds the attributes that the environment sets to every resource.
#[derive(Debug)]
struct ResourceDetection {
    detected: Detected,
    replace: bool,
}

/// The processor's factory.
pub fn factory() -> Factory<dyn Processor> {
    Factory {
        type_name: "resourcedetection",
        aliases: &["resource_detection"],
        signals: &Signal::ALL,
        makes: &[],
        description: "Adds attributes from the environment (OTEL_RESOURCE_ATTRIBUTES, DD_ENV, DD_TAGS) to resources",
        schema: schema_of::<DetectionSettings>,
        create: |create: &Create<'_>| Ok(Box::new(new(create.settings, &|name| std::env::var_os(name))?)),
    }
}

fn new(settings: &Settings, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<ResourceDetection, Diagnostics> {
    let DetectionSettings { detectors, replace, .. } = settings.read()?;
    let mut errors = Diagnostics::default();
    if detectors.is_empty() {
        let error = settings.error("detectors", "`detectors` is empty, expected `[env]`");
        errors.push(error);
    }
    for (index, name) in detectors.iter().enumerate().filter(|(_, name)| *name != ENV) {
        let message = format!("the detector `{name}` is not supported, expected `{ENV}`");
        let help = match nearest(name, [ENV]) {
            Some(_) => "did you mean `env`?",
            None => "remove it; `cluster_name` of `k8s_job` sets the cluster, and `resource` sets other attributes",
        };
        errors.push(settings.error(&format!("detectors::{index}"), message).with_help(help));
    }
    let (detected, problems) = Detected::read(variable);
    for problem in problems {
        let message = format!("the environment variable `{}`: {}", problem.variable, problem.reason);
        settings.warn(settings.error("detectors", message));
    }
    errors.into_result(ResourceDetection { detected, replace })
}

impl Processor for ResourceDetection {
    fn process(&mut self, mut batch: Batch) -> Option<Batch> {
        // A batch shared with other pipelines is copied only for a change.
        if !self.detected.is_empty() {
            for resource in batch.payload_mut().resources_mut() {
                let resource = resource.get_or_insert_default();
                self.detected.add_to(&mut resource.attributes, self.replace);
            }
        }
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use collector_testing::contract::{self, Subject};
    use collector_testing::{batch, one_item};
    use job_event::otlp;

    use super::*;

    fn with(yaml: &str, variables: &'static [(&str, &str)]) -> Result<ResourceDetection, Diagnostics> {
        new(&Settings::from_yaml(yaml).unwrap(), &|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).into())
        })
    }

    fn service(yaml: &str, signal: Signal) -> String {
        let mut processor = with(yaml, &[("OTEL_SERVICE_NAME", "shop")]).unwrap();
        let (batch, _) = batch(one_item(signal));
        let mut payload = (*processor.process(batch).unwrap().payload).clone();
        let resource = payload.resources_mut().next().unwrap().clone().unwrap();
        otlp::find_text(&resource.attributes, "service.name")
            .unwrap()
            .to_owned()
    }

    #[test]
    fn override_is_true_by_default() {
        for signal in Signal::ALL {
            assert_eq!(service("{}", signal), "shop");
            assert_eq!(service("{detectors: [env], timeout: 2s}", signal), "shop");
            assert_eq!(service("override: false", signal), "test");
        }
    }

    #[test]
    fn an_empty_environment_copies_nothing() {
        let (batch, _) = batch(one_item(Signal::Logs));
        let shared = Arc::clone(&batch.payload);
        let passed = with("{}", &[]).unwrap().process(batch).unwrap();
        assert!(Arc::ptr_eq(&passed.payload, &shared));
    }

    #[test]
    fn other_detectors_are_named() {
        for (detectors, expected) in [
            (
                "[env, eks]",
                "yaml:1:18: detectors::1: the detector `eks` is not supported, expected `env`",
            ),
            ("[evn]", "did you mean `env`?"),
            ("[]", "detectors: `detectors` is empty, expected `[env]`"),
        ] {
            let error = with(&format!("detectors: {detectors}"), &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn an_unusable_variable_is_a_warning() {
        let settings = Settings::from_yaml("detectors: [env]").unwrap();
        let variable = |name: &str| (name == "OTEL_RESOURCE_ATTRIBUTES").then(|| "team".into());
        new(&settings, &variable).unwrap();
        let warnings = settings.warnings().to_string();
        let expected = "yaml:1:12: detectors: the environment variable `OTEL_RESOURCE_ATTRIBUTES`: entry 1 has no `=`";
        assert!(warnings.starts_with(expected), "{warnings}");
    }

    #[tokio::test]
    async fn fulfils_the_contract() {
        contract::processor(&Subject::new(factory(), "override: false\n")).await;
    }
}
