//! The routes.

use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use collector_config::Secret;
use collector_http::server::Service;

use crate::api::{self, error};
use crate::state::Web;
use crate::{pages, security};

/// The server. A live stream ends a little before its connection would: see `api::stream`.
pub(crate) const SERVICE: Service = Service {
    name: "web",
    connection_timeout: Duration::from_secs(300),
};

/// All routes, protected.
pub(crate) fn router(state: Web, token: Option<Secret>) -> Router {
    let router = Router::new()
        .merge(api::router(state.clone()))
        .merge(pages::router(state.clone()))
        .fallback(async move |uri: Uri| not_found(&state, &uri));
    security::protect(router, token)
}

fn not_found(web: &Web, uri: &Uri) -> Response {
    if !uri.path().starts_with("/api") {
        return pages::not_found(web, uri);
    }
    let text = format!("no page {}; the API is below {}", uri.path(), api::PREFIX);
    error::response(StatusCode::NOT_FOUND, "not_found", &text)
}
