use super::*;

const NOW: &str = "2026-11-28T12:00:00Z";

/// A plugin that is a shell with this script.
fn shell(script: &str) -> Plugin {
    plugin("/bin/sh", &["-c", script])
}

fn plugin(command: &str, args: &[&str]) -> Plugin {
    Plugin {
        command: command.into(),
        args: args.iter().map(ToString::to_string).collect(),
        env: vec![("KEY".into(), "s3cret-env".into())],
        info: "{\"kind\":\"ExecCredential\"}".into(),
        install_hint: String::new(),
        interactive: false,
    }
}

fn config(yaml: &str) -> ExecConfig {
    serde_yaml::from_str(yaml).unwrap()
}

fn problem(yaml: &str, terminal: bool) -> String {
    Plugin::read_at(&config(yaml), terminal).err().unwrap_or_default()
}

fn printed(text: &str) -> Result<Credential, String> {
    read(text.as_bytes(), NOW.parse().unwrap(), Instant::now())
}

#[tokio::test]
async fn a_plugin_gets_its_arguments_environment_and_info() {
    let script = "printf '{\"status\":{\"token\":\"%s,%s,%s\"}}' \"$0\" \"$KEY\" \"$(echo \"$KUBERNETES_EXEC_INFO\" | tr -d '\"')\"";
    let credential = plugin("/bin/sh", &["-c", script, "argument"]).run().await.unwrap();
    let header = credential.header.unwrap();
    assert_eq!(header, "Bearer argument,s3cret-env,{kind:ExecCredential}");
    assert!(header.is_sensitive());
}

#[tokio::test]
async fn a_failing_plugin_is_named_without_its_secrets() {
    let script = ": s3cret-arg; echo s3cret-out; echo s3cret-err >&2; exit 3";
    let text = shell(script).run().await.err().unwrap();
    assert!(
        text.starts_with("credential plugin \"/bin/sh\" failed with exit status: 3; run it by hand"),
        "{text}"
    );
    assert!(!text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn a_plugin_that_prints_no_credential_is_named() {
    for (script, expected) in [
        ("echo s3cret", "did not print an ExecCredential"),
        ("printf '\\377s3cret'", "did not print an ExecCredential"),
        (
            "echo '{\"kind\":\"s3cret\",\"status\":{\"token\":\"t\"}}'",
            "did not print an ExecCredential",
        ),
        ("echo '{\"kind\":\"ExecCredential\"}'", "without a token"),
        ("echo '{\"status\":{\"token\":\"\"}}'", "without a token"),
        ("echo '{\"status\":{\"clientKeyData\":\"s3cret\"}}'", "without its key"),
        (
            "printf '%s' '{\"status\":{\"token\":\"s3cret\\nX: y\"}}'",
            "found a line break at byte 7 of 11",
        ),
        (
            "echo '{\"status\":{\"token\":\"t\",\"expirationTimestamp\":\"s3cret\"}}'",
            "expected RFC 3339",
        ),
        ("yes s3cret", "printed more than 1048576 bytes"),
    ] {
        let text = shell(script).run().await.err().unwrap();
        assert!(
            text.starts_with("credential plugin \"/bin/sh\" ") && text.contains(expected),
            "{script}: {text}"
        );
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_hangs_is_killed_with_its_children() {
    // The child would keep the plugin's output open; its number comes back through a file.
    let file = std::env::temp_dir().join(format!("plugin-hangs-{}", std::process::id()));
    let script = format!("sleep 86400 & echo $! > {}; wait", file.display());
    let pid = async {
        loop {
            // The paused clock does not advance while a task is ready.
            tokio::task::yield_now().await;
            if let Ok(text) = std::fs::read_to_string(&file)
                && let Ok(pid) = text.trim().parse::<i32>()
            {
                return pid;
            }
        }
    };
    let plugin = shell(&script);
    let (text, pid) = tokio::join!(plugin.run(), pid);
    let text = text.err().unwrap();
    assert!(text.contains("timed out after 30 s and was killed"), "{text}");
    let _ = std::fs::remove_file(&file);
    let is_gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Nobody may have waited for it yet.
        stat.is_empty() || stat.contains(") Z ")
    };
    while !is_gone() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_missing_plugin_is_named_with_its_hint() {
    let yaml = "{apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, args: [s3cret], \
                installHint: \"brew\\n install  it\", interactiveMode: Never}";
    let text = problem(yaml, false);
    assert!(
        text.starts_with(
            "credential plugin \"no-such-plugin\" is not in PATH; install it where the collector runs (the kubeconfig \
             says: brew install it)"
        ),
        "{text}"
    );
    let text = problem(&yaml.replace("no-such-plugin", "/no/such/plugin"), false);
    assert!(
        text.starts_with("credential plugin \"/no/such/plugin\" does not exist"),
        "{text}"
    );
    assert!(!text.contains("s3cret"));
}

#[test]
fn settings_that_contradict_the_protocol_are_refused() {
    assert!(problem("{apiVersion: client.authentication.k8s.io/v1}", false).contains("exec has no command"));
    let old = problem(
        "{apiVersion: client.authentication.k8s.io/v1alpha1, command: sh}",
        false,
    );
    assert!(
        old.contains("found apiVersion \"client.authentication.k8s.io/v1alpha1\", expected"),
        "{old}"
    );
    let always = "{apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Always}";
    assert!(problem(always, false).contains("interactiveMode: Always"));
    assert_eq!(problem(always, true), "");
}

#[test]
fn never_prompts_without_a_terminal() {
    for (mode, terminal, expected) in [
        ("Never", true, false),
        ("IfAvailable", true, true),
        ("IfAvailable", false, false),
    ] {
        let yaml =
            format!("{{apiVersion: client.authentication.k8s.io/v1beta1, command: sh, interactiveMode: {mode}}}");
        let plugin = Plugin::read_at(&config(&yaml), terminal).unwrap();
        assert_eq!(plugin.is_interactive(), expected, "{mode} {terminal}");
        assert!(
            plugin.info.contains(&format!("\"interactive\":{expected}")),
            "{}",
            plugin.info
        );
    }
}

#[test]
fn a_credential_is_read_from_json_and_from_yaml() {
    let json =
        "{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\",\"expirationTimestamp\":\"2026-11-28T12:15:00Z\"}}";
    let yaml = "kind: ExecCredential\nstatus:\n  token: t\n  expirationTimestamp: 2026-11-28T12:15:00Z\n";
    for text in [json, yaml] {
        let now = Instant::now();
        let read = read(text.as_bytes(), NOW.parse().unwrap(), now).ok().unwrap();
        assert_eq!(read.header.unwrap(), "Bearer t", "{text}");
        assert_eq!(read.expires, Some(now + Duration::from_secs(900)), "{text}");
    }
    let certificate = "{\"status\":{\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\"}}";
    let read = printed(certificate).ok().unwrap();
    assert!(read.header.is_none() && read.expires.is_none());
    assert!(
        read.identity
            .is_some_and(|identity| identity.certificate == "c" && identity.key == "k")
    );
}

#[test]
fn a_credential_that_has_expired_long_ago_is_read() {
    let now = Instant::now();
    for at in ["1970-01-01T00:00:00Z", "9999-12-30T00:00:00Z"] {
        let text = format!("{{\"status\":{{\"token\":\"t\",\"expirationTimestamp\":\"{at}\"}}}}");
        let read = read(text.as_bytes(), NOW.parse().unwrap(), now).ok().unwrap();
        assert_eq!(read.expires.is_some_and(|at| at > now), at.starts_with('9'));
    }
}
