//! What was asked of the API, so that tests can hold a client to what it promised.

use crate::api::Verb;
use crate::resource::Resource;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// The most recent requests that are kept.
const KEPT: usize = 10_000;

/// A request the API received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query as sent, still percent-encoded.
    pub query: String,
    /// What it does to a resource, if its path names one.
    pub verb: Option<Verb>,
    /// The resource its path names.
    pub resource: Option<Resource>,
}

#[derive(Debug, Default)]
pub(crate) struct Requests(Mutex<VecDeque<Request>>);

impl Requests {
    pub fn record(&self, request: Request) {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() == KEPT {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    pub fn all(&self) -> Vec<Request> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}
