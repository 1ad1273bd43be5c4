//! Backends behind a proxy, under names that only the proxy resolves.

use std::net::SocketAddr;
use std::process::{Command, Output};

use crate::support::tls::{Server, Tls, authority};
use crate::support::{CapturedLog, Exporting, KEY, QUICK, logs, start, start_of};
use collector_data::Outcome;
use reqwest::Url;
use simulator::otlp_intake::OtlpIntake;
use simulator::{ForwardProxy, ForwardProxyOptions};
use tokio::net::TcpListener;

const HOST: &str = "intake.example";
/// In the proxy's URL.
const SECRET: &str = "pr0xy-s3cret";

fn address(url: &str) -> SocketAddr {
    let port = Url::parse(url).unwrap().port().unwrap();
    ([127, 0, 0, 1], port).into()
}

/// An intake with TLS for [`HOST`], one without, and a proxy that leads to both.
struct Setup {
    secure: Server,
    plain: OtlpIntake,
    proxy: ForwardProxy,
}

impl Setup {
    async fn new() -> Setup {
        let authority = authority();
        let tls = Tls {
            name: HOST,
            ..Tls::of(&authority)
        };
        let configs = [tls.config(b"http/1.1"), tls.config(b"h2")];
        let secure = Server::with(authority, configs).await;
        let plain = OtlpIntake::start(None).await.unwrap();
        let targets = [
            (4317, address(&secure.url_of_grpc())),
            (4318, address(&secure.url_of_http())),
            (80, plain.address()),
            (8017, plain.grpc_address()),
        ];
        let options = ForwardProxyOptions {
            targets: targets
                .map(|(port, address)| (format!("{HOST}:{port}"), address))
                .into(),
            credentials: Some(format!("user:{SECRET}")),
            ..ForwardProxyOptions::default()
        };
        let proxy = ForwardProxy::start(options).await.unwrap();
        Setup { secure, plain, proxy }
    }

    /// `otlp_http` through the proxy, to the intake with or without TLS.
    async fn http(&self, tls: bool, proxy_url: &str) -> Exporting {
        let trusting = self.secure.trusting();
        let (endpoint, more) = match tls {
            true => ("https://intake.example:4318", trusting.as_str()),
            false => ("http://intake.example", ""),
        };
        start(&format!(
            "endpoint: {endpoint}\nproxy_url: {proxy_url}\n{QUICK}\n{more}"
        ))
        .await
    }

    fn received(&self) -> usize {
        self.plain.records().len() + self.secure.intake().records().len()
    }
}

#[tokio::test]
async fn http_goes_through_the_proxy_with_and_without_tls() {
    let (log, _guard) = CapturedLog::capture();
    let setup = Setup::new().await;
    for scheme in ["http", "socks5", "socks5h"] {
        for tls in [true, false] {
            let exporter = setup.http(tls, &setup.proxy.url(scheme)).await;
            assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered, "{scheme} {tls}");
            exporter.end().await;
        }
    }
    assert_eq!(setup.received(), 6);
    let proxied = setup.proxy.proxied();
    let methods: Vec<&str> = proxied.iter().map(|proxied| proxied.method.as_str()).collect();
    assert_eq!(methods, ["CONNECT", "POST", "SOCKS", "SOCKS", "SOCKS", "SOCKS"]);
    let credentials = |intake: &OtlpIntake| {
        let attempts = intake.attempts();
        attempts
            .iter()
            .any(|attempt| attempt.headers.contains_key("proxy-authorization"))
    };
    assert!(!credentials(&setup.plain) && !credentials(setup.secure.intake()));
    assert!(
        log.text().contains("using a proxy") && !log.text().contains(SECRET),
        "{}",
        log.text()
    );
}

#[tokio::test]
async fn keeps_data_while_a_proxy_refuses() {
    for tls in [true, false] {
        for (status, expected) in [
            (
                407,
                "requires authentication (HTTP 407): check the user name and password in proxy_url",
            ),
            (502, "502"),
            (503, "503"),
            (0, ""),
        ] {
            let setup = Setup::new().await;
            setup.proxy.fail_next([status; 8]);
            let exporter = setup.http(tls, &setup.proxy.url("http")).await;
            let delivery = exporter.put(logs(&["a"])).await;
            let why = exporter.failing().await;
            let name = format!("proxy http://{}", setup.proxy.address());
            assert!(why.contains(&name) && why.contains(expected), "{tls} {status}: {why}");
            assert!(!why.contains(SECRET), "{why}");
            assert_eq!(delivery.await, Outcome::Delivered, "{tls} {status}");
            assert_eq!(setup.received(), 1);
        }
    }
}

