//! The HTTP client for own metrics: it uses the proxies of all other clients, does not follow redirects, and logs a
//! failure once.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use proxy::{Environment, Proxies, Proxy, ProxyError, ProxyFailure, Target};
use reqwest::Url;
use reqwest::blocking::Client;
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use tracing::{info, warn};

/// How long one request may take: the default of OTLP exporters.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The timeout of the diagnosis of a proxy.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sends requests to one endpoint.
#[derive(Debug)]
pub(super) struct Push {
    client: Client,
    url: Url,
    proxy: Option<Proxy>,
    /// The problem of the last attempt.
    problem: Mutex<Option<String>>,
}

impl Push {
    /// Opens no connection.
    ///
    /// # Errors
    /// If the endpoint is not a URL, or the proxy of the environment for it cannot be used.
    pub(super) fn new(endpoint: &str) -> Result<Push, String> {
        Push::with(endpoint, &Proxies::from(Environment::of_process()))
    }

    fn with(endpoint: &str, proxies: &Proxies) -> Result<Push, String> {
        const EXPECTED: &str = "expected a URL such as http://localhost:4318/v1/metrics";
        let url = Url::parse(endpoint).map_err(|why| format!("{why}; {EXPECTED}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("unknown scheme; {EXPECTED}"));
        }
        let chosen = proxies.choose((&url).into()).map_err(|why| why.to_string())?;
        let proxy = chosen.cloned();
        let mut builder = Client::builder()
            .timeout(TIMEOUT)
            // A redirect would carry the key to another host.
            .redirect(Policy::none())
            .no_proxy();
        if let Some(proxy) = &proxy {
            let proxy = reqwest::Proxy::all(proxy.expose_url());
            builder = builder.proxy(proxy.map_err(|_| "cannot use the proxy")?);
        }
        // It has its own runtime, which cannot be created on a thread of another runtime.
        let building = std::thread::spawn(move || builder.build());
        let client = building.join().map_err(|_| "cannot build the HTTP client")?;
        Ok(Push {
            client: client.map_err(|why| format!("cannot build the HTTP client: {}", last_cause(&why)))?,
            url,
            proxy,
            problem: Mutex::new(None),
        })
    }

    fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Logs a failure once, and its end.
    fn note(&self, problem: Option<String>) {
        let mut last = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == problem {
            return;
        }
        match &problem {
            Some(problem) => warn!(problem, "cannot export own metrics"),
            None => info!(host = self.host(), "export of own metrics recovered"),
        }
        *last = problem;
    }

    /// Why the metrics did not arrive, if they did not.
    fn refusal(&self, response: &Response<Bytes>) -> Option<String> {
        let (status, host) = (response.status(), self.host());
        let forwarding = self.proxy.as_ref().filter(|proxy| proxy.forwards((&self.url).into()));
        match (status.as_u16(), forwarding) {
            (407, Some(proxy)) => Some(ProxyError::new(proxy, ProxyFailure::Status(407)).to_string()),
            (300..=399, _) => {
                let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
                let to = to.and_then(|to| self.url.join(to).ok());
                // Only scheme and host: the rest may hold anything.
                let to = to.map_or_else(|| "an unknown location".into(), |to| to.origin().ascii_serialization());
                Some(format!(
                    "{host} redirects to {to} (HTTP {}), which is not followed so that headers with keys stay with their \
                     host: set the endpoint to the right address",
                    status.as_u16()
                ))
            }
            _ if status.is_success() => None,
            (status, Some(proxy)) => Some(format!("{host} (through proxy {proxy}) answered HTTP {status}")),
            (status, None) => Some(format!("{host} answered HTTP {status}")),
        }
    }

    /// Why there was no answer.
    fn explain(&self, error: &HttpError) -> String {
        let host = self.host();
        let why = format!("{host}: {}", last_cause(&**error));
        let Some(proxy) = &self.proxy else { return why };
        let target = Target::from(&self.url);
        // Exports have a thread of their own, outside of any runtime.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let asked = runtime.map(|runtime| {
            let asking = proxy.diagnose(target, !proxy.forwards(target), PATIENCE);
            runtime.block_on(asking)
        });
        match asked {
            Ok(Some(fault)) => fault.to_string(),
            _ => format!("{why} (through proxy {proxy})"),
        }
    }
}

/// The innermost cause; outer ones repeat the whole URL.
fn last_cause(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Push {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Sending<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let sent = self.client.send_bytes(request).await;
            self.note(match &sent {
                Ok(response) => self.refusal(response),
                Err(error) => Some(self.explain(error)),
            });
            sent
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(endpoint: &str, variables: &[(&str, &str)]) -> Result<Push, String> {
        // As `main` does; another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Push::with(endpoint, &Proxies::from(Environment::read(variables.iter().copied())))
    }

    #[test]
    fn endpoints_and_proxies_that_cannot_be_used_are_errors() {
        let secret = [("ALL_PROXY", "https://u:hunter2@p:1")];
        for (endpoint, variables, expected) in [
            ("localhost:4318", &[][..], "unknown scheme; expected a URL such as"),
            ("", &[], "relative URL without a base; expected a URL such as"),
            (
                "http://h.example",
                &secret,
                "environment variable ALL_PROXY: TLS to the proxy",
            ),
        ] {
            let why = push(endpoint, variables).expect_err("an error");
            assert!(why.starts_with(expected) && !why.contains("hunter2"), "{why}");
        }
        assert!(push("http://127.0.0.1:1", &secret).is_ok(), "loopback needs no proxy");
    }

    #[test]
    fn answers_that_deliver_nothing_are_explained() {
        let variables = [("HTTP_PROXY", "http://u:hunter2@p:1")];
        let proxied = push("http://h.example:4318/v1/metrics", &variables).expect("a client");
        let direct = push("http://h.example:4318/v1/metrics", &[]).expect("a client");
        let response = |status: u16| {
            let response = Response::builder()
                .status(status)
                .header(LOCATION, "https://u:hunter2@evil.example/x?hunter2");
            response.body(Bytes::new()).expect("a response")
        };
        for (push, status, expected) in [
            (&direct, 200, None),
            (
                &direct,
                307,
                Some("h.example:4318 redirects to https://evil.example (HTTP 307), which is not followed"),
            ),
            (&direct, 407, Some("h.example:4318 answered HTTP 407")),
            (
                &proxied,
                407,
                Some("proxy http://p:1 (from HTTP_PROXY) requires authentication (HTTP 407)"),
            ),
            (
                &proxied,
                502,
                Some("h.example:4318 (through proxy http://p:1) answered HTTP 502"),
            ),
        ] {
            let found = push.refusal(&response(status));
            match (found, expected) {
                (None, None) => {}
                (Some(found), Some(expected)) => {
                    assert!(found.starts_with(expected) && !found.contains("hunter2"), "{found}");
                }
                (found, expected) => panic!("{found:?} {expected:?}"),
            }
        }
        assert!(!format!("{proxied:?}").contains("hunter2"));
    }
}
