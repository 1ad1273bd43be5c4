//! `GET /metrics`.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use collector_http::server::{Body, Endpoint, Hosts, Options, plain};
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, VARY,
};
use hyper::{Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use prometheus_text::Format;

/// Where metrics are served.
pub const PATH: &str = "/metrics";
/// How long a connection may last. It carries one request. Prometheus gives up after 10 s, unless told otherwise.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// From how many bytes on it is worth compressing.
const WORTH_COMPRESSING: usize = 1024;

/// Writes the page, in that format. It is called off the runtime's threads, for each request anew.
pub type Page = Arc<dyn Fn(Format) -> String + Send + Sync>;

/// What is served.
#[derive(Clone)]
pub struct Served {
    /// The page.
    pub page: Page,
    /// Whether those who ask for OpenMetrics get it.
    pub open_metrics: bool,
}

/// A server that is about to answer.
pub struct Server {
    /// The listen address.
    pub listener: TcpListener,
    /// The accepted host names.
    pub hosts: Hosts,
    /// The path of its settings, `endpoint` and `allowed_hosts` among them.
    pub section: String,
    /// Enables HTTPS.
    pub tls: Option<TlsAcceptor>,
}

impl Server {
    /// Listens at `endpoint`, which the key `key` of `section` sets.
    ///
    /// # Errors
    /// It cannot listen there; the text names the setting.
    pub async fn listen(endpoint: &Endpoint, section: &str, key: &str, allowed: &[String]) -> Result<Server, String> {
        Ok(Server {
            listener: endpoint.listen(&format!("{section}::{key}")).await?,
            hosts: Hosts::new(endpoint, allowed),
            section: section.to_owned(),
            tls: None,
        })
    }

    /// The listen address.
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Answers until `shutdown`, then lets open connections end.
    pub async fn serve(self, served: Served, shutdown: CancellationToken) {
        let options = Options {
            name: "metrics",
            hosts: self.hosts,
            hosts_setting: format!("{}::allowed_hosts", self.section),
            tls: self.tls,
            connection_timeout: CONNECTION_TIMEOUT,
        };
        // One page at a time is in the making, however many ask.
        let turn = Arc::new(Semaphore::new(1));
        let handler = move |request: Request<Incoming>| respond(request, served.clone(), turn.clone());
        collector_http::server::serve(self.listener, options, handler, shutdown).await;
    }
}

async fn respond(request: Request<Incoming>, served: Served, turn: Arc<Semaphore>) -> Response<Body> {
    if request.uri().path() != PATH {
        return plain(StatusCode::NOT_FOUND, format!("not found; expected {PATH}\n"));
    }
    let accept = header(request.headers(), &ACCEPT);
    let format = match served.open_metrics {
        true => Format::accepted(accept.as_deref()),
        false => Format::Text,
    };
    let gzip = takes_gzip(header(request.headers(), &ACCEPT_ENCODING).as_deref());
    let turn = turn.acquire_owned().await;
    let written = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let text = (served.page)(format).into_bytes();
        match gzip && text.len() >= WORTH_COMPRESSING {
            true => compressed(&text).map_or((text, false), |compressed| (compressed, true)),
            false => (text, false),
        }
    });
    let Ok((body, compressed)) = written.await else {
        return plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "cannot write the metrics; see the log\n".into(),
        );
    };
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// A header that may be repeated.
fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn takes_gzip(accept_encoding: Option<&str>) -> bool {
    let mut codings = accept_encoding.unwrap_or_default().split(',');
    codings.any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = matches!(quality.trim().strip_prefix("q=").map(str::parse::<f64>), Some(Ok(0.0)));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

fn compressed(text: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}
