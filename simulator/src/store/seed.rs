//! Very many Jobs, quickly: one played Job is the template of all of them.

use super::{Change, Pairs, Store, Stored};
use crate::ids::Ids;
use crate::jobs::Scenario;
use crate::resource::{ChangeType, Resource};
use crate::timeline::Step;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;

/// Jobs are spread over this many namespaces.
const NAMESPACES: usize = 100;
const NAMESPACE: &str = "namespace-of-the-seeded-job";
const JOB: &str = "name-of-the-seeded-job";
/// The version the templates are stamped with; never a real one.
const VERSION: u64 = 987_654_321_987_654_321;

/// Running Jobs in a store, each of which can be led to its failure, write by write.
#[derive(Debug)]
pub struct SeededJobs {
    store: Store,
    steps: Vec<TemplateStep>,
    /// What each Job has gone through.
    progress: Vec<usize>,
    uids: usize,
}

#[derive(Debug)]
struct TemplateStep {
    resource: Resource,
    change: ChangeType,
    key: Template,
    body: Template,
    labels: Template,
    fields: Template,
}

/// A text with gaps for what differs from Job to Job.
#[derive(Debug)]
struct Template {
    /// A piece of text, and the gap that follows it.
    parts: Vec<(String, Option<usize>)>,
}

impl Store {
    /// Adds `count` running Jobs with `pods_per_job` Pods each, as a cluster holds them (`managedFields` included), in
    /// 100 namespaces. `start` is the time they were created at.
    ///
    /// # Errors
    /// If the template of the Jobs cannot be made.
    pub fn seed_jobs(
        &self,
        count: usize,
        pods_per_job: usize,
        start: Timestamp,
    ) -> Result<SeededJobs, crate::jobs::ScenarioError> {
        let parallelism = pods_per_job.max(1);
        let container = json!({
            "name": "main",
            "image": "registry.example/team/etl:1.4.2",
            "command": ["etl", "--all"],
            "env": [{"name": "REGION", "value": "eu-west-1"}],
        });
        let pod = json!({"restartPolicy": "Never", "containers": [container]});
        let spec = json!({
            "backoffLimit": 0, "parallelism": parallelism, "completions": parallelism, "template": {"spec": pod},
        });
        let manifest = json!({"kind": "Job", "metadata": {"name": JOB}, "spec": spec});
        let script =
            format!("name: seed\nabout: seed\nnamespace: {NAMESPACE}\npods: [{{run: 60s, exit: 1}}]\n---\n{manifest}");
        let mut story = Scenario::parse(&script)?.timeline(start, &mut Ids::new(0));
        if pods_per_job == 0 {
            story.retain(|step| step.resource == Resource::Jobs);
        }
        let mut uids: Vec<String> = story
            .iter()
            .filter_map(|step| step.object["metadata"]["uid"].as_str().map(str::to_owned))
            .collect();
        uids.sort();
        uids.dedup();
        let mut gaps = vec![VERSION.to_string(), NAMESPACE.to_owned(), JOB.to_owned()];
        gaps.extend(uids.iter().cloned());

        // The Jobs begin at the version that says their Pods are ready; what led there is not written.
        let running = story
            .iter()
            .position(|step| step.object["status"]["ready"].as_u64() > Some(0) && step.resource == Resource::Jobs);
        let (before, after) = story.split_at(running.map_or(0, |at| at + 1));
        let mut first: Vec<&Step> = Vec::new();
        for step in before.iter().filter(|step| step.resource != Resource::Events) {
            first.retain(|earlier| earlier.object["metadata"]["uid"] != step.object["metadata"]["uid"]);
            first.push(step);
        }
        let seeds = first.into_iter().map(|step| TemplateStep::new(step, &gaps));
        let seeds: Vec<TemplateStep> = seeds
            .map(|step| TemplateStep {
                change: ChangeType::Added,
                ..step
            })
            .collect();
        let known = seeds.len();
        let steps = seeds
            .into_iter()
            .chain(after.iter().map(|step| TemplateStep::new(step, &gaps)))
            .collect();
        let mut seeded = SeededJobs {
            store: self.clone(),
            steps,
            progress: vec![0; count],
            uids: uids.len(),
        };
        for job in 0..count {
            for _ in 0..known {
                seeded.advance(job);
            }
        }
        Ok(seeded)
    }
}

impl SeededJobs {
    /// How many Jobs there are.
    pub fn len(&self) -> usize {
        self.progress.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.progress.is_empty()
    }

