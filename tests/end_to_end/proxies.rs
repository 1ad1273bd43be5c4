//! Proxies of the environment, with the real binary: loopback needs none, everything else goes through them, and no
//! password of theirs is in any output.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use crate::cluster::{BINARY, Cluster, Ran};
use jiff::SignedDuration;
use simulator::otlp_intake::{OtlpIntake, ScriptedReply, Signal};
use simulator::{ForwardProxy, ForwardProxyOptions};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

/// Upper bound on anything a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many watches the receiver keeps open. A recording of all namespaces has as many.
const WATCHES: usize = 8;
/// How many watches `record -A` opens.
const RECORDED: usize = 7;
/// In the URL of every proxy.
const SECRET: &str = "pr0xy-s3cret";
const VARIABLES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// A port that refuses connections.
async fn closed_port() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("its address")
}

/// A pipeline that sends events over HTTP and gRPC and own metrics over HTTP, at level debug.
fn pipeline(cluster: &Cluster, http: &str, grpc: &str, own: &str) -> String {
    let path = cluster.folder.join("pipeline.yaml");
    let text = format!(
        "receivers: {{k8s_job: {{auth_type: kubeConfig, kubeconfig: '{}'}}}}\n\
         exporters:\n  otlp_http: {{endpoint: '{http}', retry_on_failure: {{initial_interval: 10ms, max_interval: 10ms}}}}\n  \
         otlp_grpc: {{endpoint: '{grpc}', retry_on_failure: {{initial_interval: 10ms, max_interval: 10ms}}}}\n\
         service:\n  telemetry:\n    logs: {{level: debug}}\n    metrics: {{readers: [{{periodic: {{interval: 100, exporter: \
         {{otlp: {{endpoint: '{own}', temporality_preference: delta, headers: {{x-own: '1'}}}}}}}}}}]}}\n  \
         pipelines: {{logs: {{receivers: [k8s_job], exporters: [otlp_http, otlp_grpc]}}}}\n",
        cluster.kubeconfig().display()
    );
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

/// A command with this proxy in every variable.
fn behind(mut command: Command, proxy: &str) -> Command {
    command.envs(VARIABLES.map(|name| (name, proxy)));
    command
}

/// A running collector.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    log: String,
}

impl Running {
    fn start(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::null()).spawn().expect("it starts");
        let stderr = child.stderr.take().expect("a pipe");
        Running {
            child,
            lines: BufReader::new(stderr).lines(),
            log: String::new(),
        }
    }

    async fn line(&mut self) -> Option<String> {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("nothing more is logged:\n{}", self.log));
        let line = line.expect("a line")?;
        self.log.push_str(&format!("{line}\n"));
        Some(line)
    }

    /// Waits until each of these has been in a line of the log.
    async fn until_logged(&mut self, mut wanted: Vec<String>) {
        while !wanted.is_empty() {
            let Some(line) = self.line().await else {
                panic!("it ended without {wanted:?}:\n{}", self.log)
            };
            wanted.retain(|words| !line.contains(words));
        }
    }

    /// Shuts it down and returns its log.
    async fn stop(mut self) -> String {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.expect("kill").success());
        while self.line().await.is_some() {}
        self.log
    }
}

/// Waits until an event has arrived over both transports, and own metrics too.
async fn until_delivered(events: &OtlpIntake, count: usize, own: &OtlpIntake) {
    let mut arrivals = events.subscribe();
    let mut own_arrivals = own.subscribe();
    let all = async {
        while events.records().len() < count {
            let _ = arrivals.recv().await;
        }
        while own.points().is_empty() {
            let _ = own_arrivals.recv().await;
        }
    };
    if timeout(PATIENCE, all).await.is_err() {
        panic!("{:?} {:?}", events.attempts(), own.attempts());
    }
}

