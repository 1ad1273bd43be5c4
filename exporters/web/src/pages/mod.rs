//! The pages, as HTML over `crate::views`. They show the views and add nothing: what a page says, the API says too.
//!
//! * `layout`: the frame, and relative links; `assets`: style sheet and script; `text`: text from the cluster.
//! * `overview`, `owner`, `job`, `health`, `problem`: one file for each page.

mod assets;
pub(crate) mod choices;
mod commands;
#[cfg(test)]
mod contrast_tests;
mod evidence;
mod filter;
mod health;
mod job;
mod latest;
mod layout;
mod list;
mod outcome;
mod overview;
mod owner;
mod problem;
mod runs;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod words;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::Markup;

use crate::api::pairs;
use crate::pages::layout::{Page, Root, Section};
use crate::pages::problem::ProblemPage;
use crate::state::Web;

/// The routes of the pages: `/`, `/owners/…`, `/jobs/…`, `/health` and `/assets/…`.
///
/// `security::protect` adds the token and the headers, such as the Content-Security-Policy, to every response.
pub(crate) fn router(state: Web) -> Router {
    Router::new()
        .route("/", get(overview_page))
        .route("/owners/{namespace}/{kind}/{name}", get(owner_page))
        .route("/jobs/{namespace}/{name}", get(job_page))
        .route("/health", get(health_page))
        .merge(assets::router())
        .with_state(state)
}

/// The answer to a path that no route has.
pub(crate) fn not_found(web: &Web, uri: &Uri) -> Response {
    Request::new(web, uri).problem(&ProblemPage::path(uri.path()))
}

/// The state and the root of one request.
struct Request<'a> {
    web: &'a Web,
    root: Root,
}

impl<'a> Request<'a> {
    fn new(web: &'a Web, uri: &Uri) -> Request<'a> {
        Request {
            web,
            root: Root::from(uri.path()),
        }
    }

    fn page(&self, title: &str, section: Section, body: Markup) -> Markup {
        let page = Page {
            title,
            root: &self.root,
            section,
            now: self.web.now(),
            body,
        };
        page.render()
    }

    fn ok(&self, title: &str, section: Section, body: Markup) -> Response {
        html(StatusCode::OK, self.page(title, section, body))
    }

    fn problem(&self, problem: &ProblemPage) -> Response {
        let body = problem.render(&self.root);
        html(problem.status, self.page(problem.title, Section::Neither, body))
    }
}

fn html(status: StatusCode, page: Markup) -> Response {
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], page.into_string()).into_response()
}

async fn overview_page(State(web): State<Web>, uri: Uri) -> Response {
    let request = Request::new(&web, &uri);
    let query = match overview::Query::parse(uri.query().unwrap_or_default()) {
        Ok(query) => query,
        Err(error) => return request.problem(&ProblemPage::query(&error)),
    };
    let data = web.overview(&query.filter).and_then(|overview| {
        let latest = web.events(&query.filter, query.cursor, query.limit)?;
        Ok(overview::Data {
            overview,
            latest,
            choices: web.choices()?,
            started: web.process().started,
        })
    });
    match data {
        Ok(data) => request.ok("", Section::Overview, overview::body(&request.root, &query, &data)),
        Err(unavailable) => request.problem(&ProblemPage::unavailable(&unavailable)),
    }
}

async fn owner_page(
    State(web): State<Web>,
    Path((namespace, kind, name)): Path<(String, String, String)>,
    uri: Uri,
) -> Response {
    let request = Request::new(&web, &uri);
    match web.owner(&namespace, &kind, &name) {
        Ok(Some(view)) => request.ok(&name, Section::Overview, owner::body(&request.root, &view)),
        Ok(None) => request.problem(&ProblemPage::owner(&namespace, &kind, &name)),
        Err(unavailable) => request.problem(&ProblemPage::unavailable(&unavailable)),
    }
}

async fn job_page(
    State(web): State<Web>,
    Path((namespace, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    uri: Uri,
) -> Response {
    let request = Request::new(&web, &uri);
    let uid = match pairs(query, &["uid"]) {
        Ok(pairs) => pairs.into_iter().map(|(_, uid)| uid).find(|uid| !uid.is_empty()),
        Err(error) => return request.problem(&ProblemPage::query(&error)),
    };
    // The page names the other Jobs of that name, so the view has all of them.
    match web.job(&namespace, &name, None) {
        Ok(Some(view))
            if uid
                .as_ref()
                .is_none_or(|uid| view.events.iter().any(|event| *event.listed.uid == **uid)) =>
        {
            request.ok(
                &name,
                Section::Overview,
                job::body(&request.root, &view, uid.as_deref()),
            )
        }
        Ok(_) => request.problem(&ProblemPage::job(&namespace, &name)),
        Err(unavailable) => request.problem(&ProblemPage::unavailable(&unavailable)),
    }
}

async fn health_page(State(web): State<Web>, uri: Uri) -> Response {
    let request = Request::new(&web, &uri);
    let body = health::body(&web.process(), web.now());
    request.ok("Health", Section::Health, body)
}
