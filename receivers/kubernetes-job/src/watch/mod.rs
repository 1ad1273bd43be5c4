//! Lists and watches one kind of objects for as long as the receiver runs.
//!
//! The loop never waits for the pipeline, only for the tracker, which waits for nobody.

pub mod machine;
pub mod request;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_ENCODING, RETRY_AFTER};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::decode::{DecodeError, Lines, WatchEvent, list_page, watch_line};
use crate::model::{Status, Watched};
use crate::tracker::{Kind, Object, Observation, Source};
use machine::{Failure, Machine, Phase, SHORT_WATCH};
use request::Target;

/// How long the head of a reply, or the next piece of a list, may take.
pub(crate) const REPLY: Duration = Duration::from_secs(60);
/// How long a watch is asked to last, seconds; spread so that watches do not all end together.
const WATCH_SECONDS: std::ops::Range<u64> = 240..300;
/// How much longer than asked a watch may be silent.
const SILENCE: Duration = Duration::from_secs(15);
/// The most that is read of the body of a refusal, bytes.
const STATUS_BODY: usize = 64 * 1024;

/// After how many failures of its first list a watch no longer holds up the others.
const PATIENCE: u32 = 3;

/// What a watch tells the tracker's task.
#[derive(Debug)]
pub struct Message {
    /// Who tells.
    pub source: Source,
    /// What.
    pub report: Report,
}

/// What a watch tells.
#[derive(Debug)]
pub enum Report {
    /// Something was observed.
    Observed(Observation),
    /// An object could not be used.
    Undecodable(DecodeError),
    /// It has failed and tries again.
    Failed {
        /// Why.
        failure: Failure,
        /// How often in a row.
        times: u32,
    },
    /// It works (again).
    Works,
}

/// The API server's side of one list and watch.
pub struct Watch {
    /// How to reach it.
    pub client: Client,
    /// What to ask for.
    pub target: Target,
    /// Makes the tracker's objects from those of this kind.
    pub messages: mpsc::Sender<Message>,
    /// Cancelled when the first list is in, or cannot be.
    pub first_list: CancellationToken,
}

/// The tracker's task is gone, so nobody needs the watch.
struct Gone;

impl Watch {
    /// Runs until nobody listens. `object` wraps an object for the tracker.
    pub async fn run<T: Watched>(self, object: fn(Box<T>) -> Object) {
        let mut random = Random::new();
        let mut machine = Machine::new();
        while let Ok(outcome) = self.step(&mut machine, &mut random, object).await {
            let Err(failure) = outcome else { continue };
            let denied = failure.is_denied();
            let mut retry = machine.failed(&failure, random.fraction());
            if denied && self.target.source.kind != Kind::Jobs {
                retry.after = Machine::denied_delay(random.fraction());
            }
            let times = machine.failures();
            let what = self.target.describe();
            let next_try_in = format!("{:.1}s", retry.after.as_secs_f64());
            let relists = retry.relists;
            if matches!(failure, Failure::Status { code: 410, .. }) && times == 1 {
                tracing::info!(what, %failure, "the watch is too far behind and begins anew with a list");
            } else {
                // What is worth a warning is decided for all watches together.
                tracing::debug!(what, %failure, times, next_try_in, relists, "list or watch failed; trying again");
            }
            // The order of the first lists is a courtesy; nobody waits for one that does not come.
            if denied || times >= PATIENCE {
                self.first_list.cancel();
            }
            if denied && self.tell(Report::Observed(Observation::Forbidden)).await.is_err() {
                return;
            }
            if self.tell(Report::Failed { failure, times }).await.is_err() {
                return;
            }
            sleep(retry.after).await;
        }
    }

    /// One page, or one watch.
    async fn step<T: Watched>(
        &self,
        machine: &mut Machine,
        random: &mut Random,
        object: fn(Box<T>) -> Object,
    ) -> Result<Result<(), Failure>, Gone> {
        match machine.phase().clone() {
            Phase::List { token, limited } => self.list(machine, &token, limited, object).await,
            Phase::Watch { version } => self.watch(machine, random, &version, object).await,
        }
    }

    async fn list<T: Watched>(
        &self,
        machine: &mut Machine,
        token: &str,
        limited: bool,
        object: fn(Box<T>) -> Object,
    ) -> Result<Result<(), Failure>, Gone> {
        let body = match self.read_list(token, limited).await {
            Ok(body) => body,
            Err(failure) => return Ok(Err(failure)),
        };
        let page = match list_page::<T>(&body) {
            Ok(page) => page,
            Err(error) => return Ok(Err(Failure::Unreadable(error.to_string()))),
        };
        drop(body);
        if token.is_empty() {
            self.tell(Report::Observed(Observation::ListBegins)).await?;
        }
        for problem in page.undecodable {
            self.tell(Report::Undecodable(problem)).await?;
        }
        for item in page.items {
            let listed = Observation::Listed(object(Box::new(item)));
            self.tell(Report::Observed(listed)).await?;
        }
        if machine.page_read(&page.next, &page.resource_version) {
            self.tell(Report::Observed(Observation::ListEnds)).await?;
            self.tell(Report::Works).await?;
            self.first_list.cancel();
            tracing::debug!(what = self.target.describe(), "the list is in");
        }
        Ok(Ok(()))
    }

    async fn read_list(&self, token: &str, limited: bool) -> Result<Bytes, Failure> {
        let request = self.target.list(token, limited);
        let mut body = send(&self.client, request).await?.into_body();
        let mut all = Vec::new();
        while let Some(data) = next_data(&mut body, REPLY).await? {
            all.extend_from_slice(&data);
        }
        Ok(all.into())
    }

