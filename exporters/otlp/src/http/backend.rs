//! One attempt to send one request.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use collector_data::Payload;
use collector_sending::{Destination, Request, SendOutcome};
use proxy::{Proxies, Proxy};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Client, Url};

use super::response::{self, HttpResponse};
use super::settings::HttpConfig;
use crate::authentication::{Authentication, Signed};
use crate::encode::{self, BodyFormat};
use crate::outcome::{ERROR_LIMIT, RequestContext, SUCCESS_LIMIT, StatusClass};
use crate::peer::{self, Hello, Speaks};
use crate::{endpoint, failure, route};

/// The backend, reached over HTTP.
pub(crate) struct HttpBackend {
    pub(crate) client: Client,
    pub(crate) proxies: Proxies,
    pub(crate) authentication: Authentication,
    pub(crate) config: HttpConfig,
}

impl Destination for HttpBackend {
    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String> {
        let limits = encode::limits(payload.signal());
        encode::requests(payload, self.config.encoding, limits)
    }

    fn unpack(&self, request: &Request) -> Result<Payload, String> {
        encode::unpack(request)
    }

    async fn export(&self, request: &Request) -> SendOutcome {
        let signal = request.signal;
        let format = match BodyFormat::of(&request.encoding) {
            Ok(format) => format,
            Err(why) => return SendOutcome::Permanent(format!("the request cannot be sent: {why}")),
        };
        let Some(url) = self.config.endpoints.of(signal) else {
            return SendOutcome::Misconfigured(format!(
                "no address is set for {signal}: set `endpoint` or `{signal}_endpoint`"
            ));
        };
        let configured = &self.config.headers;
        let mut signed = match self.authentication.sign(configured).await {
            Ok(signed) => signed,
            Err(outcome) => return outcome,
        };
        let mut response = match self.post(request, format, url, &signed).await {
            Ok(response) => response,
            Err(outcome) => return outcome,
        };
        if response.status == 401 {
            // The token may have expired or been revoked: retry once with another one.
            match self.authentication.sign_again(&signed, configured).await {
                Ok(None) => {}
                Err(outcome) => return outcome,
                Ok(Some(other)) => {
                    signed = other;
                    response = match self.post(request, format, url, &signed).await {
                        Ok(response) => response,
                        Err(outcome) => return outcome,
                    };
                }
            }
        }
        let context = RequestContext {
            signal,
            url,
            secrets: &signed.headers,
            non_retryable: &self.config.non_retryable,
            proxy: self.proxy(url).filter(|proxy| route::is_forwarded(url, proxy)),
        };
        response::outcome(context, &response, SystemTime::now())
    }
}

impl HttpBackend {
    /// # Errors
    /// The outcome of a request without a response.
    async fn post(
        &self,
        request: &Request,
        format: BodyFormat,
        url: &Url,
        signed: &Signed,
    ) -> Result<HttpResponse, SendOutcome> {
        let mut post = self
            .client
            .post(url.clone())
            .headers(signed.headers.clone())
            .header(CONTENT_TYPE, content_type(format))
            .body(request.body.clone());
        // The encoding of the request, which may have been stored under other settings.
        if !request.compression.is_empty() {
            post = post.header(CONTENT_ENCODING, request.compression.as_ref());
        }
        let response = match post.send().await {
            Ok(response) => response,
            Err(error) => {
                let why = self.explain(&error, url).await;
                return Err(SendOutcome::Retry { after: None, why });
            }
        };
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let limit = match StatusClass::of(status) {
            StatusClass::Success => SUCCESS_LIMIT,
            _ => ERROR_LIMIT,
        };
        let body = read(response, limit).await;
        Ok(HttpResponse { status, headers, body })
    }

    /// The proxy for the URL, if any. The environment is checked on startup.
    fn proxy(&self, url: &Url) -> Option<&Proxy> {
        self.proxies.choose(url.into()).ok().flatten()
    }

    /// Explains why no response arrived.
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
                "{host} speaks gRPC, and otlp_http needs OTLP over HTTP: use the exporter otlp_grpc, or the port for \
                 HTTP, usually 4318"
            ),
            Some(Speaks::Tls) => format!("{host} expects TLS: write https:// instead of http://"),
            _ if closed => explained(),
            Some(Speaks::Http1) | None => format!(
                "{host} does not answer in HTTP: does it speak gRPC (then use the exporter otlp_grpc) or TLS (https://)?"
            ),
        }
    }
}

fn content_type(format: BodyFormat) -> &'static str {
    match format {
        BodyFormat::Json => "application/json",
        BodyFormat::Proto => "application/x-protobuf",
    }
}

/// The body, up to the limit. The status has decided the outcome already, so a body that breaks off or exceeds the timeout
/// is read as far as it arrived.
async fn read(mut response: reqwest::Response, limit: usize) -> Bytes {
    let mut body = BytesMut::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() >= limit {
            break;
        }
    }
    body.freeze()
}
