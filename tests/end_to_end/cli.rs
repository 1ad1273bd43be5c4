//! The command line: what it prints, and how it ends.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn run(args: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kube-job-collector"))
        .args(args)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// A configuration file of this test.
fn file(name: &str, text: &str) -> String {
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
fn a_missing_key_is_named_with_its_place() {
    let output = run(&["validate"], &[]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        stderr(&output),
        "The configuration has 1 error:\n\
         pipeline.yaml (built in):48:19: exporters::otlp_http/datadog::headers::dd-api-key: the environment variable \
         `DD_API_KEY` is not set\n    48 |       dd-api-key: ${env:DD_API_KEY}\n       |                   ^\n    set it, or give a default: `${env:DD_API_KEY:-default}`\n"
    );
}

#[test]
fn every_error_is_listed_at_once_with_its_place() {
    let path = file(
        "errors.yaml",
        "\
receivers:
  k8s_job:
    label_selectr: a=b
processors:
  reason_enrichmnt:
connectors:
  job_metrics:
    interval: soon
exporters:
  debug:
    verbosity: loud
service:
  pipelines:
    logs:
      receivers: [k8s_job]
      exporters: [debgu, job_metrics]
    metric:
      receivers: [job_metrics]
      exporters: [debug]
",
    );
    let output = run(&["validate", "--config", &path], &[]);
    assert_eq!(output.status.code(), Some(3));
    let text = stderr(&output).replace(&path, "F");
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with("F:")).collect();
    let expected = [
        (
            "F:3:5: receivers::k8s_job::label_selectr: unknown key",
            "did you mean `label_selector`?",
        ),
        (
            "F:5:3: processors::reason_enrichmnt: unknown processor type",
            "did you mean \"reason_enrichment\"?",
        ),
        (
            "F:8:15: connectors::job_metrics::interval: `soon` is not a duration",
            "",
        ),
        ("F:11:16: exporters::debug::verbosity:", ""),
        (
            "F:16:19: service::pipelines::logs: references exporter \"debgu\" which is not configured",
            "\"debug\"?",
        ),
        (
            "F:16:26: connectors::job_metrics: used as exporter in logs, but as receiver in no pipeline",
            "",
        ),
        (
            "F:17:5: service::pipelines::metric: `metric` is not a signal",
            "did you mean `metrics`?",
        ),
    ];
    assert_eq!(found.len(), expected.len(), "{text}");
    for (line, (start, help)) in found.iter().zip(expected) {
        assert!(line.starts_with(start), "{line}\nexpected {start}");
        assert!(text.contains(help), "{help}\n{text}");
    }
}

