//! Reads the log of a container.

use std::time::Duration;

use http::Request;
use kube::Client;
use kube::client::Body;

use crate::WatchError;
use crate::watch::request::encoded;
use crate::watch::{send, whole};

/// How long the API server may be silent while it fetches a log from a kubelet.
const LOG_PATIENCE: Duration = Duration::from_secs(10);
/// By how many bytes a log may be longer than was asked for.
const LOG_EXCESS: usize = 64 * 1024;

/// Which part of a container's log to read.
#[derive(Clone, Copy, Debug)]
pub struct LogQuery<'a> {
    /// The Pod's namespace.
    pub namespace: &'a str,
    /// The Pod's name.
    pub pod: &'a str,
    /// The container's name.
    pub container: &'a str,
    /// Whether to read the log of the run before the last restart.
    pub previous: bool,
}

/// The last `lines` lines of a container's log, at most `bytes` bytes from the beginning of those.
///
/// # Errors
/// Why it could not be had.
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
        // A server that sends more than it was asked for is not waited for.
        whole(&mut body, bytes as usize + LOG_EXCESS, LOG_PATIENCE).await
    };
    let log = tokio::time::timeout(LOG_PATIENCE, read).await;
    let log = log.map_err(|_| WatchError::Silence(LOG_PATIENCE))??;
    Ok(String::from_utf8_lossy(&log).into_owned())
}
