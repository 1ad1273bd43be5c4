//! Scenarios: a manifest, and a script of what happens to each Pod.

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// A Job or CronJob, and a script of what happens to its Pods.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The name of the scenario.
    pub name: String,
    /// The namespace of its objects.
    pub(crate) namespace: String,
    /// The manifest, as a user would apply it.
    pub(crate) manifest: Value,
    /// The script of each attempt; the last entry applies to all further ones.
    pub(crate) attempts: Vec<AttemptScript>,
}

/// The script of one attempt: of one Pod, or of one start of its container if the Pod restarts it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AttemptScript {
    /// The container runs, then ends by itself.
    Exit {
        after: Duration,
        code: i32,
        message: Option<String>,
    },
    /// The container runs until it is killed. `on_sigterm` is its exit code if it handles SIGTERM; otherwise it is killed
    /// after the grace period.
    Forever { on_sigterm: Option<i32> },
    /// The kernel kills the container for its memory.
    OutOfMemory { after: Duration },
    /// The node evicts the Pod.
    Evicted { after: Duration, message: String },
    /// The image cannot be pulled; the message is the runtime's.
    ImagePullError(String),
    /// The container cannot be created because the ConfigMap of this name is missing.
    MissingConfigMap(String),
    /// The container cannot be started; the message is the runtime's.
    StartError(String),
    /// No node fits the Pod; the message is the scheduler's.
    Unschedulable(String),
}

impl Default for AttemptScript {
    fn default() -> AttemptScript {
        AttemptScript::Forever { on_sigterm: None }
    }
}

/// The reason a scenario is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scenario: {0}")]
pub struct ScenarioError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    name: String,
    namespace: String,
    pods: Vec<PodScript>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct PodScript {
    run: Option<String>,
    exit: Option<i32>,
    message: Option<String>,
    on_sigterm: Option<i32>,
    oom_after: Option<String>,
    evicted_after: Option<String>,
    image_pull_error: Option<String>,
    missing_configmap: Option<String>,
    start_error: Option<String>,
    unschedulable: Option<String>,
}

impl Scenario {
    /// Reads two YAML documents: the script (`name`, `namespace`, `pods`) and the manifest.
    ///
    /// # Errors
    /// If a document is missing, has unknown keys, or the manifest is neither a Job nor a CronJob.
    pub fn parse(text: &str) -> Result<Scenario, ScenarioError> {
        let (script, manifest) = text.split_once("\n---\n").ok_or(ScenarioError(
            "expected two YAML documents, the script and the manifest".to_owned(),
        ))?;
        let script: Script = serde_yaml::from_str(script).map_err(|error| ScenarioError(error.to_string()))?;
        let manifest: Value = serde_yaml::from_str(manifest).map_err(|error| ScenarioError(error.to_string()))?;
        let problem = |problem: String| ScenarioError(format!("{}: {problem}", script.name));
        if !matches!(manifest["kind"].as_str(), Some("Job" | "CronJob")) || !manifest["metadata"]["name"].is_string() {
            return Err(problem(format!(
                "expected a named Job or CronJob, found kind {}",
                manifest["kind"]
            )));
        }
        let attempts: Result<Vec<AttemptScript>, String> = script.pods.iter().map(PodScript::attempt).collect();
        let attempts = attempts.map_err(&problem)?;
        if attempts.is_empty() {
            return Err(problem("expected at least one entry under pods".to_owned()));
        }
        Ok(Scenario {
            name: script.name,
            namespace: script.namespace,
            manifest,
            attempts,
        })
    }

    /// The script of this attempt, counted from 0.
    pub(super) fn attempt(&self, number: usize) -> AttemptScript {
        let attempt = self.attempts.get(number).or(self.attempts.last());
        attempt.cloned().unwrap_or_default()
    }
}

impl PodScript {
    fn attempt(&self) -> Result<AttemptScript, String> {
        let one_of = "exactly one of run, oom_after, evicted_after, image_pull_error, missing_configmap, start_error, \
                      unschedulable";
        let run = self.run.as_deref().map(|run| match run {
            "forever" => Ok(AttemptScript::Forever {
                on_sigterm: self.on_sigterm,
            }),
            after => Ok(AttemptScript::Exit {
                after: duration(after)?,
                code: self.exit.ok_or("run: a duration needs an exit code under exit")?,
                message: self.message.clone(),
            }),
        });
        let oom = self.oom_after.as_deref().map(|after| {
            let after = duration(after)?;
            Ok(AttemptScript::OutOfMemory { after })
        });
        let evicted = self.evicted_after.as_deref().map(|after| {
            Ok(AttemptScript::Evicted {
                after: duration(after)?,
                message: self.message.clone().ok_or("evicted_after needs a message")?,
            })
        });
        let text = |text: &Option<String>, script: fn(String) -> AttemptScript| text.clone().map(script).map(Ok);
        let found = [
            run,
            oom,
            evicted,
            text(&self.image_pull_error, AttemptScript::ImagePullError),
            text(&self.missing_configmap, AttemptScript::MissingConfigMap),
            text(&self.start_error, AttemptScript::StartError),
            text(&self.unschedulable, AttemptScript::Unschedulable),
        ];
        let mut found = found.into_iter().flatten();
        match (found.next(), found.count()) {
            (Some(attempt), 0) => attempt,
            (attempt, more) => {
                let found = usize::from(attempt.is_some()) + more;
                Err(format!("an entry under pods needs {one_of}; found {found}"))
            }
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Result<SignedDuration, _> = text.parse();
    let duration = parsed.ok().and_then(|duration| Duration::try_from(duration).ok());
    duration.ok_or(format!("expected a duration such as 3s or 1m30s, found \"{text}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pods: &str) -> Result<Vec<AttemptScript>, String> {
        let text = format!("name: x\nnamespace: z\npods: {pods}\n---\nkind: Job\nmetadata: {{name: j}}\n");
        Scenario::parse(&text)
            .map(|scenario| scenario.attempts)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn entries_have_exactly_one_effect() {
        let after = Duration::from_millis(1500);
        assert_eq!(
            parse("[{run: 1s500ms, exit: 3}]"),
            Ok(vec![AttemptScript::Exit {
                after,
                code: 3,
                message: None
            }])
        );
        assert_eq!(
            parse("[{run: forever}]"),
            Ok(vec![AttemptScript::Forever { on_sigterm: None }])
        );
        for wrong in [
            "[]",
            "[{}]",
            "[{run: 3s}]",
            "[{run: soon, exit: 1}]",
            "[{run: forever, oom_after: 1s}]",
            "[{rum: 1s}]",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(Scenario::parse("name: x").is_err());
    }
}
