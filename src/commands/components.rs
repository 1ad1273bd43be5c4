//! `components`: what this binary can be configured to do.

use std::fmt::Write;

use collector_data::Signal;
use collector_runtime::component::Factory;

use super::{Failure, print};
use crate::components;

/// Prints every component in YAML, in the shape of the collector's own `components` command.
pub(crate) fn list() -> Result<(), Failure> {
    let factories = components::factories();
    let mut out = format!(
        "buildinfo:\n  command: {}\n  description: {:?}\n  version: {}\n",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_DESCRIPTION"),
        env!("CARGO_PKG_VERSION"),
    );
    section(&mut out, "receivers", &factories.receivers);
    section(&mut out, "processors", &factories.processors);
    section(&mut out, "connectors", &factories.connectors);
    section(&mut out, "exporters", &factories.exporters);
    section(&mut out, "extensions", &factories.extensions);
    print(&out)
}

fn section<T: ?Sized>(out: &mut String, kind: &str, factories: &[Factory<T>]) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{kind}:");
    for factory in factories {
        let _ = writeln!(out, "  - name: {}", factory.type_name);
        let _ = writeln!(out, "    description: {:?}", factory.description);
        if !factory.aliases.is_empty() {
            let _ = writeln!(out, "    aliases: [{}]", factory.aliases.join(", "));
        }
        if !factory.signals.is_empty() {
            let _ = writeln!(out, "    signals: [{}]", names(factory.signals));
        }
        if !factory.makes.is_empty() {
            let _ = writeln!(out, "    makes: [{}]", names(factory.makes));
        }
    }
}

fn names(signals: &[Signal]) -> String {
    signals.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ")
}
