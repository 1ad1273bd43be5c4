//! The command line: its output and exit codes.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

pub(crate) fn run(args: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kube-job-collector"))
        .args(args)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .expect("the binary runs")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// A configuration file of this test.
pub(crate) fn file(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

#[test]
fn the_shipped_pipeline_is_valid_built_in_or_as_a_file() {
    let key = [("DD_API_KEY", "k")];
    for args in [
        &["validate"][..],
        &["validate", "--config", &format!("{ROOT}/pipeline.yaml")],
    ] {
        let output = run(args, &key);
        assert_eq!(stdout(&output), "The configuration is valid.\n", "{}", stderr(&output));
        assert_eq!(stderr(&output), "");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn the_version_is_a_command_too() {
    let version = run(&["version"], &[]);
    assert_eq!(stdout(&version), stdout(&run(&["--version"], &[])));
    assert_eq!(version.status.code(), Some(0));
}

#[test]
fn kubectl_plugin_help_names_itself() {
    let link = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubectl-why_job");
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kube-job-collector"), &link).expect("a link");
    let output = Command::new(&link)
        .arg("--help")
        .env_clear()
        .output()
        .expect("the plugin runs");
    let text = stdout(&output);
    assert!(text.starts_with("Explains why a Kubernetes Job failed\n"), "{text}");
    assert!(text.contains("  kubectl why-job nightly-29924437 -n shop"), "{text}");
    assert!(!text.contains("kube-job-collector explain"), "{text}");
}

#[test]
fn a_component_that_cannot_start_is_named_and_the_process_fails() {
    let args = [
        "--set",
        "receivers.k8s_job.kubeconfig=/does/not/exist",
        "--set",
        "extensions.health_check.endpoint=127.0.0.1:0",
        "--set",
        "service.telemetry.metrics.readers=[]",
    ];
    let output = run(&args, &[("DD_API_KEY", "k")]);
    assert_eq!(output.status.code(), Some(1));
    let log = stderr(&output);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("could not start: ")).collect();
    assert_eq!(lines.len(), 1, "reported once: {log}");
    for part in ["ERROR", "receivers::k8s_job", "/does/not/exist"] {
        assert!(lines[0].contains(part), "{part}: {log}");
    }
    assert!(!log.contains('\x1b'), "no terminal, no colours");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = run(&["--config", "/does/not/exist.yaml"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "kube-job-collector: cannot read the configuration /does/not/exist.yaml: No such file or directory (os error 2); \
         check the path given to --config\n"
    );
}

#[test]
fn explain_prints_one_record_for_each_job_that_ended() {
    const KEYS: [&str; 18] = [
        "namespace",
        "name",
        "uid",
        "cronjob",
        "outcome",
        "reason",
        "cause",
        "category",
        "retry",
        "summary",
        "next_step",
        "evidence",
        "attempts",
        "notes",
        "start_time",
        "decision_time",
        "duration",
        "source",
    ];
    for (name, jobs) in crate::support::expected() {
        let path = crate::support::corpus()
            .join(format!("{name}.jsonl.gz"))
            .display()
            .to_string();
        for all in [false, true] {
            let args = ["explain", "--recording", &path, "-o", "json", "--all"];
            let output = run(&args[..if all { 6 } else { 5 }], &[]);
            assert!(output.status.success(), "{}", stderr(&output));
            let records: Vec<Value> = stdout(&output)
                .lines()
                .map(|line| serde_json::from_str(line).expect("a JSON object"))
                .collect();
            let wanted: Vec<&Value> = jobs
                .iter()
                .filter(|job| all || !["Running", "Unmanaged"].iter().any(|o| job["outcome"] == *o))
                .collect();
            assert_eq!(records.len(), wanted.len(), "{name}");
            for job in wanted {
                let record = records
                    .iter()
                    .find(|r| r["uid"] == job["uid"])
                    .unwrap_or_else(|| panic!("{name}: {job}"));
                assert_eq!(record.as_object().expect("an object").keys().len(), KEYS.len());
                for key in KEYS {
                    assert!(record.get(key).is_some(), "{name}: {key}");
                }
                for key in ["name", "cronjob", "outcome", "reason", "cause"] {
                    assert_eq!(record[key], job[key], "{name}: {key}");
                }
            }
        }
    }
}

#[test]
fn a_broken_recording_is_an_error_with_its_line() {
    let path = file(
        "broken.jsonl",
        "{\"t\": 0, \"resource\": \"jobs\", \"type\": \"ADDED\", \"object\": {\"metadata\": {\"uid\": \"u\"}}}\nnot json\n",
    );
    let output = run(&["explain", "--recording", &path], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("line 2: expected {\"t\": milliseconds"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_full_standard_error_changes_no_exit_code() {
    for (args, code) in [
        (&["validate", "--config", "/does/not/exist.yaml"][..], 1),
        (&["run", "--config", "/does/not/exist.yaml"], 1),
        (&["explain", "--recording", "/dev/null"], 0),
        (&["validate"], 3),
    ] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("Linux has it");
        let status = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"))
            .args(args)
            .env_clear()
            .stderr(full)
            .status()
            .expect("the binary runs");
        assert_eq!(status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn components_are_listed() {
    let output = run(&["components"], &[]);
    let text = stdout(&output);
    for name in [
        "k8s_job",
        "reason_enrichment",
        "job_metrics",
        "otlp_http",
        "debug",
        "health_check",
    ] {
        assert!(text.contains(&format!("  - name: {name}\n")), "{text}");
    }
}

#[test]
fn a_wrong_command_line_says_what_is_right() {
    let output = run(&["run", "--confg", "x"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("'--config'"), "{}", stderr(&output));
}
