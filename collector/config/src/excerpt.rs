//! The line of a source that an error is about, with a caret below it, and without secrets.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use super::diagnostics::{Diagnostic, Diagnostics, Position};
use super::document::SECTIONS;
use super::fit::{columns, window, wrapped};
use super::merge::parse_set;
use super::node::{Node, Value};
use super::parse::parse;
use super::redact;
use super::scalar::visible;
use super::source::Source;
use super::template::{Part, parts};
use super::values::REDACTED;

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Use colours.
    pub colour: bool,
    /// The width of the terminal, to which help is wrapped; `None`: not wrapped.
    pub width: Option<usize>,
}

/// The lines of sources that can be shown.
#[derive(Clone, Debug, Default)]
pub struct Excerpts(BTreeMap<Arc<str>, ExcerptLines>);

#[derive(Clone, Debug, Default)]
struct ExcerptLines {
    text: Vec<String>,
    /// True if it is YAML; if not, values may be secrets.
    parsed: bool,
    /// The columns at which keys and values begin, by line, and whether what begins there is a secret.
    marks: BTreeMap<u32, BTreeMap<u32, bool>>,
}

impl Excerpts {
    /// Finds the parts of the sources that must not be shown.
    pub fn of(sources: &[Source]) -> Self {
        let mut excerpts = Excerpts::default();
        for source in sources {
            let tree = parse(&source.name, &source.text, &mut Diagnostics::default());
            // A file that is not a configuration may contain secrets.
            let known = |tree: &Node| SECTIONS.iter().any(|section| tree.get(section).is_some());
            let looks_right = tree.as_ref().map_or_else(
                || {
                    let sections = |line: &str| SECTIONS.iter().any(|s| line.starts_with(&format!("{s}:")));
                    source.text.lines().any(sections)
                },
                known,
            );
            if !looks_right {
                continue;
            }
            let mut lines = ExcerptLines {
                text: source.text.lines().map(str::to_owned).collect(),
                parsed: tree.is_some(),
                ..ExcerptLines::default()
            };
            if let Some(tree) = &tree {
                lines.mark(tree, false);
            }
            excerpts.0.insert(source.name.clone(), lines);
        }
        excerpts
    }

    /// Adds the arguments of `--set`.
    #[must_use]
    pub fn with_sets(mut self, sets: &[String]) -> Self {
        for argument in sets {
            let Some(tree) = parse_set(argument, &mut Diagnostics::default()) else {
                continue;
            };
            let mut lines = ExcerptLines {
                text: vec![argument.clone()],
                parsed: true,
                ..ExcerptLines::default()
            };
            lines.mark(&tree, false);
            self.0.insert(tree.position.source.clone(), lines);
        }
        self
    }

    /// Two lines, the source and the caret; none if there is nothing to show.
    fn at(&self, position: &Position, style: Style) -> Option<String> {
        let lines = self.0.get(&position.source)?;
        let (text, column) = lines.shown(position)?;
        let (text, column) = window(&text, column);
        let number = position.line.to_string();
        let blank = " ".repeat(number.len());
        let before = " ".repeat(text.chars().take(column).map(columns).sum());
        let (red, reset) = if style.colour {
            ("\x1b[1;31m", "\x1b[0m")
        } else {
            ("", "")
        };
        Some(format!("    {number} | {text}\n    {blank} | {before}{red}^{reset}\n"))
    }

    /// The diagnostics, each with its excerpt and prefixed with `label`.
    pub fn render(&self, diagnostics: &Diagnostics, label: &str, style: Style) -> String {
        let mut out = String::new();
        for diagnostic in &diagnostics.0 {
            self.write(&mut out, diagnostic, label, style);
        }
        out
    }

    fn write(&self, out: &mut String, diagnostic: &Diagnostic, label: &str, style: Style) {
        let bare = Diagnostic {
            help: None,
            ..diagnostic.clone()
        };
        let (bold, reset) = if style.colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let _ = writeln!(out, "{label}{bold}{bare}{reset}");
        if let Some(excerpt) = diagnostic.position.as_ref().and_then(|p| self.at(p, style)) {
            out.push_str(&excerpt);
        }
        if let Some(help) = &diagnostic.help {
            for line in wrapped(&visible(help), style.width.map(|width| width.saturating_sub(4).max(20))) {
                let _ = writeln!(out, "    {line}");
            }
        }
    }
}

