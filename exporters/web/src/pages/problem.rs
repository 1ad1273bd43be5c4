//! Pages that say what was not found, or why there is no answer, and what to do.

use axum::http::StatusCode;
use maud::{Markup, html};

use crate::leading::Unavailable;
use crate::pages::layout::Root;
use crate::pages::text;
use crate::views::QueryError;

/// A page without data.
pub(super) struct ProblemPage {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    /// The event that led here, one sentence.
    what: String,
    /// The next steps.
    steps: Vec<String>,
}

impl ProblemPage {
    fn not_found(title: &'static str, what: String, steps: &[&str]) -> ProblemPage {
        ProblemPage {
            status: StatusCode::NOT_FOUND,
            title,
            what,
            steps: steps.iter().map(|step| (*step).to_owned()).collect(),
        }
    }

    /// No page has this path.
    pub(super) fn path(path: &str) -> ProblemPage {
        let what = format!("No page has the path {path}.");
        let step =
            "Pages are the overview, health, owners/NAMESPACE/KIND/NAME and jobs/NAMESPACE/NAME; JSON is below api/v1.";
        ProblemPage::not_found("Page not found", what, &[step])
    }

    /// No event of the owner is stored.
    pub(super) fn owner(namespace: &str, kind: &str, name: &str) -> ProblemPage {
        let what = format!("The collector has no event of {kind} {name} in namespace {namespace}.");
        ProblemPage::not_found(
            "Owner not found",
            what,
            &[EXPECT, &format!("Search for {name} in the overview.")],
        )
    }

    /// No event of the Job is stored.
    pub(super) fn job(namespace: &str, name: &str) -> ProblemPage {
        let what = format!("The collector has no event of a Job {name} in namespace {namespace}.");
        let explain = format!(
            "If the Job still exists, the command explains it: kube-job-collector explain {} -n {}",
            super::commands::quoted(name),
            super::commands::quoted(namespace),
        );
        ProblemPage::not_found("Job not found", what, &[EXPECT, &explain])
    }

    /// The query of the URL is invalid.
    pub(super) fn query(error: &QueryError) -> ProblemPage {
        ProblemPage {
            status: StatusCode::BAD_REQUEST,
            title: "Invalid filter",
            what: format!("The filter in the URL is invalid: {}.", error.message),
            steps: vec![
                format!("Known keys: {}.", error.known.join(", ")),
                "Correct the URL, or set the filter in the overview.".into(),
            ],
        }
    }

    /// This replica has no events.
    pub(super) fn unavailable(unavailable: &Unavailable) -> ProblemPage {
        let (title, what, step) = match unavailable {
            Unavailable::Standby(leader) => {
                let leader = leader
                    .as_deref()
                    .map(|leader| format!(": {leader}"))
                    .unwrap_or_default();
                let what = format!("This replica is a standby. The leader has the events{leader}.");
                (
                    "Standby",
                    what,
                    "Open the page of the leader, or wait until this replica leads.",
                )
            }
            Unavailable::Starting => {
                let what = "The collector is starting: it has not read the stored events yet.".to_owned();
                (
                    "Starting",
                    what,
                    "Load the page again in a few seconds. Health shows the state of the storage.",
                )
            }
        };
        ProblemPage {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title,
            what,
            steps: vec![step.into()],
        }
    }

    /// The content of the page.
    pub(super) fn render(&self, root: &Root) -> Markup {
        html! {
            h1 { (self.title) }
            div.card.said {
                p.sentence { (text::excerpt(&self.what, 1000)) }
                @for step in &self.steps { p { (text::excerpt(step, 1000)) } }
                p.line {
                    a href=(root.to("")) { "Overview" }
                    a href=(root.to("health")) { "Health" }
                }
            }
        }
    }
}

const EXPECT: &str = "Events are stored when a Job ends, stalls or recovers, and when a run is missed. The oldest ones make room for \
                      new ones: max_events and max_bytes of the exporter set how many are stored.";
