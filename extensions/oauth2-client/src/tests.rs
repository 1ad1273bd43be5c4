//! Against a scripted token endpoint on loopback.

use collector_testing::contract::{self, Subject};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use collector_config::Settings as Yaml;
use collector_runtime::authentication::{AuthenticationError, Authenticator};
use collector_runtime::health::Health;
use collector_runtime::storage::Provided;
use futures_util::future::join_all;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::noop::NoopMeterProvider;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers as scripted, otherwise with `token-1`, `token-2` and so on.
struct Endpoint {
    port: u16,
    script: Arc<Mutex<VecDeque<(u16, String)>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    async fn start(lifetime: u64) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let script: Arc<Mutex<VecDeque<(u16, String)>>> = Arc::default();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (answers, seen) = (Arc::clone(&script), Arc::clone(&requests));
        tokio::spawn(async move {
            let mut tokens = 0;
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = String::new();
                let mut buffer = [0; 4096];
                while !is_whole(&request) {
                    let read = stream.read(&mut buffer).await.unwrap_or(0);
                    if read == 0 {
                        break;
                    }
                    request.push_str(&String::from_utf8_lossy(&buffer[..read]));
                }
                seen.lock().expect("no panic").push(request);
                let (status, body) = answers.lock().expect("no panic").pop_front().unwrap_or_else(|| {
                    tokens += 1;
                    let body = format!(
                        "{{\"access_token\": \"hunter2-token-{tokens}\", \"token_type\": \"bearer\", \"expires_in\": {lifetime}}}"
                    );
                    (200, body)
                });
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        Endpoint { port, script, requests }
    }

    fn then(&self, status: u16, body: &str) {
        self.script.lock().expect("no panic").push_back((status, body.into()));
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }

    async fn client(&self, more: &str) -> OAuth2Client {
        client(self.port, more).await
    }
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn create(yaml: &str) -> Result<OAuth2Client, String> {
    let id = ComponentId {
        type_name: "oauth2client".into(),
        name: None,
    };
    let create = Create {
        id: &id,
        settings: &Yaml::from_yaml(yaml).expect("YAML"),
        meter: &NoopMeterProvider::new().meter("test"),
        health: &Health::new(),
        provided: &Provided::new(),
    };
    OAuth2Client::new(&create).map_err(|errors| errors.to_string())
}

async fn client(port: u16, more: &str) -> OAuth2Client {
    let yaml = format!(
        "client_id: some:one\nclient_secret: hunter2 & co\ntoken_url: http://127.0.0.1:{port}/token?q=hunter2\n{more}"
    );
    let mut client = create(&yaml).expect("valid");
    client.start().await.expect("started");
    client
}

async fn token(client: &OAuth2Client) -> Result<String, AuthenticationError> {
    let credentials = client.tokens.credentials().await?;
    let (name, value) = credentials.headers().next().expect("a header");
    assert_eq!(name, "authorization");
    Ok(value.expose().to_owned())
}

async fn advance(time: Duration) {
    // Paused only for this: with a paused clock every wait for the network would run into its timeout.
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn client_credentials_are_asked_for_with_scopes_and_params() {
    let endpoint = Endpoint::start(3600).await;
    let client = endpoint
        .client("scopes: [a, b:c]\nendpoint_params: {audience: 'my collector'}")
        .await;
    assert_eq!(token(&client).await.as_deref(), Ok("Bearer hunter2-token-1"));
    let request = endpoint.requests().remove(0);
    assert!(request.starts_with("POST /token?q=hunter2 HTTP/1.1\r\n"), "{request}");
    assert!(
        request.ends_with("\r\n\r\ngrant_type=client_credentials&scope=a%20b%3Ac&audience=my%20collector"),
        "{request}"
    );
    // `some:one` and `hunter2 & co`, each escaped before the `:` between them (RFC 6749, section 2.3.1).
    assert!(
        request.contains("authorization: Basic c29tZSUzQW9uZTpodW50ZXIyJTIwJTI2JTIwY28=\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn token_is_shared_until_shortly_before_it_expires() {
    let endpoint = Endpoint::start(3600).await;
    let client = endpoint.client("expiry_buffer: 10m").await;
    let tokens = join_all((0..10).map(|_| token(&client))).await;
    assert!(
        tokens
            .iter()
            .all(|token| token.as_deref() == Ok("Bearer hunter2-token-1")),
        "{tokens:?}"
    );
    advance(Duration::from_secs(49 * 60)).await;
    assert_eq!(token(&client).await.as_deref(), Ok("Bearer hunter2-token-1"));
    advance(Duration::from_secs(2 * 60)).await;
    assert_eq!(token(&client).await.as_deref(), Ok("Bearer hunter2-token-2"));
    assert_eq!(endpoint.requests().len(), 2);
}

#[tokio::test]
async fn uses_short_lived_tokens_for_half_their_life() {
    let endpoint = Endpoint::start(60).await;
    let client = endpoint.client("").await;
    for (seconds, expected) in [(0, 1), (20, 1), (11, 2)] {
        advance(Duration::from_secs(seconds)).await;
        assert_eq!(token(&client).await, Ok(format!("Bearer hunter2-token-{expected}")));
    }
}

#[tokio::test]
async fn refused_token_is_replaced_once() {
    let endpoint = Endpoint::start(3600).await;
    let client = endpoint.client("").await;
    let old = client.tokens.credentials().await.expect("a token");
    let others = join_all((0..5).map(|_| client.tokens.renew(&old))).await;
    for other in others {
        let other = other.expect("a token").expect("another one");
        assert_eq!(
            other.headers().next().expect("a header").1.expose(),
            "Bearer hunter2-token-2"
        );
    }
    assert_eq!(endpoint.requests().len(), 2);
    // An endpoint that gives the same token again has no other.
    endpoint.then(200, "{\"access_token\": \"hunter2-token-2\"}");
    let now = client.tokens.credentials().await.expect("a token");
    assert_eq!(client.tokens.renew(&now).await, Ok(None));
}

#[tokio::test]
async fn shares_one_token_request_on_failure() {
    let endpoint = Endpoint::start(3600).await;
    let client = endpoint.client("").await;
    endpoint.then(503, "");
    let failures = join_all((0..10).map(|_| token(&client))).await;
    for failure in failures {
        match failure {
            Err(AuthenticationError::Unavailable { why, .. }) => {
                assert!(
                    why.starts_with("extensions::oauth2client: the token endpoint 127.0.0.1:"),
                    "{why}"
                );
                assert!(why.contains("answered HTTP 503"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(endpoint.requests().len(), 1);
    assert_eq!(
        token(&client).await.as_deref(),
        Ok("Bearer hunter2-token-1"),
        "the next attempt asks again"
    );
}

#[tokio::test]
async fn unreachable_endpoint_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    match token(&client(port, "").await).await {
        Err(AuthenticationError::Unavailable { after: None, why }) => {
            assert!(
                why.contains("cannot reach the token endpoint ") && why.contains("check token_url"),
                "{why}"
            );
            assert!(!why.contains("hunter2"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn falls_back_to_credentials_in_the_body() {
    let endpoint = Endpoint::start(1).await;
    let client = endpoint.client("").await;
    endpoint.then(401, "{\"error\": \"invalid_client\"}");
    assert_eq!(token(&client).await.as_deref(), Ok("Bearer hunter2-token-1"));
    advance(Duration::from_secs(5)).await;
    assert_eq!(token(&client).await.as_deref(), Ok("Bearer hunter2-token-2"));
    let requests = endpoint.requests();
    assert_eq!(requests.len(), 3, "what works is remembered");
    for request in &requests[1..] {
        assert!(!request.contains("authorization:"), "{request}");
        assert!(
            request.ends_with("&client_id=some%3Aone&client_secret=hunter2%20%26%20co"),
            "{request}"
        );
    }
}

#[tokio::test]
async fn wrong_secret_is_refused_and_a_new_one_in_the_file_is_used() {
    let path = std::env::temp_dir().join(format!("oauth2client-{}", std::process::id()));
    std::fs::write(&path, "hunter2-old\n").expect("a file");
    let endpoint = Endpoint::start(3600).await;
    let yaml = format!(
        "client_id: someone\nclient_secret_file: {}\ntoken_url: http://127.0.0.1:{}\n",
        path.display(),
        endpoint.port
    );
    let mut client = create(&yaml).expect("valid");
    client.start().await.expect("started");
    for _ in 0..2 {
        endpoint.then(
            401,
            "{\"error\": \"invalid_client\", \"error_description\": \"hunter2-old is wrong\"}",
        );
    }
    match token(&client).await {
        Err(AuthenticationError::Refused(why)) => assert!(
            why.contains("(HTTP 401): invalid_client, [REDACTED] is wrong: check client_id and client_secret"),
            "{why}"
        ),
        other => panic!("{other:?}"),
    }
    std::fs::write(&path, "hunter2-new\n").expect("a file");
    assert_eq!(token(&client).await.as_deref(), Ok("Bearer hunter2-token-1"));
    std::fs::remove_file(&path).expect("removed");
    assert_ne!(endpoint.requests()[0], endpoint.requests()[2]);
}

#[test]
fn names_invalid_settings_without_the_secret() {
    let with = |more: &str| format!("client_id: a\nclient_secret: hunter2\ntoken_url: https://h/token\n{more}");
    for (yaml, expected) in [
        (
            "client_id: a\ntoken_url: https://h".to_owned(),
            "`client_secret` or `client_secret_file` is required",
        ),
        (
            "client_id: a\nclient_secret: hunter2".to_owned(),
            "token_url: found an empty text",
        ),
        (with("").replace("https://h/token", "h/token"), "token_url: not a URL"),
        (with("").replace("https://h", "ftp://h"), "token_url: not an `https://`"),
        (
            with("").replace("https://h", "https://a:hunter2@h"),
            "contains a user name or password",
        ),
        (with("scopes: [a b]"), "scopes::0: a scope contains no spaces"),
        (with("endpoint_params: {grant_type: x}"), "is set by the extension"),
        (with("tls: {cert_file: /x}"), "tls::key_file"),
        (with("client_secret_file: /x"), "are mutually exclusive"),
        (with("grant: x"), "unknown key `grant`"),
    ] {
        let why = create(&yaml).err().unwrap_or_else(|| panic!("{yaml} passes"));
        assert!(why.contains(expected) && !why.contains("hunter2"), "{yaml}: {why}");
    }
}

#[tokio::test]
async fn no_log_holds_a_token_or_the_secret() {
    let (log, guard) = collector_testing::Log::capture_from(tracing::Level::TRACE);
    let endpoint = Endpoint::start(3600).await;
    let client = endpoint.client("").await;
    endpoint.then(500, "{\"error\": \"hunter2 & co\"}");
    let why = token(&client).await.expect_err("an error").to_string();
    token(&client).await.expect("a token");
    drop(guard);
    let log = log.text();
    assert!(log.contains("new token"), "{log}");
    for shown in [log, why] {
        assert!(
            !shown.contains("hunter2-token") && !shown.contains("hunter2 & co"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn fulfils_the_contract() {
    let subject = Subject::new(factory(), "client_id: a\nclient_secret: b\ntoken_url: https://h/token");
    contract::extension(&subject).await;
}
