//! Indented lines of text.

use std::fmt::Arguments;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use crate::value::{MAX_DEPTH, inline, key};

/// Lines, indented by two spaces for each level.
#[derive(Default)]
pub(crate) struct Text {
    out: String,
    level: usize,
}

impl Text {
    /// Adds a line.
    pub(crate) fn line(&mut self, line: Arguments<'_>) {
        let indent = self.level * 2;
        self.out.push_str(&format!("{:indent$}{line}\n", ""));
    }

    /// Adds a line, and below it what `inner` adds.
    pub(crate) fn block(&mut self, line: Arguments<'_>, inner: impl FnOnce(&mut Text)) {
        self.line(line);
        self.level += 1;
        inner(self);
        self.level -= 1;
    }

    /// Adds a numbered block for each item.
    pub(crate) fn blocks<T>(&mut self, label: &str, items: impl IntoIterator<Item = T>, show: impl Fn(&mut Text, T)) {
        for (number, item) in items.into_iter().enumerate() {
            self.block(format_args!("{label} #{number}"), |text| show(text, item));
        }
    }

    /// Adds a line unless the text is empty.
    pub(crate) fn text(&mut self, label: &str, text: &str) {
        if !text.is_empty() {
            self.line(format_args!("{label}: {text}"));
        }
    }

    /// Adds a line unless the number is 0.
    pub(crate) fn count(&mut self, label: &str, number: u32) {
        if number != 0 {
            self.line(format_args!("{label}: {number}"));
        }
    }

    /// Adds attributes under a label, unless there are none.
    pub(crate) fn attributes(&mut self, label: &str, attributes: &[KeyValue]) {
        if !attributes.is_empty() {
            self.block(format_args!("{label}:"), |text| {
                for attribute in attributes {
                    text.value(&key(attribute), attribute.value.as_ref());
                }
            });
        }
    }

    /// Adds a value: maps, and arrays that hold maps or arrays, as blocks; all else on one line.
    pub(crate) fn value(&mut self, label: &str, value: Option<&AnyValue>) {
        let nested = |value: &AnyValue| matches!(value.value, Some(Value::ArrayValue(_) | Value::KvlistValue(_)));
        match value.and_then(|value| value.value.as_ref()) {
            _ if self.level >= MAX_DEPTH => self.line(format_args!("{label}: {}", inline(value))),
            Some(Value::KvlistValue(list)) if !list.values.is_empty() => self.attributes(label, &list.values),
            Some(Value::ArrayValue(array)) if array.values.iter().any(nested) => {
                self.block(format_args!("{label}:"), |text| {
                    for (index, value) in array.values.iter().enumerate() {
                        text.value(&format!("[{index}]"), Some(value));
                    }
                });
            }
            _ => self.line(format_args!("{label}: {}", inline(value))),
        }
    }

    /// The whole text.
    pub(crate) fn finish(self) -> String {
        self.out
    }
}