#[tokio::test]
async fn retries_while_the_proxy_is_down() {
    let intake = OtlpIntake::start(None).await.unwrap();
    for scheme in ["http", "socks5"] {
        for endpoint in ["http://intake.example", "https://intake.example"] {
            let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let exporter = start(&format!(
                "endpoint: {endpoint}\nproxy_url: {scheme}://user:{SECRET}@{address}\n{QUICK}"
            ))
            .await;
            let delivery = exporter.put(logs(&["a"])).await;
            let why = exporter.failing().await;
            let name = format!(
                "logs: proxy {scheme}://{address} (from proxy_url) refused the connection: check that it is running"
            );
            assert!(why.starts_with(&name), "{why}");
            if endpoint == "https://intake.example" {
                continue;
            }
            let options = ForwardProxyOptions {
                targets: [("intake.example:80".into(), intake.address())].into(),
                credentials: Some(format!("user:{SECRET}")),
                address: Some(address),
            };
            let _proxy = ForwardProxy::start(options).await.unwrap();
            assert_eq!(delivery.await, Outcome::Delivered);
        }
    }
}

#[tokio::test]
async fn reports_unresolvable_and_invalid_proxies() {
    // A label may have 63 characters, so no resolver asks the network for this one.
    let host = format!("{}.example", "x".repeat(64));
    let intake = OtlpIntake::start(None).await.unwrap();
    let grpc = intake.grpc_address();
    for (proxy_url, endpoint, expected) in [
        (
            format!("http://{host}:1"),
            "http://intake.example",
            format!("the name {host} cannot be resolved"),
        ),
        (
            format!("http://{host}:1"),
            "https://intake.example",
            format!("the name {host} cannot be resolved"),
        ),
        (
            format!("http://{grpc}"),
            "https://intake.example",
            "does not answer as a proxy".into(),
        ),
        (
            format!("http://{grpc}"),
            "http://intake.example",
            "closed the connection before it answered".into(),
        ),
    ] {
        let exporter = start(&format!("endpoint: {endpoint}\nproxy_url: {proxy_url}\n{QUICK}")).await;
        let _delivery = exporter.put(logs(&["a"])).await;
        let why = exporter.failing().await;
        assert!(
            why.starts_with(&format!("logs: proxy {proxy_url} (from proxy_url)")),
            "{why}"
        );
        assert!(why.contains(&expected), "{why}");
    }
}

#[tokio::test]
async fn detects_an_intercepting_proxy() {
    let setup = Setup::new().await;
    let more = format!(
        "tls:\n  ca_pem: |\n{}",
        crate::support::tls::indented(&authority().pem())
    );
    let exporter = start(&format!(
        "endpoint: https://intake.example:4318\nproxy_url: {}\n{QUICK}\n{more}",
        setup.proxy.url("http")
    ))
    .await;
    let _delivery = exporter.put(logs(&["a"])).await;
    let why = exporter.failing().await;
    let name = format!("(through proxy http://{}", setup.proxy.address());
    assert!(
        why.contains("not trusted") && why.contains(&name) && why.contains("inspects TLS"),
        "{why}"
    );
}

#[tokio::test]
async fn loopback_is_reached_without_the_proxy() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let proxy = ForwardProxy::start(ForwardProxyOptions::default()).await.unwrap();
    let endpoint = format!("http://localhost:{}", intake.address().port());
    let exporter = start(&format!(
        "endpoint: {endpoint}\nproxy_url: {}\n{QUICK}",
        proxy.url("http")
    ))
    .await;
    assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);
    assert!(proxy.proxied().is_empty());
}

/// This file's test `name`, alone and with these variables.
fn child(name: &str, variables: &[(&str, String)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]);
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_ascii_lowercase());
    }
    let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
    command.envs(variables).output().unwrap()
}

