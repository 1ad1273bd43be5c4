use collector_config::{Diagnostic, Diagnostics, Settings, nearest};
use collector_ottl::{Condition, Context, ParseError, Statement, infer_context};

/// Reads the texts in a component's settings, and collects the errors of all of them.
pub struct Texts<'s> {
    settings: &'s Settings,
    errors: Diagnostics,
}

impl<'s> Texts<'s> {
    /// No errors yet.
    pub fn new(settings: &'s Settings) -> Self {
        Texts {
            settings,
            errors: Diagnostics::default(),
        }
    }

    /// `Ok` with the value if no text was wrong.
    ///
    /// # Errors
    /// The errors of all texts.
    pub fn into_result<T>(self, value: T) -> Result<T, Diagnostics> {
        self.errors.into_result(value)
    }

    /// Adds an error in the value at `path`.
    pub fn error(&mut self, path: &str, message: &str, help: &str) {
        self.errors.push(self.settings.error(path, message).with_help(help));
    }

    /// The context named at `path`, if it is one of `candidates`, those of the signal. Upper and lower case are equal.
    pub fn context(&mut self, path: &str, name: &str, candidates: &[Context]) -> Option<Context> {
        let lower = name.to_lowercase();
        let found = candidates.iter().copied().find(|context| context.name() == lower);
        if found.is_none() {
            let names = || candidates.iter().map(|context| context.name());
            let expected = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let problem = match lower.as_str() {
                "spanevent" | "exemplar" | "profile" => "is not supported",
                _ if Context::from_name(&lower).is_some() => "does not belong to this signal",
                _ => "is unknown",
            };
            let message = format!("the context `{name}` {problem}, expected one of {expected}");
            let error = self.settings.error(path, message);
            self.errors.push(match nearest(name, names()) {
                Some(nearest) => error.with_help(format!("did you mean `{nearest}`?")),
                None => error,
            });
        }
        found
    }

    /// The condition at `path`.
    pub fn condition(&mut self, path: &str, text: &str, context: Context) -> Option<Condition> {
        let parsed = Condition::parse(text, context);
        parsed.map_err(|error| self.wrong(path, error)).ok()
    }

    /// The condition at `path` and its context, which the prefixes of its paths show.
    pub fn inferred_condition(
        &mut self,
        path: &str,
        text: &str,
        candidates: &[Context],
    ) -> Option<(Context, Condition)> {
        match infer_context(candidates, &[], &[text]) {
            Ok(context) => self
                .condition(path, text, context)
                .map(|condition| (context, condition)),
            Err(error) => {
                self.wrong(path, error.error);
                None
            }
        }
    }

    /// The statement at `path`.
    pub fn statement(&mut self, path: &str, text: &str, context: Context) -> Option<Statement> {
        let parsed = Statement::parse(text, context);
        parsed.map_err(|error| self.wrong(path, error)).ok()
    }

    /// Finds the context of a group that names none. `path` is the group's path in the settings; each statement and condition
    /// comes with its own. One that has an error is reported and removed, so that it does not hide the errors of the others.
    pub fn inferred_context(
        &mut self,
        path: &str,
        statements: &mut Vec<(String, String)>,
        conditions: &mut Vec<(String, String)>,
        candidates: &[Context],
    ) -> Option<Context> {
        fn texts(list: &[(String, String)]) -> Vec<&str> {
            list.iter().map(|(_, text)| text.as_str()).collect()
        }
        let count = statements.len() + conditions.len();
        loop {
            let error = match infer_context(candidates, &texts(statements), &texts(conditions)) {
                Ok(context) => return Some(context),
                Err(error) => error,
            };
            let (setting, _) = match error.index {
                Some(index) if index < statements.len() => statements.remove(index),
                Some(index) => conditions.remove(index - statements.len()),
                None => {
                    // A removed text may have named the context.
                    if statements.len() + conditions.len() == count {
                        self.no_context(path, statements.first().or(conditions.first()), error.error);
                    }
                    return None;
                }
            };
            self.wrong(&setting, error.error);
        }
    }

    fn no_context(&mut self, path: &str, first: Option<&(String, String)>, error: ParseError) {
        match first {
            Some((setting, _)) => self.wrong(setting, error),
            None => self.errors.push(self.settings.error(path, error.message)),
        }
    }

    fn wrong(&mut self, path: &str, error: ParseError) {
        let found: Diagnostic = self.settings.error_within(path, error.range.start, error.message);
        self.errors.push(match error.help {
            Some(help) => found.with_help(help),
            None => found,
        });
    }
}