#[test]
fn strict_turns_warnings_into_exit_code_3() {
    let path = file(
        "warning.yaml",
        "\
receivers: {k8s_job: }
exporters:
  debug:
  debug/spare:
service: {pipelines: {logs: {receivers: [k8s_job], exporters: [debug]}}}
",
    );
    let warning = "F:4:3: exporters::debug/spare: it is named in no pipeline and will not run\n";
    let output = run(&["validate", "--config", &path], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stderr(&output).replace(&path, "F").contains(warning),
        "{}",
        stderr(&output)
    );
    for command in ["validate", "run"] {
        let output = run(&[command, "--strict", "--config", &path], &[]);
        assert_eq!(output.status.code(), Some(3), "{command}: {}", stderr(&output));
        assert!(
            stderr(&output).replace(&path, "F").contains(warning),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn variables_that_are_not_set_can_be_left_out() {
    let output = run(&["validate", "--skip-env"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "The configuration is valid.\nNot checked, because these variables are not set: DD_API_KEY\n"
    );
    let set = "processors.reason_enrichment.keep_evidense=true";
    let output = run(&["validate", "--skip-env", "--set", set], &[]);
    assert_eq!(output.status.code(), Some(3), "the rest is checked");
    let path = file(
        "skipped.yaml",
        "\
receivers: {k8s_job: {storage: file_storage}}
exporters: {debug: , otlp_http: {endpoint: '${env:ENDPOINT}', sending_queue: {storage: file_storage}}}
extensions: {file_storage: {directory: '${env:DIR}'}}
service:
  extensions: [file_storage]
  telemetry: {logs: {level: '${env:LEVEL}'}}
  pipelines: {logs: {receivers: [k8s_job], exporters: [debug, otlp_http]}}
",
    );
    let output = run(&["validate", "--skip-env", &path], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stdout(&output).ends_with("not set: DIR, ENDPOINT, LEVEL\n"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn hides_consequential_errors() {
    let path = file(
        "follows.yaml",
        "\
receivers: {k8s_job: {storage: file_storage}}
exporters: {debug: }
extensions: {file_storage: {fsink: true}}
service:
  extensions: [file_storage]
  pipelines: {logs: {receivers: [k8s_job], exporters: [debug]}}
",
    );
    let text = stderr(&run(&["validate", &path], &[]));
    assert!(text.starts_with("The configuration has 1 error:\n"), "{text}");
    assert!(text.contains("extensions::file_storage::fsink: unknown key"), "{text}");
}

#[test]
fn accepts_a_file_in_every_argument_form() {
    let text = std::fs::read_to_string(format!("{ROOT}/pipeline.yaml")).expect("the shipped pipeline");
    let path = file("named.yaml", &text);
    let key = [("DD_API_KEY", "k")];
    for args in [
        &["validate", path.as_str()][..],
        &["validate", "-c", &path],
        &["validate", "-config", &path],
        &["validate", "--config", &format!("file:{path}")],
        &["print-config", &path],
    ] {
        let output = run(args, &key);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"))
        .args(["validate", "--config", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    std::io::Write::write_all(child.stdin.as_mut().expect("a pipe"), b"exporters: [").expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("standard input:1:"), "{}", stderr(&output));
    for (given, scheme) in [
        ("yaml:receivers::k8s_job:", "yaml"),
        ("env:CONFIG", "env"),
        ("https://example.com/config.yaml", "https"),
    ] {
        let output = run(&["validate", "--config", given], &[]);
        assert_eq!(output.status.code(), Some(2), "{given}");
        let expected =
            format!("--config {scheme}:… is not supported, only files are: give a path, or - for standard input\n");
        assert!(stderr(&output).ends_with(&expected), "{}", stderr(&output));
    }
}

#[test]
fn binary_file_is_an_invalid_configuration() {
    for (name, bytes, expected) in [
        (
            "latin1.yaml",
            &b"receivers:\n  # caf\xe9\n"[..],
            ":2:8: the byte 0xE9 is not UTF-8 (in Latin-1 it is `\u{e9}`)",
        ),
        ("utf16.yaml", b"\xff\xfer\0e\0", ":1:1: found UTF-16, expected UTF-8"),
    ] {
        let path = file(name, "");
        std::fs::write(&path, bytes).expect("a file");
        let output = run(&["validate", &path], &[]);
        assert_eq!(output.status.code(), Some(3), "{name}");
        assert!(
            stderr(&output).contains(&format!("{path}{expected}")),
            "{}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains("save the file as UTF-8"),
            "{}",
            stderr(&output)
        );
    }
    let output = run(&["validate", "/dev/zero"], &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr(&output).contains("/dev/zero:1:1: larger than the limit of 4194304 bytes"),
        "{}",
        stderr(&output)
    );
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
    assert!(!text.contains("kube-job-collector"), "{text}");
}

#[test]
fn secrets_are_not_printed() {
    let path = file(
        "secret.yaml",
        "exporters: {otlp_http/datadog: {headers: {dd-api-key: hunter2-written-here}}}\n",
    );
    let shipped = format!("{ROOT}/pipeline.yaml");
    let output = run(
        &["print-config", "--config", &shipped, "--config", &path],
        &[("DD_API_KEY", "hunter2-env")],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("dd-api-key: \"[REDACTED]\""),
        "{}",
        stdout(&output)
    );
    assert!(!stdout(&output).contains("hunter2"));

    let args = [
        "run",
        "--config",
        &shipped,
        "--set",
        "receivers.k8s_job.kubeconfig=/does/not/exist",
    ];
    let output = run(&args, &[("DD_API_KEY", "hunter2-env")]);
    assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
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
    assert_eq!(lines.len(), 1, "told once: {log}");
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
    const KEYS: [&str; 10] = [
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
fn the_demo_fits_into_80_columns() {
    let output = run(
        &["demo", "--once", "--speed", "20"],
        &[("COLUMNS", "80"), ("PATH", "/bin:/usr/bin")],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "", "no warning greets a newcomer");
    for line in stdout(&output).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).expect("the README");
    let (_, shown) = readme.split_once("    A simulated cluster (").expect("the example");
    let (shown, _) = shown.split_once("\n## ").expect("a heading after it");
    let shown: String = shown
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line)))
        .collect();
    assert_eq!(
        comparable(&shown),
        comparable(&stdout(&output)),
        "README.md shows another output"
    );
}

/// The parts that two runs of the demo have in common: no introduction, no times, no run numbers, no order of arrival.
fn comparable(demo: &str) -> Vec<String> {
    let (_, events) = demo.split_once("\n\n").expect("an introduction");
    // The metric depends on the time of the scrape.
    let lines = events.lines().filter(|line| !line.contains("container-status metric"));
    let mut lines: Vec<String> = lines
        .map(|line| {
            let line = match line.get(2..3) {
                Some(":") => &line[5..],
                _ => line,
            };
            let words = line.split_inclusive(' ');
            let unnumbered = words.map(|word| if word.starts_with("nightly-") { "nightly" } else { word });
            unnumbered.collect::<String>().trim_end().to_owned()
        })
        .collect();
    lines.sort();
    lines
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

/// The main job on the embedded default: the article's Job arrives once, as a delta, with its reason and cause.
#[test]
fn the_demo_counts_the_articles_job_once() {
    let output = run(&["demo", "--once", "-o", "json", "--speed", "20"], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let metrics: Value = serde_json::from_slice(&output.stdout).expect("OTLP JSON");
    let mut points = Vec::new();
    for resource in metrics["resourceMetrics"].as_array().expect("resources") {
        let owner = |key: &str| attribute(&resource["resource"]["attributes"], key);
        if owner("k8s.job.name").as_deref() != Some("deadline-exceeded-test-job") {
            continue;
        }
        assert_eq!(owner("k8s.namespace.name").as_deref(), Some("default"));
        assert_eq!(owner("k8s.cluster.name").as_deref(), Some("demo"));
        for metric in resource["scopeMetrics"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|s| s["metrics"].as_array())
        {
            for metric in metric.iter().filter(|m| m["name"] == "k8s.job.failures") {
                assert_eq!(metric["sum"]["aggregationTemporality"], 1, "delta");
                points.extend(metric["sum"]["dataPoints"].as_array().expect("points").clone());
            }
        }
    }
    assert_eq!(points.len(), 1, "{points:?}");
    assert_eq!(points[0]["asInt"], "1");
    for (key, value) in [
        ("reason", "DeadlineExceeded"),
        ("cause", "RanTooLong"),
        ("category", "timeout"),
    ] {
        assert_eq!(attribute(&points[0]["attributes"], key).as_deref(), Some(value));
    }
}

fn attribute(attributes: &Value, key: &str) -> Option<String> {
    let found = attributes.as_array()?.iter().find(|a| a["key"] == key)?;
    found["value"]["stringValue"].as_str().map(str::to_owned)
}
