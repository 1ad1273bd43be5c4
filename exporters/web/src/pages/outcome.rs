//! Outcomes on pages: a shape, a word and a colour, so that no meaning is in the colour alone.

use maud::{Markup, html};

/// How a page shows the state of a Job or a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Failed,
    Stalled,
    Missed,
    Succeeded,
    Other,
}

impl Look {
    /// The look of an outcome, in the words of the events and of the filter.
    pub(super) fn of(outcome: &str) -> Look {
        match outcome.to_ascii_lowercase().as_str() {
            "failed" => Look::Failed,
            "stalled" => Look::Stalled,
            "missed" => Look::Missed,
            "succeeded" => Look::Succeeded,
            _ => Look::Other,
        }
    }

    /// The class of the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Look::Failed => "failed",
            Look::Stalled => "stalled",
            Look::Missed => "missed",
            Look::Succeeded => "succeeded",
            Look::Other => "other",
        }
    }

    /// The shape: a cross, two bars, a dashed circle, a check mark, a dash.
    pub(super) fn shape(self) -> Markup {
        let path = match self {
            Look::Failed => "M4.2 4.2 11.8 11.8 M11.8 4.2 4.2 11.8",
            Look::Stalled => "M5.5 3.5V12.5 M10.5 3.5V12.5",
            Look::Missed => "M8 2.2A5.8 5.8 0 1 1 7.99 2.2",
            Look::Succeeded => "M3 8.6 6.6 12.2 13.2 4.4",
            Look::Other => "M3.5 8H12.5",
        };
        let dashes = (self == Look::Missed).then_some("3 2.6");
        html! {
            svg viewBox="0 0 16 16" aria-hidden="true" focusable="false" {
                path d=(path) fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"
                    stroke-dasharray=[dashes] {}
            }
        }
    }

    /// A badge with the word of the outcome.
    pub(super) fn badge(self, word: &str) -> Markup {
        html! { span class={ "outcome badge " (self.class()) } { (self.shape()) (super::text::name(word)) } }
    }
}
