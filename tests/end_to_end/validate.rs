//! `validate` and `print-config`: errors and warnings with their positions, without secrets.

use std::process::Command;

use crate::cli::{ROOT, file, run, stderr, stdout};

#[test]
fn a_missing_key_is_named_with_its_place() {
    let output = run(&["validate"], &[]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        stderr(&output),
        "The configuration has 1 error:\n\
         pipeline.yaml (built in):61:19: exporters::otlp_http/datadog::headers::dd-api-key: the environment variable \
         `DD_API_KEY` is not set\n    61 |       dd-api-key: ${env:DD_API_KEY}\n       |                   ^\n    set it, or give a default: `${env:DD_API_KEY:-default}`\n"
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
fn the_wrong_word_of_a_statement_is_shown() {
    let path = file(
        "statement.yaml",
        "\
receivers: {k8s_job: }
processors:
  transform:
    log_statements:
      - context: log
        statements:
          - |
            set(attributes[\"a\"], 1)
              where IsMatsh(body, \"x\")
          - set(atributes[\"a\"], 1)
  filter:
    log_conditions:
      - >-
        log.body == nil and
        lag.body == nil
exporters: {debug: }
service: {pipelines: {logs: {receivers: [k8s_job], processors: [transform, filter], exporters: [debug]}}}
",
    );
    let output = run(&["validate", "--config", &path], &[]);
    assert_eq!(output.status.code(), Some(3));
    let text = stderr(&output).replace(&path, "F");
    for expected in [
        "The configuration has 3 errors:",
        "F:9:21: processors::transform::log_statements::0::statements::0: ",
        "`IsMatch`",
        "F:10:17: processors::transform::log_statements::0::statements::1: ",
        "`attributes`",
        "F:15:9: processors::filter::log_conditions::0: ",
    ] {
        assert!(text.contains(expected), "no {expected} in\n{text}");
    }
}
