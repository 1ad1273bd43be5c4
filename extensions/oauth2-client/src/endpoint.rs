//! One request to the token endpoint.

use std::error::Error;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use collector_config::Secret;
use collector_http::tls::{Alpn, Client, Reload};
use collector_runtime::ComponentError;
use collector_runtime::authentication::AuthenticationError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proxy::{Environment, Proxies, Proxy, Target};
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;

use crate::answer::{Answer, Grant};
use crate::settings::OAuth2Settings;

/// How much of an answer is read, in bytes; tokens are a few kB.
const BODY_LIMIT: usize = 64 * 1024;

/// The two ways to send the client's credentials (RFC 6749, section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// HTTP basic authentication, which every server must know.
    Header,
    /// Fields of the body.
    Body,
}

/// The token endpoint.
pub(crate) struct TokenEndpoint {
    client: reqwest::Client,
    proxies: Proxies,
    /// The way that has worked.
    way: Mutex<Option<Way>>,
}

impl TokenEndpoint {
    /// Reads certificates; opens no connection.
    ///
    /// # Errors
    /// If certificates cannot be read or used, or the proxy of the environment cannot be used.
    pub(crate) async fn new(settings: &OAuth2Settings) -> Result<(TokenEndpoint, Option<Reload>), ComponentError> {
        let url = &settings.token_url;
        let Client { config, reload } = settings.tls.client(url.scheme() == "https", Alpn::Http1).await?;
        let proxies = Proxies::from(Environment::of_process());
        // An unusable variable shows at the start.
        let proxied = proxies.choose(target(url))?.is_some();
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .user_agent(concat!("kube-job-collector/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the client secret to another host.
            .redirect(Policy::none())
            .http1_only()
            .no_proxy();
        if proxied {
            let proxies = proxies.clone();
            builder = builder.proxy(reqwest::Proxy::custom(move |url| {
                let chosen = proxies.choose(target(url)).ok().flatten();
                chosen.map(Proxy::expose_url)
            }));
        }
        if let Some(timeout) = settings.timeout {
            builder = builder.timeout(timeout);
        }
        let client = builder
            .build()
            .map_err(|why| format!("cannot build the HTTP client: {why}"))?;
        let endpoint = TokenEndpoint {
            client,
            proxies,
            way: Mutex::new(None),
        };
        Ok((endpoint, reload))
    }

    /// Requests a token.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn ask(&self, settings: &OAuth2Settings) -> Result<Grant, AuthenticationError> {
        let id = settings.client_id.get().await.map_err(AuthenticationError::Refused)?;
        let secret = settings
            .client_secret
            .get()
            .await
            .map_err(AuthenticationError::Refused)?;
        let known = *self.way.lock().unwrap_or_else(PoisonError::into_inner);
        let ways = known.map_or(vec![Way::Header, Way::Body], |way| vec![way]);
        let host = authority(&settings.token_url);
        let mut first = None;
        for way in ways {
            let reply = self.post(settings, way, &id, &secret).await?;
            let answer = Answer {
                host: &host,
                status: reply.status,
                retry_after: reply.retry_after.as_deref(),
                body: &reply.body,
            };
            let grant = answer.grant(&[&secret, &id], SystemTime::now());
            if grant.is_ok() {
                *self.way.lock().unwrap_or_else(PoisonError::into_inner) = Some(way);
            }
            if grant.is_ok() || !answer.is_client_unknown() {
                return grant;
            }
            first.get_or_insert(grant);
        }
        first.unwrap_or_else(|| Err(AuthenticationError::Refused("no way to request a token".into())))
    }

    async fn post(
        &self,
        settings: &OAuth2Settings,
        way: Way,
        id: &Secret,
        secret: &Secret,
    ) -> Result<Reply, AuthenticationError> {
        let mut fields = vec![("grant_type", "client_credentials")];
        if !settings.scopes.is_empty() {
            fields.push(("scope", &settings.scopes));
        }
        let more = settings.endpoint_params.iter();
        fields.extend(more.map(|(name, value)| (name.as_str(), value.expose())));
        let mut headers = HeaderMap::new();
        match way {
            Way::Header => {
                let both = STANDARD.encode(format!("{}:{}", encoded(id.expose()), encoded(secret.expose())));
                if let Ok(mut value) = HeaderValue::try_from(format!("Basic {both}")) {
                    value.set_sensitive(true);
                    headers.insert(AUTHORIZATION, value);
                }
            }
            Way::Body => fields.extend([("client_id", id.expose()), ("client_secret", secret.expose())]),
        }
        let fields = fields.into_iter();
        let fields: Vec<String> = fields
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let request = self
            .client
            .post(settings.token_url.clone())
            .headers(headers)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(fields.join("&"));
        let unavailable = |why: String| AuthenticationError::Unavailable { after: None, why };
        let mut answer = request
            .send()
            .await
            .map_err(|error| unavailable(self.explain(&error, settings)))?;
        let retry_after = answer.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(None) => break,
                Ok(Some(chunk)) if body.len() + chunk.len() <= BODY_LIMIT => body.extend_from_slice(&chunk),
                Ok(Some(_)) => {
                    let host = authority(&settings.token_url);
                    let why = format!("the answer of the token endpoint {host} is longer than {BODY_LIMIT} bytes");
                    return Err(AuthenticationError::Refused(why));
                }
                Err(error) => return Err(unavailable(self.explain(&error, settings))),
            }
        }
        Ok(Reply {
            status,
            retry_after,
            body,
        })
    }

    /// Why there was no answer, without the URL, whose query may contain secrets.
    fn explain(&self, error: &reqwest::Error, settings: &OAuth2Settings) -> String {
        let url = &settings.token_url;
        let host = authority(url);
        let through = match self.proxies.choose(target(url)) {
            Ok(Some(proxy)) => format!(" (through proxy {proxy})"),
            _ => String::new(),
        };
        if let (true, Some(timeout)) = (error.is_timeout(), settings.timeout) {
            return format!("no answer from the token endpoint {host} within {timeout:?} (timeout){through}");
        }
        let mut cause: &(dyn Error + 'static) = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let cause = match cause.is::<reqwest::Error>() {
            true => "no answer".to_owned(),
            false => cause.to_string(),
        };
        format!("cannot reach the token endpoint {host}{through}: {cause}; check token_url")
    }
}

struct Reply {
    status: u16,
    retry_after: Option<String>,
    body: Vec<u8>,
}

/// As a field of a form.
fn encoded(text: &str) -> String {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn target(url: &Url) -> Target<'_> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    match url.scheme() {
        "https" => Target::https(host, port),
        _ => Target::http(host, port),
    }
}

/// For messages.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
