//! Several sources and `--set`: merging, and errors of all of them; and arbitrary input.

use super::load_tests::{Debug, WHOLE, debug, environment, lines, source, with_debug};
use super::{Duration, load, print, read_all};

#[test]
fn a_source_that_adds_overrides_nothing() {
    let first = "\
receivers: {r: {}}
exporters:
  debug: {text: a, list: [a, b], map: {a: 1}}
  other:
service: {pipelines: {logs: {receivers: [r], exporters: [debug]}}}
";
    let more = "\
exporters:
  debug: {text: b, number: 5, list: [b, c], map: {a: 2, b: 3}}
  other: {text: c}
extensions: {x: {}}
service: {extensions: [x], pipelines: {logs: {exporters: [debug, other]}}}
";
    let added = super::Source {
        adds: true,
        ..source("b.yaml", more)
    };
    let sources = [source("a.yaml", first), added.clone(), added];
    let config =
        load(&sources, &["exporters.debug.number=7".to_owned()], &environment).unwrap_or_else(|e| panic!("{e}"));
    let read = debug(&config).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((read.text.as_deref(), read.number), (Some("a"), Some(7)));
    assert_eq!(read.list, ["a", "b", "c"]);
    let map: Vec<(&str, &str)> = read.map.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(map, [("a", "1"), ("b", "3")]);
    assert_eq!(config.service.extensions.len(), 1);
    let pipeline = &config.service.pipelines[&super::pipeline_id("logs").expect("an id")];
    assert_eq!(pipeline.exporters.len(), 2);
}

#[test]
fn sources_are_merged() {
    let first = "\
receivers: {r: {}}
processors: {p: {a: 1}}
exporters:
  debug: {text: a, number: 1, list: [a, b], map: {a: 1, b: 2}}
service: {pipelines: {logs: {receivers: [r], processors: [p], exporters: [debug]}}}
";
    let second = "\
processors:
exporters:
  debug: {number: x, list: [c], map: {b: 3, c: 4}}
  other:
service: {pipelines: {logs: {processors: []}}}
";
    let sources = [
        source("a.yaml", first),
        source("empty.yaml", "# nothing\n"),
        source("b.yaml", second),
    ];
    let config = load(&sources, &[], &environment).unwrap_or_else(|e| panic!("{e}"));
    assert!(config.processors.is_empty());
    assert_eq!(config.exporters.len(), 2);
    assert_eq!(
        lines(&debug(&config).expect_err("number")),
        ["b.yaml:3:19: exporters::debug::number: found `x`, expected a whole number from 0 to 65535"]
    );
    let sets = [
        "exporters.debug.number=7",
        "exporters.debug.map.c=${env:PORT}",
        "exporters::debug::map::d.e=5",
        "exporters.debug.time=2s",
        "exporters.other=",
        "service.pipelines.logs.exporters=[debug, other]",
    ]
    .map(str::to_owned);
    let config = load(&sources, &sets, &environment).unwrap_or_else(|e| panic!("{e}"));
    let read = debug(&config).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((read.text.as_deref(), read.number), (Some("a"), Some(7)));
    assert_eq!(read.list, ["c"]);
    assert_eq!(read.time, Some(Duration::from_secs(2)));
    let map: Vec<(&str, &str)> = read.map.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(map, [("a", "1"), ("b", "3"), ("c", "4318"), ("d.e", "5")]);
    let pipeline = &config.service.pipelines[&super::pipeline_id("logs").expect("an id")];
    assert_eq!(pipeline.exporters.len(), 2);
    assert_eq!(
        pipeline.exporters[1].position.to_string(),
        "--set service.pipelines.logs.exporters:1:42"
    );
}

#[test]
fn errors_in_set_are_reported_without_its_value() {
    for (set, expected) in [
        (
            "exporters.debug.number=hunter2",
            "--set exporters.debug.number:1:24: exporters::debug::number: found `hunter2`",
        ),
        (
            "exporters.debug.nmber=1",
            "--set exporters.debug.nmber:1:17: exporters::debug::nmber: unknown key `nmber`",
        ),
        (
            "exporters.debug.text=[hunter2",
            "--set exporters.debug.text:1:22: not YAML: unclosed bracket",
        ),
        (
            "exporters.debug.text",
            "--set exporters.debug.text:1:1: expected a path and a value",
        ),
        ("=x", "--set :1:1: expected a path and a value"),
        ("a..b=x", "--set a..b:1:1: expected a path and a value"),
        (
            "exporter.debug.text=x",
            "--set exporter.debug.text:1:1: exporter: unknown key `exporter`",
        ),
        (
            &format!("{}=x", vec!["a"; 100].join(".")),
            "nested deeper than 64 levels",
        ),
    ] {
        let result = load(&[source("a.yaml", &with_debug("{}"))], &[set.to_owned()], &environment);
        let found = result
            .and_then(|config| debug(&config).map(|_| ()))
            .expect_err(set)
            .to_string();
        assert!(found.contains(expected), "{set}: {found}");
        assert!(!expected.contains("not YAML") || !found.contains("hunter2"), "{found}");
    }
}

#[test]
fn errors_of_all_sources_are_reported_in_order() {
    let sources = [
        source("b.yaml", "a: ["),
        source("a.yaml", "x: 1\nx: 2\ny: {z: 1, z: 2}"),
    ];
    let found = load(&sources, &["a".to_owned()], &environment).expect_err("errors");
    let places: Vec<String> = found
        .0
        .iter()
        .filter_map(|m| m.position.as_ref())
        .map(ToString::to_string)
        .collect();
    assert_eq!(places, ["--set a:1:1", "a.yaml:2:1", "a.yaml:3:11", "b.yaml:1:4"]);
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[a-c:{}\\[\\]$&*!|>'\"\\-#~,.<? \\n\\tü]{0,80}", set in "[a-c.:=$\\[\\]{}&* ]{0,20}") {
        let source = source("p.yaml", &text);
        let _ = read_all(std::slice::from_ref(&source), std::slice::from_ref(&set), &environment);
        let _ = print(&[source], &[set]);
    }

    #[test]
    fn no_bytes_panic(text in ".{0,60}") {
        let _ = read_all(&[source("p.yaml", &text)], std::slice::from_ref(&text), &environment);
    }

    #[test]
    fn no_value_in_a_whole_configuration_panics(value in "[a-z0-9:{}\\[\\]$&*\\-. ü]{0,30}", at in 0..27usize) {
        let text: Vec<String> = WHOLE
            .lines()
            .enumerate()
            .map(|(i, line)| if i == at { format!("{}: {value}", line.split(':').next().unwrap_or("")) } else { line.to_owned() })
            .collect();
        let (config, _) = read_all(&[source("p.yaml", &text.join("\n"))], &[], &environment);
        for settings in config.iter().flat_map(|c| c.exporters.values()) {
            let _ = settings.read::<Debug>();
        }
    }

    #[test]
    fn the_value_of_a_variable_is_one_text(value in "(?s).{0,40}") {
        let text = with_debug("{map: {k: 'a${env:V}'}}");
        let config = load(&[source("a.yaml", &text)], &[], &|_| Some(value.clone())).expect("valid");
        let read = debug(&config).expect("valid");
        proptest::prop_assert_eq!(&read.map["k"], &format!("a{value}"));
        proptest::prop_assert_eq!(config.exporters.len(), 1);
    }
}
