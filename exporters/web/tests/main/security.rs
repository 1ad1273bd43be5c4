use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use collector_runtime::component::Exporter;
use collector_testing::{Host, Log};

use crate::support::{Served, create, get, request};

#[tokio::test]
async fn every_response_has_the_headers() {
    for more in ["", "auth: {token: s3cret}"] {
        let served = Served::start(more).await;
        for path in [
            "/",
            "/api/v1/overview",
            "/api/v1/openapi.yaml",
            "/none",
            "/api/v1/jobs/a/b",
        ] {
            let answer = served.get(path).await;
            let policy = answer.header("content-security-policy").unwrap_or_default();
            for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
                assert!(policy.contains(part), "{path}: {policy}");
            }
            assert!(!policy.contains("unsafe"), "{policy}");
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("x-frame-options", "DENY"),
            ] {
                assert_eq!(answer.header(name), Some(value), "{path} {name}");
            }
            assert!(answer.header("cache-control").is_some(), "{path}");
        }
    }
}

#[tokio::test]
async fn the_token_is_accepted_as_bearer_and_as_password() {
    let served = Served::start("auth: {token: 's3:cret'}").await;
    let basic = |text: &str| format!("authorization: Basic {}\r\n", STANDARD.encode(text));
    for (header, status) in [
        (String::new(), 401),
        ("authorization: Bearer s3:cret\r\n".into(), 200),
        ("authorization: bearer  s3:cret\r\n".into(), 200),
        ("authorization: Bearer s3:cre\r\n".into(), 401),
        ("authorization: Bearer s3:crets3:cret\r\n".into(), 401),
        ("authorization: Bearer \r\n".into(), 401),
        ("authorization: s3:cret\r\n".into(), 401),
        ("authorization: Basic s3:cret\r\n".into(), 401),
        (basic("anyone:s3:cret"), 200),
        (basic(":s3:cret"), 200),
        (basic("s3:cret"), 401),
        (basic("s3"), 401),
    ] {
        for path in ["/api/v1/overview", "/api/v1/status"] {
            let answer = get(served.address, path, &header).await;
            assert_eq!(answer.status, status, "{path} {header}");
            if status == 401 {
                let challenge = answer.header("www-authenticate").unwrap();
                assert!(challenge.starts_with("Basic realm="), "{challenge}");
                assert!(!answer.text().contains("cret"), "{}", answer.text());
            }
        }
    }
    for path in ["/", "/none", "/api/v1/stream", "/api/v1/openapi.yaml"] {
        assert_eq!(served.get(path).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn nothing_can_be_changed() {
    let served = Served::start("").await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"] {
        for path in ["/", "/api/v1/overview", "/none"] {
            let answer = request(served.address, method, path, "").await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn foreign_host_names_are_refused() {
    for (more, status) in [("", 403), ("allowed_hosts: [jobs.example]", 200)] {
        let served = Served::start(more).await;
        let answer = get(served.address, "/api/v1/overview", "host: jobs.example\r\n").await;
        assert_eq!(answer.status, status);
        let service = get(
            served.address,
            "/api/v1/overview",
            "host: kube-job-collector.monitoring.svc:8090\r\n",
        )
        .await;
        assert_eq!(service.status, 200);
    }
}

#[tokio::test]
async fn warns_when_everyone_can_read() {
    for (yaml, is_warned) in [
        ("endpoint: 127.0.0.1:0", false),
        ("endpoint: localhost:0", false),
        ("endpoint: ':0'", true),
        ("endpoint: ':0'\nauth: {token: a}", false),
    ] {
        let (log, _guard) = Log::capture();
        let host = Host::new("web");
        create(&host, yaml).unwrap().start().await.unwrap();
        assert_eq!(
            log.text().contains("set auth::token"),
            is_warned,
            "{yaml}: {}",
            log.text()
        );
    }
}

#[test]
fn errors_in_settings_are_named() {
    for (yaml, parts) in [
        ("endpoint: localhost", &["endpoint", "expected host:port"][..]),
        ("max_events: 0", &["max_events", "1 to 100000"]),
        ("max_bytes: 1000", &["max_bytes", "65536"]),
        ("auth: {token: 'a b'}", &["auth::token", "space"]),
        ("auth: {tokn: a}", &["tokn", "token"]),
        ("storage: file_storage", &["storage", "file_storage"]),
        ("k8s_leader_elector: k8s_leader_elector", &["k8s_leader_elector"]),
        ("tls: {cert_file: x}", &["tls::key_file", "is missing"]),
        ("max_event: 5", &["max_event", "max_events"]),
    ] {
        let text = create(&Host::new("web"), yaml)
            .err()
            .map(|errors| errors.to_string())
            .unwrap_or_default();
        for part in parts {
            assert!(text.contains(part), "{yaml}: {part:?} is missing in: {text}");
        }
        assert!(!text.contains("a b"), "a secret in: {text}");
    }
}
