//! The live stream: one server-sent event for each kept event.
//!
//! Its id is the process and the number of the event, so a client that connects again receives what it missed, or is asked to load
//! its page again (`event: reload`). A client that reads slowly loses its place in the bounded channel and is asked the same.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

use crate::api::{error, pairs};
use crate::live::{Streamed, Subscription};
use crate::state::Web;

/// How often a comment keeps proxies from closing an idle stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A stream ends before its connection times out; the client connects again.
const LONGEST: Duration = Duration::from_secs(270);
/// How long a client waits before it connects again, milliseconds.
const RETRY: u32 = 2000;

pub(super) async fn stream(State(web): State<Web>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if let Err(problem) = pairs(query, &[]) {
        return error::query(&problem);
    }
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let subscription = match web.subscribe(last) {
        Ok(subscription) => subscription,
        Err(unavailable) => return error::unavailable(&unavailable),
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies that buffer would hold events back.
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    (
        headers,
        Body::from_stream(messages(subscription, Instant::now() + LONGEST)),
    )
        .into_response()
}

enum StreamStep {
    First,
    Missed,
    Live,
    End,
}

fn messages(subscription: Subscription, end: Instant) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(
        (subscription, StreamStep::First),
        move |(mut subscription, step)| async move {
            let (text, next) = match step {
                StreamStep::First => {
                    // The id without data tells the client its place without an event.
                    let id = subscription.id(subscription.last);
                    (format!("retry: {RETRY}\nid: {id}\n\n"), StreamStep::Missed)
                }
                StreamStep::Missed => match subscription.missed.pop_front() {
                    Some(missed) => (message(&mut subscription, &missed), StreamStep::Missed),
                    None if subscription.must_reload => (reload(), StreamStep::Live),
                    None => (": connected\n\n".into(), StreamStep::Live),
                },
                StreamStep::Live => live(&mut subscription, end).await?,
                StreamStep::End => return None,
            };
            Some((Ok(Bytes::from(text)), (subscription, next)))
        },
    )
}

/// The next text of a live stream; `None` at its end.
async fn live(subscription: &mut Subscription, end: Instant) -> Option<(String, StreamStep)> {
    loop {
        tokio::select! {
            biased;
            () = subscription.ended.cancelled() => return None,
            () = sleep_until(end) => return None,
            received = subscription.events.recv() => match received {
                Ok(event) if event.number <= subscription.last => {}
                Ok(event) => return Some((message(subscription, &event), StreamStep::Live)),
                Err(RecvError::Lagged(_)) => return Some((reload(), StreamStep::Live)),
                Err(RecvError::Closed) => return Some((reload(), StreamStep::End)),
            },
            () = sleep_until((Instant::now() + KEEP_ALIVE).min(end)) => return Some((": keep-alive\n\n".into(), StreamStep::Live)),
        }
    }
}

fn message(subscription: &mut Subscription, event: &Arc<Streamed>) -> String {
    subscription.last = event.number;
    // JSON has no line breaks outside of texts, and escapes those inside.
    format!(
        "id: {}\nevent: event\ndata: {}\n\n",
        subscription.id(event.number),
        event.json
    )
}

fn reload() -> String {
    "event: reload\ndata: {}\n\n".into()
}
