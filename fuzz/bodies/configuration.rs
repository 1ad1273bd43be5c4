//! Properties of the configuration reader for arbitrary bytes. Run by a fuzz target, and by `cargo test` on damaged
//! files.
//!
//! Input: the bytes of a file, and after a byte 0 those of an overlay.

use std::collections::BTreeMap;

use collector_config::{self, Diagnostics, Excerpts, Settings, Source, Style};

/// The value of every variable; must not appear in a message.
pub(super) const SECRET: &str = "hunter2-0a1b2c3d";

/// Panics if something does not hold.
pub(super) fn run(data: &[u8]) {
    let mut sources = Vec::new();
    for (name, bytes) in ["a.yaml", "b.yaml"].into_iter().zip(data.splitn(2, |byte| *byte == 0)) {
        match Source::from_bytes(name, bytes.to_vec()) {
            Ok(source) => sources.push(source),
            Err(errors) => {
                assert!(!errors.is_empty());
                check_messages(&errors, &[]);
            }
        }
    }
    if sources.iter().any(|source| source.text.contains(SECRET)) {
        return;
    }
    let environment = |name: &str| (!name.starts_with('U')).then(|| SECRET.to_owned());
    let (config, errors) = collector_config::read_all(&sources, &[], &environment);
    check_messages(&errors, &sources);
    let (again, same) = collector_config::read_all(&sources, &[], &environment);
    assert_eq!(errors, same, "the same file has other errors");
    assert_eq!(config.is_some(), again.is_some());
    let (_, fewer, _) = collector_config::read_without_environment(&sources, &[], &environment);
    assert!(fewer.0.len() <= errors.0.len(), "leaving variables out adds errors");
    if let Some(config) = config {
        check_messages(&config.warnings.list(), &sources);
        let sections = [
            &config.receivers,
            &config.processors,
            &config.exporters,
            &config.extensions,
        ];
        for settings in sections
            .into_iter()
            .flat_map(BTreeMap::values)
            .chain([&config.service.telemetry])
        {
            read::<serde_json::Value>(settings, &sources);
            read::<BTreeMap<String, u8>>(settings, &sources);
            read::<BTreeMap<String, Vec<collector_config::Duration>>>(settings, &sources);
        }
    }
    if let Ok(printed) = collector_config::print(&sources, &[]) {
        let source = Source {
            name: "printed.yaml".into(),
            text: printed.clone(),
            adds: false,
        };
        assert_eq!(
            collector_config::print(&[source], &[]),
            Ok(printed),
            "what is printed reads as something else"
        );
    }
}

fn read<T: serde::de::DeserializeOwned>(settings: &Settings, sources: &[Source]) {
    if let Err(errors) = settings.read::<T>() {
        check_messages(&errors, sources);
    }
}

/// Errors say where and what, in printable characters and without secrets.
fn check_messages(errors: &Diagnostics, sources: &[Source]) {
    for error in &errors.0 {
        assert!(!error.message.is_empty());
        let position = error.position.as_ref().expect("a position");
        if let Some(source) = sources.iter().find(|source| source.name == position.source) {
            let lines = source.text.split('\n').count() + source.text.matches('\r').count();
            assert!((1..=lines + 1).contains(&(position.line as usize)), "{error}");
        }
        assert!(position.column >= 1, "{error}");
    }
    let style = Style {
        colour: false,
        width: Some(80),
    };
    let text = Excerpts::of(sources).render(errors, "", style);
    assert!(!text.contains(SECRET), "{text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}
