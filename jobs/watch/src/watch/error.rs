//! The errors of a list or watch.

use std::fmt;
use std::time::Duration;

use escape::Escaped;

use crate::decode::ListError;

/// An error that ended a list or watch. The watch retries after each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchError {
    /// The API server answered with an error.
    Status {
        /// The HTTP status.
        code: u16,
        /// The API server's message.
        message: String,
        /// The delay that it asks for.
        retry_after: Option<Duration>,
        /// An `ERROR` event inside of a watch that had started with a success.
        in_band: bool,
    },
    /// The connection could not be opened, or was closed by an error.
    Connection(String),
    /// Nothing was received for this time.
    Silence(Duration),
    /// A reply or a line was not complete after this time, though data arrived.
    Slow(Duration),
    /// The stream ended in the middle of a line.
    Cut,
    /// The watch ended at once, without any event.
    Empty,
    /// The reply cannot be read.
    Unreadable(String),
    /// The reply is not protobuf, though its content type says so.
    Protobuf(String),
    /// The reply is a success and not the requested list, or the list does not end.
    BadList(String),
    /// The reply is longer than this limit, bytes.
    TooLarge(usize),
    /// The reply is a success and not a streaming list. Such a list is read in pages.
    NotStreamed(String),
}

impl WatchError {
    /// True if RBAC denies the list or watch.
    pub fn is_denied(&self) -> bool {
        matches!(
            self,
            WatchError::Status {
                code: 403,
                in_band: false,
                ..
            }
        )
    }

    /// True if the API server cannot read the parameter `shardSelector`: 1.37 answers 500 with `invalid shard selector: …`.
    pub(crate) fn refuses_shards(&self) -> bool {
        matches!(self, WatchError::Status { code: 400 | 422 | 500, message, .. } if message.to_ascii_lowercase().contains("shard"))
    }
}

impl From<ListError> for WatchError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Protobuf { .. } => WatchError::Protobuf(error.to_string()),
            _ => WatchError::BadList(error.to_string()),
        }
    }
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WatchError::Status { code: 401, message, .. } => write!(
                f,
                "401 {}: the API server rejects the credentials; they have expired or belong to another cluster. Renew \
                 them in the kubeconfig, which is read again; in a Pod, check its service account and token",
                Escaped(message)
            ),
            WatchError::Status { code, message, .. } => write!(f, "{code} {}", Escaped(message)),
            WatchError::Connection(problem) => write!(f, "cannot reach the API server: {}", Escaped(problem)),
            WatchError::Silence(time) => write!(f, "nothing received for {} s", time.as_secs()),
            WatchError::Slow(time) => write!(f, "a reply is not complete after {} s", time.as_secs()),
            WatchError::Cut => f.write_str("the connection ended in the middle of an object"),
            WatchError::Empty => f.write_str("the watch ended at once, without any event"),
            WatchError::Unreadable(problem) => write!(f, "cannot read the reply: {}", Escaped(problem)),
            WatchError::Protobuf(problem) => write!(f, "cannot read the reply as protobuf: {}", Escaped(problem)),
            WatchError::BadList(problem) => write!(f, "the reply is not the requested list: {}", Escaped(problem)),
            WatchError::NotStreamed(problem) => write!(f, "the reply is not a streaming list: {}", Escaped(problem)),
            WatchError::TooLarge(limit) => write!(f, "the reply is larger than {} MiB", limit >> 20),
        }
    }
}

impl std::error::Error for WatchError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_messages_stay_on_one_line() {
        let forged = "no\n2026-01-01 INFO forged\u{1b}[2J";
        for error in [
            WatchError::Status {
                code: 403,
                message: forged.into(),
                retry_after: None,
                in_band: false,
            },
            WatchError::Connection(forged.into()),
            WatchError::Unreadable(forged.into()),
            WatchError::Protobuf(forged.into()),
            WatchError::BadList(forged.into()),
        ] {
            assert!(!error.to_string().contains(char::is_control), "{error}");
        }
    }
}
