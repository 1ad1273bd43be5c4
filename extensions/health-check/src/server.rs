//! Answers over HTTP.

use std::sync::Arc;
use std::time::Duration;

use collector_http::server::{Body, Options};
use collector_runtime::health::Health;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::answer::answer;
use crate::settings::Settings;

/// How long a connection may last: longer than any probe waits.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers until `shutdown`. `section` is the path of the extension's settings.
pub async fn serve(
    listener: TcpListener,
    section: &str,
    settings: Settings,
    health: Health,
    shutdown: CancellationToken,
) {
    let options = Options {
        name: "health check",
        hosts: settings.hosts,
        hosts_setting: format!("{section}::allowed_hosts"),
        tls: None,
        connection_timeout: CONNECTION_TIMEOUT,
    };
    let liveness_path: Arc<str> = settings.path.into();
    let handler = move |request: Request<Incoming>| {
        let response = respond(&request, &liveness_path, &health);
        async move { response }
    };
    collector_http::server::serve(listener, options, handler, shutdown).await;
}

fn respond(request: &Request<Incoming>, liveness_path: &str, health: &Health) -> Response<Body> {
    let statuses = health.watch().borrow().clone();
    let (code, body) = answer(request.uri().path(), liveness_path, &statuses);
    let mut response = Response::new(Body::from(format!("{body:#}\n")));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
