//! The settings `stalled` and `missed_runs`: when stalled Jobs and missed runs are reported.

use std::collections::BTreeMap;
use std::time;

use collector_config::{Duration, nearest};
use jiff::SignedDuration;
use job_judge::{CAUSES, Cause};
use job_tracker::{MissedRunSettings, RunningLongSettings, StallSettings};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::after::After;

/// Times in objects are whole seconds.
const SHORTEST: Duration = Duration::from_secs(1);
/// A Job that is stalled for a week has been noticed.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// The tracker keeps the durations of the last 30 runs of an owner.
const RUNS: std::ops::RangeInclusive<usize> = 3..=30;
/// A higher factor would report no run.
const MOST_FACTOR: f64 = 100.0;

/// A setting with an invalid value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path of the setting, below the receiver.
    pub path: String,
    /// The value found and the value expected.
    pub message: String,
    /// A fix.
    pub help: Option<String>,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Problem {
            path: path.into(),
            message: message.into(),
            help: None,
        }
    }
}

/// The setting `stalled`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StalledConfig {
    /// Reports stalled Jobs.
    pub enabled: bool,
    /// How long a Job makes no progress before it is reported, 1s to 168h.
    pub after: Duration,
    /// The same for single causes, or `off`: `{ImagePull: 5m, QuotaExceeded: off}`. The defaults are `10m` for
    /// `Unschedulable` and `DeviceUnavailable`, and `off` for `SchedulingGated` and `AwaitingAdmission`.
    #[schemars(schema_with = "causes")]
    pub causes: BTreeMap<String, After>,
    /// When a run that takes longer than usual is reported.
    pub running_long: RunningLongConfig,
}

/// The setting `stalled::running_long`: a run is reported if it is longer than `max(factor × p95, p95 + floor)` of the completed
/// runs of its owner.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunningLongConfig {
    /// Reports runs that are longer than `factor` × p95 and longer than p95 + `floor` of the last completed runs of their
    /// owner.
    pub enabled: bool,
    /// The multiple of p95, more than 1 and at most 100.
    #[schemars(extend("exclusiveMinimum" = 1, "maximum" = 100))]
    pub factor: f64,
    /// The minimum difference from p95, 1s to 168h.
    pub floor: Duration,
    /// The number of completed runs that must be known, 3 to 30.
    #[schemars(range(min = 3, max = 30))]
    pub min_runs: usize,
}

/// The setting `missed_runs`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MissedRunsConfig {
    /// Reports missed runs of CronJobs.
    pub enabled: bool,
    /// How late a run may start, 1s to 168h. A shorter `startingDeadlineSeconds` replaces it.
    pub grace: Duration,
}

impl Default for StalledConfig {
    fn default() -> Self {
        let settings = StallSettings::default();
        StalledConfig {
            enabled: settings.enabled,
            after: unsigned(settings.after),
            causes: BTreeMap::new(),
            running_long: RunningLongConfig::default(),
        }
    }
}

impl Default for RunningLongConfig {
    fn default() -> Self {
        let settings = RunningLongSettings::default();
        RunningLongConfig {
            enabled: true,
            factor: settings.factor,
            floor: unsigned(settings.floor),
            min_runs: settings.min_runs,
        }
    }
}

impl Default for MissedRunsConfig {
    fn default() -> Self {
        let settings = MissedRunSettings::default();
        MissedRunsConfig {
            enabled: settings.enabled,
            grace: unsigned(settings.grace),
        }
    }
}

impl StalledConfig {
    /// All invalid values.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = within("stalled::after", self.after).into_iter().collect();
        for (name, after) in &self.causes {
            let path = format!("stalled::causes::{name}");
            problems.extend(match (cause(name), after) {
                (Err(problem), _) => Some(Problem { path, ..problem }),
                (Ok(_), After::Time(after)) => within(path, *after),
                (Ok(_), After::Off) => None,
            });
        }
        problems.extend(self.running_long.problems());
        problems
    }

    /// The shortest time after which a stall is reported.
    pub(crate) fn shortest(&self) -> Duration {
        let causes = self.causes.values().filter_map(|after| match after {
            After::Time(after) => Some(*after),
            After::Off => None,
        });
        causes.fold(self.after, Duration::min)
    }

    /// The settings of the tracker. A cause whose default is longer than `after` keeps at least `after`.
    pub(crate) fn settings(&self) -> StallSettings {
        let after = signed(self.after);
        let mut settings = StallSettings {
            enabled: self.enabled,
            after,
            running_long: self.running_long.settings(),
            ..StallSettings::default()
        };
        for default in settings.causes.values_mut() {
            *default = default.map(|default| default.max(after));
        }
        for (name, after) in &self.causes {
            if let Ok(cause) = cause(name) {
                let after = match after {
                    After::Time(after) => Some(signed(*after)),
                    After::Off => None,
                };
                settings.causes.insert(cause, after);
            }
        }
        settings
    }
}

