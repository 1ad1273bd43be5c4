//! One attempt to send one request.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use collector_data::Payload;
use collector_sending::{Destination, Request, SendOutcome};
use proxy::{Proxies, Proxy};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Url};

use super::response::{self, Asked, Response};
use super::settings::Config;
use crate::authentication::{Authentication, Signed};
use crate::encode::{self, Format};
use crate::meaning::{Class, ERROR_LIMIT, SUCCESS_LIMIT};
use crate::peer::{self, Hello, Speaks};
use crate::{endpoint, failure, route};

/// The backend, reached over HTTP.
pub(crate) struct Backend {
    pub(crate) client: Client,
    pub(crate) proxies: Proxies,
    pub(crate) authentication: Authentication,
    pub(crate) config: Config,
}

impl Destination for Backend {
    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String> {
        let limits = encode::limits(payload.signal());
        encode::requests(payload, self.config.encoding, limits)
    }

    fn unpack(&self, request: &Request) -> Result<Payload, String> {
        encode::unpack(request)
    }

    async fn export(&self, request: &Request) -> SendOutcome {
        let signal = request.signal;
        let format = match Format::of(&request.encoding) {
            Ok(format) => format,
            Err(why) => return SendOutcome::Permanent(format!("the request cannot be sent: {why}")),
        };
        let Some(url) = self.config.endpoints.of(signal) else {
            return SendOutcome::Misconfigured(format!(
                "there is no address for {signal}: set `endpoint` or `{signal}_endpoint`"
            ));
        };
        let configured = &self.config.headers;
        let mut signed = match self.authentication.sign(configured).await {
            Ok(signed) => signed,
            Err(outcome) => return outcome,
        };
        let mut reply = match self.post(request, format, url, &signed).await {
            Ok(reply) => reply,
            Err(outcome) => return outcome,
        };
        if reply.status == 401 {
            // The token may have expired or been revoked: once more, with another one.
            match self.authentication.sign_again(&signed, configured).await {
                Ok(None) => {}
                Err(outcome) => return outcome,
                Ok(Some(other)) => {
                    signed = other;
                    reply = match self.post(request, format, url, &signed).await {
                        Ok(reply) => reply,
                        Err(outcome) => return outcome,
                    };
                }
            }
        }
        let asked = Asked {
            signal,
            url,
            secrets: &signed.headers,
            non_retryable: &self.config.non_retryable,
            proxy: self.proxy(url).filter(|proxy| route::is_forwarded(url, proxy)),
        };
        let response = Response {
            status: reply.status,
            headers: &reply.headers,
            body: &reply.body,
        };
        response::meaning(asked, response, SystemTime::now()).into()
    }
}

/// An answer, or as much of it as is read.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Backend {
    /// # Errors
    /// The outcome of a request without an answer.
    async fn post(&self, request: &Request, format: Format, url: &Url, signed: &Signed) -> Result<Reply, SendOutcome> {
        let mut post = self
            .client
            .post(url.clone())
            .headers(signed.headers.clone())
            .header(CONTENT_TYPE, content_type(format))
            .body(request.body.clone());
        // As the request was made, not as the settings are: it may have been stored when they were others.
        if !request.compression.is_empty() {
            post = post.header(CONTENT_ENCODING, request.compression.as_ref());
        }
        let answer = match post.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let why = self.explain(&error, url).await;
                return Err(SendOutcome::Retry { after: None, why });
            }
        };
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let limit = match Class::of(status) {
            Class::Success => SUCCESS_LIMIT,
            _ => ERROR_LIMIT,
        };
        let body = read(answer, limit).await;
        Ok(Reply { status, headers, body })
    }

    /// The proxy for the URL, if any. The environment was checked on startup.
    fn proxy(&self, url: &Url) -> Option<&Proxy> {
        self.proxies.choose(url.into()).ok().flatten()
    }

    /// Why there was no answer.
    async fn explain(&self, error: &reqwest::Error, url: &Url) -> String {
        let host = endpoint::authority(url);
        let explained = || failure::explain(error, url, self.config.timeout);
        if let Some(proxy) = self.proxy(url) {
            return match route::fault(error, url, proxy).await {
                Some(fault) => fault.to_string(),
                None => route::through(explained(), proxy),
            };
        }
        let closed = url.scheme() == "http" && failure::is_closed(error);
        if !closed && !failure::is_other_protocol(error) {
            return explained();
        }
        match peer::ask(url, Hello::Http2).await {
            Some(Speaks::Http2) => format!(
                "{host} speaks gRPC there, and otlp_http needs OTLP over HTTP: use the exporter otlp_grpc, or the port for \
                 HTTP, usually 4318"
            ),
            Some(Speaks::Tls) => format!("{host} expects TLS there: write https:// instead of http://"),
            _ if closed => explained(),
            Some(Speaks::Http1) | None => format!(
                "{host} does not answer in HTTP: does it speak gRPC (then use the exporter otlp_grpc) or TLS (https://)?"
            ),
        }
    }
}

fn content_type(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::Proto => "application/x-protobuf",
    }
}

/// The body, up to the limit. The status has told what became of the data already, so a body that breaks off, or that
/// comes too slowly for the timeout, is taken as far as it came.
async fn read(mut answer: reqwest::Response, limit: usize) -> Bytes {
    let mut body = BytesMut::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() >= limit {
            break;
        }
    }
    body.freeze()
}
