//! Exporters with an authenticator: credentials are renewed once after a refusal, and awaited while unavailable.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::support::{CapturedLog, Exporting, QUICK, Transport, create_of, logs, start_of_with};
use collector_config::ComponentId;
use collector_config::Secret;
use collector_data::Outcome;
use collector_runtime::authentication::{AuthenticationError, Authenticator, Credentials};
use collector_runtime::storage::{Offer, Provided};
use futures_util::future::BoxFuture;
use simulator::otlp_intake::{OtlpIntake, ScriptedReply, Signal};

/// A scripted extension: first each entry of `script`, then the last token forever.
#[derive(Clone, Default)]
struct ScriptedAuthenticator {
    script: Arc<Mutex<VecDeque<Result<&'static str, AuthenticationError>>>>,
    token: Arc<Mutex<&'static str>>,
    renewed: Arc<Mutex<usize>>,
}

impl ScriptedAuthenticator {
    fn new(token: &'static str) -> ScriptedAuthenticator {
        let scripted = ScriptedAuthenticator::default();
        *scripted.token.lock().unwrap() = token;
        scripted
    }

    fn then(&self, next: Result<&'static str, AuthenticationError>) {
        self.script.lock().unwrap().push_back(next);
    }

    fn provided(&self) -> Provided {
        let mut provided = Provided::new();
        let id = |type_name: &str| ComponentId {
            type_name: type_name.into(),
            name: None,
        };
        let offer = Offer {
            authenticator: Some(Arc::new(self.clone())),
            ..Offer::default()
        };
        provided.add(id("scripted"), offer);
        provided.add(id("health_check"), Offer::default());
        provided
    }

    fn now(&self) -> Arc<Credentials> {
        Credentials::header("Authorization", Secret::new(*self.token.lock().unwrap()))
    }
}

impl Authenticator for ScriptedAuthenticator {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, AuthenticationError>> {
        Box::pin(async {
            let next = self.script.lock().unwrap().pop_front();
            match next {
                Some(Err(error)) => return Err(error),
                Some(Ok(token)) => *self.token.lock().unwrap() = token,
                None => {}
            }
            Ok(self.now())
        })
    }

    fn renew<'a>(
        &'a self,
        refused: &'a Credentials,
    ) -> BoxFuture<'a, Result<Option<Arc<Credentials>>, AuthenticationError>> {
        Box::pin(async {
            *self.renewed.lock().unwrap() += 1;
            let now = self.credentials().await?;
            Ok((*now != *refused).then_some(now))
        })
    }
}

impl Transport {
    async fn exporter(self, intake: &OtlpIntake, provided: &Provided) -> Exporting {
        let common = format!("headers: {{x-team: jobs}}\nauth: {{authenticator: scripted}}\n{QUICK}");
        match self {
            Transport::Http => {
                let yaml = format!("endpoint: {}\n{common}", intake.url());
                start_of_with(&otlp_exporter::http::factory(), &yaml, provided).await
            }
            Transport::Grpc => {
                let yaml = format!("endpoint: {}\ntls: {{insecure: true}}\n{common}", intake.grpc_address());
                start_of_with(&otlp_exporter::grpc::factory(), &yaml, provided).await
            }
        }
    }

    /// The answer that refuses credentials, with words about them.
    fn refusal(self, words: &str) -> ScriptedReply {
        match self {
            Transport::Http => ScriptedReply::status(401).body(words),
            Transport::Grpc => ScriptedReply::code(16, words),
        }
    }
}

fn authorizations(intake: &OtlpIntake) -> Vec<String> {
    let received = intake.received();
    let headers = received
        .iter()
        .map(|request| request.headers["authorization"].to_str().unwrap().to_owned());
    headers.collect()
}

#[tokio::test]
async fn headers_of_the_extension_are_sent_beside_the_configured_ones() {
    for transport in Transport::BOTH {
        let intake = OtlpIntake::start(None).await.unwrap();
        let extension = ScriptedAuthenticator::new("Bearer hunter2-a");
        let exporter = transport.exporter(&intake, &extension.provided()).await;
        assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered, "{transport:?}");
        extension.then(Ok("Bearer hunter2-b"));
        assert_eq!(exporter.send(logs(&["b"])).await, Outcome::Delivered, "{transport:?}");
        assert_eq!(
            authorizations(&intake),
            ["Bearer hunter2-a", "Bearer hunter2-b"],
            "{transport:?}"
        );
        assert_eq!(intake.received()[0].headers["x-team"], "jobs");
    }
}

