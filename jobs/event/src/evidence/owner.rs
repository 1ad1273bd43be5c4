//! The owner of a Job: the object or the name that groups Jobs into one series.

use serde::{Deserialize, Serialize};

use super::Job;

/// The kind of CronJobs.
const CRONJOB: &str = "CronJob";
/// The kind of a Job that is its own owner, or whose owner is a name only.
const JOB: &str = "Job";

/// The rule by which the owner of a Job was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerRule {
    /// The CronJob that controls it.
    #[serde(rename = "cronjob")]
    CronJob,
    /// Another object that controls it.
    Controller,
    /// A rule in the settings.
    Rule,
    /// The prefix of its generated name.
    GenerateName,
    /// None: it is its own owner.
    #[default]
    Job,
}

impl OwnerRule {
    /// The name in events.
    pub fn as_str(self) -> &'static str {
        match self {
            OwnerRule::CronJob => "cronjob",
            OwnerRule::Controller => "controller",
            OwnerRule::Rule => "rule",
            OwnerRule::GenerateName => "generate_name",
            OwnerRule::Job => "job",
        }
    }
}

/// The owner of a Job that neither has a CronJob nor is its own owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JobOwner {
    /// The rule by which it was found.
    pub rule: OwnerRule,
    /// The kind of the object that controls the Job; empty if the owner is only a name.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub kind: Box<str>,
    /// The name of that object, or the name that the Jobs have in common.
    pub name: Box<str>,
}

/// The owner of any Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerRef<'a> {
    /// The rule by which it was found.
    pub rule: OwnerRule,
    /// The kind of the object that controls the Job; `Job` if the owner is the Job itself or only a name.
    pub kind: &'a str,
    /// The name.
    pub name: &'a str,
    /// True if the owner is an object that controls the Job, other than a CronJob.
    pub is_controller: bool,
}

impl Job {
    /// The owner: the CronJob, else what the rules of the receiver found, else the Job itself.
    pub fn owner(&self) -> OwnerRef<'_> {
        let (rule, kind, name) = match (&self.cronjob, &self.owner) {
            (Some(cronjob), _) => (OwnerRule::CronJob, CRONJOB, &cronjob.name),
            (None, Some(owner)) => (owner.rule, &*owner.kind, &owner.name),
            (None, None) => (OwnerRule::Job, "", &self.name),
        };
        OwnerRef {
            rule,
            kind: if kind.is_empty() { JOB } else { kind },
            name,
            is_controller: rule != OwnerRule::CronJob && !kind.is_empty(),
        }
    }
}

/// The place of a Job in its JobSet.
///
/// Source: `api/jobset/v1alpha2/jobset_types.go` of `sigs.k8s.io/jobset`; the controller sets each as a label and as an
/// annotation of the Job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JobSet {
    /// `jobset.sigs.k8s.io/jobset-name`.
    pub name: Box<str>,
    /// `jobset.sigs.k8s.io/replicatedjob-name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicated_job: Option<Box<str>>,
    /// `jobset.sigs.k8s.io/job-index`: the index among the Jobs of the same replicated Job, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_index: Option<i64>,
    /// `jobset.sigs.k8s.io/restart-attempt`: how often the JobSet was restarted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_attempt: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::CronJob;
    use crate::otlp::{find_text, owner_resource};

    fn job(cronjob: Option<&str>, owner: Option<(OwnerRule, &str, &str)>) -> Job {
        Job {
            namespace: "shop".into(),
            name: "j-x7k2p".into(),
            cronjob: cronjob.map(|name| {
                Box::new(CronJob {
                    name: name.into(),
                    ..Default::default()
                })
            }),
            owner: owner.map(|(rule, kind, name)| {
                Box::new(JobOwner {
                    rule,
                    kind: kind.into(),
                    name: name.into(),
                })
            }),
            ..Default::default()
        }
    }

    #[test]
    fn the_resource_names_the_owner() {
        let names = [
            "k8s.cronjob.name",
            "k8s.job.name",
            "k8s.statefulset.name",
            "kube_ownerref_kind",
            "kube_ownerref_name",
        ];
        for (job, expected) in [
            (job(None, None), [None, Some("j-x7k2p"), None, None, None]),
            (job(Some("nightly"), None), [Some("nightly"), None, None, None, None]),
            (
                job(None, Some((OwnerRule::Controller, "ScaledJob", "q"))),
                [None, None, None, Some("ScaledJob"), Some("q")],
            ),
            (
                job(None, Some((OwnerRule::Controller, "StatefulSet", "db"))),
                [None, None, Some("db"), Some("StatefulSet"), Some("db")],
            ),
            (
                job(None, Some((OwnerRule::Controller, "CronJob", "volcano"))),
                [None, None, None, Some("CronJob"), Some("volcano")],
            ),
            (
                job(None, Some((OwnerRule::Rule, "Workflow", "build"))),
                [None, None, None, Some("Workflow"), Some("build")],
            ),
            (
                job(None, Some((OwnerRule::Rule, "", "import"))),
                [None, Some("import"), None, None, None],
            ),
            (
                job(None, Some((OwnerRule::GenerateName, "", "import"))),
                [None, Some("import"), None, None, None],
            ),
        ] {
            let resource = owner_resource(&job, None).attributes;
            assert_eq!(names.map(|name| find_text(&resource, name)), expected);
        }
    }

    #[test]
    fn a_name_without_an_object_has_the_kind_job() {
        for (job, rule, kind, name) in [
            (job(None, None), "job", "Job", "j-x7k2p"),
            (job(Some("nightly"), None), "cronjob", "CronJob", "nightly"),
            (
                job(None, Some((OwnerRule::GenerateName, "", "j"))),
                "generate_name",
                "Job",
                "j",
            ),
            (
                job(None, Some((OwnerRule::Controller, "JobSet", "train"))),
                "controller",
                "JobSet",
                "train",
            ),
        ] {
            let owner = job.owner();
            assert_eq!((owner.rule.as_str(), owner.kind, owner.name), (rule, kind, name));
            let json = serde_json::to_value(owner.rule).unwrap();
            assert_eq!(json, rule, "evidence and attributes use one name");
        }
    }

    #[test]
    fn evidence_of_older_versions_has_no_owner() {
        let older = r#"{"namespace": "shop", "name": "j", "uid": "u", "spec": {}, "status": {}}"#;
        let job: Job = serde_json::from_str(older).unwrap();
        assert_eq!(job.owner().rule, OwnerRule::Job);
        let written = serde_json::to_value(&job).unwrap();
        assert!(written.get("owner").is_none() && written.get("jobset").is_none());
    }
}
