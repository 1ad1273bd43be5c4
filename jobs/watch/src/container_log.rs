//! Reads the log of a container.

use std::time::Duration;

use http::Request;
use kube::Client;
use kube::client::Body;

use crate::WatchError;
use crate::watch::request::encoded;
use crate::watch::{send, whole};

/// The timeout of a log, which the API server fetches from a kubelet.
const LOG_PATIENCE: Duration = Duration::from_secs(10);
/// The bytes that a log may be longer than requested.
const LOG_EXCESS: usize = 64 * 1024;

/// The container whose log to read.
#[derive(Clone, Copy, Debug)]
pub struct LogQuery<'a> {
    /// The Pod's namespace.
    pub namespace: &'a str,
    /// The Pod's name.
    pub pod: &'a str,
    /// The container's name.
    pub container: &'a str,
    /// True for the log of the run before the last restart.
    pub previous: bool,
}

/// The last `lines` lines of a container's log, at most `bytes` bytes from the beginning of those.
///
/// # Errors
/// The API server is unreachable, or denies or does not have the log.
pub async fn log(client: &Client, of: LogQuery<'_>, lines: u32, bytes: u32) -> Result<String, WatchError> {
    let mut uri = format!(
        "/api/v1/namespaces/{}/pods/{}/log?container={}&tailLines={lines}&limitBytes={bytes}",
        encoded(of.namespace),
        encoded(of.pod),
        encoded(of.container)
    );
    if of.previous {
        uri.push_str("&previous=true");
    }
    let read = async {
        let mut body = send(client, Request::get(uri).body(Body::empty())).await?.into_body();
        // A server that sends more than requested is not awaited.
        whole(&mut body, bytes as usize + LOG_EXCESS, LOG_PATIENCE).await
    };
    let log = tokio::time::timeout(LOG_PATIENCE, read).await;
    let log = log.map_err(|_| WatchError::Silence(LOG_PATIENCE))??;
    Ok(String::from_utf8_lossy(&log).into_owned())
}