impl ExcerptLines {
    fn mark(&mut self, node: &Node, secret: bool) {
        match &node.value {
            // A reference says where a secret comes from.
            Value::Scalar(scalar) => {
                let secret = secret && !is_reference(&scalar.text);
                self.add(&node.position, secret);
                let lines = scalar.written.iter().flat_map(|written| written.further_lines());
                for (line, column) in lines {
                    let line = node.position.line.saturating_add(line);
                    let source = node.position.source.clone();
                    self.add(
                        &Position {
                            source,
                            line,
                            column: column.saturating_add(1),
                        },
                        secret,
                    );
                }
            }
            Value::Sequence(items) => items.iter().for_each(|item| self.mark(item, secret)),
            Value::Mapping(entries) => {
                for entry in entries {
                    self.mark(&entry.node, secret || redact::names_secret(&entry.key));
                    self.add(&entry.key_position, false);
                }
            }
            Value::Invalid => {}
        }
    }

    fn add(&mut self, position: &Position, secret: bool) {
        let line = self.marks.entry(position.line).or_default();
        let mark = line.entry(position.column).or_default();
        *mark |= secret;
    }

    /// The displayable part of the line, and the number of characters before the caret.
    fn shown(&self, position: &Position) -> Option<(String, usize)> {
        let line = self.text.get(usize::try_from(position.line).ok()?.checked_sub(1)?)?;
        let column = usize::try_from(position.column).ok()?.saturating_sub(1);
        let marks = self.marks.get(&position.line);
        let first = marks.and_then(|marks| marks.keys().next().copied());
        let Some(first) = first.filter(|_| self.parsed) else {
            return key_only(line, column);
        };
        let begins = usize::try_from(first).ok()?.saturating_sub(1);
        let harmless = |c: char| c.is_whitespace() || matches!(c, '-' | '{' | '[' | ',' | '?' | ':' | '\u{feff}');
        if !line.chars().take(begins).all(harmless) {
            // The end of a value that began on a line before.
            return None;
        }
        let secret = marks.and_then(|marks| marks.iter().find(|(_, secret)| **secret));
        let end = secret
            .and_then(|(column, _)| usize::try_from(*column).ok())
            .map(|column| column - 1);
        let end = end.unwrap_or(usize::MAX);
        let prefix: String = line.chars().take(end.min(column)).collect();
        let mut text: String = line.chars().take(end).collect();
        if let Some((before, _)) = text.split_once(" #") {
            // A comment may hold anything.
            text = before.to_owned();
        }
        let mut text = redact::urls(text.trim_end());
        if text.trim().is_empty() {
            return None;
        }
        if end != usize::MAX {
            let _ = write!(text, " {REDACTED}");
        }
        Some((visible(&text.replace('\t', " ")), redact::urls(&prefix).chars().count()))
    }
}

/// True if the text consists of variables without defaults only.
fn is_reference(text: &str) -> bool {
    let is_variable = |part: &Part| match part {
        Part::Text(_) => false,
        Part::Variable { default, .. } => default.as_ref().is_none_or(Vec::is_empty),
    };
    parts(text).is_ok_and(|parts| !parts.is_empty() && parts.iter().all(is_variable))
}