#[tokio::test]
async fn refused_credentials_are_renewed_once_and_the_request_arrives() {
    for transport in Transport::BOTH {
        let intake = OtlpIntake::start(None).await.unwrap();
        let extension = ScriptedAuthenticator::new("Bearer hunter2-old");
        let exporter = transport.exporter(&intake, &extension.provided()).await;
        extension.then(Ok("Bearer hunter2-old"));
        extension.then(Ok("Bearer hunter2-new"));
        intake.fail_next(Signal::Logs, transport.refusal("expired"));
        assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered, "{transport:?}");
        assert_eq!(*extension.renewed.lock().unwrap(), 1);
        assert_eq!(intake.attempts().len(), 2);
        assert_eq!(authorizations(&intake), ["Bearer hunter2-new"], "{transport:?}");
    }
}

#[tokio::test]
async fn credentials_without_others_are_refused_and_never_shown() {
    for transport in Transport::BOTH {
        let (log, guard) = CapturedLog::capture();
        let intake = OtlpIntake::start(None).await.unwrap();
        let extension = ScriptedAuthenticator::new("Bearer hunter2-0123456789");
        let exporter = transport.exporter(&intake, &extension.provided()).await;
        intake.fail_next(Signal::Logs, transport.refusal("the token hunter2-0123456789 is wrong"));
        match exporter.send(logs(&["a"])).await {
            Outcome::Rejected(why) => assert!(why.contains("[REDACTED]") && !why.contains("hunter2"), "{why}"),
            other => panic!("{transport:?}: {other:?}"),
        }
        assert_eq!((intake.attempts().len(), *extension.renewed.lock().unwrap()), (1, 1));
        drop(guard);
        assert!(!log.text().contains("hunter2"), "{}", log.text());
    }
}

#[tokio::test]
async fn request_waits_while_there_are_no_credentials() {
    for transport in Transport::BOTH {
        let intake = OtlpIntake::start(None).await.unwrap();
        let extension = ScriptedAuthenticator::new("Bearer hunter2");
        let exporter = transport.exporter(&intake, &extension.provided()).await;
        for _ in 0..3 {
            extension.then(Err(AuthenticationError::Unavailable {
                after: None,
                why: "the token endpoint is away".into(),
            }));
        }
        let delivery = exporter.put(logs(&["a"])).await;
        let why = exporter.failing().await;
        assert!(why.contains("the token endpoint is away"), "{why}");
        assert_eq!(delivery.await, Outcome::Delivered, "{transport:?}");
        assert_eq!((intake.attempts().len(), intake.records().len()), (1, 1));
    }
}

#[tokio::test]
async fn header_that_cannot_be_sent_is_named_without_its_value() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let extension = ScriptedAuthenticator::new("Bearer hunter2\n");
    let exporter = Transport::Http.exporter(&intake, &extension.provided()).await;
    match exporter.send(logs(&["a"])).await {
        Outcome::Rejected(why) => assert!(
            why.contains("the header `authorization`") && !why.contains("hunter2"),
            "{why}"
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn reports_an_unknown_authenticator() {
    let provided = ScriptedAuthenticator::new("x").provided();
    for factory in [otlp_exporter::http::factory(), otlp_exporter::grpc::factory()] {
        for (id, expected) in [
            (
                "basicauth",
                "auth::authenticator: \"basicauth\" is not an extension in service::extensions; expected scripted",
            ),
            (
                "health_check",
                "is not one that authenticates requests; expected scripted",
            ),
        ] {
            let yaml = format!("endpoint: http://h:1\nauth:\n  authenticator: {id}");
            let why = create_of(&factory, &yaml, &provided).err().unwrap();
            assert!(why.contains("yaml:3:18: ") && why.contains(expected), "{why}");
        }
        let why = create_of(
            &factory,
            "endpoint: http://h:1\nauth: {authenticator: a}",
            &Provided::new(),
        )
        .err()
        .unwrap();
        assert!(
            why.contains("no extension in service::extensions authenticates requests"),
            "{why}"
        );
    }
}
