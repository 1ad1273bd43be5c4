//! JSON under `/api/v1`. `openapi.yaml` describes it.

pub(crate) mod error;
mod stream;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use url::form_urlencoded;

use crate::state::Web;
use crate::views::{Filter, QueryError};

/// The path of the API.
pub(crate) const PREFIX: &str = "/api/v1";
/// The page of a list without `limit`.
const DEFAULT_LIMIT: usize = 100;
/// The largest page of a list.
const MAX_LIMIT: usize = 1000;
/// The description of the API.
const OPENAPI: &str = include_str!("openapi.yaml");

/// The routes of the API.
pub(crate) fn router(state: Web) -> Router {
    let routes = Router::new()
        .route("/status", get(status))
        .route("/overview", get(overview))
        .route("/events", get(events))
        .route("/jobs/{namespace}/{name}", get(job))
        .route("/owners/{namespace}/{kind}/{name}", get(owner))
        .route("/stream", get(stream::stream))
        .route(
            "/openapi.yaml",
            get(async || ([(CONTENT_TYPE, "application/yaml")], OPENAPI)),
        )
        .with_state(state);
    Router::new().nest(PREFIX, routes)
}

async fn status(State(web): State<Web>, RawQuery(query): RawQuery) -> Response {
    match pairs(query, &[]) {
        Ok(_) => error::json_body(&web.process()),
        Err(problem) => error::query(&problem),
    }
}

async fn overview(State(web): State<Web>, RawQuery(query): RawQuery) -> Response {
    let filter = match Filter::parse(&query.unwrap_or_default(), &[]) {
        Ok((filter, _)) => filter,
        Err(problem) => return error::query(&problem),
    };
    match web.overview(&filter) {
        Ok(overview) => error::json_body(&overview),
        Err(unavailable) => error::unavailable(&unavailable),
    }
}

async fn events(State(web): State<Web>, RawQuery(query): RawQuery) -> Response {
    const KEYS: [&str; 2] = ["limit", "cursor"];
    let read = Filter::parse(&query.unwrap_or_default(), &KEYS);
    let (filter, pairs) = match read {
        Ok(read) => read,
        Err(problem) => return error::query(&problem),
    };
    let (mut limit, mut cursor) = (DEFAULT_LIMIT, None);
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        let invalid = |expected: &str| {
            error::query(&QueryError {
                key: key.clone(),
                message: format!("query key {key}: found {value:?}, expected {expected}"),
                known: Filter::KEYS.iter().chain(&KEYS).copied().collect(),
            })
        };
        match (&**key, value.parse::<u64>()) {
            ("limit", Ok(number)) if (1..=MAX_LIMIT as u64).contains(&number) => limit = number as usize,
            ("limit", _) => return invalid(&format!("a number from 1 to {MAX_LIMIT}")),
            (_, Ok(number)) => cursor = Some(number),
            (_, Err(_)) => return invalid("the value of `next` in the page before"),
        }
    }
    match web.events(&filter, cursor, limit) {
        Ok(events) => error::json_body(&events),
        Err(unavailable) => error::unavailable(&unavailable),
    }
}

async fn job(
    State(web): State<Web>,
    Path((namespace, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let uid = match pairs(query, &["uid"]) {
        Ok(pairs) => pairs
            .into_iter()
            .map(|(_, value)| value)
            .find(|value| !value.is_empty()),
        Err(problem) => return error::query(&problem),
    };
    match web.job(&namespace, &name, uid.as_deref()) {
        Ok(Some(job)) => error::json_body(&job),
        Ok(None) => missing(&format!("no event of a Job {name} in namespace {namespace} is kept")),
        Err(unavailable) => error::unavailable(&unavailable),
    }
}

async fn owner(
    State(web): State<Web>,
    Path((namespace, kind, name)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    if let Err(problem) = pairs(query, &[]) {
        return error::query(&problem);
    }
    match web.owner(&namespace, &kind, &name) {
        Ok(Some(owner)) => error::json_body(&owner),
        Ok(None) => missing(&format!("no event of {kind} {name} in namespace {namespace} is kept")),
        Err(unavailable) => error::unavailable(&unavailable),
    }
}

fn missing(text: &str) -> Response {
    error::response(StatusCode::NOT_FOUND, "not_found", text).into_response()
}

/// The pairs of a query with these keys.
///
/// # Errors
/// Another key.
pub(crate) fn pairs(query: Option<String>, known: &[&'static str]) -> Result<Vec<(String, String)>, QueryError> {
    let query = query.unwrap_or_default();
    let mut pairs = Vec::new();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        if !known.contains(&&*key) {
            return Err(QueryError::unknown(&key, known.to_vec()));
        }
        pairs.push((key.into_owned(), value.into_owned()));
    }
    Ok(pairs)
}
