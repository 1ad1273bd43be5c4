//! Cases rebuilt from public reports of other people's Jobs: `tests/reported/` has the recordings, and `expected.json` the
//! source, the verdict and the words that the sentence and the next step must and must not have.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use job_event::Evidence;
use job_judge::judge_at;
use job_judge::report::ExplainRecord;
use job_tracker::TrackerSettings;
use job_tracker::replay::{Replay, replay};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[allow(dead_code, reason = "for readers")]
    note: String,
    /// Where it was reported.
    source: String,
    jobs: Vec<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    uid: String,
    name: String,
    cronjob: Option<String>,
    outcome: String,
    reason: Option<String>,
    cause: Option<String>,
    #[serde(default)]
    cause_alt: Vec<String>,
    #[serde(default)]
    retry: Vec<String>,
    #[serde(default)]
    summary_has: Vec<String>,
    #[serde(default)]
    summary_lacks: Vec<String>,
    #[serde(default)]
    next_has: Vec<String>,
    #[serde(default)]
    next_lacks: Vec<String>,
}

impl Expected {
    /// The differences from the record of `explain`.
    fn differences(&self, found: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut same = |key: &str, allowed: &[Option<&str>]| {
            let value = found[key].as_str();
            if !allowed.contains(&value) {
                wrong.push(format!("{key} is {value:?}, expected {allowed:?}"));
            }
        };
        same("name", &[Some(&self.name)]);
        same("cronjob", &[self.cronjob.as_deref()]);
        same("outcome", &[Some(&self.outcome)]);
        if self.outcome == "Failed" {
            same("reason", &[self.reason.as_deref()]);
        }
        if let Some(cause) = &self.cause {
            let causes = std::iter::once(cause).chain(&self.cause_alt);
            same("cause", &causes.map(|cause| Some(&**cause)).collect::<Vec<_>>());
        }
        if !self.retry.is_empty() {
            same(
                "retry",
                &self.retry.iter().map(|retry| Some(&**retry)).collect::<Vec<_>>(),
            );
        }
        for (key, has, lacks) in [
            ("summary", &self.summary_has, &self.summary_lacks),
            ("next_step", &self.next_has, &self.next_lacks),
        ] {
            let text = found[key].as_str().unwrap_or_default().to_lowercase();
            let found = |words: &&String| text.contains(&words.to_lowercase());
            wrong.extend(
                has.iter()
                    .filter(|words| !found(words))
                    .map(|words| format!("{key} lacks {words:?}: {text}")),
            );
            wrong.extend(
                lacks
                    .iter()
                    .filter(found)
                    .map(|words| format!("{key} has {words:?}: {text}")),
            );
        }
        wrong
    }
}

#[test]
fn every_reported_case_has_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reported");
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let cases: BTreeMap<String, Case> = serde_json::from_str(&expected).unwrap();
    let recordings = std::fs::read_dir(&folder).unwrap().count() - 1;
    assert_eq!(recordings, cases.len(), "recordings without a verdict");
    let mut wrong = Vec::new();
    for (name, case) in &cases {
        assert!(!case.source.is_empty(), "{name}");
        let file = BufReader::new(File::open(folder.join(format!("{name}.jsonl"))).unwrap());
        let Replay { ended, unfinished, end } = replay(file, TrackerSettings::default()).unwrap();
        let jobs: Vec<Evidence> = ended.into_iter().chain(unfinished).collect();
        assert_eq!(jobs.len(), case.jobs.len(), "{name}");
        for job in &case.jobs {
            let evidence = jobs.iter().find(|evidence| *evidence.job.uid == *job.uid).expect(name);
            let judgement = judge_at(evidence, end);
            let found = serde_json::to_value(ExplainRecord::new(evidence, &judgement)).unwrap();
            wrong.extend(
                job.differences(&found)
                    .into_iter()
                    .map(|difference| format!("{name}: {difference}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
