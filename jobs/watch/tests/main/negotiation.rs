//! Lists and watches of servers and proxies that serve protobuf, refuse it, or damage it: the same updates.

use job_watch::client::Coalesce;
use job_watch::model::{Job, Watched};
use job_watch::version::SharedVersion;
use job_watch::watch::first_list::FirstList;
use job_watch::watch::request::targets;
use job_watch::watch::streaming::StreamingLists;
use job_watch::watch::{COALESCE, ListWatch, SourceUpdate, Update};
use job_watch::{Kind, Object, Observation};
use kube::Client;
use pacing::Random;
use serde_json::{Value, json};
use simulator::{Cut, Fault, Matching, ProtobufSupport, Resource, Simulator, SimulatorOptions, Verb};
use tokio::sync::mpsc;

/// A long text, so that lengths take several bytes, and none is text.
fn job(name: &str, failed: u32) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "n", "uid": format!("u-{name}"), "annotations": {"note": "é".repeat(200)}},
        "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main"}]}}},
        "status": {"failed": failed, "startTime": "2026-11-23T16:14:16Z"},
    })
}

/// A list and watch of Jobs.
struct Watching {
    updates: mpsc::Receiver<SourceUpdate>,
    task: tokio::task::JoinHandle<()>,
}

impl Watching {
    /// Lists in pages.
    fn start(simulator: &Simulator) -> Self {
        Watching::with(simulator, StreamingLists::never())
    }

    fn with(simulator: &Simulator, streaming: StreamingLists) -> Self {
        let (sender, updates) = mpsc::channel(16);
        let mut config = kube::Config::new(simulator.url().parse().unwrap());
        // As the collector's own client: a retry inside of it hides errors.
        config.default_retry = false;
        let watch = ListWatch {
            client: Client::try_from(config).unwrap(),
            target: targets(&[Kind::Jobs], &[], &[], "").remove(0),
            updates: sender,
            first_list: FirstList::default(),
            resume: None,
            streaming,
            coalesce: Coalesce::new(COALESCE, COALESCE),
            random: Random::seeded(1),
        };
        let task = tokio::spawn(watch.run(|job: Box<Job>| Object::Job(job)));
        Watching { updates, task }
    }

    /// The updates up to one of a Job with this name and count of failures, in few words.
    async fn until(&mut self, name: &str, failed: i32) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let update = self.updates.recv().await.unwrap().update;
            let (word, object) = match update {
                Update::Observed(Observation::ListBegins) => ("list", None),
                Update::Observed(Observation::ListEnds) => ("end", None),
                Update::Observed(Observation::Listed(object)) => ("listed", Some(object)),
                Update::Observed(Observation::Changed(object)) => ("changed", Some(object)),
                Update::Observed(Observation::Deleted(object)) => ("deleted", Some(object)),
                Update::Observed(other) => panic!("{other:?}"),
                Update::Undecodable(problem) => panic!("{problem}"),
                Update::Failed { failure, .. } => panic!("{failure}"),
                Update::Healthy(_) | Update::Alive | Update::Position(_) => continue,
            };
            let Some(Object::Job(job)) = object else {
                seen.push(word.to_owned());
                continue;
            };
            let evidence = job.to_evidence();
            assert_eq!(evidence.spec.backoff_limit, Some(0));
            assert_eq!(evidence.status.start_time.unwrap().to_string(), "2026-11-23T16:14:16Z");
            seen.push(format!("{word} {} {}", job.metadata().name, evidence.status.failed));
            if (&*job.metadata().name, evidence.status.failed) == (name, failed) {
                return seen;
            }
        }
    }
}

