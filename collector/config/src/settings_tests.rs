//! Reading settings: positions, all errors at once, help.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Diagnostics, Duration, Secret, Settings};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Exporter {
    endpoint: String,
    timeout: Duration,
    compression: Compression,
    headers: BTreeMap<String, Secret>,
    retry_on_failure: Retry,
    ports: Vec<u16>,
    ratio: f64,
    proxy_url: Option<String>,
    sink: Sink,
}

impl Default for Exporter {
    fn default() -> Self {
        Exporter {
            endpoint: String::new(),
            timeout: Duration::from_secs(30),
            compression: Compression::Gzip,
            headers: BTreeMap::new(),
            retry_on_failure: Retry::default(),
            ports: Vec::new(),
            ratio: 0.0,
            proxy_url: None,
            sink: Sink::Nowhere,
        }
    }
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Compression {
    Gzip,
    Zstd,
    None,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Sink {
    Nowhere,
    File { path: String, mode: Option<u32> },
    Port(u16),
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Retry {
    enabled: bool,
    initial_interval: Duration,
    max_interval: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            enabled: true,
            initial_interval: Duration::from_secs(5),
            max_interval: Duration::from_secs(30),
        }
    }
}

fn settings(yaml: &str) -> Settings {
    Settings::from_yaml(yaml).unwrap_or_else(|e| panic!("{e}"))
}

fn lines(errors: &Diagnostics) -> Vec<String> {
    errors.0.iter().map(ToString::to_string).collect()
}

#[test]
fn warnings_of_all_components_are_in_one_list() {
    let source = super::Source {
        name: "a.yaml".into(),
        text: "exporters:\n  debug: {verbosity: basic}\nreceivers:\n  k8s_job:\n".to_owned(),
        adds: false,
    };
    let (config, _) = super::read_all(&[source], &[], &|_| None);
    let config = config.expect("YAML");
    let (receiver, exporter) = (config.receivers.values().next(), config.exporters.values().next());
    let (receiver, exporter) = (receiver.expect("one"), exporter.expect("one"));
    receiver.warn(receiver.error("", "second"));
    exporter.warn(exporter.error("verbosity", "first"));
    receiver.warn(receiver.error("", "second"));
    assert_eq!(
        config.warnings.list().to_string(),
        "a.yaml:2:22: exporters::debug::verbosity: first\na.yaml:4:3: receivers::k8s_job: second\n"
    );
}

#[test]
fn settings_are_read() {
    let read: Exporter = settings(
        "endpoint: 0123\ntimeout: 1m30s\ncompression: zstd\nheaders: {dd-api-key: 0042, x: true}\nretry_on_failure: {enabled: false}\nports: [1, 0x10]\nratio: 1\nproxy_url: ~\nsink: {file: {path: /x}}\n",
    )
    .read()
    .expect("valid");
    assert_eq!(read.endpoint, "0123");
    assert_eq!(read.timeout, Duration::from_secs(90));
    assert_eq!(read.compression, Compression::Zstd);
    assert_eq!(read.headers["dd-api-key"].expose(), "0042");
    assert_eq!(read.headers["x"].expose(), "true");
    assert!(!read.retry_on_failure.enabled);
    assert_eq!(read.retry_on_failure.max_interval, Duration::from_secs(30));
    assert_eq!(read.ports, [1, 16]);
    assert_eq!(read.ratio, 1.0);
    assert_eq!(read.proxy_url, None);
    let (path, mode) = ("/x".to_owned(), None);
    assert_eq!(read.sink, Sink::File { path, mode });
    assert_eq!(
        settings("sink: {port: 80}").read::<Exporter>().expect("valid").sink,
        Sink::Port(80)
    );
}

#[test]
fn null_settings_are_empty_settings() {
    for yaml in [
        "",
        "~",
        "null",
        "{}",
        "# nothing\n",
        "retry_on_failure:\nports:\nheaders:\n",
    ] {
        assert_eq!(
            settings(yaml).read::<Exporter>().expect(yaml),
            Exporter::default(),
            "{yaml:?}"
        );
    }
}

#[test]
fn all_errors_are_reported_at_once() {
    let yaml = "\
endpont: x
timeout: 30
compression: gzpi
headers:
  a: [1]
  b: fine
retry_on_failure:
  enabled: yes
  intial_interval: 5s
  max_interval: 2d
ports: [1, 70000, '3', 0123, -1, 2]
ratio: \"0.5\"
proxy_url: {a: b}
sink:
  file:
    pth: /x
    mode: true
tls: {}
";
    let errors = settings(yaml).read::<Exporter>().expect_err("many errors");
    let expected = [
        "yaml:1:1: endpont: unknown key `endpont`\n    did you mean `endpoint`?",
        "yaml:2:10: timeout: `30` has no unit, write `30s` for seconds",
        "yaml:3:14: compression: found `gzpi`, expected `gzip`, `zstd` or `none`\n    did you mean `gzip`?",
        "yaml:5:6: headers::a: found a list, expected a text",
        "yaml:8:12: retry_on_failure::enabled: found `yes`, expected `true` or `false`\n    write `true`",
        "yaml:9:3: retry_on_failure::intial_interval: unknown key `intial_interval`\n    did you mean `initial_interval`?",
        "yaml:10:17: retry_on_failure::max_interval: `2d` has the unknown unit `d`, expected one of h, m, s, ms, us, ns (a day is `24h`)",
        "yaml:11:12: ports::1: found `70000`, expected a whole number from 0 to 65535",
        "yaml:11:19: ports::2: found the text \"3\", expected a whole number from 0 to 65535\n    leave out the quotes",
        "yaml:11:24: ports::3: found `0123`, expected a whole number from 0 to 65535\n    YAML versions differ on leading zeros: write `123`, or `0o123` if it is octal",
        "yaml:11:30: ports::4: found `-1`, expected a whole number from 0 to 65535",
        "yaml:12:8: ratio: found the text \"0.5\", expected a number\n    leave out the quotes",
        "yaml:13:12: proxy_url: found a mapping, expected a text",
        "yaml:15:3: sink::file: `path` is missing",
        "yaml:16:5: sink::file::pth: unknown key `pth`\n    did you mean `path`?",
        "yaml:17:11: sink::file::mode: found `true`, expected a whole number from 0 to 4294967295",
        "yaml:18:1: tls: unknown key `tls`\n    known here: endpoint, timeout, compression, headers, retry_on_failure, ports, ratio, proxy_url, sink",
    ];
    assert_eq!(lines(&errors), expected);
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only reading it matters")]
struct Required {
    name: String,
    inner: Inner,
    list: Vec<Inner>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only reading it matters")]
struct Inner {
    size: u8,
}

#[test]
fn errors_that_follow_from_another_are_not_reported() {
    let errors = settings("name: [x]\ninner: {size: 300}\nlist: [{size: x}, {size: 1}, {}]\n")
        .read::<Required>()
        .expect_err("errors");
    assert_eq!(
        lines(&errors),
        [
            "yaml:1:7: name: found a list, expected a text",
            "yaml:2:15: inner::size: found `300`, expected a whole number from 0 to 255",
            "yaml:3:15: list::0::size: found `x`, expected a whole number from 0 to 255",
            "yaml:3:30: list::2: `size` is missing",
        ]
    );
    let errors = settings("3").read::<Required>().expect_err("not a mapping");
    assert_eq!(lines(&errors), ["yaml:1:1: found `3`, expected a mapping"]);
}

#[test]
fn many_errors_end() {
    let yaml = format!("ports: [{}]", "x, ".repeat(5000));
    let errors = settings(&yaml).read::<Exporter>().expect_err("errors");
    assert_eq!(errors.0.len(), 100);
}

#[test]
fn a_check_of_a_component_has_the_place_of_the_value() {
    let settings = settings(
        "retry_on_failure:\n  max_interval: 1s\n  initial_interval:\nports: [1, 2]\nheaders: {token: hunter2}\n",
    );
    for (path, line, column) in [
        ("retry_on_failure::max_interval", 2, 17),
        ("retry_on_failure::initial_interval", 3, 3),
        ("retry_on_failure::absent", 1, 1),
        ("retry_on_failure", 1, 1),
        ("ports::1", 4, 12),
        ("ports::7", 4, 8),
        ("absent::deeper", 1, 1),
        ("", 1, 1),
    ] {
        let error = settings.error(path, "is wrong");
        let position = error.position.expect("a position");
        assert_eq!((position.line, position.column), (line, column), "{path}");
        assert_eq!(error.path, path);
    }
    assert!(settings.is_set("retry_on_failure::initial_interval"));
    assert!(!settings.is_set("retry_on_failure::enabled"));
    let error = settings.error("headers", "`hunter2` is not a header");
    assert_eq!(error.message, "`[REDACTED]` is not a header");
}
