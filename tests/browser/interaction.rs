//! The filter, the live update, the keyboard, and pages without JavaScript.

use crate::browser::with_browser;
use crate::cluster_history::play;
use crate::collector::Collector;
use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::json;

/// The owners of the failing groups, as a sorted text.
const OWNERS: &str = "[...document.querySelectorAll('li.failed h3')].map((e) => e.textContent).sort().join(' ')";

#[tokio::test]
async fn the_filter_is_a_form_and_a_url() {
    with_browser(async |browser| {
        let collector = Collector::start("browser-filter").await;
        play(&collector.cluster, "retries-exhausted", 3);
        play(&collector.cluster, "out-of-memory", 2);
        collector.until_events("event=finished", 2).await;
        browser.emulate(1280, "light").await;
        browser.open(&collector.url("/")).await;
        assert_eq!(browser.value(OWNERS).await, "cohort-rollup invoice-export");
        let form = browser
            .client
            .form(Locator::Css("form.filter"))
            .await
            .expect("the form");
        let namespace = form.client().find(Locator::Css("#namespace")).await.expect("a field");
        namespace.select_by_value("analytics").await.expect("a choice");
        let button = browser
            .client
            .find(Locator::Css("form.filter button"))
            .await
            .expect("a button");
        button.click().await.expect("a click");
        browser.until("location.search.includes('namespace=analytics')").await;
        browser
            .until("document.querySelector('#namespace')?.value === 'analytics'")
            .await;
        assert_eq!(browser.value(OWNERS).await, "cohort-rollup");
        browser.open(&collector.url("/?cause=NonZeroExit&q=postgres")).await;
        assert_eq!(browser.value(OWNERS).await, "invoice-export");
        assert_eq!(browser.value("document.querySelector('#q').value").await, "postgres");
        let clear = browser.client.find(Locator::LinkText("Clear")).await.expect("a link");
        clear.click().await.expect("a click");
        browser.until("location.search === ''").await;
        assert_eq!(browser.value(OWNERS).await, "cohort-rollup invoice-export");
    })
    .await;
}

#[tokio::test]
async fn a_failure_appears_without_a_reload() {
    with_browser(async |browser| {
        let collector = Collector::start("browser-live").await;
        browser.emulate(1280, "light").await;
        browser.open(&collector.url("/")).await;
        browser
            .until("document.querySelector('.live').dataset.state === 'live'")
            .await;
        let empty = browser
            .value("document.querySelector('#failing').closest('section').textContent")
            .await;
        let empty = empty.as_str().expect("a text").to_owned();
        assert!(
            empty.contains("No Job has failed since the collector started at"),
            "{empty}"
        );
        // The mark is lost if the page is loaded again; the focus is on a link of the part that is replaced.
        browser
            .value("(window.mark = 1, document.querySelector('#timeline-table summary').focus(), 1)")
            .await;
        browser
            .value("(document.querySelector('#timeline-table').open = true, 1)")
            .await;
        play(&collector.cluster, "retries-exhausted", 3);
        browser.until(&format!("({OWNERS}) === 'invoice-export'")).await;
        assert_eq!(
            browser.value("window.mark").await,
            json!(1),
            "the page was not loaded again"
        );
        assert_eq!(
            browser.value("document.activeElement.tagName").await,
            "SUMMARY",
            "the focus stays"
        );
        assert_eq!(
            browser.value("document.querySelector('#timeline-table').open").await,
            json!(true)
        );
        assert_eq!(browser.log().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_form_that_is_edited_is_not_replaced() {
    with_browser(async |browser| {
        let collector = Collector::start("browser-edited").await;
        browser.emulate(1280, "light").await;
        browser.open(&collector.url("/")).await;
        browser
            .until("document.querySelector('.live').dataset.state === 'live'")
            .await;
        let field = browser.client.find(Locator::Css("#q")).await.expect("a field");
        field.send_keys("post").await.expect("keys");
        play(&collector.cluster, "retries-exhausted", 3);
        collector.until_events("event=finished", 1).await;
        field.send_keys("gres").await.expect("keys");
        assert_eq!(browser.value("document.querySelector('#q').value").await, "postgres");
        // The refresh follows when the field loses the focus.
        browser.value("(document.activeElement.blur(), 1)").await;
        browser.until(&format!("({OWNERS}) === 'invoice-export'")).await;
    })
    .await;
}

#[tokio::test]
async fn the_keyboard_reaches_the_filter_and_the_first_link() {
    with_browser(async |browser| {
        let collector = Collector::start("browser-keyboard").await;
        play(&collector.cluster, "retries-exhausted", 3);
        collector.until_events("event=finished", 1).await;
        browser.emulate(1280, "light").await;
        browser.open(&collector.url("/")).await;
        let mut reached = Vec::new();
        for _ in 0..40 {
            let active = browser.client.active_element().await.expect("an element");
            active
                .send_keys(&char::from(Key::Tab).to_string())
                .await
                .expect("a key");
            let state =
                "((e) => [e.id || e.textContent.trim(), getComputedStyle(e).outlineStyle])(document.activeElement)";
            let state = browser.value(state).await;
            let name = state[0].as_str().unwrap_or_default().to_owned();
            assert_ne!(state[1], "none", "the focus is visible on {name}");
            let is_last = name == "invoice-export";
            reached.push(name);
            if is_last {
                break;
            }
        }
        assert_eq!(reached[0], "Skip to content");
        let place = |name: &str| reached.iter().position(|other| other == name);
        let order = [
            "Skip to content",
            "Overview",
            "Health",
            "q",
            "namespace",
            "Filter",
            "invoice-export",
        ]
        .map(place);
        assert!(order.iter().all(Option::is_some), "{reached:?}");
        assert!(order.is_sorted(), "{reached:?}");
    })
    .await;
}

#[tokio::test]
async fn pages_are_complete_without_javascript() {
    with_browser(async |browser| {
        let collector = Collector::start("browser-scriptless").await;
        play(&collector.cluster, "retries-exhausted", 3);
        play(&collector.cluster, "out-of-memory", 2);
        collector.until_events("event=finished", 2).await;
        browser
            .devtools("Emulation.setScriptExecutionDisabled", json!({"value": true}))
            .await;
        browser.open(&collector.url("/?namespace=billing")).await;
        assert_eq!(
            browser.value("document.querySelector('.live').hidden").await,
            json!(true),
            "the script did not run"
        );
        assert_eq!(browser.value(OWNERS).await, "invoice-export");
        let job = browser
            .client
            .find(Locator::Css("li.failed .facts-line a"))
            .await
            .expect("a link");
        job.click().await.expect("a click");
        browser
            .until("document.querySelector('h1').textContent === 'invoice-export'")
            .await;
        let command = browser.value("document.querySelector('#describe').textContent").await;
        assert_eq!(command, "kubectl -n billing describe job invoice-export");
        assert_eq!(
            browser
                .value("document.querySelector('button[data-copy]').hidden")
                .await,
            json!(true)
        );
        let raw = browser.client.find(Locator::Css("#raw summary")).await.expect("a fold");
        raw.click().await.expect("a click");
        browser.until("document.querySelector('#raw').open").await;
    })
    .await;
}
