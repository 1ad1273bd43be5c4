//! Properties of every page, in both widths and both colour schemes.

use crate::browser::{Browser, with_browser};
use crate::cluster_history::play_day;
use crate::collector::Collector;
use crate::prefix_proxy;
use serde_json::{Value, json};

/// The names of pages, and their paths below the root.
const PAGES: [(&str, &str); 8] = [
    ("overview", "/"),
    ("overview-filtered", "/?namespace=billing&outcome=Failed"),
    ("owner", "/owners/billing/CronJob/sync-ledger"),
    ("job", "/jobs/billing/invoice-export"),
    ("stalled-job", "/jobs/billing/archive-invoices"),
    ("health", "/health"),
    ("unknown-job", "/jobs/billing/unknown"),
    ("invalid-filter", "/?colour=red"),
];

/// Rules of accessibility that a page breaks, found in the page.
const PROBLEMS: &str = r#"(() => {
    const problems = [];
    const rule = (ok, text) => { if (!ok) problems.push(text); };
    const named = (element) => element.labels?.length || element.getAttribute("aria-label") || element.getAttribute("aria-labelledby");
    for (const field of document.querySelectorAll("input:not([type=hidden]), select, meter")) rule(named(field), "no label: " + field.outerHTML);
    for (const link of document.querySelectorAll("a, button")) rule(link.textContent.trim() || link.querySelector("title"), "no text: " + link.outerHTML);
    for (const header of document.querySelectorAll("th")) rule(header.scope, "no scope: " + header.outerHTML);
    for (const svg of document.querySelectorAll("svg.plot")) rule(svg.getAttribute("aria-label"), "a chart without a text");
    for (const time of document.querySelectorAll("time")) rule(time.dateTime.endsWith("Z"), "no UTC: " + time.outerHTML);
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    rule(new Set(ids).size === ids.length, "an id twice: " + ids.filter((id, index) => ids.indexOf(id) !== index));
    for (const element of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
        for (const name of ["aria-labelledby", "aria-describedby"])
            for (const id of (element.getAttribute(name) ?? "").split(" ").filter(Boolean)) rule(ids.includes(id), "unknown id " + id);
    const levels = [...document.querySelectorAll("h1, h2, h3")].map((heading) => Number(heading.tagName[1]));
    rule(levels.filter((level) => level === 1).length === 1, "not one h1: " + levels);
    levels.reduce((before, level) => { rule(level <= before + 1, "a level is skipped: " + levels); return level; }, 0);
    rule(document.documentElement.lang === "en", "no language");
    rule(document.title.includes("kube-job-collector"), "no title");
    for (const landmark of ["header", "nav[aria-label]", "main", "footer"]) rule(document.querySelector(landmark), "no " + landmark);
    rule(!document.querySelector("[style], style, script:not([src])"), "inline style or script");
    for (const element of document.querySelectorAll("[href], [src], [action]"))
        for (const name of ["href", "src", "action"]) rule(!/^(\/|[a-z]+:)/.test(element.getAttribute(name) ?? ""), "not relative: " + element.outerHTML.slice(0, 200));
    return problems;
})()"#;

/// Elements that are wider than the screen and are not inside a box that scrolls.
pub(crate) const TOO_WIDE: &str = r#"(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll("main *, header *, footer *")].filter((e) => e.getBoundingClientRect().right > width + 0.5)
        .map((e) => e.outerHTML.slice(0, 120)).slice(0, 5).concat(["width " + document.documentElement.scrollWidth]);
})()"#;

async fn check(browser: &Browser, what: &str) {
    assert_eq!(browser.value(PROBLEMS).await, json!([]), "{what}");
    assert_eq!(
        browser.value(TOO_WIDE).await,
        json!([]),
        "{what}: wider than the screen"
    );
}

#[tokio::test]
async fn every_page_fits_and_is_accessible() {
    with_browser(async |browser| {
        let collector = Collector::start("browser-everywhere").await;
        let finished = play_day(&collector.cluster);
        collector.until_events("event=finished", finished).await;
        collector.until_events("event=stalled", 1).await;
        collector.until_events("event=missed", 1).await;
        for (name, path) in PAGES {
            for width in [1280, 390] {
                for scheme in ["light", "dark"] {
                    browser.emulate(width, scheme).await;
                    browser.open(&collector.url(path)).await;
                    browser
                        .until("document.querySelector('.live').dataset.state === 'live'")
                        .await;
                    let what = format!("{name}-{width}-{scheme}");
                    check(browser, &what).await;
                    assert!(browser.picture(&what, None).await > 5_000, "{what}");
                }
            }
            // A failed response is logged as an error of the page that requested it.
            let log: Vec<String> = browser.log().await;
            let unexpected = log.iter().filter(|entry| !is_expected(path, entry));
            assert_eq!(unexpected.collect::<Vec<_>>(), Vec::<&String>::new(), "{name}");
        }
        // The pictures of docs/web.md.
        for (name, path, width, scheme, rows) in [
            ("overview", "/", 1280, "light", 800),
            ("job", "/jobs/billing/invoice-export", 1280, "dark", 820),
            ("overview-phone", "/", 390, "light", 1000),
        ] {
            browser.emulate(width, scheme).await;
            browser.open(&collector.url(path)).await;
            browser
                .until("document.querySelector('.live').dataset.state === 'live'")
                .await;
            let size = browser.picture(&format!("docs/{name}"), Some(rows)).await;
            assert!(size < 150 * 1024, "{name}: {size} bytes");
        }
    })
    .await;
}

/// The page itself answers with 400 or 404.
fn is_expected(path: &str, entry: &str) -> bool {
    (path.ends_with("unknown") && entry.contains("404")) || (path.contains("colour") && entry.contains("400"))
}

#[tokio::test]
async fn every_page_works_below_the_prefix_of_a_proxy() {
    with_browser(async |browser| {
        let collector = Collector::start("browser-prefix").await;
        let finished = play_day(&collector.cluster);
        collector.until_events("event=finished", finished).await;
        let proxy = prefix_proxy::start(collector.address.clone()).await;
        let root = format!("http://{proxy}{}/", prefix_proxy::PREFIX);
        for (name, path) in PAGES {
            browser.open(&format!("{root}{}", &path[1..])).await;
            // The script, the style sheet and the stream come from below the prefix.
            browser
                .until("document.querySelector('.live').dataset.state === 'live'")
                .await;
            let styled = browser
                .value("getComputedStyle(document.querySelector('.bar')).borderBottomStyle")
                .await;
            assert_eq!(styled, "solid", "{name}");
            let links = browser
                .value("[...document.querySelectorAll('a[href], form')].map((e) => e.href?.baseVal ?? e.href ?? e.action).map((link) => new URL(link, document.baseURI).href)")
                .await;
            let links: Vec<String> = serde_json::from_value(links).expect("texts");
            for link in &links {
                assert!(link.starts_with(&root), "{name}: {link} is not below {root}");
            }
        }
        browser.open(&format!("{root}health")).await;
        browser.value("document.querySelector('nav a').click()").await;
        browser.until("document.querySelector('#failing') !== null").await;
        assert_eq!(browser.value("location.href").await, Value::from(root));
    })
    .await;
}
