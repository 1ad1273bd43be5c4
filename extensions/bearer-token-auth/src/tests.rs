//! Headers that the extension adds, and settings that it rejects.

use collector_config::ComponentId;
use collector_config::Settings;
use collector_runtime::health::Health;
use collector_runtime::storage::Provided;
use collector_testing::contract::{self, Subject};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::noop::NoopMeterProvider;

use super::*;

fn create(yaml: &str) -> Result<BearerToken, String> {
    let id = ComponentId {
        type_name: "bearertokenauth".into(),
        name: None,
    };
    let create = Create {
        id: &id,
        settings: &Settings::from_yaml(yaml).expect("YAML"),
        meter: &NoopMeterProvider::new().meter("test"),
        health: &Health::new(),
        provided: &Provided::new(),
    };
    extension(&create).map_err(|errors| errors.to_string())
}

async fn header(extension: &BearerToken) -> (String, String) {
    let credentials = extension.authenticator().credentials().await.expect("credentials");
    assert!(!format!("{credentials:?}").contains("hunter2"));
    let (name, value) = credentials.headers().next().expect("a header");
    (name.to_owned(), value.expose().to_owned())
}

#[tokio::test]
async fn sends_the_token_with_scheme_in_header() {
    for (yaml, name, value) in [
        ("token: hunter2", "authorization", "Bearer hunter2"),
        (
            "{token: hunter2, scheme: Api-Token}",
            "authorization",
            "Api-Token hunter2",
        ),
        (
            "{token: hunter2, scheme: '', header: DD-API-KEY}",
            "dd-api-key",
            "hunter2",
        ),
    ] {
        assert_eq!(
            header(&create(yaml).expect(yaml)).await,
            (name.into(), value.into()),
            "{yaml}"
        );
    }
}

#[tokio::test]
async fn a_changed_token_file_takes_effect() {
    let path = std::env::temp_dir().join(format!("bearertokenauth-{}", std::process::id()));
    let mut extension = create(&format!("filename: {}", path.display())).expect("valid");
    let why = extension.start().await.expect_err("no file").to_string();
    assert!(
        why.contains("extensions::bearertokenauth::filename: ") && why.contains("cannot read it"),
        "{why}"
    );
    std::fs::write(&path, "hunter2-one\n").expect("a file");
    extension.start().await.expect("a file");
    let old = extension.authenticator().credentials().await.expect("credentials");
    assert_eq!(extension.authenticator().renew(&old).await, Ok(None), "unchanged");
    std::fs::write(&path, "hunter2-two\n").expect("a file");
    assert_eq!(header(&extension).await.1, "Bearer hunter2-two");
    let new = extension
        .authenticator()
        .renew(&old)
        .await
        .expect("readable")
        .expect("another one");
    assert_ne!(new, old);
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(header(&extension).await.1, "Bearer hunter2-two", "the last one stays");
}

#[test]
fn names_invalid_settings_without_the_token() {
    for (yaml, expected) in [
        ("{}", "`token` or `filename` is required"),
        ("token: ''", "check that the environment variable is set"),
        ("{token: hunter2, filename: /x}", "are mutually exclusive"),
        ("token: Bearer hunter2", "which `scheme` adds"),
        ("token: \"'hunter2'\"", "has quotes around it"),
        ("token: <token>", "placeholder"),
        ("{token: hunter2, header: 'a b'}", "not the name of a header"),
        ("{token: hunter2, scheme: 'a b'}", "not a scheme"),
        ("{token: hunter2, tokens: []}", "unknown key `tokens`"),
    ] {
        let why = create(yaml).err().unwrap_or_else(|| panic!("{yaml} passes"));
        assert!(why.contains(expected) && !why.contains("hunter2"), "{yaml}: {why}");
    }
}

#[tokio::test]
async fn fulfils_the_contract() {
    let subject = Subject::new(factory(), "token: hunter2");
    contract::extension(&subject).await;
}
