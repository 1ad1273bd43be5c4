//! The settings: those of the Collector's `transformprocessor`.

use collector_config::{Diagnostics, Settings};
use collector_ottl::Context;
use collector_ottl_processing::{Conditions, ErrorMode, TextOrGroup, Texts};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::statements::StatementGroup;

/// Settings of the processor.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TransformSettings {
    /// The reaction to a statement that cannot be evaluated: `ignore` (a warning, and the statement is skipped), `silent`,
    /// or `propagate` (the batch is rejected).
    error_mode: ErrorMode,
    /// Statements about log records, scopes and resources, or groups of them. Every path begins with its context.
    log_statements: Vec<TextOrGroup<GroupSettings>>,
    /// Statements about metrics, data points, scopes and resources, or groups of them. Every path begins with its context.
    metric_statements: Vec<TextOrGroup<GroupSettings>>,
    /// Statements about spans, scopes and resources, or groups of them. Every path begins with its context.
    trace_statements: Vec<TextOrGroup<GroupSettings>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct GroupSettings {
    /// The context of the statements, whose paths then need no prefix. By default the paths show it.
    #[schemars(extend("enum" = ["resource", "scope", "log", "metric", "datapoint", "span", ""]))]
    context: String,
    /// The statements run on items for which one of these conditions is true.
    conditions: Vec<String>,
    /// The statements, in order.
    statements: Vec<String>,
    /// The reaction to an error, instead of that of the processor.
    error_mode: Option<ErrorMode>,
    /// `cache` is that of all such groups of the context, and lasts as long as the processor.
    shared_cache: bool,
}

/// The statements of each signal, in the order in which they run.
#[derive(Debug)]
pub(crate) struct Transformations {
    pub(crate) logs: Vec<StatementGroup>,
    pub(crate) metrics: Vec<StatementGroup>,
    pub(crate) traces: Vec<StatementGroup>,
}

impl Transformations {
    /// Reads the settings.
    ///
    /// # Errors
    /// Every unknown key, or the errors of all statements and conditions.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Diagnostics> {
        let all: TransformSettings = settings.read()?;
        let mut reader = StatementReader {
            texts: Texts::new(settings),
            mode: all.error_mode,
        };
        let transformations = Transformations {
            logs: reader.signal(
                "log_statements",
                all.log_statements,
                &[Context::Resource, Context::Scope, Context::Log],
            ),
            metrics: reader.signal(
                "metric_statements",
                all.metric_statements,
                &[Context::Resource, Context::Scope, Context::Metric, Context::DataPoint],
            ),
            traces: reader.signal(
                "trace_statements",
                all.trace_statements,
                &[Context::Resource, Context::Scope, Context::Span],
            ),
        };
        reader.texts.into_result(transformations)
    }
}

/// Texts with their paths in the settings.
type Located = Vec<(String, String)>;

struct StatementReader<'s> {
    texts: Texts<'s>,
    mode: ErrorMode,
}

impl StatementReader<'_> {
    /// The groups of one signal. Statements outside of groups are one group, the last one.
    fn signal(
        &mut self,
        key: &str,
        entries: Vec<TextOrGroup<GroupSettings>>,
        candidates: &[Context],
    ) -> Vec<StatementGroup> {
        let mut groups = Vec::new();
        let mut flat: Located = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let path = format!("{key}::{index}");
            match entry {
                TextOrGroup::Text(text) => flat.push((path, text)),
                // The Collector accepts texts after groups, but no group after texts.
                TextOrGroup::Group(_) if !flat.is_empty() => {
                    self.texts.error(
                        &path,
                        "the list has a group after statements, expected only one of both",
                        "write the statements as `- statements: [STATEMENT]`",
                    );
                    return Vec::new();
                }
                TextOrGroup::Group(group) => groups.extend(self.group(&path, group, candidates)),
            }
        }
        if !flat.is_empty() {
            let group = GroupSettings::default();
            groups.extend(self.statements(key, &group, flat, Vec::new(), candidates));
        }
        groups
    }

    fn group(&mut self, path: &str, mut group: GroupSettings, candidates: &[Context]) -> Option<StatementGroup> {
        let located = |key: &str, texts: Vec<String>| -> Located {
            let texts = texts.into_iter().enumerate();
            texts
                .map(|(index, text)| (format!("{path}::{key}::{index}"), text))
                .collect()
        };
        let statements = located("statements", std::mem::take(&mut group.statements));
        let conditions = located("conditions", std::mem::take(&mut group.conditions));
        self.statements(path, &group, statements, conditions, candidates)
    }

    fn statements(
        &mut self,
        path: &str,
        group: &GroupSettings,
        mut statements: Located,
        mut conditions: Located,
        candidates: &[Context],
    ) -> Option<StatementGroup> {
        let context = match group.context.as_str() {
            "" => self
                .texts
                .inferred_context(path, &mut statements, &mut conditions, candidates)?,
            name => self.texts.context(&format!("{path}::context"), name, candidates)?,
        };
        let mode = group.error_mode.unwrap_or(self.mode);
        let mut parsed = StatementGroup {
            context,
            mode,
            conditions: Conditions::new(mode),
            statements: Vec::new(),
            shares_cache: group.shared_cache,
        };
        for (setting, text) in statements {
            if let Some(statement) = self.texts.statement(&setting, &text, context) {
                parsed.statements.push((setting, statement));
            }
        }
        for (setting, text) in conditions {
            if let Some(condition) = self.texts.condition(&setting, &text, context) {
                parsed.conditions.push(setting, condition);
            }
        }
        Some(parsed)
    }
}
