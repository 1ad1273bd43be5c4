//! Values that look secret.

use job_event::secrets::masked;

#[test]
fn secrets_are_masked() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    let bearer = format!("401 for token {jwt} of x");
    let header = format!("Authorization: Bearer {jwt}");
    for (text, expected) in [
        ("password=hunter2 host=db", "password=[REDACTED] host=db"),
        ("DB_PASSWORD=\"a b\\\"c\" x", "DB_PASSWORD=\"[REDACTED]\" x"),
        ("--token=abc123", "--token=[REDACTED]"),
        (
            "run --password hunter2 --host db",
            "run --password [REDACTED] --host db",
        ),
        (
            "{\"user\":\"a\",\"password\":\"x\"}",
            "{\"user\":\"a\",\"password\":\"[REDACTED]\"}",
        ),
        ("{\"password\" : \"x\"}", "{\"password\" : \"[REDACTED]\"}"),
        ("{'api_key': 'k1', 'n': 1}", "{'api_key': '[REDACTED]', 'n': 1}"),
        (
            "body \"{\\\"client_secret\\\":\\\"s3\\\"}\"",
            "body \"{\\\"client_secret\\\":\\\"[REDACTED]\\\"}\"",
        ),
        ("a\npassword: hunter\nb", "a\npassword: [REDACTED]\nb"),
        (
            "login with password: hunter2, retry",
            "login with password: [REDACTED], retry",
        ),
        ("api_key: AB12cd34ef", "api_key: [REDACTED]"),
        ("X-Api-Key=zz9;y", "X-Api-Key=[REDACTED];y"),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7",
            "aws_secret_access_key = [REDACTED]",
        ),
        ("key AKIAIOSFODNN7EXAMPLE is inactive", "key [REDACTED] is inactive"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [REDACTED]"),
        (
            "{\"Authorization\":\"Bearer abc.def\"}",
            "{\"Authorization\":\"[REDACTED]\"}",
        ),
        (&header, "Authorization: Bearer [REDACTED]"),
        (&bearer, "401 for token [REDACTED] of x"),
        (
            "postgres://app:p%40ss@db:5432/x?sslmode=off",
            "postgres://[REDACTED]@db:5432/x?sslmode=off",
        ),
        ("redis://:s3cret@cache:6379/0", "redis://[REDACTED]@cache:6379/0"),
        ("amqp://u:p/w@mq/vhost", "amqp://[REDACTED]@mq/vhost"),
        (
            "https://ghp_abcdefghij0123456789abcdefghij@github.com/x",
            "https://[REDACTED]@github.com/x",
        ),
        (
            "Get \"https://s3.example/b/k?X-Amz-Date=1&X-Amz-Signature=abc\": 403",
            "Get \"https://s3.example/b/k?[REDACTED]\": 403",
        ),
        (
            "https://x.blob.example/c?sv=2020&sig=a%2Bb: expired",
            "https://x.blob.example/c?[REDACTED]: expired",
        ),
        (
            "AccountName=x;AccountKey=Zm9v==;Suffix=y",
            "AccountName=x;AccountKey=[REDACTED];Suffix=y",
        ),
        ("Server=db;Uid=sa;Pwd=x1;", "Server=db;Uid=sa;Pwd=[REDACTED];"),
        ("+ curl -u app:hunter2 https://x", "+ curl -u [REDACTED] https://x"),
        ("glpat-abcdefghij0123456789 expired", "[REDACTED] expired"),
        (
            "cannot parse -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----: EOF",
            "cannot parse [REDACTED]: EOF",
        ),
        ("MIIE\nAAAA\n-----END PRIVATE KEY-----\nfailed", "[REDACTED]\nfailed"),
        ("-----BEGIN EC PRIVATE KEY-----\nMIIE", "[REDACTED]"),
    ] {
        assert_eq!(masked(text), expected);
        assert_eq!(masked(&masked(text)), expected, "a second pass changes nothing");
    }
}

#[test]
fn hosts_paths_digests_and_names_stay() {
    for text in [
        "failed to fetch anonymous token: unexpected status from GET request to https://auth.docker.io/token?scope=repository%3Ax\
         %3Apull&service=registry.docker.io: 401 Unauthorized",
        "failed to get token: x509: certificate signed by unknown authority",
        "secret \"db-secret\" not found",
        "volume \"db-secret\" : secret \"db-secret\" not found",
        "error getting secret: busybox-secret-47 is missing",
        "couldn't find key password in Secret ns/s",
        "failed to get objectType:secret, objectName:AppInsightsInstrumentationKey, objectVersion:: keyvault",
        "password authentication failed for user \"app\"",
        "(using password: YES)",
        "reading password: EOF",
        "image \"reg.example:5000/x/app@sha256:3c87d31c654adf514fa6170cce755ecbf8ac0258db5e1d0d9b2f3a2f5d8f6a11\": not found",
        "docker://reg.example:5000/x@sha256:3c87d31c654adf514fa6170cce755ecbf8ac0258db5e1d0d9b2f3a2f5d8f6a11",
        "Get \"https://[::1]:8443/healthz?timeout=10s\": EOF",
        "git@github.com: Permission denied (publickey).",
        "ssh://git@example.com/x.git",
        "docker run -u 1000:1000 x",
        "max_tokens=4096 PWD=/app PASS=1",
        "Done. PASS=1 WARN=0 ERROR=1",
        "WWW-Authenticate: Bearer realm=\"https://auth.example.com/token\",service=\"x\"",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "{\"password\":null}",
        "password=$DB_PASSWORD",
    ] {
        assert_eq!(masked(text), text);
    }
}
