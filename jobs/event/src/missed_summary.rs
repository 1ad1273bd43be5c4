//! The sentences about missed runs, for people.

use crate::notice::{MissReason, MissedRuns};
use crate::secrets::masked;

/// The longest part of the controller's message in a sentence, characters.
const MESSAGE: usize = 300;

impl MissedRuns {
    /// The missed runs, the cause, and the next step: two or three sentences.
    pub fn summary(&self) -> String {
        if self.reason == MissReason::InvalidSchedule {
            return self.invalid_schedule();
        }
        let runs = match self.count {
            1 => format!("The run due at {} did not start in time", self.first),
            count => format!(
                "{count} runs due from {} to {} did not start in time",
                self.first, self.last
            ),
        };
        format!("{runs}: {}", self.cause())
    }

    /// The cause and the next step.
    fn cause(&self) -> String {
        let text = match self.reason {
            MissReason::ConcurrencyForbidden => {
                "the previous run was still running, and concurrencyPolicy is Forbid. Find out why that run takes longer than \
                 the schedule allows, or limit it with activeDeadlineSeconds."
            }
            MissReason::StartingDeadlineExceeded => {
                "startingDeadlineSeconds passed before the CronJob controller acted. Check whether \
                 kube-controller-manager was unavailable, or raise startingDeadlineSeconds."
            }
            MissReason::TooManyMissedTimes => {
                "more than 100 runs were due at once, of which the CronJob controller starts only the latest. Check whether \
                 kube-controller-manager was unavailable."
            }
            MissReason::ControllerLate => {
                "the CronJob controller did not act. Check whether kube-controller-manager runs and has a leader: \
                 kubectl -n kube-system get lease kube-controller-manager."
            }
            MissReason::Unknown | MissReason::InvalidSchedule => return self.unknown(),
        };
        text.to_owned()
    }

    fn unknown(&self) -> String {
        match self.message() {
            Some(message) => {
                format!("the CronJob controller reports: {message}. Fix the problem that the message names.")
            }
            None => format!(
                "no evidence shows why. Check the Events of the CronJob: {}.",
                self.command()
            ),
        }
    }

    fn invalid_schedule(&self) -> String {
        let cronjob = self.cronjob.cronjob.as_ref();
        let schedule = cronjob.and_then(|cronjob| cronjob.schedule.as_deref());
        let mut text = format!("No run starts: schedule {:?}", schedule.unwrap_or_default());
        if let Some(zone) = &self.time_zone {
            text += &format!(" in time zone {zone:?}");
        }
        match self.message() {
            Some(message) => text += &format!(" cannot be evaluated: {message}"),
            None => text += " cannot be evaluated",
        }
        text + ". Correct spec.schedule or spec.timeZone."
    }

    /// The controller's message on one line, without secrets and without a full stop.
    fn message(&self) -> Option<String> {
        let is_space = |character: char| character.is_control() || character.is_whitespace();
        let message = masked(&self.message);
        let words: Vec<&str> = message.split(is_space).filter(|word| !word.is_empty()).collect();
        let message: String = words.join(" ").chars().take(MESSAGE).collect();
        let message = message.trim_end_matches(['.', ' ']);
        (!message.is_empty()).then(|| message.to_owned())
    }

    fn command(&self) -> String {
        let cronjob = self.cronjob.cronjob.as_ref();
        let name = cronjob.map_or("", |cronjob| &cronjob.name);
        format!("kubectl -n {} describe cronjob {name}", self.cronjob.namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{CronJob, Job};

    fn missed(reason: MissReason, count: u64, message: &str) -> String {
        let cronjob = CronJob {
            name: "nightly".into(),
            schedule: Some("17 12 * * *".into()),
            ..Default::default()
        };
        let missed = MissedRuns {
            cronjob: Job {
                namespace: "shop".into(),
                cronjob: Some(Box::new(cronjob)),
                ..Default::default()
            },
            time_zone: Some("Europe/Berlin".into()),
            reason,
            message: message.into(),
            first: "2026-11-28T12:17:00Z".parse().unwrap(),
            last: "2026-11-28T12:20:00Z".parse().unwrap(),
            count,
            at: "2026-11-28T12:22:00Z".parse().unwrap(),
        };
        missed.summary()
    }

    #[test]
    fn says_what_was_missed_and_what_to_do() {
        assert_eq!(
            missed(MissReason::ControllerLate, 1, ""),
            "The run due at 2026-11-28T12:17:00Z did not start in time: the CronJob controller did not act. Check whether \
             kube-controller-manager runs and has a leader: kubectl -n kube-system get lease kube-controller-manager."
        );
        assert!(missed(MissReason::ConcurrencyForbidden, 4, "").starts_with(
            "4 runs due from 2026-11-28T12:17:00Z to 2026-11-28T12:20:00Z did not start in time: the previous run was still"
        ));
        assert_eq!(
            missed(
                MissReason::Unknown,
                1,
                "Error creating job: jobs.batch is\nforbidden: quota."
            ),
            "The run due at 2026-11-28T12:17:00Z did not start in time: the CronJob controller reports: Error creating job: \
             jobs.batch is forbidden: quota. Fix the problem that the message names."
        );
        let denied = missed(
            MissReason::Unknown,
            1,
            "admission webhook denied it: password=hunter2-long",
        );
        assert!(
            denied.contains("password=[REDACTED]") && !denied.contains("hunter2"),
            "{denied}"
        );
        assert!(missed(MissReason::Unknown, 1, "").ends_with("kubectl -n shop describe cronjob nightly."));
        assert_eq!(
            missed(MissReason::InvalidSchedule, 1, "unknown time zone Europe/Berlin"),
            "No run starts: schedule \"17 12 * * *\" in time zone \"Europe/Berlin\" cannot be evaluated: unknown time zone \
             Europe/Berlin. Correct spec.schedule or spec.timeZone."
        );
    }
}
