//! Headers that the extension adds, and settings that it rejects.

use collector_config::ComponentId;
use collector_config::Settings;
use collector_runtime::health::Health;
use collector_runtime::storage::Provided;
use collector_testing::contract::{self, Subject};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::noop::NoopMeterProvider;

use super::*;

fn create(yaml: &str) -> Result<BasicAuth, String> {
    let id = ComponentId {
        type_name: "basicauth".into(),
        name: Some("a".into()),
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

async fn value(extension: &BasicAuth) -> String {
    let credentials = extension.authenticator().credentials().await.expect("credentials");
    let (name, value) = credentials.headers().next().expect("a header");
    assert_eq!(name, "authorization");
    value.expose().to_owned()
}

#[tokio::test]
async fn sends_user_name_and_password_in_base64() {
    // The example of RFC 7617, section 2.
    let extension = create("client_auth: {username: Aladdin, password: open sesame}").expect("valid");
    assert_eq!(value(&extension).await, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let credentials = extension.authenticator().credentials().await.expect("credentials");
    assert_eq!(format!("{credentials:?}"), "{\"authorization\": [REDACTED]}");
    assert_eq!(extension.authenticator().renew(&credentials).await, Ok(None));
}

#[tokio::test]
async fn a_changed_password_file_takes_effect() {
    let path = std::env::temp_dir().join(format!("basicauth-{}", std::process::id()));
    let yaml = format!("client_auth: {{username: a, password_file: {}}}", path.display());
    let mut extension = create(&yaml).expect("valid");
    let why = extension.start().await.expect_err("no file").to_string();
    assert!(
        why.contains("extensions::basicauth/a::client_auth::password_file: "),
        "{why}"
    );
    std::fs::write(&path, "one\n").expect("a file");
    assert_eq!(value(&extension).await, format!("Basic {}", STANDARD.encode("a:one")));
    std::fs::write(&path, "two\n").expect("a file");
    assert_eq!(value(&extension).await, format!("Basic {}", STANDARD.encode("a:two")));
    std::fs::remove_file(&path).expect("removed");
}

#[test]
fn names_invalid_settings_without_the_password() {
    for (yaml, expected) in [
        (
            "{}",
            "`client_auth::username` or `client_auth::username_file` is required",
        ),
        ("client_auth: {username: a}", "`client_auth::password_file` is required"),
        (
            "client_auth: {username: a, password: ''}",
            "check that the environment variable is set",
        ),
        (
            "client_auth: {username: a, password: hunter2, password_file: /x}",
            "are mutually exclusive",
        ),
        ("client_auth: {username: 'a:b', password: hunter2}", "contains `:`"),
        ("client_auth: {username: a, password: $PASSWORD}", "not expanded"),
        (
            "{client_auth: {username: a, password: hunter2}, htpasswd: {}}",
            "unknown key `htpasswd`",
        ),
    ] {
        let why = create(yaml).err().unwrap_or_else(|| panic!("{yaml} passes"));
        assert!(why.contains(expected) && !why.contains("hunter2"), "{yaml}: {why}");
    }
}

#[tokio::test]
async fn fulfils_the_contract() {
    let subject = Subject::new(factory(), "client_auth:\n  username: a\n  password: b");
    contract::extension(&subject).await;
}