async fn intake() -> OtlpIntake {
    OtlpIntake::start(None).await.expect("an intake")
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_needs_no_proxy() {
    let cluster = Cluster::start("proxies-loopback").await;
    let proxy = format!("http://user:{SECRET}@{}", closed_port().await);
    let (events, own) = (intake().await, intake().await);
    let config = pipeline(
        &cluster,
        &events.url(),
        &format!("http://{}", events.grpc_address()),
        &format!("{}/v1/metrics", own.url()),
    );
    let mut outputs = Vec::new();

    let args = format!("run --config {config}");
    let running = Running::start(behind(cluster.command(BINARY, &args), &proxy));
    timeout(PATIENCE, cluster.simulator.until_opened(WATCHES))
        .await
        .expect("it watches");
    cluster.scenario("retries-exhausted", SignedDuration::ZERO).play_all();
    until_delivered(&events, 2, &own).await;
    outputs.push(running.stop().await);

    let output = cluster.folder.join("recorded.jsonl");
    let (record, opened) = (
        format!("record -A -o {}", output.display()),
        cluster.simulator.opened_watches(),
    );
    let recording = Running::start(behind(cluster.command(BINARY, &record), &proxy));
    timeout(PATIENCE, cluster.simulator.until_opened(opened + RECORDED))
        .await
        .expect("it watches");
    outputs.push(recording.stop().await);
    assert!(std::fs::metadata(&output).expect("the recording").len() > 0);

    for (args, code) in [
        ("explain --all-failed -A -o json", 1),
        ("demo --once -o json --speed 50", 0),
    ] {
        let ran = behind(cluster.command(BINARY, args), &proxy).output().await;
        let ran = Ran::from(ran.expect("it runs"));
        assert_eq!(ran.code, Some(code), "{args}: {}", ran.err);
        outputs.extend([ran.out, ran.err]);
    }
    for output in outputs {
        assert!(!output.contains(SECRET), "{output}");
    }
}

/// A proxy to a cluster and intakes under names that nothing else resolves.
async fn proxy(cluster: &Cluster, events: &OtlpIntake, own: &OtlpIntake) -> ForwardProxy {
    let targets = [
        ("api.cluster.example:6443", cluster.simulator.address()),
        ("intake.example:4318", events.address()),
        ("intake.example:4317", events.grpc_address()),
        ("own.example:4318", own.address()),
    ];
    let options = ForwardProxyOptions {
        targets: targets.map(|(name, address)| (name.to_owned(), address)).into(),
        credentials: Some(format!("user:{SECRET}")),
        ..ForwardProxyOptions::default()
    };
    ForwardProxy::start(options).await.expect("a proxy")
}

/// Changes the kubeconfig to a name that only the proxy resolves, and returns a pipeline with such names.
fn behind_names(cluster: &Cluster) -> String {
    let path = cluster.kubeconfig();
    let text = std::fs::read_to_string(&path).expect("the kubeconfig");
    let here = format!("http://{}", cluster.simulator.address());
    assert!(text.contains(&here), "{text}");
    std::fs::write(&path, text.replace(&here, "http://api.cluster.example:6443")).expect("a file");
    pipeline(
        cluster,
        "http://intake.example:4318",
        "http://intake.example:4317",
        "http://own.example:4318/v1/metrics",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_through_a_proxy() {
    for scheme in ["http", "socks5h"] {
        let cluster = Cluster::start(&format!("proxies-through-{scheme}")).await;
        let (events, own) = (intake().await, intake().await);
        let proxy = proxy(&cluster, &events, &own).await;
        // It refuses connections at first, and no data is lost.
        proxy.fail_next([407, 407, 502, 503, 403]);
        let args = format!("run --config {}", behind_names(&cluster));
        let mut running = Running::start(behind(cluster.command(BINARY, &args), &proxy.url(scheme)));
        let using = ["api.cluster.example:6443", "intake.example:4318", "intake.example:4317"];
        let using = using.map(|name| format!("{name}\" proxy={}://{}", scheme.trim_end_matches('h'), proxy.address()));
        running.until_logged(using.to_vec()).await;
        timeout(PATIENCE, cluster.simulator.until_opened(WATCHES))
            .await
            .expect("it watches");
        cluster.scenario("retries-exhausted", SignedDuration::ZERO).play_all();
        until_delivered(&events, 2, &own).await;
        let log = running.stop().await;
        assert!(!log.contains(SECRET), "{log}");
        assert_eq!(events.records().len(), 2, "once over HTTP and once over gRPC");
        let proxied = proxy.proxied();
        for target in [
            "api.cluster.example:6443",
            "intake.example:4318",
            "intake.example:4317",
            "own.example:4318",
        ] {
            assert!(
                proxied
                    .iter()
                    .any(|proxied| proxied.target == target && proxied.status == 200),
                "{scheme} {target}"
            );
        }

        let ran = behind(
            cluster.command(BINARY, "explain --all-failed -A -o json"),
            &proxy.url(scheme),
        )
        .output()
        .await;
        let ran = Ran::from(ran.expect("it runs"));
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert!(ran.out.contains("invoice-export"), "{}", ran.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_names_the_failing_proxy() {
    let cluster = Cluster::start("proxies-at-fault").await;
    let (events, own) = (intake().await, intake().await);
    let away = closed_port().await;
    let asking = proxy(&cluster, &events, &own).await;
    let config = behind_names(&cluster);
    for (address, expected) in [
        (away, "refused the connection"),
        (asking.address(), "requires authentication (HTTP 407)"),
    ] {
        let url = format!("http://user:{SECRET}@{address}").replace("user:", "stranger:");
        let mut running = Running::start(behind(cluster.command(BINARY, &format!("run --config {config}")), &url));
        let fault = |from: &str| format!("proxy http://{address} (from {from}) {expected}");
        let own_metrics = format!("cannot export own metrics problem=\"{}", fault("HTTP_PROXY"));
        let api_server = format!("http://api.cluster.example:6443: {}", fault("HTTP_PROXY"));
        running.until_logged(vec![own_metrics, api_server]).await;
        let log = running.stop().await;
        assert!(!log.contains(SECRET), "{log}");
        let explain = behind(cluster.command(BINARY, "explain --all-failed -A"), &url)
            .output()
            .await;
        let ran = Ran::from(explain.expect("it runs"));
        assert!(ran.err.contains(&fault("HTTP_PROXY")), "{}", ran.err);
        assert!(!ran.err.contains(SECRET), "{}", ran.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_metrics_do_not_follow_redirects() {
    let cluster = Cluster::start("proxies-redirect").await;
    let (events, own, other) = (intake().await, intake().await, intake().await);
    let redirect = ScriptedReply::Response {
        status: 307,
        headers: vec![("location".into(), format!("{}/v1/metrics", other.url()))],
        body: Vec::new(),
    };
    own.answer_all(Signal::Metrics, Some(redirect));
    let config = pipeline(
        &cluster,
        &events.url(),
        &format!("http://{}", events.grpc_address()),
        &format!("{}/v1/metrics", own.url()),
    );
    let mut running = Running::start(cluster.command(BINARY, &format!("run --config {config}")));
    running
        .until_logged(vec![format!(
            "redirects to {} (HTTP 307), which is not followed",
            other.url()
        )])
        .await;
    own.answer_all(Signal::Metrics, None);
    running
        .until_logged(vec!["export of own metrics recovered".into()])
        .await;
    running.stop().await;
    assert!(
        own.attempts()
            .iter()
            .all(|attempt| attempt.headers.contains_key("x-own"))
    );
    assert!(other.attempts().is_empty(), "the key stays with its host");
}