    async fn watch<T: Watched>(
        &self,
        machine: &mut Machine,
        random: &mut Random,
        version: &str,
        object: fn(Box<T>) -> Object,
    ) -> Result<Result<(), Failure>, Gone> {
        let span = (WATCH_SECONDS.end - WATCH_SECONDS.start) as f64;
        let seconds = WATCH_SECONDS.start + (random.fraction() * span) as u64;
        let began = Instant::now();
        let mut body = match send(&self.client, self.target.watch(version, seconds)).await {
            Ok(response) => response.into_body(),
            Err(failure) => return Ok(Err(failure)),
        };
        let silence = Duration::from_secs(seconds) + SILENCE;
        let mut lines = Lines::default();
        let mut events = Vec::new();
        let mut delivered = false;
        // After a failure it works again once it says something, or has lived for a while.
        let mut proven = machine.failures() == 0;
        loop {
            let data = match next_data(&mut body, if proven { silence } else { SHORT_WATCH }).await {
                Ok(Some(data)) => data,
                Ok(None) => break,
                Err(Failure::Silence(_)) if !proven => {
                    proven = true;
                    machine.survived();
                    self.tell(Report::Works).await?;
                    continue;
                }
                Err(failure) => return Ok(Err(failure)),
            };
            let whole = lines.push(&data, |line| {
                if !line.is_empty() {
                    events.push(watch_line::<T>(line));
                }
            });
            for event in events.drain(..) {
                let (version, report) = match event {
                    Ok(WatchEvent::Added(new) | WatchEvent::Modified(new)) => (
                        new.metadata().resource_version.clone(),
                        Some(Report::Observed(Observation::Changed(object(Box::new(new))))),
                    ),
                    Ok(WatchEvent::Deleted(last)) => (
                        last.metadata().resource_version.clone(),
                        Some(Report::Observed(Observation::Deleted(object(Box::new(last))))),
                    ),
                    Ok(WatchEvent::Bookmark { resource_version, .. }) => (resource_version, None),
                    Ok(WatchEvent::Error(status)) => return Ok(Err(in_band(status))),
                    // Its version is not known; a later one passes it, so it is lost and must be counted.
                    Err(problem) => ("".into(), Some(Report::Undecodable(problem))),
                };
                delivered = true;
                if !std::mem::replace(&mut proven, true) {
                    self.tell(Report::Works).await?;
                }
                if let Some(report) = report {
                    self.tell(report).await?;
                }
                // Only now: what was not handed over must be asked for again.
                machine.progressed(&version);
            }
            if let Err(error) = whole {
                return Ok(Err(Failure::Unreadable(error.to_string())));
            }
        }
        if lines.is_cut() {
            return Ok(Err(Failure::Cut));
        }
        Ok(machine.watch_ended(began.elapsed(), delivered))
    }

    async fn tell(&self, report: Report) -> Result<(), Gone> {
        let source = self.target.source;
        self.messages.send(Message { source, report }).await.map_err(|_| Gone)
    }
}

/// Sends a request and waits for the head of its reply, which is a success.
pub(crate) async fn send(
    client: &Client,
    request: Result<http::Request<Body>, http::Error>,
) -> Result<Response<Body>, Failure> {
    let request = request.map_err(|error| Failure::Unreadable(format!("the request is not valid: {error}")))?;
    let response = timeout(REPLY, client.send(request)).await;
    let response = response.map_err(|_| Failure::Silence(REPLY))?;
    let response = response.map_err(|error| Failure::Connection(crate::client::explain(&error)))?;
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    // Never asked for; a proxy that compresses all the same would make every line unreadable.
    match response.headers().get(CONTENT_ENCODING) {
        Some(encoding) if encoding.as_bytes() != b"identity" => Err(Failure::Unreadable(format!(
            "content encoding {encoding:?} was not asked for"
        ))),
        _ => Ok(response),
    }
}

/// The next piece of a body; `None` at its end.
pub(crate) async fn next_data(body: &mut Body, silence: Duration) -> Result<Option<Bytes>, Failure> {
    loop {
        let frame = timeout(silence, body.frame())
            .await
            .map_err(|_| Failure::Silence(silence))?;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(Failure::Connection(crate::client::explain(&error))),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn in_band(status: Status) -> Failure {
    Failure::Status {
        code: u16::try_from(status.code).unwrap_or(0),
        retry_after: seconds(status.details.retry_after_seconds),
        message: status.message.into(),
        in_band: true,
    }
}

/// What a reply that is not a success says.
async fn refusal(response: Response<Body>) -> Failure {
    let code = response.status();
    let header = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let header = header.and_then(|value| value.trim().parse().ok());
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Ok(Some(data)) = next_data(&mut body, SILENCE).await {
        text.extend_from_slice(&data);
        if text.len() > STATUS_BODY {
            break;
        }
    }
    let status: Status = serde_json::from_slice(&text).unwrap_or_default();
    let message = match &*status.message {
        "" => code.canonical_reason().unwrap_or("no reason given").to_owned(),
        message => message.to_owned(),
    };
    Failure::Status {
        code: code.as_u16(),
        message,
        retry_after: seconds(header.or(status.details.retry_after_seconds)),
        in_band: false,
    }
}

fn seconds(number: Option<i64>) -> Option<Duration> {
    u64::try_from(number?).ok().map(Duration::from_secs)
}

/// Numbers that need not be good, only different on every replica (xorshift).
struct Random(u64);

impl Random {
    fn new() -> Self {
        Random(RandomState::new().build_hasher().finish() | 1)
    }

    /// The next number in 0..1.
    fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}
