//! Texts of a cluster that try to leave their place.

use crate::browser::with_browser;
use crate::cluster_history::play_changed;
use crate::collector::Collector;
use crate::everywhere::TOO_WIDE;
use serde_json::json;

/// Markup, an attribute that ends early, characters that change the direction of text, and a long word.
fn message() -> String {
    let long = "x".repeat(10_000);
    format!(
        "<script>window.hacked = 1</script> \\\"><img src=x onerror='window.hacked = 2'> \\u202e gpj.exe \\u001b[31m </main></body> {long}"
    )
}

#[tokio::test]
async fn hostile_texts_stay_text() {
    with_browser(async |browser| {
        let collector = Collector::start("browser-hostile").await;
        let image = "'\\\"><svg onload=window.hacked=3>'".replace('\'', "");
        play_changed(
            &collector.cluster,
            "retries-exhausted",
            4321,
            &[
                ("cannot connect to postgres: connection refused", &message()),
                ("image: busybox", &format!("image: \"{image}\"")),
            ],
        );
        collector.until_events("event=finished", 1).await;
        for width in [1280, 390] {
            browser.emulate(width, "light").await;
            for path in [
                "/",
                "/owners/billing/Job/invoice-export",
                "/jobs/billing/invoice-export",
                "/?q=%3Cscript%3E",
            ] {
                browser.open(&collector.url(path)).await;
                browser
                    .until("document.querySelector('.live').dataset.state === 'live'")
                    .await;
                browser
                    .value("document.querySelectorAll('details').forEach((e) => { e.open = true })")
                    .await;
                assert_eq!(browser.value("window.hacked ?? null").await, json!(null), "{path}");
                let foreign =
                    "document.querySelectorAll('main script, main img, main [onerror], main [onload]').length";
                assert_eq!(browser.value(foreign).await, json!(0), "{path}");
                assert_eq!(browser.value(TOO_WIDE).await, json!([]), "{path} at {width}");
                let bidi = r"/[\u202a-\u202e\u2066-\u2069\u001b]/.test(document.body.textContent)";
                assert_eq!(browser.value(bidi).await, json!(false), "{path}");
                assert_eq!(browser.log().await, Vec::<String>::new(), "{path}");
            }
        }
        browser.open(&collector.url("/jobs/billing/invoice-export")).await;
        let text = browser.value("document.querySelector('main').textContent").await;
        let text = text.as_str().expect("a text");
        assert!(text.contains("<script>window.hacked = 1</script>"), "the text is shown");
        browser.picture("hostile-job", None).await;
    })
    .await;
}
