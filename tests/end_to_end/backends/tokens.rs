//! The real binary behind OAuth 2.0: a token endpoint that is unavailable at first, tokens that are refused and
//! replaced, and no event lost or reported twice.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use simulator::otlp_intake::profile::HONEYCOMB;
use simulator::otlp_intake::{IntakeOptions, OtlpIntake, Profile, ScriptedReply, Signal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::setup::{Setup, arrived, jobs, scenario, until};

/// A gateway that requires a bearer token.
const GATEWAY: Profile = Profile {
    key_header: "authorization",
    key_prefix: "Bearer ",
    ..HONEYCOMB
};

/// A token endpoint that answers with each of `script`, then with the last of it. Returns its URL.
async fn token_endpoint(script: &[(u16, &str)]) -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let mut script: VecDeque<(u16, String)> = script.iter().map(|(status, body)| (*status, (*body).into())).collect();
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // A request this small arrives with its head or right after it.
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains("grant_type=client_credentials") {
                if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            *count.lock().unwrap() += 1;
            let (status, body) = script[0].clone();
            if script.len() > 1 {
                script.pop_front();
            }
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn events_wait_for_tokens_and_survive_their_rotation() {
    let mut setup = Setup::new("tokens").await;
    let intake = OtlpIntake::start_with(IntakeOptions::of(GATEWAY, "hunter2-new"))
        .await
        .unwrap();
    let (token_url, asked) = token_endpoint(&[
        (503, ""),
        (503, ""),
        // The gateway refuses this one: it was revoked.
        (200, r#"{"access_token": "hunter2-old", "expires_in": 3600}"#),
        (200, r#"{"access_token": "hunter2-new", "expires_in": 3600}"#),
    ])
    .await;
    let config = format!(
        "receivers: {{k8s_job: }}\nprocessors: {{reason_enrichment: }}\n\
         extensions:\n  oauth2client:\n    client_id: collector\n    client_secret: ${{env:SECRET}}\n    \
         token_url: {token_url}\n\
         exporters:\n  otlp_http:\n    endpoint: {}\n    auth: {{authenticator: oauth2client}}\n    \
         retry_on_failure: {{initial_interval: 10ms, max_interval: 10ms}}\n\
         service:\n  extensions: [oauth2client]\n  telemetry: {{logs: {{level: debug}}}}\n  pipelines:\n    \
         logs: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [otlp_http]}}\n",
        intake.url()
    );
    setup.collect(&config, &[], &[("SECRET", "hunter2-secret")]).await;
    let steps = scenario("deadline-exceeded", 1, |_| ());
    let first = jobs(&steps);
    setup.play(steps);
    until("the first event", &intake, |intake| arrived(intake).is_superset(&first)).await;
    assert_eq!(
        *asked.lock().unwrap(),
        4,
        "twice in vain, once for a token that is refused, once more"
    );

    // A failing gateway rejects a valid token, and the token endpoint has no other: the request is retried.
    intake.fail_next(Signal::Logs, ScriptedReply::status(401));
    let steps = scenario("out-of-memory", 2, |_| ());
    let both = jobs(&steps).union(&first).cloned().collect();
    setup.play(steps);
    until("the second event", &intake, |intake| arrived(intake).is_superset(&both)).await;

    let log = setup.stop().await;
    assert_eq!(intake.records().len(), both.len(), "each event once");
    assert!(log.contains("answered HTTP 503"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}