/// The line up to its first value, which may be a secret.
fn key_only(line: &str, column: usize) -> Option<(String, usize)> {
    let end = line
        .find(": ")
        .map(|end| end + 1)
        .or_else(|| line.ends_with(':').then_some(line.len()))?;
    let rest = if line[end..].trim().is_empty() { "" } else { " …" };
    let text = format!("{}{rest}", &line[..end]);
    let column = column.min(line[..end].chars().count() + usize::from(!rest.is_empty()));
    Some((visible(&text.replace('\t', " ")), column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, line: u32, column: u32) -> String {
        let source = Source {
            name: "f.yaml".into(),
            text: text.to_owned(),
            adds: false,
        };
        let position = Position {
            source: "f.yaml".into(),
            line,
            column,
        };
        let diagnostics = Diagnostics::from(Diagnostic::new(position, "", "wrong"));
        Excerpts::of(&[source]).render(&diagnostics, "", Style::default())
    }

    #[test]
    fn caret_marks_the_error() {
        assert_eq!(
            shown("exporters:\n  debug:\n    verbosity: loud  # really\n", 3, 16),
            "f.yaml:3:16: wrong\n    3 |     verbosity: loud\n      |                ^\n"
        );
        let long = format!("exporters: {{a: {}, b: 1}}", "x".repeat(200));
        let text = shown(&long, 1, 218);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[1].starts_with("    1 | …xxx") && lines[1].ends_with("b: 1}"),
            "{text}"
        );
        assert_eq!(lines[1].chars().nth(lines[2].chars().count() - 1), Some('b'), "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn the_caret_is_below_the_word_after_wide_characters() {
        assert_eq!(
            shown("exporters: {a: 日本, b: 1}\r\n", 1, 20),
            "f.yaml:1:20: wrong\n    1 | exporters: {a: 日本, b: 1}\n      |                      ^\n"
        );
        let tab = shown("exporters:\n  debug:\t\tloud\n", 2, 11);
        let lines: Vec<&str> = tab.lines().collect();
        assert_eq!(lines[1].find("loud"), lines[2].find('^'), "{tab}");
    }

    #[test]
    fn an_argument_of_set_is_shown_without_secrets() {
        for (argument, column, expected) in [
            (
                "exporters.debug.verbosity=loud",
                27,
                "    1 | exporters.debug.verbosity=loud\n      |                           ^\n",
            ),
            (
                "exporters.a.api_key=hunter2",
                13,
                "    1 | exporters.a.api_key= [REDACTED]\n      |             ^\n",
            ),
            (
                "exporters.a={headers: {x: hunter2}, b: 1}",
                14,
                "    1 | exporters.a={headers: {x: [REDACTED]\n      |              ^\n",
            ),
        ] {
            let source: Arc<str> = format!("--set {}", argument.split('=').next().unwrap()).into();
            let position = Position {
                source,
                line: 1,
                column,
            };
            let wrong = Diagnostics::from(Diagnostic::new(position, "", "wrong"));
            let text = Excerpts::of(&[])
                .with_sets(&[argument.to_owned()])
                .render(&wrong, "", Style::default());
            assert_eq!(text.split_once('\n').unwrap().1, expected);
        }
    }

    #[test]
    fn excerpts_hide_secrets() {
        for (text, line, column, expected) in [
            (
                "exporters:\n  a:\n    api_key: hunter2\n",
                3,
                14,
                "    api_key: [REDACTED]",
            ),
            (
                "exporters:\n  a:\n    headers:\n      x: ${env:X}\n",
                4,
                10,
                "      x: ${env:X}",
            ),
            (
                "exporters:\n  a:\n    headers:\n      x: ${env:X:-hunter2}\n",
                4,
                10,
                "      x: [REDACTED]",
            ),
            (
                "exporters:\n  a:\n    headers:\n      x: hunter2\n",
                4,
                10,
                "      x: [REDACTED]",
            ),
            (
                "exporters: {a: {headers: {x: hunter2}, b: 3}}\n",
                1,
                40,
                "exporters: {a: {headers: {x: [REDACTED]",
            ),
            (
                "exporters:\n  a: http://u:hunter2@h/?key=hunter2\n",
                2,
                6,
                "  a: http://[REDACTED]@h/?key=[REDACTED]",
            ),
            ("exporters:\n  a: b # hunter2\n", 2, 6, "  a: b"),
            // Not YAML, twice the same key, and no configuration at all.
            ("exporters:\n  a: \"hunter2\n", 2, 6, "  a: …"),
            ("exporters:\n  token: a\n  token: hunter2\n", 3, 3, "  token: …"),
            ("exporters:\n  a:\n    - hunter2: [\n", 3, 5, "    - hunter2: …"),
        ] {
            let text = shown(text, line, column);
            assert_eq!(text.lines().nth(1), Some(format!("    {line} | {expected}").as_str()));
            assert!(!text.contains("hunter2") || expected.contains("hunter2"), "{text}");
        }
        assert_eq!(shown("hunter2: x\n", 1, 1), "f.yaml:1:1: wrong\n");
        assert_eq!(
            shown("exporters:\n  token: |\n    hunter2\n", 3, 5),
            "f.yaml:3:5: wrong\n"
        );
        // The end of a secret that began on the line before.
        assert_eq!(
            shown("exporters: {token: \"hunt\n er2\", b: 1}\n", 2, 8),
            "f.yaml:2:8: wrong\n"
        );
    }

    #[test]
    fn help_is_wrapped_to_the_terminal() {
        let help = "one two three four five six seven eight nine ten eleven twelve";
        let diagnostics = Diagnostics::from(Diagnostic {
            position: None,
            path: "a".into(),
            message: "b".into(),
            help: Some(help.into()),
        });
        let style = Style {
            colour: false,
            width: Some(40),
        };
        let text = Excerpts::default().render(&diagnostics, "warning: ", style);
        assert_eq!(
            text,
            "warning: a: b\n    one two three four five six seven\n    eight nine ten eleven twelve\n"
        );
        let style = Style { colour: true, ..style };
        let text = Excerpts::default().render(&diagnostics, "", style);
        assert!(text.starts_with("\x1b[1ma: b\x1b[0m\n"), "{text:?}");
    }
}
