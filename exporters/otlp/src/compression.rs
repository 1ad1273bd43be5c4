//! `compression` and `compression_params`.

use std::io::{self, Read, Write};

use bytes::Bytes;
use collector_config::{Diagnostic, Settings};

/// The compression of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// No compression.
    None,
    /// gzip with a level of 0 to 9.
    Gzip(u32),
    /// zstd with a level of 1 to 22.
    Zstd(i32),
}

/// The usual levels.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// The Collector's other values.
const NOT_SUPPORTED: [&str; 5] = ["snappy", "x-snappy-framed", "zlib", "deflate", "lz4"];

impl Compression {
    /// Reads the two keys.
    pub(crate) fn read(
        name: &str,
        level: Option<i32>,
        settings: &Settings,
        errors: &mut Vec<Diagnostic>,
    ) -> Compression {
        let mut wrong_level = |expected: &str| {
            let message = format!("unsupported level for compression {name}, expected {expected}");
            errors.push(settings.error("compression_params::level", message));
        };
        match (name, level) {
            ("gzip", None | Some(-1 | 0)) => Compression::Gzip(GZIP_LEVEL),
            ("gzip", Some(level)) => match u32::try_from(level) {
                Ok(level @ 1..=9) => Compression::Gzip(level),
                _ => {
                    wrong_level("1 (fast) to 9 (small), or -1 for the default");
                    Compression::Gzip(GZIP_LEVEL)
                }
            },
            ("zstd", None | Some(0)) => Compression::Zstd(ZSTD_LEVEL),
            ("zstd", Some(level @ 1..=22)) => Compression::Zstd(level),
            ("zstd", Some(_)) => {
                wrong_level("1 (fast) to 22 (small)");
                Compression::Zstd(ZSTD_LEVEL)
            }
            ("none" | "", level) => {
                if level.is_some_and(|level| level != 0) {
                    wrong_level("no level, since nothing is compressed");
                }
                Compression::None
            }
            (name, _) => {
                let message = if NOT_SUPPORTED.contains(&name) {
                    format!("compression `{name}` is not supported, expected gzip, zstd or none")
                } else {
                    format!("unknown compression `{name}`, expected gzip, zstd or none")
                };
                errors.push(settings.error("compression", message));
                Compression::None
            }
        }
    }

    /// The value of `Content-Encoding`, if the header is to be sent.
    pub(crate) fn content_encoding(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Gzip(_) => Some("gzip"),
            Compression::Zstd(_) => Some("zstd"),
        }
    }

    /// The compressed body.
    pub(crate) fn compress(self, body: Bytes) -> io::Result<Bytes> {
        match self {
            Compression::None => Ok(body),
            Compression::Gzip(level) => {
                let level = flate2::Compression::new(level);
                let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(body.len() / 4), level);
                encoder.write_all(&body)?;
                encoder.finish().map(Bytes::from)
            }
            Compression::Zstd(level) => zstd::bulk::compress(&body, level).map(Bytes::from),
        }
    }
}

/// The body, compressed at the usual level; `encoding` is its `Content-Encoding`.
///
/// # Errors
/// If the encoding is not known.
pub(crate) fn compress(encoding: &str, body: Bytes) -> Result<Bytes, String> {
    let compression = match encoding {
        "" => Compression::None,
        "gzip" => Compression::Gzip(GZIP_LEVEL),
        "zstd" => Compression::Zstd(ZSTD_LEVEL),
        other => return Err(unknown(other)),
    };
    compression
        .compress(body)
        .map_err(|why| format!("it cannot be compressed ({encoding}): {why}"))
}

fn unknown(encoding: &str) -> String {
    format!("it has the unknown compression {encoding:?}, expected gzip or zstd")
}

/// The most bytes of a decompressed body: larger than any request, so only a damaged body exceeds it.
const UNPACKED_LIMIT: u64 = 64 * 1024 * 1024;

/// The body before it was compressed; `encoding` is its `Content-Encoding`.
///
/// # Errors
/// If it is damaged, or the encoding is not known.
pub(crate) fn decompress(encoding: &str, body: &Bytes) -> Result<Bytes, String> {
    let unpacked = match encoding {
        "" => return Ok(body.clone()),
        "gzip" => read(flate2::read::GzDecoder::new(&body[..])),
        "zstd" => zstd::Decoder::new(&body[..]).and_then(read),
        other => return Err(unknown(other)),
    };
    unpacked.map_err(|why| format!("it cannot be decompressed ({encoding}): {why}"))
}

fn read(from: impl Read) -> io::Result<Bytes> {
    let mut unpacked = Vec::new();
    from.take(UNPACKED_LIMIT + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() as u64 > UNPACKED_LIMIT {
        return Err(io::Error::other(format!("more than {UNPACKED_LIMIT} bytes")));
    }
    Ok(unpacked.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, level: Option<i32>) -> Result<Compression, String> {
        let settings = Settings::from_yaml("compression: x").unwrap();
        let mut errors = Vec::new();
        let compression = Compression::read(name, level, &settings, &mut errors);
        match errors.pop() {
            None => Ok(compression),
            Some(error) => Err(format!("{}: {}", error.path, error.message)),
        }
    }

    #[test]
    fn accepts_the_levels_and_names_of_the_collector() {
        assert_eq!(read("gzip", None), Ok(Compression::Gzip(6)));
        assert_eq!(read("gzip", Some(-1)), Ok(Compression::Gzip(6)));
        assert_eq!(read("gzip", Some(9)), Ok(Compression::Gzip(9)));
        assert_eq!(read("zstd", Some(11)), Ok(Compression::Zstd(11)));
        assert_eq!(read("none", None), Ok(Compression::None));
        assert_eq!(read("", None), Ok(Compression::None));
        for (name, level, expected) in [
            (
                "gzip",
                Some(10),
                "compression_params::level: unsupported level for compression gzip",
            ),
            (
                "zstd",
                Some(-5),
                "compression_params::level: unsupported level for compression zstd",
            ),
            ("none", Some(3), "no level"),
            ("snappy", None, "compression: compression `snappy` is not supported"),
            ("gzipp", None, "compression: unknown compression `gzipp`"),
        ] {
            let error = read(name, level).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
