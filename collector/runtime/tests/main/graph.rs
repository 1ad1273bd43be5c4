use std::sync::Arc;

use collector_runtime::graph::Graph;
use collector_runtime::health::Health;
use opentelemetry::metrics::{Counter, InstrumentBuilder, InstrumentProvider, Meter, MeterProvider, NoopMeterProvider};

use crate::running::{Run, on_one_thread, settle};
use crate::scripted::{config, factories, journal, note};
use collector_config::Diagnostics;

/// Notes each instrument that a component registers.
struct NotingInstruments;

impl InstrumentProvider for NotingInstruments {
    fn u64_counter(&self, _: InstrumentBuilder<'_, Counter<u64>>) -> Counter<u64> {
        note("instrument");
        NoopMeterProvider::new().meter("test").u64_counter("noted").build()
    }
}

fn build(text: &str) -> Result<Graph, Diagnostics> {
    let meter = opentelemetry::global::meter("test");
    Graph::build(&config(text), &factories(), &meter, &Health::new())
}

/// The errors as printed.
fn errors(text: &str) -> String {
    match build(text) {
        Ok(_) => String::new(),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

fn warnings(text: &str) -> Vec<String> {
    let graph = build(text).unwrap_or_else(|errors| panic!("{errors}"));
    graph
        .warnings()
        .iter()
        .map(|w| format!("{}: {}", w.path, w.message))
        .collect()
}

const PARTS: &str = "
receivers: feed, metricfeed
processors: tag
connectors: count, forward, forward/back
exporters: good, logsonly
extensions: ext
";

fn with(pipelines: &str) -> String {
    format!("{PARTS}{pipelines}")
}

#[test]
fn what_is_not_configured_is_reported_where_it_is_named() {
    assert_eq!(
        errors(&with("logs: fed | tga | good, tag, kafka")),
        "test:7:7: service::pipelines::logs: references receiver \"fed\" which is not configured\n    \
         did you mean \"feed\"?\n\
         test:7:13: service::pipelines::logs: references processor \"tga\" which is not configured\n    \
         did you mean \"tag\"?\n\
         test:7:25: service::pipelines::logs: references exporter \"tag\" which is not configured\n    \
         \"tag\" is configured under processors\n\
         test:7:30: service::pipelines::logs: references exporter \"kafka\" which is not configured\n    \
         add \"kafka\" under exporters; configured are good, logsonly, count, forward, forward/back\n"
    );
}

#[test]
fn extensions_are_checked() {
    assert_eq!(
        errors(&with("service: ext, exd\nlogs: feed || good")),
        "test:7:15: service::extensions: references extension \"exd\" which is not configured\n    \
         did you mean \"ext\"?\n"
    );
}

#[test]
fn unknown_types_are_reported_with_what_there_is() {
    let text = "receivers: feeed\nexporters: good\nextensions: health\nprocessors: tag\nlogs: feeed | tag | good";
    assert_eq!(
        errors(text),
        "yaml:1:1: extensions::health: unknown extension type \"health\"\n    \
         this binary has the extensions badstart, ext\n\
         yaml:1:1: receivers::feeed: unknown receiver type \"feeed\"\n    \
         did you mean \"feed\"? this binary has the receivers feed, metricfeed, slowstart\n"
    );
}

#[test]
fn signals_must_fit() {
    assert_eq!(
        errors(&with("traces: feed || logsonly\nmetrics: metricfeed || good")),
        "test:7:9: service::pipelines::traces: receiver \"feed\" does not make traces\n    it makes logs\n\
         test:7:17: service::pipelines::traces: exporter \"logsonly\" does not take traces\n    it takes logs\n"
    );
    assert_eq!(
        errors(&with("metrics: metricfeed || count\nlogs: count || good")),
        "test:7:24: service::pipelines::metrics: connector \"count\" does not take metrics\n    it takes logs\n\
         test:8:7: service::pipelines::logs: connector \"count\" does not make logs\n    it makes metrics\n"
    );
}

#[test]
fn connectors_need_both_sides() {
    assert_eq!(
        errors(&with("logs: feed || good, count\nmetrics: forward || good")),
        "test:7:21: connectors::count: used as exporter in logs, but as receiver in no pipeline\n    \
         name it under receivers of a pipeline that carries metrics\n\
         test:8:10: connectors::forward: used as receiver in metrics, but as exporter in no pipeline\n    \
         name it under exporters of a pipeline that carries logs, metrics or traces\n"
    );
}

#[test]
fn a_connector_shares_its_id_with_nobody() {
    let text = "receivers: feed\nconnectors: good\nexporters: good\nlogs: feed || good";
    assert!(
        errors(text).contains("connectors::good: the id \"good\" is also defined under exporters"),
        "{}",
        errors(text)
    );
}

#[test]
fn cycles_are_printed() {
    assert_eq!(
        errors(&with(
            "logs: feed, forward/back || forward\nlogs/b: forward || good, forward/back"
        )),
        "test:8:26: service::pipelines: data would go round in a cycle: \
         logs -> forward -> logs/b -> forward/back -> logs\n    \
         remove one of these connectors from the exporters of its pipeline\n"
    );
    assert!(errors(&with("logs: feed, forward || forward, good")).contains("cycle: logs -> forward -> logs\n"));
    assert_eq!(
        errors(&with(
            "logs: feed || forward\nlogs/b: forward || good\nlogs/c: forward || good"
        )),
        ""
    );
}

#[test]
fn errors_in_settings_show_once_and_together_with_the_others() {
    let text = "receivers: feed, feed/bad\nprocessors: tag/bad\nexporters: good\n\
                logs: feed | tag/bad | good\nlogs/b: feed | tag/bad | good, gone";
    let errors = errors(text);
    assert_eq!(errors.matches("error in tag/bad").count(), 1, "{errors}");
    assert_eq!(
        errors.matches("error in feed/bad").count(),
        1,
        "although unused: {errors}"
    );
    assert!(errors.contains("references exporter \"gone\""), "{errors}");
}

#[test]
fn what_nothing_names_is_a_warning() {
    assert_eq!(
        warnings(&with("logs: feed || good, count\nmetrics: count || good")),
        [
            "connectors::forward: it is named in no pipeline and will not run",
            "connectors::forward/back: it is named in no pipeline and will not run",
            "exporters::logsonly: it is named in no pipeline and will not run",
            "extensions::ext: it is not named in service::extensions and will not run",
            "processors::tag: it is named in no pipeline and will not run",
            "receivers::metricfeed: it is named in no pipeline and will not run",
        ]
    );
}

#[test]
fn one_instance_for_each_id_and_one_processor_for_each_pipeline() {
    on_one_thread(async {
        let text =
            "receivers: feed\nprocessors: tag\nexporters: good\nlogs: feed | tag | good\nlogs/b: feed | tag | good";
        let run = Run::of(text);
        settle().await;
        let mut made: Vec<String> = journal().into_iter().filter(|line| line.starts_with("make")).collect();
        made.sort();
        assert_eq!(made, ["make feed", "make good", "make tag", "make tag"]);
        run.stop().await.unwrap();
    });
}

#[test]
fn a_graph_that_never_runs_leaves_no_trace() {
    let health = Health::new();
    let meter = Meter::new(Arc::new(NotingInstruments));
    let text =
        "receivers: feed\nprocessors: tag\nexporters: good\nextensions: ext\nservice: ext\nlogs: feed | tag | good";
    drop(Graph::build(&config(text), &factories(), &meter, &health));
    assert_eq!(health.watch().borrow().iter().count(), 0);
    let lines = journal();
    assert!(!lines.contains(&"instrument".to_owned()), "{lines:?}");
    let count = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("make"), count("drop")), (4, 4), "{lines:?}");
}

#[test]
fn an_alias_is_the_same_component() {
    assert_eq!(errors("receivers: feed\nexporters: fine/x\nlogs: feed || fine/x"), "");
}

#[test]
fn positions_are_those_of_the_file() {
    let text = "\
receivers:
  feed:
exporters:
  good:
  kafka/eu:
    brokers: [b]
service:
  pipelines:
    logs:
      receivers: [feed]
      exporters: [good, debug]
";
    let source = collector_config::Source {
        name: "pipeline.yaml".into(),
        text: text.into(),
        adds: false,
    };
    let config = collector_config::load(&[source], &[], &|_| None).unwrap();
    let meter = opentelemetry::global::meter("test");
    let errors = Graph::build(&config, &factories(), &meter, &Health::new())
        .err()
        .unwrap();
    assert_eq!(
        errors.to_string(),
        "pipeline.yaml:5:3: exporters::kafka/eu: unknown exporter type \"kafka\"\n    \
         this binary has the exporters badstart, ends, fails, good, logsonly, panics, panicstart, patient, rejects, \
         stalls\n\
         pipeline.yaml:11:25: service::pipelines::logs: references exporter \"debug\" which is not configured\n    \
         add \"debug\" under exporters; configured are good, kafka/eu\n"
    );
}
