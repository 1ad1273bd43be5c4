use collector_config::Settings;

use super::{Level, TelemetryConfig, TelemetryPlan};

fn config(yaml: &str) -> Result<TelemetryConfig, String> {
    let settings = Settings::from_yaml(yaml).expect("YAML");
    settings.read().map_err(|errors| errors.to_string())
}

#[test]
fn levels_are_read_as_the_collector_reads_them() {
    for (text, level) in [
        ("debug", Level::Debug),
        ("DEBUG", Level::Debug),
        ("Info", Level::Info),
        ("warn", Level::Warn),
        ("warning", Level::Warn),
        ("ERROR", Level::Error),
        ("fatal", Level::Error),
        ("", Level::Info),
    ] {
        let config = config(&format!("{{logs: {{level: {text}}}}}")).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(config.logs.level, level, "{text}");
    }
    let wrong = config("{logs: {level: loud}}").err().expect("an error");
    assert!(
        wrong.contains("logs::level: `loud` is not a level, expected `debug`, `info`, `warn` or `error`"),
        "{wrong}"
    );
}

#[test]
fn sections_without_a_value_have_their_defaults() {
    for yaml in [
        "",
        "logs:\nmetrics:",
        "{logs: {level: , encoding: ~}, metrics: {readers: }}",
    ] {
        let config = config(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"));
        assert_eq!(config.logs.level, Level::Info);
        assert!(config.metrics.readers.is_empty());
    }
}

fn reader(otlp: &str) -> String {
    format!("{{metrics: {{readers: [{{periodic: {{exporter: {{otlp: {otlp}}}}}}}]}}}}")
}

#[test]
fn the_protocol_of_a_reader_may_be_written() {
    for (otlp, url) in [
        (
            "{protocol: http/protobuf, endpoint: 'http://h:4318'}",
            "http://h:4318/v1/metrics",
        ),
        ("{endpoint: 'http://h:4318/'}", "http://h:4318/v1/metrics"),
        ("{endpoint: 'http://h:4318/v1/metrics'}", "http://h:4318/v1/metrics"),
        ("{endpoint: 'http://h:4318/a/b'}", "http://h:4318/a/b"),
    ] {
        let config = config(&reader(otlp)).unwrap_or_else(|e| panic!("{otlp}: {e}"));
        let periodic = config.metrics.readers[0].periodic.as_ref().expect("a periodic reader");
        assert_eq!(periodic.exporter.otlp.url(), url, "{otlp}");
    }
    for protocol in ["grpc", "http/json"] {
        let settings =
            Settings::from_yaml(&reader(&format!("{{protocol: {protocol}, endpoint: 'http://h'}}"))).expect("YAML");
        let wrong = TelemetryPlan::read(&settings).err().expect("an error").to_string();
        let expected = format!("otlp::protocol: `{protocol}` is not supported here, expected `http/protobuf`");
        assert!(wrong.contains(&expected), "{wrong}");
    }
}

#[test]
fn readers_and_encoding_need_a_restart() {
    let plan = |yaml: &str| {
        let settings = Settings::from_yaml(yaml).expect("YAML");
        TelemetryPlan::read(&settings).unwrap_or_else(|errors| panic!("{yaml}: {errors}"))
    };
    let running = plan(&reader("{endpoint: 'http://h:4318', headers: {a: b}}")).start();
    for (yaml, keys) in [
        (reader("{endpoint: 'http://h:4318', headers: {a: b}}"), &[][..]),
        (
            reader("{endpoint: 'http://h:4318', headers: {a: c}}"),
            &["service::telemetry::metrics::readers"],
        ),
        (
            "{logs: {level: debug, encoding: json}}".into(),
            &[
                "service::telemetry::logs::encoding",
                "service::telemetry::metrics::readers",
            ],
        ),
    ] {
        assert_eq!(running.apply(&plan(&yaml).into_config(), None), keys, "{yaml}");
    }
}
