//! The whole receiver against a simulated API server over real sockets, with faults between them. Time runs two hundred
//! times as fast, without jumps, because the kernel takes time to deliver bytes.

use std::path::PathBuf;
use std::time::Duration;

use crate::support::running::{Run, run};
use collector_runtime::health::Status;
use job_event::evidence::Gap;
use job_watch::Kind;
use job_watch::client::{AuthType, connect};
use serde_json::{Value, json};
use simulator::{ApiRequest, ApiToken, Cut, Fault, Matching, Resource, Simulator, SimulatorOptions, Verb};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// A watch of each kind.
const WATCHES: usize = Kind::ALL.len();
/// Long enough for every watch to reach its timeout at least once.
const LONG: Duration = Duration::from_secs(150);

struct Cluster {
    simulator: Simulator,
    kubeconfig: PathBuf,
    jobs: u32,
    clock: AbortHandle,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.clock.abort();
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}

/// Moves the paused clock. While it waits for its thread, the clock does not move by itself.
async fn run_clock() {
    loop {
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1)))
            .await
            .unwrap();
        tokio::time::advance(Duration::from_millis(200)).await;
    }
}

fn options() -> SimulatorOptions {
    SimulatorOptions {
        tokens: vec![ApiToken::admin("first")],
        ..SimulatorOptions::default()
    }
}

fn job(number: u32, failed: bool) -> Value {
    let conditions = match failed {
        true => json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
            "lastTransitionTime": "2026-11-23T17:00:00Z"}]),
        false => json!([]),
    };
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"uid": format!("uid-{number}"), "name": format!("j-{number}"), "namespace": "n",
            "creationTimestamp": "2026-11-23T16:59:00Z"},
        "spec": {"completions": 1, "parallelism": 1}, "status": {"conditions": conditions}})
}

impl Cluster {
    /// A cluster with a running Job, and a receiver that watches it.
    async fn start() -> (Cluster, Run) {
        Cluster::start_with(options()).await
    }

