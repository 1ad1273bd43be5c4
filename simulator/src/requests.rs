//! The requests to the API, so that tests can check the behaviour of a client.

use crate::api::Verb;
use crate::locked;
use crate::resource::Resource;
use std::collections::VecDeque;
use std::sync::Mutex;

/// The number of most recent requests that are kept.
const CAPACITY: usize = 10_000;

/// A request that the API received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query as sent, still percent-encoded.
    pub query: String,
    /// The verb, if the path names a resource.
    pub verb: Option<Verb>,
    /// The resource of the path.
    pub resource: Option<Resource>,
}

#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<VecDeque<ApiRequest>>);

impl RequestLog {
    pub(crate) fn record(&self, request: ApiRequest) {
        let mut requests = locked(&self.0);
        if requests.len() == CAPACITY {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    pub(crate) fn all(&self) -> Vec<ApiRequest> {
        locked(&self.0).iter().cloned().collect()
    }
}
