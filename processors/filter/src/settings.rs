//! The settings: those of the Collector's `filterprocessor`.

use collector_config::{Diagnostics, Settings};
use collector_ottl::Context;
use collector_ottl_processing::{Conditions, ErrorMode, TextOrGroup, Texts};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::selection::DropConditions;

/// Settings of the processor.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FilterSettings {
    /// The reaction to a condition that cannot be evaluated: `ignore` (a warning, and the item stays), `silent`, or
    /// `propagate` (the batch is rejected).
    error_mode: ErrorMode,
    /// Conditions about logs, by context. Use `log_conditions` or these.
    logs: LogSettings,
    /// Conditions about metrics, by context. Use `metric_conditions` or these.
    metrics: MetricSettings,
    /// Conditions about spans, by context. Use `trace_conditions` or these.
    traces: TraceSettings,
    /// Conditions about log records, scopes and resources, or groups of them: items for which one is true are dropped. Every
    /// path begins with its context.
    log_conditions: Option<Vec<TextOrGroup<GroupSettings>>>,
    /// Conditions about metrics, data points, scopes and resources, or groups of them: items for which one is true are
    /// dropped. Every path begins with its context.
    metric_conditions: Option<Vec<TextOrGroup<GroupSettings>>>,
    /// Conditions about spans, scopes and resources, or groups of them: items for which one is true are dropped. Every path
    /// begins with its context.
    trace_conditions: Option<Vec<TextOrGroup<GroupSettings>>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct LogSettings {
    /// Conditions in the context `resource`: the resource is dropped with everything in it.
    resource: Option<Vec<String>>,
    /// Conditions in the context `log`: the log record is dropped.
    log_record: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct MetricSettings {
    /// Conditions in the context `resource`: the resource is dropped with everything in it.
    resource: Option<Vec<String>>,
    /// Conditions in the context `metric`: the metric is dropped.
    metric: Option<Vec<String>>,
    /// Conditions in the context `datapoint`: the data point is dropped.
    datapoint: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct TraceSettings {
    /// Conditions in the context `resource`: the resource is dropped with everything in it.
    resource: Option<Vec<String>>,
    /// Conditions in the context `span`: the span is dropped.
    span: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct GroupSettings {
    /// The context of the conditions, whose paths then need no prefix. By default the paths show it.
    #[schemars(extend("enum" = ["resource", "scope", "log", "metric", "datapoint", "span", ""]))]
    context: String,
    /// The conditions of the group.
    conditions: Vec<String>,
    /// The reaction to an error, instead of that of the processor.
    error_mode: Option<ErrorMode>,
}

/// The conditions of each signal, in the order in which they apply.
#[derive(Debug)]
pub(crate) struct Filters {
    pub(crate) logs: Vec<DropConditions>,
    pub(crate) metrics: Vec<DropConditions>,
    pub(crate) traces: Vec<DropConditions>,
}

impl Filters {
    /// Reads the settings.
    ///
    /// # Errors
    /// Every unknown key, or the errors of all conditions.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Diagnostics> {
        let all: FilterSettings = settings.read()?;
        let (logs, metrics, traces) = (all.logs, all.metrics, all.traces);
        let mut reader = FilterReader {
            texts: Texts::new(settings),
            mode: all.error_mode,
        };
        let filters = Filters {
            logs: reader.signal(
                "logs",
                [
                    ("resource", Context::Resource, logs.resource),
                    ("log_record", Context::Log, logs.log_record),
                ],
                ("log_conditions", all.log_conditions),
                &[Context::Resource, Context::Scope, Context::Log],
            ),
            metrics: reader.signal(
                "metrics",
                [
                    ("resource", Context::Resource, metrics.resource),
                    ("metric", Context::Metric, metrics.metric),
                    ("datapoint", Context::DataPoint, metrics.datapoint),
                ],
                ("metric_conditions", all.metric_conditions),
                &[Context::Resource, Context::Scope, Context::Metric, Context::DataPoint],
            ),
            traces: reader.signal(
                "traces",
                [
                    ("resource", Context::Resource, traces.resource),
                    ("span", Context::Span, traces.span),
                ],
                ("trace_conditions", all.trace_conditions),
                &[Context::Resource, Context::Scope, Context::Span],
            ),
        };
        reader.texts.into_result(filters)
    }
}

struct FilterReader<'s> {
    texts: Texts<'s>,
    mode: ErrorMode,
}

impl FilterReader<'_> {
    /// The conditions of one signal: `explicit` ones by context, or the `inferred` ones.
    fn signal<const N: usize>(
        &mut self,
        section: &str,
        explicit: [(&str, Context, Option<Vec<String>>); N],
        (key, inferred): (&str, Option<Vec<TextOrGroup<GroupSettings>>>),
        candidates: &[Context],
    ) -> Vec<DropConditions> {
        let mut conditions = DropConditions::default();
        let mut is_explicit = false;
        for (name, context, texts) in explicit {
            let Some(texts) = texts else { continue };
            is_explicit = true;
            let parsed = conditions.of(context).get_or_insert_with(|| Conditions::new(self.mode));
            for (index, text) in texts.iter().enumerate() {
                let path = format!("{section}::{name}::{index}");
                if let Some(condition) = self.texts.condition(&path, text, context) {
                    parsed.push(path, condition);
                }
            }
        }
        match inferred {
            Some(_) if is_explicit => {
                let message = format!("`{key}` and `{section}` are both set, expected one of them");
                self.texts.error(key, &message, "move all conditions into one of them");
                Vec::new()
            }
            Some(entries) if !entries.is_empty() => self.groups(key, entries, candidates),
            _ if is_explicit => vec![conditions],
            _ => Vec::new(),
        }
    }

    fn groups(
        &mut self,
        key: &str,
        entries: Vec<TextOrGroup<GroupSettings>>,
        candidates: &[Context],
    ) -> Vec<DropConditions> {
        let mut flat = DropConditions::default();
        let mut groups = Vec::new();
        let (mut texts, mut others) = (0, 0);
        for (index, entry) in entries.into_iter().enumerate() {
            let path = format!("{key}::{index}");
            match entry {
                TextOrGroup::Text(text) => {
                    texts += 1;
                    let mode = self.mode;
                    self.add(&mut flat, path, &text, mode, None, candidates);
                }
                TextOrGroup::Group(group) => {
                    others += 1;
                    groups.push(self.group(&path, &group, candidates));
                }
            }
            if texts > 0 && others == 1 || others > 0 && texts == 1 {
                self.texts.error(
                    &format!("{key}::{index}"),
                    "the list has texts and groups, expected only one of both",
                    "write each text as `- conditions: [TEXT]`",
                );
                // One error is enough.
                (texts, others) = (2, 2);
            }
        }
        if texts > 0 {
            groups.insert(0, flat);
        }
        groups
    }

    fn group(&mut self, path: &str, group: &GroupSettings, candidates: &[Context]) -> DropConditions {
        let mut conditions = DropConditions::default();
        let context = match group.context.as_str() {
            "" => None,
            name => match self.texts.context(&format!("{path}::context"), name, candidates) {
                Some(context) => Some(context),
                None => return conditions,
            },
        };
        let mode = group.error_mode.unwrap_or(self.mode);
        for (index, text) in group.conditions.iter().enumerate() {
            let path = format!("{path}::conditions::{index}");
            self.add(&mut conditions, path, text, mode, context, candidates);
        }
        conditions
    }

    fn add(
        &mut self,
        conditions: &mut DropConditions,
        path: String,
        text: &str,
        mode: ErrorMode,
        context: Option<Context>,
        candidates: &[Context],
    ) {
        let parsed = match context {
            Some(context) => self
                .texts
                .condition(&path, text, context)
                .map(|condition| (context, condition)),
            None => self.texts.inferred_condition(&path, text, candidates),
        };
        if let Some((context, condition)) = parsed {
            let list = conditions.of(context).get_or_insert_with(|| Conditions::new(mode));
            list.push(path, condition);
        }
    }
}

impl DropConditions {
    fn of(&mut self, context: Context) -> &mut Option<Conditions> {
        match context {
            Context::Resource => &mut self.resource,
            Context::Scope => &mut self.scope,
            Context::Log | Context::Metric | Context::Span => &mut self.item,
            Context::DataPoint => &mut self.point,
        }
    }
}
