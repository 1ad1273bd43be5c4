//! The Terraform module: its format, and the monitors that it makes of its variables. Its provider cannot be loaded from a registry
//! here; `TERRAFORM_PROVIDERS` names a folder with it for `terraform validate`.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use std::io::Write as _;

use serde_json::Value;

use crate::{deploy, folder, oracle};

/// `None` without Terraform.
fn terraform(folder: &Path, arguments: &[&str], input: &str) -> Option<Output> {
    let started = Command::new("terraform")
        .args(arguments)
        .current_dir(folder)
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut process) = started else {
        oracle::skip("terraform", "https://developer.hashicorp.com/terraform/install");
        return None;
    };
    process
        .stdin
        .take()
        .expect("a pipe")
        .write_all(input.as_bytes())
        .expect("it reads");
    Some(process.wait_with_output().expect("it ends"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A copy of the module that evaluates without a provider: no resources, and no requirement of one.
fn without_resources(name: &str) -> std::path::PathBuf {
    let folder = folder(name);
    let module = folder.join("terraform");
    let monitors = folder.join("monitors");
    std::fs::create_dir_all(&module).expect("a folder");
    std::fs::create_dir_all(&monitors).expect("a folder");
    let source = deploy().join("datadog/terraform");
    let text = std::fs::read_to_string(source.join("monitors.tf")).expect("a file");
    let locals = text.split("\nresource ").next().expect("locals");
    std::fs::write(module.join("monitors.tf"), locals).expect("a file");
    std::fs::copy(source.join("variables.tf"), module.join("variables.tf")).expect("a file");
    for (name, text) in deploy_generate::files() {
        if let Some(name) = name.strip_prefix("datadog/monitors/") {
            std::fs::write(monitors.join(name), text).expect("a file");
        }
    }
    module
}

/// The monitors for variables; `None` without Terraform.
fn monitors(name: &str, variables: &str) -> Option<Value> {
    let module = without_resources(name);
    std::fs::write(module.join("test.auto.tfvars"), variables).expect("a file");
    let output = terraform(&module, &["console"], "jsonencode(local.monitors)\n");
    let _ = std::fs::remove_dir_all(module.parent().expect("a folder"));
    let output = output?;
    assert!(output.status.success(), "{}", text(&output));
    let quoted = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let document: String = serde_json::from_str(&quoted).unwrap_or_else(|error| panic!("{error}: {quoted}"));
    Some(serde_json::from_str(&document).expect("JSON"))
}

#[test]
fn module_has_the_format_of_terraform() {
    let folder = deploy().join("datadog/terraform");
    if let Some(output) = terraform(&folder, &["fmt", "-check", "-diff", "-recursive"], "") {
        assert!(output.status.success(), "{}", text(&output));
    }
}

#[test]
fn variables_change_the_monitors() {
    let variables = "notify = \"@slack-oncall\"\nscope = \"env:prod\"\nenv = \"prod\"\nsite_url = \"https://app.datadoghq.eu\"\n\
                     thresholds = { cronjob-consecutive-failures = 5 }\ndisabled = [\"job-failed\"]\n\
                     without_success = { nightly = { scope = \"kube_cronjob:nightly\", hours = 72 } }\n";
    let Some(monitors) = monitors("variables", variables) else {
        return;
    };
    let query = |name: &str| monitors[name]["query"].as_str().unwrap_or_default();
    assert_eq!(monitors.get("job-failed"), None, "disabled");
    assert_eq!(
        query("cronjob-consecutive-failures"),
        "min(last_5m):max:k8s.cronjob.consecutive_failures{env:prod} by {kube_cluster_name,kube_namespace,kube_cronjob} >= 5"
    );
    assert_eq!(
        query("cronjob-without-success-nightly"),
        "min(last_10m):max:k8s.cronjob.last_success.age{kube_cronjob:nightly} by {kube_cluster_name,kube_namespace,kube_cronjob} > \
         259200"
    );
    assert!(
        query("collector-events-lost").contains("{*}"),
        "own metrics have no env"
    );
    let stalled = &monitors["job-stalled"];
    let message = stalled["message"].as_str().expect("a message");
    assert!(message.ends_with("\n\n@slack-oncall"), "{message}");
    assert!(
        message.contains("https://app.datadoghq.eu/logs?query=@otel.event_name:k8s.job.stalled"),
        "{message}"
    );
    assert!(!message.contains("datadoghq.com"), "{message}");
    let tags: Vec<&str> = stalled["tags"]
        .as_array()
        .expect("tags")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(tags, ["integration:kube-job-collector", "env:prod"]);
}

#[test]
fn defaults_are_the_queries_of_the_files() {
    let Some(monitors) = monitors("defaults", "") else {
        return;
    };
    for (name, text) in deploy_generate::files() {
        let Some(name) = name
            .strip_prefix("datadog/monitors/")
            .and_then(|name| name.strip_suffix(".json"))
        else {
            continue;
        };
        let file: Value = serde_json::from_str(&text).expect("JSON");
        if name == "job-failed-log" {
            assert_eq!(monitors.get(name), None, "job-failed reports the same failures");
            continue;
        }
        for key in ["name", "type", "query", "message", "tags"] {
            assert_eq!(monitors[name][key], file[key], "{name}: {key}");
        }
    }
}

#[test]
fn a_scope_with_braces_is_an_error() {
    let module = without_resources("scope");
    std::fs::write(module.join("test.auto.tfvars"), "scope = \"{env:prod}\"\n").expect("a file");
    if let Some(output) = terraform(&module, &["console"], "var.scope\n") {
        assert!(
            text(&output).contains("Write the scope without braces"),
            "{}",
            text(&output)
        );
    }
    let _ = std::fs::remove_dir_all(module.parent().expect("a folder"));
}

#[test]
fn terraform_validates_the_module() {
    let Some(providers) = std::env::var_os("TERRAFORM_PROVIDERS") else {
        eprintln!("SKIPPED: TERRAFORM_PROVIDERS names no folder with the provider DataDog/datadog");
        return;
    };
    let folder = folder("validate");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(deploy().join("datadog"))
        .arg(&folder)
        .status();
    assert!(copied.expect("cp").success());
    let module = folder.join("datadog/terraform");
    let plugins = format!("-plugin-dir={}", providers.to_string_lossy());
    for arguments in [&["init", "-backend=false", "-input=false", &plugins][..], &["validate"]] {
        if let Some(output) = terraform(&module, arguments, "") {
            assert!(output.status.success(), "{}", text(&output));
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}
