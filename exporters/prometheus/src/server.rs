//! `GET /metrics`.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, VARY,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use collector_http::server::Service;
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus_text::Format;
use tokio::sync::Semaphore;

/// The path of the metrics.
pub const PATH: &str = "/metrics";
/// A scrape times out after 10 s by default in Prometheus.
pub const SERVICE: Service = Service {
    name: "metrics",
    connection_timeout: Duration::from_secs(60),
};
/// The smallest page that is compressed, bytes.
const MIN_COMPRESSED: usize = 1024;

/// Writes the page in a format. Called for each request, on a thread that may block.
pub type Page = Arc<dyn Fn(Format) -> String + Send + Sync>;

/// The served page.
#[derive(Clone)]
pub struct Served {
    /// The page.
    pub page: Page,
    /// Serves OpenMetrics to scrapers that accept it.
    pub open_metrics: bool,
}

/// Routes [`PATH`] to the page.
pub fn router(served: Served) -> Router {
    // One page is written at a time, for any number of scrapers.
    let turn = Arc::new(Semaphore::new(1));
    let page = move |headers: HeaderMap| respond(headers, served.clone(), Arc::clone(&turn));
    Router::new()
        .route(PATH, get(page))
        .fallback(async || (StatusCode::NOT_FOUND, format!("not found; expected {PATH}\n")))
}

async fn respond(headers: HeaderMap, served: Served, turn: Arc<Semaphore>) -> Response {
    let format = match served.open_metrics {
        true => Format::accepted(header(&headers, &ACCEPT).as_deref()),
        false => Format::Text,
    };
    let gzip = accepts_gzip(header(&headers, &ACCEPT_ENCODING).as_deref());
    let turn = turn.acquire_owned().await;
    let written = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let text = (served.page)(format).into_bytes();
        match gzip && text.len() >= MIN_COMPRESSED {
            true => compressed(&text).map_or((text, false), |compressed| (compressed, true)),
            false => (text, false),
        }
    });
    let Ok((body, compressed)) = written.await else {
        let text = "cannot write the metrics; see the log\n";
        return (StatusCode::INTERNAL_SERVER_ERROR, text).into_response();
    };
    let headers = [(CONTENT_TYPE, format.content_type()), (VARY, "accept, accept-encoding")];
    let mut response = (headers, body).into_response();
    if compressed {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, gzip);
    }
    response
}

/// All values of a header.
fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
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
