//! Whole pages, from the path of a request to its HTML.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use tower::ServiceExt;

use crate::pages::router;
use crate::state::Web;
use crate::testing::{TestEvent, TestWeb};

/// The status and the body of the answer to a request.
async fn get(web: &Web, path: &str) -> (StatusCode, String) {
    let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
    let answer = router(web.clone()).oneshot(request).await.expect("an answer");
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 64 << 20).await.expect("a body");
    (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
}

/// As many failed Jobs of as many owners, with long sentences.
fn failures(number: u32) -> Web {
    let events = (0..number).map(|index| {
        let time = format!("{:02}:{:02}:{:02}", 1 + index / 400, index / 7 % 60, index % 60);
        let mut event =
            TestEvent::failed(index, "OutOfMemory", &time).of("CronJob", &format!("owner-of-many-reports-{index}"));
        let sentence = format!(
            "Job report-{index}: Failed after 3 attempts: {}",
            "because of \"memory\" & more ".repeat(30)
        );
        event.record.body = crate::testing::text("body", &sentence).value;
        event
    });
    TestWeb::of(events)
}

#[tokio::test]
async fn a_page_of_2000_events_is_below_200_kib() {
    let web = failures(2000);
    for path in ["/", "/?q=report", "/?namespace=shop&since=24h"] {
        let (status, page) = get(&web, path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(page.len() < 200 * 1024, "{path}: {} bytes", page.len());
        assert!(page.contains("25 of 2,000 groups shown"), "{path}");
    }
}

#[tokio::test]
async fn older_events_follow_by_cursor() {
    let web = failures(60);
    let (_, first) = get(&web, "/?namespace=shop&limit=25").await;
    let link = first
        .split("rel=\"next\"")
        .next()
        .and_then(|before| before.rsplit("href=\"").next())
        .expect("a link");
    let link = link.split('"').next().expect("its end").replace("&amp;", "&");
    let query = link
        .split_once('?')
        .expect("a query")
        .1
        .split('#')
        .next()
        .expect("a query");
    assert!(query.starts_with("namespace=shop&limit=25&cursor="), "{query}");
    let (_, second) = get(&web, &format!("/?{query}")).await;
    assert!(second.contains("Older events"), "{query}");
    assert!(
        second.contains("data-id=\"34\"") && first.contains("data-id=\"35\""),
        "the rows continue"
    );
    let (_, rows) = second.split_once("id=\"latest\"").expect("the table");
    assert!(!rows.contains("data-id=\"35\""), "no row twice");
}

#[tokio::test]
async fn a_missing_page_says_what_was_not_found() {
    let web = TestWeb::of([TestEvent::failed(1, "Crashed", "11:00:00")]);
    for (path, expected) in [
        (
            "/jobs/shop/unknown",
            "The collector has no event of a Job unknown in namespace shop.",
        ),
        (
            "/jobs/shop/report-1?uid=2",
            "The collector has no event of a Job report-1 in namespace shop.",
        ),
        (
            "/owners/shop/CronJob/unknown",
            "The collector has no event of CronJob unknown in namespace shop.",
        ),
    ] {
        let (status, page) = get(&web, path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.contains(expected), "{path}: {page}");
        assert!(page.contains("href=\"../"), "{path}: the way back is relative");
    }
}

#[tokio::test]
async fn an_invalid_filter_names_the_key() {
    let web = TestWeb::of([]);
    for (query, expected) in [
        ("namespce=shop", "did you mean namespace?"),
        ("limit=101", "expected a number from 1 to 100"),
        ("cursor=x", "query key cursor"),
    ] {
        let (status, page) = get(&web, &format!("/?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(page.contains(expected), "{query}: {page}");
    }
}

#[tokio::test]
async fn an_empty_page_says_what_to_expect() {
    let (status, page) = get(&TestWeb::of([]), "/").await;
    assert_eq!(status, StatusCode::OK);
    for expected in [
        "No Job has failed since the collector started at",
        "No Job is stalled.",
        "No run was missed.",
        "No event yet.",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
}

#[tokio::test]
async fn the_state_of_an_owner_follows_its_latest_run() {
    let failing = TestWeb::of([
        TestEvent::finished(1, "Succeeded", "10:00:00"),
        TestEvent::failed(2, "Crashed", "11:00:00"),
    ]);
    let (_, page) = get(&failing, "/owners/shop/CronJob/report").await;
    assert!(page.contains("Failing") && page.contains("1 run"), "{page}");
    let (_, overview) = get(&failing, "/").await;
    assert!(overview.contains("href=\"./owners/shop/CronJob/report\""), "{overview}");
    let healed = TestWeb::of([
        TestEvent::failed(1, "Crashed", "10:00:00"),
        TestEvent::finished(2, "Succeeded", "11:00:00"),
    ]);
    let (_, page) = get(&healed, "/owners/shop/CronJob/report").await;
    assert!(page.contains("Latest run succeeded"), "{page}");
    let (_, overview) = get(&healed, "/").await;
    assert!(
        overview.contains("The latest run of every owner succeeded."),
        "{overview}"
    );
}

#[tokio::test]
async fn hostile_names_are_escaped_in_texts_and_links() {
    let name = "\"><script>alert(1)</script>\u{202e}";
    let event = TestEvent::failed(1, "Crashed", "11:00:00").with(job_event::attributes::JOB_NAME, name);
    let web = TestWeb::of([event.of("CronJob", name)]);
    let (_, page) = get(&web, "/").await;
    assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'), "{page}");
    assert!(page.contains("owners/shop/CronJob/%22%3E%3Cscript%3E"), "{page}");
    let path = format!("/jobs/shop/{}", crate::pages::layout::segment(name));
    let (status, page) = get(&web, &path).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'), "{page}");
}

#[tokio::test]
async fn a_stall_shows_its_cause_until_it_recovers() {
    let stalled = TestEvent::stalled(1, "ImagePull", "11:00:00");
    let web = TestWeb::of([stalled.clone()]);
    let (_, page) = get(&web, "/").await;
    assert!(page.contains("report-1") && page.contains("ImagePull"), "{page}");
    let (_, page) = get(
        &TestWeb::of([stalled, TestEvent::recovered(1, "ImagePull", "11:30:00")]),
        "/",
    )
    .await;
    assert!(page.contains("No Job is stalled."), "{page}");
}
