//! Checks that every component the service names exists and fits. Every error is reported, none hides another.

use std::collections::BTreeSet;

use super::catalog::Catalog;
use crate::component::Kind;
use crate::storage::Provided;
use collector_config::ComponentId;
use collector_config::{Config, Diagnostic, Diagnostics, Located, Pipeline, PipelineId, nearest};
use collector_data::Signal;

/// Reports connectors whose id a receiver or exporter has too: a pipeline that names it could mean either.
pub(super) fn ids(config: &Config, problems: &mut Diagnostics) {
    for (id, settings) in &config.connectors {
        for (kind, taken) in [
            (Kind::Receiver, config.receivers.contains_key(id)),
            (Kind::Exporter, config.exporters.contains_key(id)),
        ] {
            if taken {
                problems.push(Diagnostic {
                    path: Kind::Connector.path(id),
                    help: Some(format!(
                        "rename one of them, such as {:?}",
                        format!("{}/connector", id.type_name)
                    )),
                    ..settings.error(
                        "",
                        format!("the id {:?} is also defined under {}", id.to_string(), kind.section()),
                    )
                });
            }
        }
    }
}

/// Reports components of pipelines that are not configured or do not carry the signal. That they have both ends, and name
/// nothing twice, is checked where the configuration is read.
pub(super) fn pipelines(config: &Config, catalog: &Catalog<'_>, problems: &mut Diagnostics) {
    for (id, pipeline) in &config.service.pipelines {
        for (role, list) in lists(pipeline) {
            for named in list {
                match kind_in(catalog, role, &named.value) {
                    Some(kind) => problems.0.extend(signal(catalog, kind, role, named, id)),
                    None => problems.push(problem(
                        named,
                        path(id),
                        format!("references {role} {} which is not configured", quoted(named)),
                        elsewhere(catalog, role, &named.value),
                    )),
                }
            }
        }
    }
}

/// Reports connectors that only end pipelines, or only begin them.
pub(super) fn connectors(config: &Config, catalog: &Catalog<'_>, problems: &mut Diagnostics) {
    for id in config.connectors.keys() {
        let uses = |role: Kind| -> Vec<(&PipelineId, &Located<ComponentId>)> {
            let pipelines = config.service.pipelines.iter();
            pipelines
                .flat_map(|(pipeline_id, pipeline)| {
                    let (_, list) = match role {
                        Kind::Receiver => (role, &pipeline.receivers),
                        _ => (role, &pipeline.exporters),
                    };
                    list.iter().map(move |named| (pipeline_id, named))
                })
                .filter(|(_, named)| named.value == *id && kind_in(catalog, role, id) == Some(Kind::Connector))
                .collect()
        };
        let (ends, begins) = (uses(Kind::Exporter), uses(Kind::Receiver));
        let (used, role, missing) = match (ends.is_empty(), begins.is_empty()) {
            (false, true) => (ends, Kind::Exporter, Kind::Receiver),
            (true, false) => (begins, Kind::Receiver, Kind::Exporter),
            _ => continue,
        };
        let names: BTreeSet<String> = used.iter().map(|(pipeline, _)| pipeline.to_string()).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        let signals = catalog.signals(Kind::Connector, id).map(|signals| match missing {
            Kind::Receiver => signals.makes,
            _ => signals.takes,
        });
        let suitable = match signals {
            Some(signals) => format!("a pipeline that carries {}", listed(signals, "or")),
            None => "a pipeline".into(),
        };
        if let Some((_, first)) = used.first() {
            problems.push(problem(
                first,
                Kind::Connector.path(id),
                format!("used as {role} in {names}, but as {missing} in no pipeline"),
                Some(format!("name it under {} of {suitable}", missing.section())),
            ));
        }
    }
}

/// Reports entries of `service::extensions` that are not configured.
pub(super) fn extensions(config: &Config, catalog: &Catalog<'_>, problems: &mut Diagnostics) {
    for named in &config.service.extensions {
        if !catalog.has(Kind::Extension, &named.value) {
            problems.push(problem(
                named,
                "service::extensions".into(),
                format!("references extension {} which is not configured", quoted(named)),
                elsewhere(catalog, Kind::Extension, &named.value),
            ));
        }
    }
}

