//! The style sheet, the script and the icon. Their names contain a hash of their content, so that browsers may store them for
//! ever and still get a new version at once.

use std::sync::LazyLock;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// The style sheet.
pub(super) const STYLE: &str = include_str!("../../assets/style.css");
/// The script.
const SCRIPT: &str = include_str!("../../assets/page.js");
/// The icon.
const ICON_FILE: &str = include_str!("../../assets/icon.svg");
/// The path of the icon.
pub(super) const ICON: &str = "assets/icon.svg";
/// A year, the longest time that browsers use.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

static STYLE_PATH: LazyLock<String> = LazyLock::new(|| format!("assets/style-{:016x}.css", hash(STYLE)));
static SCRIPT_PATH: LazyLock<String> = LazyLock::new(|| format!("assets/page-{:016x}.js", hash(SCRIPT)));
static VERSION: LazyLock<String> = LazyLock::new(|| format!("{:016x}", hash(STYLE) ^ hash(SCRIPT)));

/// The path of the style sheet, relative to the root.
pub(super) fn style() -> &'static str {
    &STYLE_PATH
}

/// The path of the script, relative to the root.
pub(super) fn script() -> &'static str {
    &SCRIPT_PATH
}

/// Identifies the assets of this version of the collector; the script reloads a page that was made with other ones.
pub(super) fn version() -> &'static str {
    &VERSION
}

/// The routes below `/assets`.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(
            &format!("/{}", style()),
            get(async || file(STYLE, "text/css; charset=utf-8", FOR_EVER)),
        )
        .route(
            &format!("/{}", script()),
            get(async || file(SCRIPT, "text/javascript; charset=utf-8", FOR_EVER)),
        )
        .route(
            &format!("/{ICON}"),
            get(async || file(ICON_FILE, "image/svg+xml", "public, max-age=3600")),
        )
}

fn file(content: &'static str, content_type: &'static str, caching: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, caching),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (StatusCode::OK, headers, content).into_response()
}

/// FNV-1a, 64 bits: names a version, and protects nothing.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_has_another_name() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c, "the published test vector");
        assert_ne!(style(), script());
    }

    #[test]
    fn nothing_comes_from_another_host() {
        for content in [STYLE, SCRIPT] {
            for foreign in ["http:", "https:", "//cdn", "@import", "@font-face", "url("] {
                assert!(!content.contains(foreign), "{foreign}");
            }
        }
    }
}