impl RunningLongConfig {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        // NaN fails both comparisons.
        if !(self.factor > 1.0 && self.factor <= MOST_FACTOR) {
            let message = format!("found {}, expected more than 1 and at most {MOST_FACTOR}", self.factor);
            problems.push(Problem::new("stalled::running_long::factor", message));
        }
        problems.extend(within("stalled::running_long::floor", self.floor));
        if !RUNS.contains(&self.min_runs) {
            let message = format!("found {}, expected {} to {}", self.min_runs, RUNS.start(), RUNS.end());
            problems.push(Problem::new("stalled::running_long::min_runs", message));
        }
        problems
    }

    fn settings(&self) -> Option<RunningLongSettings> {
        self.enabled.then(|| RunningLongSettings {
            min_runs: self.min_runs,
            factor: self.factor,
            floor: signed(self.floor),
        })
    }
}

impl MissedRunsConfig {
    /// All invalid values.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        within("missed_runs::grace", self.grace).into_iter().collect()
    }

    /// The settings of the tracker.
    pub(crate) fn settings(&self) -> MissedRunSettings {
        MissedRunSettings {
            enabled: self.enabled,
            grace: signed(self.grace),
            ..MissedRunSettings::default()
        }
    }
}

/// The cause of that name, if an unfinished Job can be stalled by it.
fn cause(name: &str) -> Result<Cause, Problem> {
    let problem = |message: String| Problem::new("", message);
    match CAUSES.iter().find(|info| info.name == name) {
        Some(info) if can_stall(info.cause) => Ok(info.cause),
        Some(_) => Err(problem(format!("only a failed Job has the cause `{name}`"))),
        None => {
            let names = || CAUSES.iter().filter(|info| can_stall(info.cause)).map(|info| info.name);
            let help = match nearest(name, names()) {
                Some(cause) => format!("did you mean `{cause}`?"),
                None => format!("expected one of {}", names().collect::<Vec<_>>().join(", ")),
            };
            Err(Problem {
                help: Some(help),
                ..problem(format!("unknown cause `{name}`"))
            })
        }
    }
}

/// A duration or `off` for each cause of a stall, so that editors suggest them.
fn causes(generator: &mut SchemaGenerator) -> Schema {
    let after = After::json_schema(generator);
    let names = CAUSES.iter().filter(|info| can_stall(info.cause)).map(|info| info.name);
    let properties: serde_json::Map<_, _> = names.map(|name| (name.to_owned(), after.clone().to_value())).collect();
    json_schema!({"type": "object", "properties": properties})
}

/// False for the causes of deadlines, which end a Job.
fn can_stall(cause: Cause) -> bool {
    !matches!(cause, Cause::RanTooLong | Cause::SlowStart)
}

fn within(path: impl Into<String>, found: Duration) -> Option<Problem> {
    (found < SHORTEST || found > LONGEST)
        .then(|| Problem::new(path, format!("found {found}, expected {SHORTEST} to {LONGEST}")))
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration.get()).unwrap_or(SignedDuration::MAX)
}