/// Warns about components that are configured and that nothing names.
pub(super) fn unused(config: &Config) {
    let named: BTreeSet<(Kind, &ComponentId)> = config
        .service
        .pipelines
        .values()
        .flat_map(lists)
        .flat_map(|(role, list)| list.iter().map(move |named| (role, &named.value)))
        .chain(
            config
                .service
                .extensions
                .iter()
                .map(|named| (Kind::Extension, &named.value)),
        )
        .collect();
    let sections = [
        (
            Kind::Receiver,
            &config.receivers,
            "it is named in no pipeline and will not run",
        ),
        (
            Kind::Processor,
            &config.processors,
            "it is named in no pipeline and will not run",
        ),
        (
            Kind::Connector,
            &config.connectors,
            "it is named in no pipeline and will not run",
        ),
        (
            Kind::Exporter,
            &config.exporters,
            "it is named in no pipeline and will not run",
        ),
        (
            Kind::Extension,
            &config.extensions,
            "it is not named in service::extensions and will not run",
        ),
    ];
    for (kind, configured, message) in sections {
        for (id, settings) in configured {
            // A connector that passed the checks is named as a receiver and as an exporter.
            let role = if kind == Kind::Connector { Kind::Exporter } else { kind };
            if !named.contains(&(role, id)) {
                config.warnings.push(Diagnostic {
                    path: kind.path(id),
                    ..settings.error("", message)
                });
            }
        }
    }
}

/// Warns about extensions that only work for the components that name them, and that none names.
pub(super) fn unnamed(config: &Config, provided: &Provided, uses: &BTreeSet<ComponentId>) {
    let unused = config
        .service
        .extensions
        .iter()
        .filter(|named| !uses.contains(&named.value));
    for named in unused {
        if let Some(key) = provided.setting_of(&named.value) {
            config.warnings.push(problem(
                named,
                "service::extensions".into(),
                format!("no component uses {}", quoted(named)),
                Some(format!("name it in the setting `{key}` of a component, or remove it")),
            ));
        }
    }
}

fn lists(pipeline: &Pipeline) -> [(Kind, &Vec<Located<ComponentId>>); 3] {
    [
        (Kind::Receiver, &pipeline.receivers),
        (Kind::Processor, &pipeline.processors),
        (Kind::Exporter, &pipeline.exporters),
    ]
}

/// The kind of `id` in a pipeline's list for `role`: connectors are listed among receivers and exporters.
fn kind_in(catalog: &Catalog<'_>, role: Kind, id: &ComponentId) -> Option<Kind> {
    if catalog.has(role, id) {
        return Some(role);
    }
    (role != Kind::Processor && catalog.has(Kind::Connector, id)).then_some(Kind::Connector)
}

fn signal(
    catalog: &Catalog<'_>,
    kind: Kind,
    role: Kind,
    named: &Located<ComponentId>,
    pipeline: &PipelineId,
) -> Option<Diagnostic> {
    let signals = catalog.signals(kind, &named.value)?;
    let (does, supported) = match role {
        Kind::Receiver => ("make", signals.makes),
        _ => ("take", signals.takes),
    };
    let wanted = pipeline.signal;
    (!supported.contains(&wanted)).then(|| {
        let message = format!("{kind} {} does not {does} {wanted}", quoted(named));
        let help = format!("it {does}s {}", listed(supported, "and"));
        problem(named, path(pipeline), message, Some(help))
    })
}

/// The section that defines the id, or else a similar id that may be meant.
fn elsewhere(catalog: &Catalog<'_>, role: Kind, id: &ComponentId) -> Option<String> {
    let text = id.to_string();
    if let Some(other) = Kind::ALL.into_iter().find(|kind| catalog.has(*kind, id)) {
        return Some(format!("{text:?} is configured under {}", other.section()));
    }
    let mut candidates: Vec<String> = catalog.ids(role).collect();
    if matches!(role, Kind::Receiver | Kind::Exporter) {
        candidates.extend(catalog.ids(Kind::Connector));
    }
    if let Some(near) = nearest(&text, candidates.iter().map(String::as_str)) {
        return Some(format!("did you mean {near:?}?"));
    }
    match candidates.is_empty() {
        true => Some(format!(
            "add {text:?} under {}; nothing is configured there",
            role.section()
        )),
        false => Some(format!(
            "add {text:?} under {}; configured are {}",
            role.section(),
            candidates.join(", ")
        )),
    }
}

fn path(pipeline: &PipelineId) -> String {
    format!("service::pipelines::{pipeline}")
}

fn quoted(named: &Located<ComponentId>) -> String {
    format!("{:?}", named.value.to_string())
}

fn listed(signals: &[Signal], word: &str) -> String {
    match signals.split_last() {
        None => "nothing".into(),
        Some((last, [])) => last.to_string(),
        Some((last, others)) => {
            let others: Vec<&str> = others.iter().map(|signal| signal.as_str()).collect();
            format!("{} {word} {last}", others.join(", "))
        }
    }
}

fn problem(named: &Located<ComponentId>, path: String, message: String, help: Option<String>) -> Diagnostic {
    Diagnostic {
        position: Some(named.position.clone()),
        path,
        message,
        help,
    }
}
