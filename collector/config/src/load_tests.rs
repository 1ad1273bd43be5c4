//! From sources to a configuration: syntax, merging, `--set`, `${…}`, sections.

use std::sync::Arc;

use serde::Deserialize;

use super::{Config, Diagnostics, Duration, PipelineId, Source, component_id, load, read_all};
use collector_data::Signal;

pub(crate) fn environment(name: &str) -> Option<String> {
    let value = match name {
        "PORT" => "4318",
        "ZEROS" => "0123",
        "EMPTY" => "",
        "NULL" => "null",
        "TRUE" => "true\n",
        "LIST" => "[debug]",
        "MAP" => "{a: b}",
        "INJECTION" => "x\nexporters:\n  evil:\n    a: b # ${env:PORT} $$",
        "HOST" => "collector",
        "ID" => "debug/env",
        _ => return None,
    };
    Some(value.to_owned())
}

pub(crate) fn source(name: &str, text: &str) -> Source {
    Source {
        name: Arc::from(name),
        text: text.to_owned(),
        adds: false,
    }
}

pub(crate) fn errors(text: &str) -> Vec<String> {
    let (_, errors) = read_all(&[source("a.yaml", text)], &[], &environment);
    lines(&errors)
}

pub(crate) fn lines(errors: &Diagnostics) -> Vec<String> {
    errors.0.iter().map(ToString::to_string).collect()
}