    async fn start_with(options: SimulatorOptions) -> (Cluster, Run) {
        let clock = tokio::spawn(run_clock()).abort_handle();
        let simulator = Simulator::start(options).await.unwrap();
        let kubeconfig = std::env::temp_dir().join(format!("kubeconfig-faults-{}", simulator.address().port()));
        simulator.write_kubeconfig(&kubeconfig).unwrap();
        let mut cluster = Cluster {
            simulator,
            kubeconfig,
            jobs: 0,
            clock,
        };
        cluster.create();
        let connected = connect(AuthType::KubeConfig, Some(&cluster.kubeconfig), None)
            .await
            .unwrap();
        // Its Job has no Pods.
        let running = run(connected.client, r#"{"stalled":{"enabled":false}}"#).await;
        cluster.simulator.until_opened(WATCHES).await;
        running.until(|status| *status == Status::Ok).await;
        (cluster, running)
    }

    fn create(&mut self) {
        self.jobs += 1;
        self.simulator
            .store()
            .create(Resource::Jobs, job(self.jobs, false))
            .unwrap();
    }

    /// The last Job fails.
    fn fail(&self) {
        self.simulator
            .store()
            .put(Resource::Jobs, job(self.jobs, true))
            .unwrap();
    }

    /// The last Job, which has failed, is reported, with no other gap than these. Another one begins.
    async fn reported(&mut self, running: &mut Run, gaps: &[Gap]) {
        let evidence = running.next_event().await;
        assert_eq!(*evidence.job.uid, format!("uid-{}", self.jobs));
        assert_eq!(evidence.job.reason(), Some("BackoffLimitExceeded"));
        assert_eq!(evidence.gaps, gaps);
        self.create();
        // Until all watches resumed and observed it.
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    /// How many lists of Jobs were requested, as a stream or in pages, or how many watches.
    fn asked(&self, verb: Verb) -> usize {
        let requests = self.simulator.requests();
        let of_jobs = requests
            .iter()
            .filter(|request| request.resource == Some(Resource::Jobs));
        let verb_of = |request: &ApiRequest| match request.query.contains("sendInitialEvents") {
            true => Some(Verb::List),
            false => request.verb,
        };
        of_jobs.filter(|request| verb_of(request) == Some(verb)).count()
    }

    /// No further event, no error, a clean shutdown.
    async fn ends(self, mut running: Run) {
        running.no_event_for(LONG).await;
        assert_eq!(running.status(), Status::Ok);
        assert!(running.points("k8s_job_lost").is_empty());
        running.shutdown.cancel();
        (&mut running.task).await.unwrap().unwrap();
        self.simulator.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn resumes_after_every_kind_of_cut() {
    let (mut cluster, mut running) = Cluster::start().await;
    // In the middle of a line is in the middle of a character, too.
    for cut in [Cut::End, Cut::EndMidLine, Cut::Reset, Cut::ResetMidLine] {
        assert!(cluster.simulator.cut_watches(cut) > 0);
        cluster.fail();
        cluster.reported(&mut running, &[]).await;
    }
    assert_eq!(cluster.asked(Verb::List), 1);
    cluster.ends(running).await;
}

#[tokio::test(start_paused = true)]
async fn reports_each_job_once_when_every_watch_expires() {
    // Its lists are in pages.
    let version = "v1.33.4".into();
    expire(SimulatorOptions { version, ..options() }).await;
}

#[tokio::test(start_paused = true)]
async fn reports_each_job_once_when_watches_expire_and_lists_are_streams() {
    expire(options()).await;
}

async fn expire(options: SimulatorOptions) {
    let (mut cluster, mut running) = Cluster::start_with(options).await;
    for times in 1..=3 {
        assert!(cluster.simulator.expire_watches() > 0);
        // From the HTTP server in between, like a proxy, and with a requested delay.
        let expired = Fault::Status {
            code: 410,
            retry_after: None,
        };
        let watches = Matching::new(Verb::Watch, Resource::Jobs);
        cluster.simulator.answer_next(1, watches, expired);
        cluster.simulator.answer_next(1, watches, Fault::BrokenList);
        let busy = Fault::Status {
            code: 429,
            retry_after: Some(3),
        };
        cluster
            .simulator
            .answer_next(2, Matching::new(Verb::List, Resource::Jobs), busy);
        cluster.fail();
        cluster.reported(&mut running, &[Gap::WatchInterrupted]).await;
        assert!(cluster.asked(Verb::List) > times);
    }
    let gaps = running.points("gap_seconds[by=list, receiver=k8s_job, resource=jobs]");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    cluster.ends(running).await;
}

#[tokio::test(start_paused = true)]
async fn resumes_stalled_watches() {
    let (mut cluster, mut running) = Cluster::start().await;
    // Bookmarks come once a minute; after a few of them they are expected.
    tokio::time::sleep(2 * LONG).await;
    let (began, watches) = (Instant::now(), cluster.asked(Verb::Watch));
    cluster.simulator.stall_watches();
    cluster.fail();
    while cluster.asked(Verb::Watch) == watches {
        running.no_event_for(Duration::from_secs(1)).await;
    }
    let noticed = began.elapsed().as_secs();
    assert!(noticed <= 105, "it was rebuilt after {noticed} s");
    // If the new one receives nothing either, that is reported.
    running.until(|status| status.reason().is_some()).await;
    let noticed = began.elapsed().as_secs();
    assert!((180..=320).contains(&noticed), "reported after {noticed} s");
    cluster.simulator.resume_watches();
    cluster.reported(&mut running, &[]).await;
    assert_eq!(cluster.asked(Verb::List), 1, "nothing is listed again");
    running.until(|status| *status == Status::Ok).await;
    let gaps = running.points("gap_seconds[by=resume, receiver=k8s_job, resource=jobs]");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    cluster.ends(running).await;
}

#[tokio::test(start_paused = true)]
async fn times_out_unanswered_requests() {
    let (mut cluster, mut running) = Cluster::start().await;
    cluster
        .simulator
        .answer_next(2, Matching::new(Verb::Watch, Resource::Jobs), Fault::Silence);
    cluster.simulator.cut_watches_of(Resource::Jobs, Cut::Reset);
    cluster.fail();
    running.no_event_for(Duration::from_secs(115)).await;
    cluster.reported(&mut running, &[]).await;
    cluster.ends(running).await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_read_again_from_the_kubeconfig() {
    let (mut cluster, mut running) = Cluster::start().await;
    assert!(cluster.simulator.replace_token("first", "second"));
    cluster.simulator.cut_watches(Cut::Reset);
    cluster.fail();
    // The kubeconfig is not renewed yet.
    running.until(|status| status.reason().is_some()).await;
    let reason = running.status().reason().unwrap().to_owned();
    assert!(
        reason.contains("401") && reason.contains("Renew them in the kubeconfig"),
        "{reason}"
    );
    cluster.simulator.write_kubeconfig(&cluster.kubeconfig).unwrap();
    cluster.reported(&mut running, &[]).await;
    running.until(|status| *status == Status::Ok).await;
    cluster.ends(running).await;
}

#[tokio::test(start_paused = true)]
async fn recovers_when_revoked_permissions_return() {
    let (mut cluster, mut running) = Cluster::start().await;
    for verb in [Verb::List, Verb::Watch] {
        cluster.simulator.forbid(verb, Resource::Jobs);
        cluster.simulator.forbid(verb, Resource::Pods);
    }
    cluster.simulator.cut_watches(Cut::End);
    cluster.fail();
    running.until(|status| status.reason().is_some()).await;
    let reason = running.status().reason().unwrap().to_owned();
    assert!(
        reason.contains("403") && reason.contains("resources: [\"jobs\"]"),
        "{reason}"
    );
    assert!(!reason.contains("pods"), "it can be done without them: {reason}");
    for verb in [Verb::List, Verb::Watch] {
        cluster.simulator.permit(verb, Resource::Jobs);
        cluster.simulator.permit(verb, Resource::Pods);
    }
    cluster.reported(&mut running, &[Gap::PodsForbidden]).await;
    running.until(|status| *status == Status::Ok).await;
    cluster.ends(running).await;
}

#[tokio::test(start_paused = true)]
async fn reconnects_to_a_restarted_api_server() {
    let (mut cluster, mut running) = Cluster::start().await;
    let (port, store) = (cluster.simulator.address().port(), cluster.simulator.store().clone());
    cluster.simulator.shutdown().await;
    cluster.fail();
    running.until(|status| status.reason().is_some()).await;
    let reason = running.status().reason().unwrap().to_owned();
    assert!(reason.contains("cannot reach the API server"), "{reason}");
    let options = SimulatorOptions { port, ..options() };
    cluster.simulator = Simulator::start_with(options, store).await.unwrap();
    cluster.reported(&mut running, &[]).await;
    running.until(|status| *status == Status::Ok).await;
    assert_eq!(
        cluster.asked(Verb::List),
        0,
        "the new server has the versions of the old one"
    );
    cluster.ends(running).await;
}
