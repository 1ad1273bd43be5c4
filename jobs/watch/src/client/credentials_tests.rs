use super::*;

fn take(yaml: &str) -> Result<Credentials, String> {
    Credentials::take(&mut serde_yaml::from_str(yaml).unwrap())
}

async fn header_of(yaml: &str) -> HeaderValue {
    let credentials = take(yaml).ok().unwrap();
    credentials.present().await.ok().unwrap().header.unwrap()
}

/// A file of this test alone, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Self {
        let file = std::env::temp_dir().join(format!("token-{name}-{}", std::process::id()));
        std::fs::write(&file, text).unwrap();
        Scratch(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn tokens_and_passwords_become_headers() {
    for (yaml, expected) in [
        ("token: abc", "Bearer abc"),
        ("{username: me, password: pw}", "Basic bWU6cHc="),
        ("{auth-provider: {name: oidc, config: {id-token: abc}}}", "Bearer abc"),
    ] {
        let header = header_of(yaml).await;
        assert_eq!(header, expected, "{yaml}");
        assert!(header.is_sensitive());
    }
    assert!(matches!(
        take("{client-certificate: /a, as: me}"),
        Ok(Credentials::None)
    ));
    assert!(matches!(take("{token: ''}"), Ok(Credentials::None)));
}

#[test]
fn rejects_a_token_invalid_in_headers() {
    for (token, expected) in [
        ("s3cret\\ntoken", "a line break at byte 7 of 12"),
        ("s3cret token", "a space at byte 7 of 12"),
        ("s3cret\\r", "a line break at byte 7 of 7"),
        ("s3cret\\0", "a character that is not valid in a header at byte 7 of 7"),
        ("ü", "a character that is not valid in a header at byte 1 of 2"),
    ] {
        for yaml in [
            format!("token: \"{token}\""),
            format!("{{auth-provider: {{name: oidc, config: {{id-token: \"{token}\"}}}}}}"),
        ] {
            let problem = take(&yaml).err().unwrap();
            assert!(
                problem.contains(expected) && problem.contains("write the token on one line"),
                "{problem}"
            );
            assert!(!problem.contains("s3cret"), "{problem}");
        }
    }
}

#[test]
fn removed_auth_providers_name_what_replaces_them() {
    for (name, words) in [
        (
            "gcp",
            [
                "was removed from client-go and kubectl in version 1.26",
                "gke-gcloud-auth-plugin",
            ],
        ),
        (
            "azure",
            [
                "was removed from client-go and kubectl in version 1.26",
                "kubelogin convert-kubeconfig",
            ],
        ),
        ("oidc", ["has no id-token", "kubectl oidc-login setup"]),
        ("openstack", ["is unknown", "an exec section"]),
    ] {
        let yaml = format!("{{auth-provider: {{name: {name}, config: {{access-token: s3cret, cmd-path: s3cret}}}}}}");
        let problem = take(&yaml).err().unwrap();
        assert!(words.iter().all(|word| problem.contains(word)), "{problem}");
        assert!(!problem.contains("s3cret"), "{problem}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_file_is_read_again() {
    let file = Scratch::new("again", " one\n");
    let credentials = take(&format!("tokenFile: {}", file.0.display())).ok().unwrap();
    let token = async || {
        let presented = credentials.present().await.ok().unwrap();
        (presented.header.clone().unwrap(), presented)
    };
    assert_eq!(token().await.0, "Bearer one");
    std::fs::write(&file.0, "two").unwrap();
    let (header, presented) = token().await;
    assert_eq!(header, "Bearer one");
    credentials.refused(&presented);
    assert_eq!(token().await.0, "Bearer two", "at once after a refusal");
    std::fs::write(&file.0, "three").unwrap();
    tokio::time::advance(RELOAD).await;
    assert_eq!(token().await.0, "Bearer three", "after a minute");
    // A file that holds no token leaves the last one.
    for text in ["", "bad\ntoken"] {
        std::fs::write(&file.0, text).unwrap();
        tokio::time::advance(RELOAD).await;
        assert_eq!(token().await.0, "Bearer three");
    }
}

#[tokio::test]
async fn a_token_file_that_cannot_be_used_says_why() {
    for (text, expected) in [
        (Some("\n"), "empty, expected a token"),
        (Some("s3cret\ntoken"), "a line break at byte 7 of 12"),
        (Some(&*"s".repeat(65_537)), "longer than 65536 bytes"),
        (None, "set tokenFile to a file that this process can read"),
    ] {
        let file = Scratch::new("unusable", text.unwrap_or_default());
        if text.is_none() {
            std::fs::remove_file(&file.0).unwrap();
        }
        let credentials = take(&format!("tokenFile: {}", file.0.display())).ok().unwrap();
        let problem = credentials.check().await.unwrap_err().to_string();
        assert!(
            problem.starts_with(&format!("token file {}: ", file.0.display())),
            "{problem}"
        );
        assert!(problem.contains(expected) && !problem.contains("s3cret"), "{problem}");
    }
}

#[tokio::test]
async fn with_a_token_and_a_token_file_the_file_counts() {
    let file = Scratch::new("both", "file");
    let yaml = format!("{{token: fixed, tokenFile: {}}}", file.0.display());
    assert_eq!(header_of(&yaml).await, "Bearer file");
    std::fs::remove_file(&file.0).unwrap();
    assert_eq!(header_of(&yaml).await, "Bearer fixed");
}
