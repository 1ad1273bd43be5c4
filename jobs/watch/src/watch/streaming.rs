//! Streaming lists: which lists are streamed, and what follows a stream that fails.
//!
//! A streaming list is a watch that begins with the present objects, each as an event, and a bookmark that marks their end
//! (`sendInitialEvents`). The server reads and the collector decodes one object at a time; a page is read as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kube::Client;

use super::error::WatchError;
use crate::version::SharedVersion;

/// The longest silence of an unfinished streaming list. The server waits at most 3 s for its watch cache.
pub(super) const SILENCE: Duration = Duration::from_secs(15);

/// The streaming lists of a receiver: used if the API server's version has them, until it refuses one. Clones share that.
#[derive(Clone, Debug)]
pub struct StreamingLists(Option<Arc<Offer>>);

#[derive(Debug)]
struct Offer {
    version: SharedVersion,
    is_refused: AtomicBool,
}

impl StreamingLists {
    /// All lists are read in pages.
    pub fn never() -> Self {
        StreamingLists(None)
    }

    /// Lists are streamed if a server of this version does so by default, and read in pages if the version is unknown: a
    /// server without streaming lists may ignore the request for one.
    pub fn of(version: SharedVersion) -> Self {
        StreamingLists(Some(Arc::new(Offer {
            version,
            is_refused: AtomicBool::new(false),
        })))
    }

    /// True if the next list is to be streamed.
    pub(super) async fn are_offered(&self, client: &Client) -> bool {
        match &self.0 {
            Some(offer) if !offer.is_refused.load(Ordering::Relaxed) => {
                let version = offer.version.get(client).await;
                version.is_some_and(|version| version.streams_lists())
            }
            _ => false,
        }
    }

    /// The server does not stream lists. Returns true the first time.
    pub(super) fn refused(&self) -> bool {
        let offer = self.0.as_ref();
        offer.is_some_and(|offer| !offer.is_refused.swap(true, Ordering::Relaxed))
    }
}

/// The lists that are read in pages after a stream has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// This list.
    ThisList,
    /// All lists of the receiver.
    AllLists,
}

/// The fallback after the failure of a stream; `None` if the list is retried after a delay, as one in pages is.
pub(super) fn fallback(failure: &WatchError) -> Option<Fallback> {
    match failure {
        // The parameters are refused or ignored.
        WatchError::Status {
            code: 400 | 405 | 406 | 415 | 422 | 501,
            in_band: false,
            ..
        }
        | WatchError::NotStreamed(_) => Some(Fallback::AllLists),
        // A list in pages decides. RBAC may allow it, and it does not need the watch cache, the origin of most errors that a
        // stream reports.
        WatchError::Status { code: 403 | 404, .. } | WatchError::Status { in_band: true, .. } | WatchError::Slow(_) => {
            Some(Fallback::ThisList)
        }
        WatchError::Status { .. }
        | WatchError::Connection(_)
        | WatchError::Silence(_)
        | WatchError::Cut
        | WatchError::Empty
        | WatchError::Unreadable(_)
        // The list is streamed in JSON.
        | WatchError::Protobuf(_)
        | WatchError::BadList(_)
        | WatchError::TooLarge(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_stream_is_no_failure() {
        let status = |code, in_band| WatchError::Status {
            code,
            message: "m".into(),
            retry_after: None,
            in_band,
        };
        for (failure, expected) in [
            (status(422, false), Some(Fallback::AllLists)),
            (status(400, false), Some(Fallback::AllLists)),
            (status(406, false), Some(Fallback::AllLists)),
            (WatchError::NotStreamed("it ended".into()), Some(Fallback::AllLists)),
            (status(403, false), Some(Fallback::ThisList)),
            (status(404, false), Some(Fallback::ThisList)),
            (status(500, true), Some(Fallback::ThisList)),
            (status(504, true), Some(Fallback::ThisList)),
            (status(410, true), Some(Fallback::ThisList)),
            (WatchError::Slow(SILENCE), Some(Fallback::ThisList)),
            (status(401, false), None),
            (status(410, false), None),
            (status(429, false), None),
            (status(503, false), None),
            (WatchError::Connection("reset".into()), None),
            (WatchError::Silence(SILENCE), None),
            (WatchError::Cut, None),
            (WatchError::BadList("older".into()), None),
        ] {
            assert_eq!(fallback(&failure), expected, "{failure}");
        }
    }

    #[test]
    fn a_refusal_is_for_all_watches() {
        let lists = StreamingLists::of(SharedVersion::default());
        let other = lists.clone();
        assert!(lists.refused());
        assert!(!other.refused() && !lists.refused(), "logged once");
        assert!(!StreamingLists::never().refused());
    }
}
