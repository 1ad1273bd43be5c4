//! One attempt to send one request.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use pipeline::Payload;
use pipeline::sending::{Destination, SendOutcome};
use reqwest::Client;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};

use crate::encode::{self, Request};
use crate::response::{self, Asked, BODY_LIMIT, Meaning, Response};
use crate::settings::Config;
use crate::{failure, split};

/// The backend, reached over HTTP.
pub(crate) struct Backend {
    pub(crate) client: Client,
    pub(crate) config: Config,
}

impl Destination for Backend {
    type Request = Request;

    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String> {
        let limits = encode::limits(payload.signal());
        encode::requests(payload, self.config.compression, limits)
    }

    fn items(request: &Request) -> u64 {
        request.items
    }

    async fn export(&self, request: &Request) -> SendOutcome<Request> {
        let signal = request.payload.signal();
        let Some(url) = self.config.endpoints.of(signal) else {
            return SendOutcome::Misconfigured(format!(
                "there is no address for {signal}: set `endpoint` or `{signal}_endpoint`"
            ));
        };
        let mut post = self
            .client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(request.body.clone());
        if let Some(encoding) = self.config.compression.content_encoding() {
            post = post.header(CONTENT_ENCODING, encoding);
        }
        let answer = match post.send().await {
            Ok(answer) => answer,
            Err(error) => {
                return SendOutcome::Retry {
                    after: None,
                    why: failure::explain(&error, url, self.config.timeout),
                };
            }
        };
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let body = read(answer).await;
        let asked = Asked {
            signal,
            url,
            secrets: &self.config.headers,
        };
        let response = Response {
            status,
            headers: &headers,
            body: &body,
        };
        match response::meaning(asked, response, SystemTime::now()) {
            Meaning::Accepted => SendOutcome::Accepted,
            Meaning::Partial { rejected, message } => SendOutcome::Partial { rejected, message },
            Meaning::Retry { after, why } => SendOutcome::Retry { after, why },
            Meaning::Permanent(why) => SendOutcome::Permanent(why),
            Meaning::Misconfigured(why) => SendOutcome::Misconfigured(why),
            Meaning::TooLarge(why) => self.halves(request, why),
        }
    }
}

impl Backend {
    /// Two requests in the place of one that is too large; a single item is refused for good.
    fn halves(&self, request: &Request, why: String) -> SendOutcome<Request> {
        let Some((left, right)) = split::halves(&request.payload) else {
            return SendOutcome::Permanent(format!("{why}; it holds a single item and cannot be split"));
        };
        let parts: Result<Vec<_>, String> = [left, right]
            .into_iter()
            .map(|half| self.prepare(Arc::new(half)))
            .collect();
        match parts {
            Ok(parts) => {
                tracing::debug!("{why}; sending its {} items in halves", request.items);
                SendOutcome::Split(parts.into_iter().flatten().collect())
            }
            Err(why) => SendOutcome::Permanent(why),
        }
    }
}

/// The body, up to the limit. The status has told what became of the data already, so a body that breaks off, or that
/// comes too slowly for the timeout, is taken as far as it came.
async fn read(mut answer: reqwest::Response) -> Bytes {
    let mut body = BytesMut::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        let room = BODY_LIMIT - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() >= BODY_LIMIT {
            break;
        }
    }
    body.freeze()
}