fn unsigned(duration: SignedDuration) -> Duration {
    Duration::new(time::Duration::try_from(duration).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use collector_config::Settings;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Both {
        stalled: StalledConfig,
        missed_runs: MissedRunsConfig,
    }

    fn read(yaml: &str) -> Both {
        Settings::from_yaml(yaml).unwrap().read().unwrap()
    }

    fn problems(yaml: &str) -> Vec<String> {
        let Both { stalled, missed_runs } = read(yaml);
        let problems = stalled.problems().into_iter().chain(missed_runs.problems());
        let line = |Problem { path, message, help }| format!("{path}: {message}; {}", help.unwrap_or_default());
        problems.map(line).collect()
    }

    #[test]
    fn defaults_are_those_of_the_tracker() {
        for yaml in ["", "stalled:\nmissed_runs:\n", "stalled: {running_long: {}}"] {
            let Both { stalled, missed_runs } = read(yaml);
            assert_eq!(stalled.settings(), StallSettings::default());
            assert_eq!(missed_runs.settings(), MissedRunSettings::default());
            assert_eq!(problems(yaml), [""; 0]);
        }
    }

    #[test]
    fn every_setting_reaches_the_tracker() {
        let Both { stalled, missed_runs } = read(
            "stalled:\n  enabled: false\n  after: 90s\n  causes: {ImagePull: 1m, NonZeroExit: off}\n  \
             running_long: {factor: 2, floor: 5m, min_runs: 5}\nmissed_runs: {enabled: false, grace: 30s}\n",
        );
        let settings = stalled.settings();
        assert!(!settings.enabled);
        assert_eq!(
            settings.after(Cause::QuotaExceeded),
            Some(SignedDuration::from_secs(90))
        );
        assert_eq!(settings.after(Cause::ImagePull), Some(SignedDuration::from_mins(1)));
        assert_eq!(settings.after(Cause::NonZeroExit), None);
        assert_eq!(settings.after(Cause::SchedulingGated), None, "the default stays");
        let running_long = RunningLongSettings {
            min_runs: 5,
            factor: 2.0,
            floor: SignedDuration::from_mins(5),
        };
        assert_eq!(settings.running_long, Some(running_long));
        let missed = MissedRunSettings {
            enabled: false,
            grace: SignedDuration::from_secs(30),
            ..MissedRunSettings::default()
        };
        assert_eq!(missed_runs.settings(), missed);
        let off = read("stalled: {running_long: {enabled: false}}");
        assert_eq!(off.stalled.settings().running_long, None);
    }

    #[test]
    fn a_cause_that_is_off_by_default_can_be_reported() {
        let Both { stalled, .. } = read("stalled: {causes: {SchedulingGated: 1h}}");
        let after = stalled.settings().after(Cause::SchedulingGated);
        assert_eq!(after, Some(SignedDuration::from_hours(1)));
    }

    #[test]
    fn a_longer_after_is_the_least_of_every_default() {
        let Both { stalled, .. } = read("stalled: {after: 1h}");
        let settings = stalled.settings();
        assert_eq!(
            settings.after(Cause::Unschedulable),
            Some(SignedDuration::from_hours(1))
        );
        assert_eq!(settings.after(Cause::SchedulingGated), None);
        let Both { stalled, .. } = read("stalled: {after: 1h, causes: {Unschedulable: 5m}}");
        let after = stalled.settings().after(Cause::Unschedulable);
        assert_eq!(after, Some(SignedDuration::from_mins(5)));
    }

    #[test]
    fn reports_every_error_with_its_path() {
        let found = problems(
            "stalled:\n  after: 500ms\n  causes: {ImagePul: 1m, RanTooLong: off, Zzz: off, ImagePull: 900ms}\n  \
             running_long: {factor: 1, floor: 100ms, min_runs: 31}\nmissed_runs: {grace: 200h}\n",
        );
        let expected = [
            "stalled::after: found 500ms, expected 1s to 168h",
            "stalled::causes::ImagePul: unknown cause `ImagePul`; did you mean `ImagePull`?",
            "stalled::causes::ImagePull: found 900ms, expected 1s to 168h",
            "stalled::causes::RanTooLong: only a failed Job has the cause `RanTooLong`",
            "stalled::causes::Zzz: unknown cause `Zzz`; expected one of NonZeroExit, Crashed,",
            "stalled::running_long::factor: found 1, expected more than 1 and at most 100",
            "stalled::running_long::floor: found 100ms, expected 1s to 168h",
            "stalled::running_long::min_runs: found 31, expected 3 to 30",
            "missed_runs::grace: found 200h, expected 1s to 168h",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}\nexpected {expected}");
        }
        for factor in [".nan", "-1", "101", "0.5"] {
            let yaml = format!("stalled: {{running_long: {{factor: {factor}}}}}");
            assert_eq!(problems(&yaml).len(), 1, "{factor}");
        }
    }
}
