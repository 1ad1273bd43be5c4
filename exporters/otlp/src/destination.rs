//! One attempt to send one request.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use pipeline::Payload;
use pipeline::sending::{Destination, Request, SendOutcome};
use reqwest::Client;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};

use crate::encode;
use crate::failure;
use crate::response::{self, Asked, BODY_LIMIT, Meaning, Response};
use crate::settings::Config;

/// The backend, reached over HTTP.
pub(crate) struct Backend {
    pub(crate) client: Client,
    pub(crate) config: Config,
}

impl Destination for Backend {
    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String> {
        let limits = encode::limits(payload.signal());
        encode::requests(payload, self.config.compression, limits)
    }

    fn unpack(&self, request: &Request) -> Result<Payload, String> {
        encode::unpack(request)
    }

    async fn export(&self, request: &Request) -> SendOutcome {
        let signal = request.signal;
        if request.encoding != encode::PROTO {
            let found = &request.encoding;
            return SendOutcome::Permanent(format!(
                "the request has the encoding {found:?}, which is not supported"
            ));
        }
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
        // As the request was made, not as the settings are: it may have been stored when they were others.
        if !request.compression.is_empty() {
            post = post.header(CONTENT_ENCODING, request.compression.as_ref());
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
            Meaning::TooLarge(why) => SendOutcome::TooLarge(why),
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