/// A valid configuration with these settings for the exporter `debug`.
pub(crate) fn with_debug(settings: &str) -> String {
    format!(
        "exporters: {{debug: {settings}}}\nservice: {{pipelines: {{logs: {{receivers: [a], exporters: [debug]}}}}}}\n"
    )
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Debug {
    pub(crate) text: Option<String>,
    pub(crate) number: Option<u16>,
    pub(crate) flag: Option<bool>,
    pub(crate) list: Vec<String>,
    pub(crate) time: Option<Duration>,
    pub(crate) map: std::collections::BTreeMap<String, String>,
}

pub(crate) fn debug(config: &Config) -> Result<Debug, Diagnostics> {
    config.exporters[&component_id("debug").expect("an id")].read()
}

fn read_debug(settings: &str) -> Result<Debug, Vec<String>> {
    let config = load(&[source("a.yaml", &with_debug(settings))], &[], &environment).map_err(|e| lines(&e))?;
    debug(&config).map_err(|e| lines(&e))
}

pub(crate) const WHOLE: &str = "\
receivers:
  k8s_job:
    auth_type: serviceAccount
processors:
  reason_enrichment:
connectors:
  job_metrics: {}
exporters:
  otlp_http/datadog:
    endpoint: https://x
  debug:
extensions:
  health_check:
service:
  extensions: [health_check]
  telemetry:
    logs: {level: debug}
  pipelines:
    logs:
      receivers: [k8s_job]
      processors: [reason_enrichment]
      exporters: [otlp_http/datadog, job_metrics]
    metrics/jobs:
      receivers: [job_metrics]
      exporters:
        - otlp_http/datadog
        - debug
";

#[test]
fn a_whole_configuration_is_read() {
    let config = load(&[source("a.yaml", WHOLE)], &[], &environment).unwrap_or_else(|e| panic!("{e}"));
    let ids = |map: &std::collections::BTreeMap<_, super::Settings>| {
        map.keys()
            .map(|id: &crate::ComponentId| id.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&config.receivers), ["k8s_job"]);
    assert_eq!(ids(&config.processors), ["reason_enrichment"]);
    assert_eq!(ids(&config.connectors), ["job_metrics"]);
    assert_eq!(ids(&config.exporters), ["debug", "otlp_http/datadog"]);
    assert_eq!(ids(&config.extensions), ["health_check"]);
    let datadog = &config.exporters[&component_id("otlp_http/datadog").expect("an id")];
    assert_eq!(datadog.position().to_string(), "a.yaml:9:3");
    assert_eq!(
        datadog.error("endpoint", "x").to_string(),
        "a.yaml:10:15: exporters::otlp_http/datadog::endpoint: x"
    );
    assert_eq!(
        datadog.error("", "x").to_string(),
        "a.yaml:9:3: exporters::otlp_http/datadog: x"
    );
    assert_eq!(config.service.extensions[0].position.to_string(), "a.yaml:15:16");
    assert!(config.service.telemetry.is_set("logs::level"));
    let (signal, name) = (Signal::Metrics, Some("jobs".to_owned()));
    let pipeline = &config.service.pipelines[&PipelineId { signal, name }];
    assert_eq!(pipeline.position.to_string(), "a.yaml:23:5");
    let exporters: Vec<String> = pipeline
        .exporters
        .iter()
        .map(|e| format!("{e} {}", e.position))
        .collect();
    assert_eq!(exporters, ["otlp_http/datadog a.yaml:26:11", "debug a.yaml:27:11"]);
    assert!(pipeline.processors.is_empty());
}

#[test]
fn all_errors_of_the_sections_are_reported_at_once() {
    let text = "\
recievers: {}
receivers: [a]
exporters:
  1otlp: {}
  debug/: {}
  otlp/a:
  otlp / a:
  debug: {number: '${env:UNSET}'}
processors: {x: {}, x: {}}
service:
  extensions: debug
  pipeline: {}
  pipelines:
    log: {}
    logs/a:
    metrics: {receiver: [a], receivers: [], exporters: [debug, 3, debug, {}, '${env:HOST}-1', '${file:x}']}
    metrics/: {}
    traces: 3
";
    let (config, found) = read_all(&[source("ü.yaml", text)], &[], &environment);
    assert_eq!(
        lines(&found),
        [
            "ü.yaml:1:1: recievers: unknown key `recievers`\n    did you mean `receivers`?",
            "ü.yaml:2:12: receivers: found a list, expected a mapping",
            "ü.yaml:4:3: exporters::1otlp: `1otlp` is not the type of a component\n    expected a letter, then up to 62 letters, digits and `_`; a name of your own follows after `/`",
            "ü.yaml:5:3: exporters::debug/: `debug/` has no name after the `/`\n    expected a name of letters, digits and punctuation, without spaces and symbols",
            "ü.yaml:7:3: exporters::otlp / a: duplicate component `otlp/a`; first defined at ü.yaml:6:3",
            "ü.yaml:8:19: exporters::debug::number: the environment variable `UNSET` is not set\n    set it, or give a default: `${env:UNSET:-default}`",
            "ü.yaml:9:21: duplicate key `x`; first defined in line 9",
            "ü.yaml:11:15: service::extensions: found `debug`, expected a list of ids such as `[debug, otlp_http/eu]`",
            "ü.yaml:12:3: service::pipeline: unknown key `pipeline`\n    did you mean `pipelines`?",
            "ü.yaml:14:5: service::pipelines::log: `log` is not a signal, expected `logs`, `metrics` or `traces`\n    did you mean `logs`?",
            "ü.yaml:15:5: service::pipelines::logs/a::exporters: a pipeline needs at least one of `exporters`",
            "ü.yaml:15:5: service::pipelines::logs/a::receivers: a pipeline needs at least one of `receivers`",
            "ü.yaml:16:15: service::pipelines::metrics::receiver: unknown key `receiver`\n    did you mean `receivers`?",
            "ü.yaml:16:41: service::pipelines::metrics::receivers: a pipeline needs at least one of `receivers`",
            "ü.yaml:16:64: service::pipelines::metrics::exporters::1: `3` is not the type of a component\n    expected a letter, then up to 62 letters, digits and `_`; a name of your own follows after `/`",
            "ü.yaml:16:67: service::pipelines::metrics::exporters::2: found `debug` a second time",
            "ü.yaml:16:74: service::pipelines::metrics::exporters::3: found a mapping, expected the id of a component",
            "ü.yaml:16:78: service::pipelines::metrics::exporters::4: found `${env:HOST}-1`, expected the id of a component",
            "ü.yaml:16:95: service::pipelines::metrics::exporters::5: `file:` in `${…}` is not supported, only `env:` is\n    put the value into a variable and write `${env:NAME}`, or read a secret file with `bearertokenauth`; write `$$` for a `$` that is meant",
            "ü.yaml:17:5: service::pipelines::metrics/: `metrics/` has no name after the `/`\n    expected a name of letters, digits and punctuation, without spaces and symbols",
            "ü.yaml:18:13: service::pipelines::traces: found `3`, expected a mapping",
        ]
    );
    // Errors that follow from the unset variable are not reported.
    let config = config.expect("a tree");
    assert_eq!(debug(&config), Err(Diagnostics::default()));
}

#[test]
fn a_configuration_without_pipelines_is_invalid() {
    for (text, position) in [
        ("", "a.yaml:1:1"),
        ("exporters: {debug: {}}", "a.yaml:1:1"),
        ("\nservice:", "a.yaml:2:1"),
        ("service: {telemetry: {}}", "a.yaml:1:1"),
        ("service:\n  pipelines:", "a.yaml:2:3"),
        ("service:\n  pipelines: {}", "a.yaml:2:14"),
    ] {
        let found = errors(text);
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
        let expected = format!("{position}: service::pipelines: no pipeline is defined");
        assert!(found[0].starts_with(&expected), "{text:?}: {found:?}");
    }
    let none = load(&[], &[], &environment).expect_err("nothing at all");
    assert!(
        none.to_string()
            .starts_with("configuration:1:1: service::pipelines: no pipeline is defined"),
        "{none}"
    );
}

#[test]
fn invalid_yaml_is_reported_with_its_position() {
    let deep = format!("a: {}1{}", "[".repeat(70), "]".repeat(70));
    let deepest = "[".repeat(200_000);
    let laughs: String = (1..12).fold("a0: &a0 [x, x]\n".to_owned(), |text, i| {
        format!("{text}a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(", "))
    });
    let long = format!("a: {}", "x".repeat(5 << 20));
    for (text, expected) in [
        ("a: [1, 2", "a.yaml:1:4: not YAML: unclosed bracket '['"),
        ("a: b\n c: d\n", "a.yaml:2:3: not YAML: "),
        ("a:\n\tb: 1", "indent with spaces, not with tabs"),
        ("a: {b: ${env:PORT}}", "write `${…}` in quotes"),
        (
            "ü: 1\nä: 2\nü: 3",
            "a.yaml:3:1: duplicate key `ü`; first defined in line 1",
        ),
        ("a: 1\n---\nb: 2", "a.yaml:2:1: a second document begins here"),
        ("a: *b", "a.yaml:1:4: not YAML: "),
        ("a: &x [*x]", "a.yaml:1:8: an alias is inside the value it refers to"),
        ("? [a]\n: b", "a.yaml:1:3: found a list or a mapping, expected a key"),
        ("a: !env X", "the tag `!env` is not known here"),
        ("<<: 3", "<<: found `3`, expected a mapping to merge"),
        ("${env:HOST}: 3", "a.yaml:1:1: `${…}` is in the key"),
        ("- a", "a.yaml:1:1: found a list, expected a mapping"),
        ("hunter2", "a.yaml:1:1: found a single value, expected a mapping"),
        (
            "\"a\\e[31m\": {}",
            "a.yaml:1:1: a\\u{1b}[31m: unknown key `a\\u{1b}[31m`",
        ),
        ("a: 1\na: 2\na: 3\nb: {c: 1, c: 2}", "a.yaml:4:11: duplicate key `c`"),
        (&deep, "nested deeper than 64 levels"),
        (&deepest, "nested deeper than 64 levels"),
        (&laughs, "more than 100000 values"),
        (&long, "limit of 4194304 bytes"),
    ] {
        let found = errors(text).join("\n");
        assert!(found.contains(expected), "{:.60}: {found}", text);
        assert!(!found.contains("hunter2"), "{found}");
    }
}

#[test]
fn aliases_and_merges_have_the_place_where_they_are_used_or_written() {
    let text = with_debug("\n  {list: &l [a, b]\n  , map: &m {a: b, c: d}\n  , text: &t abc }\n").replace(
        "{debug: ",
        "{common: &c {number: 1, flag: x, list: [ü, {}]}, debug: {<<: *c, number: 70000}, b: ",
    );
    let config = load(&[source("a.yaml", &text)], &[], &environment).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        lines(&debug(&config).expect_err("errors")),
        [
            "a.yaml:1:42: exporters::debug::flag: found `x`, expected `true` or `false`",
            "a.yaml:1:55: exporters::debug::list::1: found a mapping, expected a text",
            "a.yaml:1:85: exporters::debug::number: found `70000`, expected a whole number from 0 to 65535",
        ]
    );
    assert_eq!(
        read_debug("{text: &t ü, list: [*t, &n 3, *n], number: *n, map: {<<: [{a: 1, b: 2}, {b: 3, c: 4}], c: 5}}"),
        Ok(Debug {
            text: Some("ü".to_owned()),
            number: Some(3),
            list: ["ü", "3", "3"].map(str::to_owned).to_vec(),
            map: [("a", "1"), ("b", "2"), ("c", "5")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            ..Debug::default()
        })
    );
    let wrong = read_debug("{text: &t ü, flag: *t}").expect_err("no flag");
    assert_eq!(
        wrong,
        ["a.yaml:1:39: exporters::debug::flag: found `ü`, expected `true` or `false`"]
    );
}

#[test]
fn variables_are_replaced() {
    let text = |text: &str| Debug {
        text: Some(text.to_owned()),
        ..Debug::default()
    };
    for (settings, expected) in [
        ("{text: '${env:PORT}'}", text("4318")),
        ("{text: '${PORT}'}", text("4318")),
        ("{text: '${env:ZEROS}'}", text("0123")),
        ("{text: 'http://${HOST}:${env:PORT}/'}", text("http://collector:4318/")),
        ("{text: '${env:UNSET:-}x'}", text("x")),
        ("{text: '${env:UNSET:-0123}'}", text("0123")),
        ("{text: '${UNSET:-${env:GONE:-${HOST}}}!'}", text("collector!")),
        ("{text: '${HOST:-${env:GONE}}'}", text("collector")),
        ("{text: '$${X} $X $$ $'}", text("${X} $X $ $")),
        ("{text: 'a${EMPTY}b'}", text("ab")),
        ("{text: '${EMPTY}'}", Debug::default()),
        ("{text: '${NULL}'}", Debug::default()),
        ("{text: 'x${NULL}'}", text("xnull")),
        ("{text: '${LIST}'}", text("[debug]")),
        (
            "{text: '${INJECTION}'}",
            text("x\nexporters:\n  evil:\n    a: b # ${env:PORT} $$"),
        ),
        (
            "{number: '${PORT}', flag: '${TRUE}', time: '${UNSET:-1m30s}'}",
            Debug {
                number: Some(4318),
                flag: Some(true),
                time: Some(Duration::from_secs(90)),
                ..Debug::default()
            },
        ),
        (
            "{list: ['${HOST}', '${ZEROS}'], map: {a: '${EMPTY}', b: '${NULL}'}}",
            Debug {
                list: ["collector", "0123"].map(str::to_owned).to_vec(),
                map: [("a", ""), ("b", "null")]
                    .map(|(k, v)| (k.to_owned(), v.to_owned()))
                    .into(),
                ..Debug::default()
            },
        ),
    ] {
        assert_eq!(read_debug(settings), Ok(expected), "{settings}");
    }
}

#[test]
fn variables_cannot_be_structure_or_another_type() {
    for (settings, expected) in [
        (
            "{list: '${LIST}'}",
            "list: found `${LIST}`, expected a list\n    a variable holds one value only, write the list or mapping in the file",
        ),
        (
            "{map: '${env:MAP}'}",
            "map: found `${env:MAP}`, expected a mapping\n    a variable holds one value only, write the list or mapping in the file",
        ),
        ("'${env:MAP}'", "found `${env:MAP}`, expected a mapping"),
        (
            "{number: '${ZEROS}'}",
            "number: found `${ZEROS}`, expected a whole number from 0 to 65535",
        ),
        (
            "{number: '1${PORT}'}",
            "number: found `1${PORT}`, expected a whole number from 0 to 65535",
        ),
        (
            "{number: '${UNSET:-x}'}",
            "number: found `${UNSET:-x}`, expected a whole number",
        ),
        (
            "{time: '${PORT}'}",
            "time: `${PORT}` has no unit, write `${PORT}s` for seconds",
        ),
        (
            "{text: '${UNSET}${GONE}'}",
            "the environment variable `GONE` is not set",
        ),
        (
            "{text: '${UNSET:-${GONE}}'}",
            "the environment variable `GONE` is not set",
        ),
        ("{text: '${UNSET'}", "text: `${` has no closing `}`"),
        ("{text: '${http://x}'}", "text: `http:` in `${…}` is not supported"),
    ] {
        let found = read_debug(settings).expect_err(settings).join("\n");
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
