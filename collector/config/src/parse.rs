//! YAML text to a tree with positions.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span, StructureStyle, Tag};

use super::diagnostics::{Diagnostic, Diagnostics, Position};
use super::foreign;
use super::merge::merge;
use super::node::{Entry, MAX_DEPTH, Node, Value};
use super::notation::{Notation, Written};
use super::scalar::Scalar;
use super::source::MAX_BYTES;

/// How many values a source may have, each alias counted with its whole content.
const MAX_VALUES: usize = 100_000;

/// Reads one YAML document. An empty one is null.
///
/// # Errors
/// Returns `None` instead of a tree where the text is not YAML. Errors that leave a tree (a duplicate
/// key, an unknown tag) are added to `errors` as well, and the tree is returned without them.
pub(crate) fn parse(source: &Arc<str>, text: &str, errors: &mut Diagnostics) -> Option<Node> {
    let mut builder = Builder {
        source,
        errors,
        open: Vec::new(),
        anchors: HashMap::new(),
        values: 0,
        document: None,
        manifests: Vec::new(),
    };
    match builder.read(text) {
        Ok(()) => Some(builder.document.unwrap_or_else(|| null(start_of(source)))),
        Err(error) => {
            errors.push(*error);
            None
        }
    }
}

fn start_of(source: &Arc<str>) -> Position {
    Position {
        source: source.clone(),
        line: 1,
        column: 1,
    }
}

fn null(position: Position) -> Node {
    Node {
        position,
        value: Value::Scalar(Scalar {
            text: String::new(),
            quoted: false,
            template: None,
            written: None,
        }),
    }
}

/// A collection whose end has not been read yet.
struct Open {
    position: Position,
    block: bool,
    anchor: usize,
    content: OpenContent,
}

enum OpenContent {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<Entry>,
        /// The line of each key so far.
        lines: HashMap<String, u32>,
        key: Option<OpenKey>,
        /// The values of `<<`.
        merged: Vec<Node>,
    },
}

/// A key that waits for its value.
enum OpenKey {
    Plain(String, Position),
    /// `<<`
    Merge(Position),
    /// A duplicate key. The error is reported; its value is kept, so that no key is reported as missing.
    Repeated(String),
    /// A key with an error; its value is dropped.
    Dropped,
}

struct Builder<'a> {
    source: &'a Arc<str>,
    errors: &'a mut Diagnostics,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    values: usize,
    document: Option<Node>,
    /// The documents before the last one, if the first is a Kubernetes object.
    manifests: Vec<Node>,
}

type Fatal = Box<Diagnostic>;

