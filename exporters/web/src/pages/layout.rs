//! The frame of every page: head, navigation, footer. All links are relative, because a page may be served below a prefix that a
//! proxy strips: `/api/v1/namespaces/NS/services/NAME:web/proxy/`.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::pages::{assets, words};

/// Characters of a path segment that stay as they are: the unreserved ones of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The relative path from a page to the root of the exporter: `./`, `../../`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root(String);

impl Root {
    /// The root as seen from the page at `path`, which begins with `/`.
    pub(super) fn from(path: &str) -> Root {
        match path.matches('/').count() {
            0 | 1 => Root("./".to_owned()),
            slashes => Root("../".repeat(slashes - 1)),
        }
    }

    /// A link to a page or a file below the root: `health`, `assets/page.js`.
    pub(super) fn to(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// A link to the pages of a Job's name; `uid` selects one Job of that name.
    pub(super) fn job(&self, namespace: &str, name: &str, uid: Option<&str>) -> String {
        let query = uid.map(|uid| format!("?uid={}", segment(uid))).unwrap_or_default();
        format!("{}jobs/{}/{}{query}", self.0, segment(namespace), segment(name))
    }

    /// A link to the page of an owner.
    pub(super) fn owner(&self, namespace: &str, kind: &str, name: &str) -> String {
        format!(
            "{}owners/{}/{}/{}",
            self.0,
            segment(namespace),
            segment(kind),
            segment(name)
        )
    }

    /// A link to the overview with a query.
    pub(super) fn overview(&self, query: &str) -> String {
        match query.is_empty() {
            true => self.0.clone(),
            false => format!("{}?{query}", self.0),
        }
    }
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    // A browser removes `.` and `..` from a path, also in their encoded form.
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A page without its frame.
pub(super) struct Page<'a> {
    /// The title, without the name of the product.
    pub(super) title: &'a str,
    /// The way back to the root.
    pub(super) root: &'a Root,
    /// The entry of the navigation that the page belongs to.
    pub(super) section: Section,
    /// The time at which the page is made.
    pub(super) now: Timestamp,
    /// The content of `main`.
    pub(super) body: Markup,
}

/// An entry of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Health,
    Neither,
}

impl Page<'_> {
    /// The whole page.
    pub(super) fn render(&self) -> Markup {
        let title = match self.title.is_empty() {
            true => "kube-job-collector".to_owned(),
            false => format!("{} · kube-job-collector", super::text::name(self.title)),
        };
        html! {
            (DOCTYPE)
            html lang="en" data-root=(self.root.to("")) data-assets=(assets::version()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) }
                    link rel="icon" type="image/svg+xml" href=(self.root.to(assets::ICON));
                    link rel="stylesheet" href=(self.root.to(assets::style()));
                    script src=(self.root.to(assets::script())) defer {}
                }
                body {
                    a.skip href="#main" { "Skip to content" }
                    (self.bar())
                    main id="main" tabindex="-1" { (self.body) }
                    (self.foot())
                }
            }
        }
    }

    fn bar(&self) -> Markup {
        let entry = |section: Section, href: String, text: &str| {
            let current = (section == self.section).then_some("page");
            html! { li { a href=(href) aria-current=[current] { (text) } } }
        };
        html! {
            header.bar {
                div {
                    a.brand href=(self.root.to("")) { (brand()) "kube-job-collector" }
                    nav aria-label="Pages" {
                        ul {
                            (entry(Section::Overview, self.root.to(""), "Overview"))
                            (entry(Section::Health, self.root.to("health"), "Health"))
                        }
                    }
                    p.state {
                        span id="time" {
                            time datetime=(self.now) title=(words::absolute(self.now)) { (self.now.strftime("%H:%M:%S UTC")) }
                        }
                        span.live role="status" hidden { }
                    }
                }
            }
        }
    }

    fn foot(&self) -> Markup {
        html! {
            footer.foot {
                span { "kube-job-collector " (env!("CARGO_PKG_VERSION")) }
                span { "Times are in UTC" }
                a href=(self.root.to("api/v1/openapi.yaml")) { "JSON API" }
            }
        }
    }
}

/// The mark of the product: a Job whose run ends with a cross.
fn brand() -> Markup {
    PreEscaped(
        "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\" focusable=\"false\"><path d=\"M3 6h9M3 12h6M3 18h9\" fill=\"none\" \
         stroke=\"currentColor\" stroke-width=\"2.4\" stroke-linecap=\"round\"/><path d=\"m15 9 6 6m0-6-6 6\" fill=\"none\" \
         stroke=\"currentColor\" stroke-width=\"2.4\" stroke-linecap=\"round\"/></svg>"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_to_the_page() {
        assert_eq!(Root::from("/").to("health"), "./health");
        assert_eq!(Root::from("/health").to(""), "./");
        assert_eq!(Root::from("/jobs/shop/nightly").to("health"), "../../health");
        let owner = Root::from("/owners/shop/CronJob/nightly");
        assert_eq!(owner.overview("q=a"), "../../../?q=a");
        assert_eq!(owner.job("shop", "a", Some("u")), "../../../jobs/shop/a?uid=u");
    }

    #[test]
    fn names_cannot_leave_their_segment() {
        let root = Root::from("/");
        assert_eq!(root.owner("a/b", "?", "#\"<é"), "./owners/a%2Fb/%3F/%23%22%3C%C3%A9");
    }
}