    /// Makes the next write of this Job's story (its Pods fail, then the Job does); whether there was one left.
    pub fn advance(&mut self, job: usize) -> bool {
        let Some(done) = self.progress.get_mut(job) else {
            return false;
        };
        let Some(step) = self.steps.get(*done) else {
            return false;
        };
        *done += 1;
        let mut ids = Ids::new((job as u64).wrapping_mul(0x9e37_79b9));
        let mut gaps = vec![
            String::new(),
            format!("team-{:02}", job % NAMESPACES),
            format!("etl-{job:06}"),
        ];
        gaps.extend((0..self.uids).map(|_| ids.uid()));
        self.store.write_with(step.resource, step.change, |version| {
            if let Some(first) = gaps.first_mut() {
                *first = version.to_string();
            }
            Arc::new(Stored {
                key: step.key.fill(&gaps).into_boxed_str(),
                version,
                body: Bytes::from(step.body.fill(&gaps)),
                labels: Pairs::from_text(step.labels.fill(&gaps)),
                fields: Pairs::from_text(step.fields.fill(&gaps)),
            })
        });
        true
    }
}

impl Store {
    fn write_with(&self, resource: Resource, change: ChangeType, object: impl FnOnce(u64) -> Arc<Stored>) {
        let mut state = self.lock();
        let object = object(state.version + 1);
        if change == ChangeType::Deleted {
            let version = object.version;
            let objects = state.objects(resource);
            let previous = objects.live.remove(&object.key);
            objects.window.push(Change {
                version,
                kind: change,
                object,
                previous,
            });
            return self.advance(&mut state, version);
        }
        self.insert(&mut state, resource, object);
    }
}

impl TemplateStep {
    fn new(step: &Step, gaps: &[String]) -> TemplateStep {
        let metadata = &step.object["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap_or_default();
        let key = super::key(step.resource, text("namespace"), text("name"));
        let stored = Stored::new(step.resource, key, step.object.clone(), VERSION);
        TemplateStep {
            resource: step.resource,
            change: step.change,
            key: Template::new(&stored.key, gaps),
            body: Template::new(&String::from_utf8_lossy(&stored.body), gaps),
            labels: Template::new(stored.labels.text(), gaps),
            fields: Template::new(stored.fields.text(), gaps),
        }
    }
}

impl Template {
    fn new(text: &str, gaps: &[String]) -> Template {
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let next = gaps
                .iter()
                .enumerate()
                .filter_map(|(gap, mark)| Some((rest.find(mark)?, gap, mark.len())))
                .min();
            let Some((at, gap, length)) = next else {
                parts.push((rest.to_owned(), None));
                return Template { parts };
            };
            parts.push((rest.get(..at).unwrap_or_default().to_owned(), Some(gap)));
            rest = rest.get(at + length..).unwrap_or_default();
        }
    }

    fn fill(&self, gaps: &[String]) -> String {
        let mut text = String::new();
        for (part, gap) in &self.parts {
            text.push_str(part);
            text.push_str(gap.and_then(|gap| gaps.get(gap)).map_or("", String::as_str));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_jobs_are_running_and_can_be_led_to_their_failure() {
        let store = Store::default();
        let mut jobs = store.seed_jobs(300, 2, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((store.count(Resource::Jobs), store.count(Resource::Pods)), (300, 600));
        let all = store.list(Resource::Jobs);
        let mut uids: Vec<&str> = all.iter().map(|job| job["metadata"]["uid"].as_str().unwrap()).collect();
        uids.sort();
        uids.dedup();
        assert_eq!(uids.len(), 300);
        assert!(
            all.iter()
                .all(|job| job["status"]["ready"] == 2 && job["metadata"]["managedFields"].is_array())
        );
        let pods = store.list(Resource::Pods);
        let of_seven = |pod: &&serde_json::Value| pod["metadata"]["labels"]["job-name"] == "etl-000007";
        assert_eq!(pods.iter().filter(of_seven).count(), 2);

        while jobs.advance(7) {}
        let job = store.get(Resource::Jobs, "team-07", "etl-000007").unwrap();
        assert_eq!(job["status"]["conditions"][1]["type"], "Failed");
        assert_eq!(job["status"]["failed"], 2);
        assert_eq!(
            job["metadata"]["resourceVersion"],
            store
                .stored(Resource::Jobs, "team-07", "etl-000007")
                .unwrap()
                .version
                .to_string()
        );
        let events = store.list(Resource::Events);
        assert!(events.iter().any(|event| event["reason"] == "BackoffLimitExceeded"));
        assert!(!jobs.advance(300));
    }
}