/// The output of a child process, if it succeeded.
fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let all = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && all.contains("1 passed"), "{all}");
    assert!(!all.contains(SECRET), "{all}");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_holds_for_http_and_grpc() {
    let setup = Setup::new().await;
    let url = setup.proxy.url("http");
    let variables = [
        ("https_proxy", url.clone()),
        ("HTTP_PROXY", url.clone()),
        ("NO_PROXY", format!("other.example,{HOST}:9")),
        ("CA", setup.secure.trusting()),
    ];
    setup.proxy.fail_next([407, 407, 502]);
    printed(&child("proxy::child_sends_to_the_intake", &variables));
    assert_eq!(setup.plain.records().len(), 2);
    assert_eq!(setup.secure.intake().records().len(), 2);
    let connected = setup
        .proxy
        .proxied()
        .into_iter()
        .filter(|proxied| proxied.status == 200);
    let mut connected: Vec<String> = connected
        .map(|proxied| format!("{} {}", proxied.method, proxied.target))
        .collect();
    connected.sort();
    let expected = [
        "CONNECT intake.example:4317",
        "CONNECT intake.example:4318",
        "CONNECT intake.example:8017",
    ];
    assert_eq!(connected[..3], expected);
    assert_eq!(connected[3..], ["POST intake.example:80"]);
}

#[tokio::test]
#[ignore = "run by the test above with variables of its own"]
async fn child_sends_to_the_intake() {
    let ca = std::env::var("CA").unwrap();
    let grpc = otlp_exporter::grpc::factory();
    let exporters = [
        start(&format!("endpoint: http://{HOST}\n{QUICK}")).await,
        start(&format!("endpoint: https://{HOST}:4318\n{QUICK}\n{ca}")).await,
        start_of(&grpc, &format!("endpoint: http://{HOST}:8017\n{QUICK}")).await,
        start_of(&grpc, &format!("endpoint: https://{HOST}:4317\n{QUICK}\n{ca}")).await,
    ];
    for exporter in exporters {
        assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environments_proxy_is_named_when_it_refuses() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let setup = Setup::new().await;
    setup.proxy.fail_next([407; 100]);
    for (url, expected) in [
        (setup.proxy.url("http"), "requires authentication (HTTP 407)"),
        (format!("http://user:{SECRET}@{free}"), "refused the connection"),
    ] {
        let text = printed(&child("proxy::child_reports_why", &[("HTTPS_PROXY", url)]));
        let reasons: Vec<&str> = text.lines().filter(|line| line.starts_with("why: ")).collect();
        assert_eq!(reasons.len(), 2, "{text}");
        for why in reasons {
            assert!(why.starts_with("why: logs: proxy http://127.0.0.1:"), "{why}");
            assert!(why.contains("(from HTTPS_PROXY)") && why.contains(expected), "{why}");
        }
    }
}

#[tokio::test]
#[ignore = "run by the test above with variables of its own"]
async fn child_reports_why() {
    let grpc = otlp_exporter::grpc::factory();
    for exporter in [
        start(&format!("endpoint: https://{HOST}:4318\n{QUICK}")).await,
        start_of(&grpc, &format!("endpoint: https://{HOST}:4317\n{QUICK}")).await,
    ] {
        let _delivery = exporter.put(logs(&["a"])).await;
        let why = exporter.failing().await;
        #[allow(clippy::print_stdout, reason = "the parent reads it")]
        {
            println!("why: {why}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_proxy_variable_fails_startup() {
    let url = format!("https://user:{SECRET}@proxy.example:3128");
    printed(&child("proxy::child_does_not_start", &[("ALL_PROXY", url)]));
}

#[tokio::test]
#[ignore = "run by the test above with variables of its own"]
async fn child_does_not_start() {
    let grpc = otlp_exporter::grpc::factory();
    let provided = collector_runtime::storage::Provided::new();
    let yaml = format!("endpoint: https://{HOST}:4317\nheaders: {{x: {KEY}}}\n{QUICK}");
    for mut exporter in [
        crate::support::create(&yaml).unwrap(),
        crate::support::create_of(&grpc, &yaml, &provided).unwrap(),
    ] {
        let why = exporter.start().await.unwrap_err().to_string();
        assert!(
            why.starts_with("environment variable ALL_PROXY: TLS to the proxy"),
            "{why}"
        );
    }
    for mut exporter in [
        crate::support::create("endpoint: http://127.0.0.1:4318").unwrap(),
        crate::support::create_of(&grpc, "endpoint: http://localhost:4317", &provided).unwrap(),
    ] {
        exporter.start().await.unwrap();
    }
}