impl Builder<'_> {
    fn read(&mut self, text: &str) -> Result<(), Fatal> {
        if text.len() > MAX_BYTES {
            let found = format!("larger than the limit of {MAX_BYTES} bytes");
            return Err(fatal(start_of(self.source), found));
        }
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                let position = self.position(error.marker().line(), error.marker().col());
                match error.kind() {
                    ErrorKind::RecursionLimitExceeded => too_deep(position),
                    _ => syntax_error(position, &error.info(), text),
                }
            })?;
            self.event(event, span, text)?;
        }
        if !self.manifests.is_empty() {
            self.manifests.extend(self.document.take());
            if let Some(error) = foreign::error(&self.manifests) {
                return Err(Box::new(error));
            }
            return Err(self.second_document(self.manifests.first().map(|node| node.position.clone())));
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span, source: &str) -> Result<(), Fatal> {
        let position = self.position(span.start.line(), span.start.col());
        match event {
            Event::DocumentStart(..) if self.document.is_some() => {
                let manifest = self.document.as_ref().is_some_and(foreign::is_manifest) || !self.manifests.is_empty();
                if !manifest {
                    return Err(self.second_document(Some(position)));
                }
                self.manifests.extend(self.document.take());
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = self.quoted(style, tag.as_deref(), &position);
                // The parser writes `~` for a missing value.
                let missing = style == ScalarStyle::Plain && span.is_empty();
                let scalar = Scalar {
                    text: if missing { String::new() } else { text.into_owned() },
                    quoted,
                    template: None,
                    written: span.slice(source).and_then(|slice| written(slice, style)),
                };
                self.count(1, &position)?;
                let value = Value::Scalar(scalar);
                self.add(Node { position, value }, false, anchor)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.check_tag(tag.as_deref(), &["seq"], &position);
                self.begin(position, style, anchor, OpenContent::Sequence(Vec::new()))
            }
            Event::MappingStart(style, anchor, tag) => {
                self.check_tag(tag.as_deref(), &["map"], &position);
                let content = OpenContent::Mapping {
                    entries: Vec::new(),
                    lines: HashMap::new(),
                    key: None,
                    merged: Vec::new(),
                };
                self.begin(position, style, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(fatal(position, "an alias is inside the value it refers to"));
                };
                let size = node.size();
                if self.open.len() + node.depth() > MAX_DEPTH {
                    return Err(too_deep(position));
                }
                self.count(size, &position)?;
                let value = self.anchors.get(&anchor).map(|n| n.value.clone());
                let value = value.unwrap_or(Value::Invalid);
                self.add(Node { position, value }, false, 0)
            }
            _ => Ok(()),
        }
    }

    fn second_document(&self, position: Option<Position>) -> Fatal {
        fatal(
            position.unwrap_or_else(|| start_of(self.source)),
            "a second document begins here (`---`), expected one document per source",
        )
    }

    fn begin(
        &mut self,
        position: Position,
        style: StructureStyle,
        anchor: usize,
        content: OpenContent,
    ) -> Result<(), Fatal> {
        self.count(1, &position)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(position));
        }
        self.open.push(Open {
            position,
            block: style == StructureStyle::Block,
            anchor,
            content,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fatal> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.content {
            OpenContent::Sequence(items) => Value::Sequence(items),
            OpenContent::Mapping {
                mut entries, merged, ..
            } => {
                self.merge(&mut entries, merged);
                Value::Mapping(entries)
            }
        };
        let position = open.position;
        self.add(Node { position, value }, open.block, open.anchor)
    }

    /// Adds a complete value to the collection it belongs to.
    fn add(&mut self, mut node: Node, block: bool, anchor: usize) -> Result<(), Fatal> {
        if anchor != 0 {
            // The copy counts, so that nested anchors cannot multiply what is kept.
            self.count(node.size(), &node.position)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(Open { content, .. }) = self.open.last_mut() else {
            self.document = Some(node);
            return Ok(());
        };
        let (entries, lines, key, merged) = match content {
            OpenContent::Sequence(items) => {
                items.push(node);
                return Ok(());
            }
            OpenContent::Mapping {
                entries,
                lines,
                key,
                merged,
            } => (entries, lines, key, merged),
        };
        let Some(complete) = key.take() else {
            *key = Some(new_key(node, lines, self.errors));
            return Ok(());
        };
        let missing = matches!(&node.value, Value::Scalar(s) if s.text.is_empty() && !s.quoted);
        match complete {
            OpenKey::Plain(key, key_position) => {
                if block || missing {
                    node.position = key_position.clone();
                }
                entries.push(Entry {
                    key,
                    key_position,
                    node,
                });
            }
            OpenKey::Merge(position) => {
                if block || missing {
                    node.position = position;
                }
                merged.push(node);
            }
            OpenKey::Repeated(key) => {
                let first = entries.iter_mut().find(|entry| entry.key == key);
                if let (Some(first), Value::Mapping(_)) = (first, &node.value)
                    && matches!(first.node.value, Value::Mapping(_))
                {
                    let earlier = std::mem::replace(&mut first.node.value, Value::Invalid);
                    let earlier = Node {
                        position: first.node.position.clone(),
                        value: earlier,
                    };
                    first.node = merge(earlier, node);
                }
            }
            OpenKey::Dropped => {}
        }
        Ok(())
    }

    /// Adds the entries of `<<` whose keys are not defined yet.
    fn merge(&mut self, entries: &mut Vec<Entry>, merged: Vec<Node>) {
        if merged.is_empty() {
            return;
        }
        let mut known: std::collections::HashSet<String> = entries.iter().map(|e| e.key.clone()).collect();
        for node in merged {
            let mappings = match node.value {
                Value::Sequence(items) => items,
                _ => vec![node],
            };
            for mapping in mappings {
                let Value::Mapping(more) = mapping.value else {
                    let found = format!("found {}, expected a mapping to merge (`<<: *name`)", mapping.found());
                    self.errors.push(Diagnostic::new(mapping.position, "<<", found));
                    continue;
                };
                entries.extend(more.into_iter().filter(|e| known.insert(e.key.clone())));
            }
        }
    }

    fn quoted(&mut self, style: ScalarStyle, tag: Option<&Tag>, position: &Position) -> bool {
        let core = tag.and_then(Tag::core_suffix);
        match core {
            Some("str") => true,
            Some("int" | "float" | "bool" | "null") => false,
            _ => {
                // `!` alone says "not resolved": a text.
                let non_specific = tag.is_some_and(|t| t.original() == "!");
                if !non_specific {
                    self.check_tag(tag, &[], position);
                }
                non_specific || style != ScalarStyle::Plain
            }
        }
    }

    fn check_tag(&mut self, tag: Option<&Tag>, known: &[&str], position: &Position) {
        let Some(tag) = tag else { return };
        if tag.core_suffix().is_none_or(|suffix| !known.contains(&suffix)) && tag.original() != "!" {
            let found = format!("the tag `{}` is not known here", tag.original());
            self.errors
                .push(Diagnostic::new(position.clone(), "", found).with_help("leave it out"));
        }
    }

    fn count(&mut self, more: usize, position: &Position) -> Result<(), Fatal> {
        self.values = self.values.saturating_add(more);
        if self.values > MAX_VALUES {
            let found = format!("more than {MAX_VALUES} values, aliases (`*name`) counted in full");
            return Err(fatal(position.clone(), found));
        }
        Ok(())
    }

    fn position(&self, line: usize, column_from_0: usize) -> Position {
        Position {
            source: self.source.clone(),
            line: u32::try_from(line).unwrap_or(u32::MAX).max(1),
            column: u32::try_from(column_from_0).unwrap_or(u32::MAX).saturating_add(1),
        }
    }
}

/// The form of a scalar if it differs from its text.
fn written(slice: &str, style: ScalarStyle) -> Option<Arc<Written>> {
    let notation = match style {
        ScalarStyle::Plain if !slice.contains('\n') => return None,
        ScalarStyle::Plain => Notation::Plain,
        ScalarStyle::SingleQuoted => Notation::SingleQuoted,
        ScalarStyle::DoubleQuoted => Notation::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Notation::Block,
    };
    let text = slice.to_owned();
    Some(Arc::new(Written { text, notation }))
}

fn new_key(node: Node, lines: &mut HashMap<String, u32>, errors: &mut Diagnostics) -> OpenKey {
    let position = node.position;
    let scalar = match node.value {
        Value::Scalar(scalar) => scalar,
        _ => {
            errors.push(Diagnostic::new(
                position,
                "",
                "found a list or a mapping, expected a key",
            ));
            return OpenKey::Dropped;
        }
    };
    if scalar.text == "<<" && !scalar.quoted {
        return OpenKey::Merge(position);
    }
    if scalar.text.contains("${") {
        let found = format!(
            "`${{…}}` is in the key `{}`, but variables are replaced in values only",
            scalar.shown()
        );
        errors.push(Diagnostic::new(position, "", found));
        return OpenKey::Dropped;
    }
    if let Some(line) = lines.get(&scalar.text) {
        let found = format!("duplicate key `{}`; first defined in line {line}", scalar.shown());
        errors.push(Diagnostic::new(position, "", found));
        return OpenKey::Repeated(scalar.text);
    }
    lines.insert(scalar.text.clone(), position.line);
    OpenKey::Plain(scalar.text, position)
}

fn fatal(position: Position, message: impl Into<String>) -> Fatal {
    Box::new(Diagnostic::new(position, "", message))
}

fn too_deep(position: Position) -> Fatal {
    fatal(position, format!("nested deeper than {MAX_DEPTH} levels"))
}

fn syntax_error(position: Position, info: &str, text: &str) -> Fatal {
    let line = text.lines().nth(position.line.saturating_sub(1) as usize).unwrap_or("");
    let mut error = Diagnostic::new(position, "", format!("not YAML: {info}"));
    if line.contains('\t') {
        error.help = Some("indent with spaces, not with tabs".to_owned());
    } else if info.contains("unclosed quote") {
        error.help = Some("close the quote that opens here".to_owned());
    } else if info.contains("flow") && line.contains("${") {
        error.help = Some("inside `{ }` and `[ ]` write `${…}` in quotes: \"${env:NAME}\"".to_owned());
    }
    Box::new(error)
}
