//! The version of a receiver's API server, asked once for all its watches.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{ServerVersion, VersionReply};

/// After a request without a reply, the version counts as unknown for this long, so that not every list waits for it.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// The version of an API server. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SharedVersion(Arc<Mutex<LastReply>>);

#[derive(Debug, Default)]
enum LastReply {
    /// Nothing replied so far.
    #[default]
    Unasked,
    /// The last request got no reply in time.
    TimedOut {
        /// When the next one may be sent.
        again: Instant,
    },
    /// The server's version, or none if it does not say.
    Known(Option<ServerVersion>),
}

impl SharedVersion {
    /// The version; asks the API server unless it has replied. `None` if it refuses, names none, or does not reply; a server
    /// that is not reached is asked at the next call.
    pub async fn get(&self, client: &Client) -> Option<ServerVersion> {
        let mut last = self.0.lock().await;
        match &*last {
            LastReply::Known(version) => return version.clone(),
            LastReply::TimedOut { again } if Instant::now() < *again => return None,
            LastReply::TimedOut { .. } | LastReply::Unasked => {}
        }
        *last = match ServerVersion::ask(client).await {
            VersionReply::Version(version) => LastReply::Known(Some(version)),
            VersionReply::NoVersion => LastReply::Known(None),
            VersionReply::Unreachable => LastReply::Unasked,
            VersionReply::TimedOut => LastReply::TimedOut {
                again: Instant::now() + ASK_AGAIN,
            },
        };
        match &*last {
            LastReply::Known(version) => version.clone(),
            LastReply::TimedOut { .. } | LastReply::Unasked => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use http::{Request, Response};
    use kube::client::Body;

    use super::*;

    #[derive(Clone, Copy)]
    enum Reply {
        Refused,
        Silence,
        Body(u16, &'static str),
    }

    /// A server with these replies in turn, and the number of requests left.
    fn server(replies: &[Reply]) -> (Client, Arc<Mutex<VecDeque<Reply>>>) {
        let left = Arc::new(Mutex::new(replies.iter().copied().collect::<VecDeque<_>>()));
        let script = left.clone();
        let service = tower::service_fn(move |_: Request<Body>| {
            let reply = script.lock().unwrap().pop_front().expect("one request too many");
            async move {
                match reply {
                    Reply::Refused => Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)),
                    Reply::Silence => std::future::pending().await,
                    Reply::Body(code, body) => Response::builder()
                        .status(code)
                        .body(Body::from(body.as_bytes().to_vec()))
                        .map_err(std::io::Error::other),
                }
            }
        });
        (Client::new(service, "default"), left)
    }

    #[tokio::test]
    async fn a_server_is_asked_until_it_replies() {
        let version = SharedVersion::default();
        let known = Reply::Body(200, r#"{"gitVersion":"v1.34.1"}"#);
        let (client, left) = server(&[Reply::Refused, Reply::Refused, known]);
        assert_eq!(version.get(&client).await, None);
        assert_eq!(version.get(&client).await, None);
        for _ in 0..3 {
            let found = version.clone().get(&client).await.unwrap();
            assert_eq!(found.to_string(), "v1.34.1");
        }
        assert!(left.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_refusal_is_remembered() {
        for refusal in [
            Reply::Body(404, "{}"),
            Reply::Body(403, "{}"),
            Reply::Body(200, "<html>"),
        ] {
            let version = SharedVersion::default();
            let (client, _) = server(&[refusal]);
            for _ in 0..3 {
                assert_eq!(version.get(&client).await, None);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_one_call_waits_for_a_silent_server() {
        let version = SharedVersion::default();
        let began = Instant::now();
        let (client, left) = server(&[Reply::Silence, Reply::Body(200, r#"{"gitVersion":"v1.34.1"}"#)]);
        for _ in 0..8 {
            assert_eq!(version.get(&client).await, None);
        }
        assert_eq!(
            (began.elapsed(), left.lock().unwrap().len()),
            (Duration::from_secs(2), 1)
        );
        tokio::time::advance(ASK_AGAIN).await;
        assert!(version.get(&client).await.is_some());
    }
}