async fn started(protobuf: ProtobufSupport) -> Simulator {
    let options = SimulatorOptions {
        protobuf,
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    simulator.store().create(Resource::Jobs, job("a", 0)).unwrap();
    simulator
}

/// The numbers of lists and of watches that were requested.
fn requests(simulator: &Simulator) -> (usize, usize) {
    let count = |verb| {
        simulator
            .requests()
            .iter()
            .filter(|request| request.verb == Some(verb))
            .count()
    };
    (count(Verb::List), count(Verb::Watch))
}

#[tokio::test]
async fn every_kind_of_server_gives_the_same_updates() {
    for (protobuf, lists, watches) in [
        (ProtobufSupport::Served, 1, 1),
        (ProtobufSupport::Missing, 1, 1),
        // Refused or unreadable once, then remembered.
        (ProtobufSupport::Refused, 2, 1),
        (ProtobufSupport::Mangled, 2, 1),
    ] {
        let simulator = started(protobuf).await;
        let mut watching = Watching::start(&simulator);
        assert_eq!(watching.until("a", 0).await, ["list", "listed a 0"], "{protobuf:?}");
        simulator.until_opened(watches).await;
        simulator.store().create(Resource::Jobs, job("b", 0)).unwrap();
        assert_eq!(watching.until("b", 0).await, ["end", "changed b 0"], "{protobuf:?}");
        simulator.store().update(Resource::Jobs, job("a", 3)).unwrap();
        simulator.store().delete(Resource::Jobs, "n", "a").unwrap();
        assert_eq!(watching.until("a", 3).await, ["changed a 3"], "{protobuf:?}");
        assert_eq!(watching.until("a", 3).await, ["deleted a 3"], "{protobuf:?}");
        assert_eq!(requests(&simulator), (lists, watches), "{protobuf:?}");
        watching.task.abort();
        simulator.shutdown().await;
    }
}

#[tokio::test]
async fn a_streaming_list_of_every_kind_of_server_gives_the_same_updates() {
    for (protobuf, requested) in [
        (ProtobufSupport::Served, 1),
        (ProtobufSupport::Missing, 1),
        (ProtobufSupport::Refused, 2),
        (ProtobufSupport::Mangled, 2),
        (ProtobufSupport::MangledWatches, 2),
    ] {
        let simulator = started(protobuf).await;
        let mut watching = Watching::with(&simulator, StreamingLists::of(SharedVersion::default()));
        assert_eq!(watching.until("a", 0).await, ["list", "listed a 0"], "{protobuf:?}");
        simulator.store().update(Resource::Jobs, job("a", 3)).unwrap();
        let seen = watching.until("a", 3).await;
        // The change may be a part of the list.
        assert!(
            seen == ["end", "changed a 3"] || seen == ["listed a 3"],
            "{protobuf:?} {seen:?}"
        );
        assert_eq!(requests(&simulator), (0, requested), "{protobuf:?}");
        watching.task.abort();
        simulator.shutdown().await;
    }
}

#[tokio::test]
async fn a_watch_that_a_proxy_damages_resumes_in_json() {
    let simulator = started(ProtobufSupport::MangledWatches).await;
    let mut watching = Watching::start(&simulator);
    watching.until("a", 0).await;
    simulator.until_opened(1).await;
    for failed in 1..4 {
        simulator.store().update(Resource::Jobs, job("a", failed)).unwrap();
    }
    let seen = watching.until("a", 3).await;
    assert_eq!(
        seen,
        ["end", "changed a 1", "changed a 2", "changed a 3"],
        "nothing is lost"
    );
    assert_eq!(requests(&simulator), (1, 2), "no list but the first");
    watching.task.abort();
    simulator.shutdown().await;
}

#[tokio::test]
async fn an_error_in_protobuf_is_understood() {
    for (fault, code) in [
        (
            Fault::Status {
                code: 429,
                retry_after: Some(7),
            },
            "429",
        ),
        (Fault::ExpiredInBand, "410"),
    ] {
        let simulator = started(ProtobufSupport::Served).await;
        simulator.answer_next(1, Matching::new(Verb::Watch, Resource::Jobs), fault);
        let mut watching = Watching::start(&simulator);
        let failure = loop {
            if let Update::Failed { failure, .. } = watching.updates.recv().await.unwrap().update {
                break failure.to_string();
            }
        };
        assert!(failure.starts_with(code), "{failure}");
        assert!(
            failure.contains("Too many requests") || failure.contains("too old resource version"),
            "{failure}"
        );
        watching.task.abort();
        simulator.shutdown().await;
    }
}

#[tokio::test]
async fn a_frame_that_is_cut_is_read_again() {
    for cut in [Cut::EndMidLine, Cut::ResetMidLine, Cut::End, Cut::Reset] {
        let simulator = started(ProtobufSupport::Served).await;
        let mut watching = Watching::start(&simulator);
        watching.until("a", 0).await;
        simulator.until_opened(1).await;
        simulator.store().update(Resource::Jobs, job("a", 1)).unwrap();
        watching.until("a", 1).await;
        assert_eq!(simulator.cut_watches(cut), 1);
        simulator.store().update(Resource::Jobs, job("a", 2)).unwrap();
        // The failure is reported, and nothing is listed again.
        let mut seen = Vec::new();
        while seen.last().is_none_or(|last| last != "2") {
            match watching.updates.recv().await.unwrap().update {
                Update::Observed(Observation::Changed(Object::Job(job))) => {
                    seen.push(job.to_evidence().status.failed.to_string());
                }
                Update::Observed(other) => panic!("{other:?}"),
                _ => {}
            }
        }
        assert_eq!(seen, ["2"], "{cut:?}");
        assert_eq!(requests(&simulator), (1, 2), "{cut:?}");
        watching.task.abort();
        simulator.shutdown().await;
    }
}
