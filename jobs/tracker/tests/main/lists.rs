//! Lists: what is missing in a complete one is gone.

use jiff::Timestamp;
use job_tracker::replay::read_line;
use job_tracker::{Tracker, TrackerSettings};
use job_watch::{Kind, Observation, Source};
use serde_json::{Value, json};

/// The source of a kind in the whole cluster.
fn source(kind: Kind) -> Source {
    Source { kind, scope: 0 }
}

struct Cluster(Tracker);

impl Cluster {
    fn new() -> Cluster {
        Cluster(Tracker::new(TrackerSettings::default()))
    }

    fn observe(&mut self, kind: Kind, observation: Observation) {
        self.0.apply(source(kind), observation, Timestamp::UNIX_EPOCH);
    }

    /// A watch delivers an object.
    fn watched(&mut self, resource: &str, object: &Value) {
        let line = json!({"t": 0, "resource": resource, "type": "ADDED", "object": object});
        let recorded = read_line(&line.to_string()).unwrap();
        self.0
            .apply(recorded.source, recorded.observation.unwrap(), Timestamp::UNIX_EPOCH);
    }

    /// A list has these objects.
    fn listed(&mut self, resource: &str, objects: &[Value]) {
        for object in objects {
            let line = json!({"t": 0, "resource": resource, "type": "ADDED", "object": object});
            let recorded = read_line(&line.to_string()).unwrap();
            let Some(Observation::Changed(object)) = recorded.observation else {
                panic!("not a change")
            };
            self.0
                .apply(recorded.source, Observation::Listed(object), Timestamp::UNIX_EPOCH);
        }
    }

    /// A complete list.
    fn list(&mut self, kind: Kind, resource: &str, objects: &[Value]) {
        self.observe(kind, Observation::ListBegins);
        self.listed(resource, objects);
        self.observe(kind, Observation::ListEnds);
    }

    /// The unfinished Jobs, each with the names of its Pods that are not deleted.
    fn unfinished(self) -> Vec<(String, Vec<String>)> {
        let jobs = self.0.into_unfinished().into_iter().map(|evidence| {
            let pods = evidence.pods.iter().filter(|pod| !pod.removed);
            (evidence.job.name.into(), pods.map(|pod| pod.name.to_string()).collect())
        });
        jobs.collect()
    }
}

fn job(name: &str) -> Value {
    json!({"metadata": {"uid": format!("uid-{name}"), "name": name, "namespace": "n"}})
}

fn pod(name: &str, job: &str) -> Value {
    json!({"metadata": {"uid": format!("uid-{name}"), "name": name, "namespace": "n", "ownerReferences": [
        {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": format!("uid-{job}"), "controller": true}]}})
}

fn one(job: &str, pods: &[&str]) -> Vec<(String, Vec<String>)> {
    let pods = pods.iter().map(|pod| (*pod).to_owned()).collect();
    vec![(job.to_owned(), pods)]
}

#[test]
fn a_list_removes_the_jobs_and_pods_that_it_lacks() {
    let mut cluster = Cluster::new();
    for _ in 0..2 {
        cluster.list(Kind::Jobs, "jobs", &[job("a"), job("b")]);
        cluster.list(Kind::Pods, "pods", &[pod("p", "a"), pod("q", "a"), pod("r", "b")]);
    }
    cluster.list(Kind::Jobs, "jobs", &[job("a")]);
    cluster.list(Kind::Pods, "pods", &[pod("q", "a")]);
    assert_eq!(cluster.unfinished(), one("a", &["q"]));
}

#[test]
fn an_interrupted_list_marks_nothing_for_the_next() {
    let mut cluster = Cluster::new();
    cluster.list(Kind::Jobs, "jobs", &[job("a"), job("b")]);
    cluster.list(Kind::Pods, "pods", &[pod("p", "a"), pod("q", "a")]);
    // Objects of the first try are gone in the second.
    cluster.observe(Kind::Jobs, Observation::ListBegins);
    cluster.listed("jobs", &[job("b")]);
    cluster.list(Kind::Jobs, "jobs", &[job("a")]);
    cluster.observe(Kind::Pods, Observation::ListBegins);
    cluster.listed("pods", &[pod("p", "a")]);
    cluster.list(Kind::Pods, "pods", &[pod("q", "a")]);
    assert_eq!(cluster.unfinished(), one("a", &["q"]));
}

#[test]
fn a_list_with_an_unusable_object_removes_nothing() {
    let mut cluster = Cluster::new();
    cluster.list(Kind::Jobs, "jobs", &[job("a")]);
    cluster.list(Kind::Pods, "pods", &[pod("p", "a")]);
    for kind in [Kind::Jobs, Kind::Pods] {
        cluster.observe(kind, Observation::ListBegins);
        cluster.observe(kind, Observation::ListLacks);
        cluster.observe(kind, Observation::ListEnds);
    }
    assert_eq!(cluster.unfinished(), one("a", &["p"]));
}

#[test]
fn an_object_that_is_observed_while_a_list_runs_exists() {
    let mut cluster = Cluster::new();
    for kind in [Kind::Jobs, Kind::Pods] {
        cluster.observe(kind, Observation::ListBegins);
    }
    cluster.watched("jobs", &job("a"));
    cluster.watched("pods", &pod("p", "a"));
    for kind in [Kind::Jobs, Kind::Pods] {
        cluster.observe(kind, Observation::ListEnds);
    }
    assert_eq!(cluster.unfinished(), one("a", &["p"]));
}

#[test]
fn a_pod_that_waits_for_its_job_is_removed_too() {
    let mut cluster = Cluster::new();
    cluster.list(Kind::Pods, "pods", &[pod("p", "a"), pod("q", "a")]);
    cluster.observe(Kind::Pods, Observation::ListBegins);
    cluster.listed("pods", &[pod("q", "a")]);
    // Its Job arrives before the list is complete.
    cluster.watched("jobs", &job("a"));
    cluster.observe(Kind::Pods, Observation::ListEnds);
    assert_eq!(cluster.unfinished(), one("a", &["q"]));
}

#[test]
fn an_incomplete_replay_leaves_no_deleted_object_behind() {
    for complete in [false, true] {
        let mut cluster = Cluster::new();
        for (kind, resource, listed, replayed) in [
            (Kind::Jobs, "jobs", job("kept"), [job("kept"), job("gone")]),
            (
                Kind::Pods,
                "pods",
                pod("a", "kept"),
                [pod("a", "kept"), pod("b", "kept")],
            ),
        ] {
            cluster.observe(kind, Observation::ListBegins);
            cluster.listed(resource, &[listed]);
            cluster.observe(kind, Observation::ReplayBegins { version: 10 });
            cluster.observe(kind, Observation::ListEnds);
            for mut object in replayed {
                object["metadata"]["resourceVersion"] = "7".into();
                cluster.watched(resource, &object);
            }
            cluster.observe(kind, Observation::ReplayEnds { complete });
        }
        let unfinished = cluster.unfinished();
        match complete {
            // The deletion of the others comes.
            true => assert_eq!(unfinished.len(), 2),
            false => assert_eq!(unfinished, one("kept", &["a"])),
        }
    }
}
