//! Scenarios: a manifest, and a script of what happens to each Pod.

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// A Job or CronJob and what becomes of its Pods.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// A short name.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// The namespace it is played in.
    pub namespace: String,
    /// The manifest, as a user would apply it.
    pub manifest: Value,
    /// What happens to each attempt; the last entry goes for all further ones.
    pub attempts: Vec<Attempt>,
}

/// What happens to one attempt: to one Pod, or to one start of its container if the Pod restarts it.
#[derive(Clone, Debug, PartialEq)]
pub enum Attempt {
    /// The container runs, then ends by itself.
    Exit {
        /// How long it runs.
        after: Duration,
        /// Its exit code.
        code: i32,
        /// Its termination message.
        message: Option<String>,
    },
    /// The container runs until it is killed. `on_sigterm` is its exit code if it heeds SIGTERM; if it does not, it is
    /// killed after the grace period.
    Forever {
        /// The exit code after SIGTERM.
        on_sigterm: Option<i32>,
    },
    /// The kernel kills the container for its memory.
    OutOfMemory {
        /// How long it runs.
        after: Duration,
    },
    /// The node evicts the Pod.
    Evicted {
        /// How long it runs.
        after: Duration,
        /// The message of the eviction.
        message: String,
    },
    /// The image cannot be pulled; the message is the runtime's.
    ImagePullError(String),
    /// The container cannot be created for lack of a ConfigMap of this name.
    MissingConfigMap(String),
    /// The container cannot be started; the message is the runtime's.
    StartError(String),
    /// No node takes the Pod; the message is the scheduler's.
    Unschedulable(String),
}

/// Why a scenario cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scenario: {0}")]
pub struct ScenarioError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    name: String,
    about: String,
    namespace: String,
    pods: Vec<Entry>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Entry {
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
    /// Reads two YAML documents: the script (`name`, `about`, `namespace`, `pods`) and the manifest.
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
        let attempts: Result<Vec<Attempt>, String> = script.pods.iter().map(Entry::attempt).collect();
        let attempts = attempts.map_err(&problem)?;
        if attempts.is_empty() {
            return Err(problem("expected at least one entry under pods".to_owned()));
        }
        Ok(Scenario {
            name: script.name,
            about: script.about,
            namespace: script.namespace,
            manifest,
            attempts,
        })
    }

    /// What happens to this attempt, counted from 0.
    pub(super) fn attempt(&self, number: usize) -> Attempt {
        let last = self
            .attempts
            .last()
            .cloned()
            .unwrap_or(Attempt::Forever { on_sigterm: None });
        self.attempts.get(number).cloned().unwrap_or(last)
    }
}

impl Entry {
    fn attempt(&self) -> Result<Attempt, String> {
        let one_of = "exactly one of run, oom_after, evicted_after, image_pull_error, missing_configmap, start_error, \
                      unschedulable";
        let mut found = Vec::new();
        match self.run.as_deref() {
            Some("forever") => found.push(Attempt::Forever {
                on_sigterm: self.on_sigterm,
            }),
            Some(after) => {
                let code = self.exit.ok_or("run: a duration needs an exit code under exit")?;
                found.push(Attempt::Exit {
                    after: duration(after)?,
                    code,
                    message: self.message.clone(),
                });
            }
            None => {}
        }
        if let Some(after) = &self.oom_after {
            found.push(Attempt::OutOfMemory {
                after: duration(after)?,
            });
        }
        if let Some(after) = &self.evicted_after {
            let message = self.message.clone().ok_or("evicted_after needs a message")?;
            found.push(Attempt::Evicted {
                after: duration(after)?,
                message,
            });
        }
        found.extend(self.image_pull_error.clone().map(Attempt::ImagePullError));
        found.extend(self.missing_configmap.clone().map(Attempt::MissingConfigMap));
        found.extend(self.start_error.clone().map(Attempt::StartError));
        found.extend(self.unschedulable.clone().map(Attempt::Unschedulable));
        match <[Attempt; 1]>::try_from(found) {
            Ok([attempt]) => Ok(attempt),
            Err(found) => Err(format!("an entry under pods needs {one_of}; found {}", found.len())),
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

    fn parse(pods: &str) -> Result<Vec<Attempt>, String> {
        let text = format!("name: x\nabout: y\nnamespace: z\npods: {pods}\n---\nkind: Job\nmetadata: {{name: j}}\n");
        Scenario::parse(&text)
            .map(|scenario| scenario.attempts)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn entries_say_one_thing_each() {
        let after = Duration::from_millis(1500);
        assert_eq!(
            parse("[{run: 1s500ms, exit: 3}]"),
            Ok(vec![Attempt::Exit {
                after,
                code: 3,
                message: None
            }])
        );
        assert_eq!(
            parse("[{run: forever}]"),
            Ok(vec![Attempt::Forever { on_sigterm: None }])
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
