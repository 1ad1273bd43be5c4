//! The form in which a list and watch is requested: protobuf until that fails, then JSON. Pure.
//!
//! A server without protobuf answers with JSON by itself, so a switch is for proxies that refuse or damage protobuf. It
//! loses nothing: a list repeats its page, a watch resumes after the last event that was read.

use super::error::WatchError;
use crate::decode::WireFormat;

/// The watch requests JSON after this many protobuf streams in a row that end, or stop, inside of an event.
const CUTS: u32 = 3;

/// The form that is requested.
#[derive(Debug)]
pub(super) struct Negotiation {
    encoding: WireFormat,
    /// The form of the last stream.
    opened: WireFormat,
    /// Streams in a row that ended, or stopped, inside of an event.
    cuts: u32,
}

impl Negotiation {
    /// Starts with protobuf.
    pub(super) fn new() -> Self {
        Negotiation {
            encoding: WireFormat::Protobuf,
            opened: WireFormat::Json,
            cuts: 0,
        }
    }

    /// The form of the next request.
    pub(super) fn encoding(&self) -> WireFormat {
        self.encoding
    }

    /// Records the form of a stream that was opened: a server without protobuf answers with JSON.
    pub(super) fn opened(&mut self, format: WireFormat) {
        self.opened = format;
    }

    /// Records an event that was read.
    pub(super) fn received(&mut self) {
        self.cuts = 0;
    }

    /// Records a failure. Returns true if JSON is requested from now on, and was not before.
    pub(super) fn failed(&mut self, failure: &WatchError) -> bool {
        if self.encoding == WireFormat::Json {
            return false;
        }
        let switches = match failure {
            WatchError::Protobuf(_) => true,
            // 415 comes from servers that take what is accepted for what is sent, as the official clients know.
            WatchError::Status {
                code: 406 | 415,
                in_band: false,
                ..
            } => true,
            WatchError::Cut | WatchError::Slow(_) if self.opened == WireFormat::Protobuf => {
                self.cuts += 1;
                self.cuts >= CUTS
            }
            _ => false,
        };
        if switches {
            self.encoding = WireFormat::Json;
        }
        switches
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn status(code: u16, in_band: bool) -> WatchError {
        WatchError::Status {
            code,
            message: "m".into(),
            retry_after: None,
            in_band,
        }
    }

    #[test]
    fn switches_to_json_once() {
        for failure in [
            status(406, false),
            status(415, false),
            WatchError::Protobuf("found text".into()),
        ] {
            let mut negotiation = Negotiation::new();
            assert_eq!(negotiation.encoding(), WireFormat::Protobuf);
            assert!(negotiation.failed(&failure));
            assert_eq!(negotiation.encoding(), WireFormat::Json);
            assert!(!negotiation.failed(&failure));
        }
    }

    #[test]
    fn keeps_protobuf_in_an_outage() {
        let mut negotiation = Negotiation::new();
        for failure in [
            status(500, false),
            status(410, true),
            status(406, true),
            WatchError::Connection("refused".into()),
            WatchError::Silence(Duration::from_secs(60)),
            WatchError::Empty,
            WatchError::BadList("old".into()),
        ] {
            for _ in 0..10 {
                assert!(!negotiation.failed(&failure), "{failure}");
            }
        }
    }

    #[test]
    fn switches_where_streams_keep_ending_inside_of_an_event() {
        let mut negotiation = Negotiation::new();
        for _ in 0..3 {
            assert!(!negotiation.failed(&WatchError::Cut), "of a stream in JSON");
        }
        negotiation.opened(WireFormat::Protobuf);
        let slow = WatchError::Slow(Duration::from_secs(60));
        assert!(!negotiation.failed(&WatchError::Cut) && !negotiation.failed(&slow));
        negotiation.received();
        assert!(!negotiation.failed(&WatchError::Cut) && !negotiation.failed(&WatchError::Cut));
        assert!(negotiation.failed(&slow));
    }
}
