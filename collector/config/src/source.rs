//! A text with configuration, from bytes.

use std::io::{self, Read};
use std::sync::Arc;

use super::diagnostics::{Diagnostic, Diagnostics, Position};

/// How many bytes a source may have.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// A text with configuration, and its name in messages.
#[derive(Clone, Debug)]
pub struct Source {
    /// The origin of the text, usually a file name.
    pub name: Arc<str>,
    /// YAML.
    pub text: String,
    /// True if it only adds to the sources before it: keys that they do not set, and entries of lists. It overrides nothing.
    pub adds: bool,
}

impl Source {
    /// Reads a source to its end, but no more than a configuration may have.
    ///
    /// # Errors
    /// If it cannot be read; inside, if it is too large or not UTF-8, with the position.
    pub fn from_reader(name: impl Into<Arc<str>>, reader: impl Read) -> io::Result<Result<Source, Diagnostics>> {
        let mut bytes = Vec::new();
        reader.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(Source::from_bytes(name, bytes))
    }

    /// A source from its bytes.
    ///
    /// # Errors
    /// If there are too many, or they are not UTF-8.
    pub fn from_bytes(name: impl Into<Arc<str>>, bytes: Vec<u8>) -> Result<Source, Diagnostics> {
        let name = name.into();
        let wrong = |(line, column): (usize, usize), message: String, help: &str| {
            let position = Position {
                source: name.clone(),
                line: u32::try_from(line).unwrap_or(u32::MAX),
                column: u32::try_from(column).unwrap_or(u32::MAX),
            };
            Err(Diagnostics::from(
                Diagnostic::new(position, "", message).with_help(help),
            ))
        };
        if bytes.len() > MAX_BYTES {
            let found = format!("larger than the limit of {MAX_BYTES} bytes");
            return wrong((1, 1), found, "is this the right file?");
        }
        if is_utf16(&bytes) {
            return wrong((1, 1), "found UTF-16, expected UTF-8".into(), "save the file as UTF-8");
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Source {
                name,
                text,
                adds: false,
            }),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let (before, rest) = bytes.split_at(valid);
                let before = String::from_utf8_lossy(before);
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                let byte = rest.first().copied().unwrap_or_default();
                let found = match byte {
                    // Printable in Latin-1 and Windows-1252 alike.
                    0xa1.. => format!(
                        "the byte 0x{byte:02X} is not UTF-8 (in Latin-1 it is `{}`)",
                        char::from(byte)
                    ),
                    _ => format!("the byte 0x{byte:02X} is not UTF-8"),
                };
                wrong((line, column), found, "save the file as UTF-8")
            }
        }
    }
}

/// With a byte order mark, or without one where the text begins with ASCII.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [0, second, ..] => *second != 0,
        [first, 0, ..] => *first != 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(bytes: &[u8]) -> String {
        let error = Source::from_bytes("a.yaml", bytes.to_vec()).expect_err("an error");
        error.to_string()
    }

    #[test]
    fn text_that_is_not_utf8_is_found_with_its_place() {
        assert_eq!(
            wrong(b"a: 1\n# caf\xe9\n"),
            "a.yaml:2:6: the byte 0xE9 is not UTF-8 (in Latin-1 it is `\u{e9}`)\n    save the file as UTF-8\n"
        );
        assert_eq!(
            wrong(b"\xc3\xbc\x80"),
            "a.yaml:1:2: the byte 0x80 is not UTF-8\n    save the file as UTF-8\n"
        );
        for utf16 in [&b"\xff\xfea\0"[..], b"\xfe\xff\0a", b"a\0:\0", b"\0a\0:"] {
            assert_eq!(
                wrong(utf16),
                "a.yaml:1:1: found UTF-16, expected UTF-8\n    save the file as UTF-8\n"
            );
        }
    }

    #[test]
    fn an_endless_source_is_read_to_the_limit_only() {
        let endless = Source::from_reader("a.yaml", io::repeat(0)).expect("readable");
        assert_eq!(
            endless.expect_err("too large").to_string(),
            "a.yaml:1:1: larger than the limit of 4194304 bytes\n    is this the right file?\n"
        );
    }
}
