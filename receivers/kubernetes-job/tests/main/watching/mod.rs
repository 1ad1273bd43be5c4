//! Lists and watches against an API server that answers by a script, on a paused clock.

mod lists;
mod replaying;
mod resuming;
mod silence;
mod streaming;

use std::time::Duration;

use crate::support::{Api, Piece};
use job_watch::WatchError;
use job_watch::client::Coalesce;
use job_watch::model::Watched;
use job_watch::version::SharedVersion;
use job_watch::watch::first_list::FirstList;
use job_watch::watch::gap::WatchGap;
use job_watch::watch::request::targets;
use job_watch::watch::streaming::StreamingLists;
use job_watch::watch::{COALESCE, ListWatch, SourceUpdate, Update};
use job_watch::{Kind, Object, Observation};
use pacing::Random;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

const LIST: &str = "/jobs?limit";
const WATCH: &str = "/jobs?watch=true";

struct Watching {
    messages: mpsc::Receiver<SourceUpdate>,
    first_list: FirstList,
    task: AbortHandle,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The seed of the delays; `WATCHING_SEED` sets another one.
fn seed() -> u64 {
    let seed = std::env::var("WATCHING_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("seed {seed}");
    seed
}

fn watch(api: &Api) -> Watching {
    watch_of(api, Kind::Jobs, &[], Object::Job)
}

/// Watches Jobs; the watch resumes at this version after the first list.
fn resume(api: &Api, version: u64) -> Watching {
    let streaming = StreamingLists::of(SharedVersion::default());
    start(api, Kind::Jobs, &[], Object::Job, streaming, Some(version))
}

/// Watches a kind in the whole cluster, or in the first of these namespaces.
fn watch_of<T: Watched>(api: &Api, kind: Kind, namespaces: &[String], object: fn(Box<T>) -> Object) -> Watching {
    let streaming = StreamingLists::of(SharedVersion::default());
    watch_with(api, kind, namespaces, object, streaming)
}

fn watch_with<T: Watched>(
    api: &Api,
    kind: Kind,
    namespaces: &[String],
    object: fn(Box<T>) -> Object,
    streaming: StreamingLists,
) -> Watching {
    start(api, kind, namespaces, object, streaming, None)
}

fn start<T: Watched>(
    api: &Api,
    kind: Kind,
    namespaces: &[String],
    object: fn(Box<T>) -> Object,
    streaming: StreamingLists,
    resume: Option<u64>,
) -> Watching {
    let (sender, messages) = mpsc::channel(256);
    let first_list = FirstList::default();
    let target = targets(&Kind::ALL, namespaces, &[], "")
        .into_iter()
        .find(|target| target.source.kind == kind)
        .unwrap();
    let watch = ListWatch {
        client: api.client(),
        target,
        updates: sender,
        first_list: first_list.clone(),
        resume,
        streaming,
        coalesce: Coalesce::new(COALESCE, COALESCE),
        random: Random::seeded(seed()),
    };
    let task = tokio::spawn(watch.run(object)).abort_handle();
    Watching {
        messages,
        first_list,
        task,
    }
}

impl Watching {
    /// The next `count` messages, in few words.
    async fn reports(&mut self, count: usize) -> Vec<String> {
        let mut reports = Vec::new();
        while reports.len() < count {
            reports.push(match self.messages.recv().await.unwrap().update {
                Update::Observed(Observation::ListBegins) => "list".into(),
                Update::Observed(Observation::ListLacks) => "lacks".into(),
                Update::Observed(Observation::ListEnds) => "end".into(),
                Update::Observed(Observation::ReplayBegins { version }) => format!("replay up to {version}"),
                Update::Observed(Observation::ReplayEnds { complete: true }) => "replayed".into(),
                Update::Observed(Observation::ReplayEnds { complete: false }) => "expired".into(),
                Update::Observed(Observation::Forbidden) => "forbidden".into(),
                Update::Observed(Observation::Listed(object)) => format!("listed {}", object.metadata().name),
                Update::Observed(Observation::Changed(object)) => format!("changed {}", object.metadata().name),
                Update::Observed(Observation::Deleted(object)) => format!("deleted {}", object.metadata().name),
                Update::Undecodable(_) => "undecodable".into(),
                Update::Healthy(None) => "works".into(),
                Update::Healthy(Some(WatchGap { length, recovery })) => {
                    format!("works after {}s by {}", length.as_secs(), recovery.as_str())
                }
                // Bookmarks, and watches that end.
                Update::Alive | Update::Position(_) => continue,
                Update::Observed(Observation::Interrupted | Observation::Recovered) => {
                    unreachable!("made of the updates below")
                }
                Update::Failed { failure, times } => match failure {
                    WatchError::Status { code, .. } => format!("{code} x{times}"),
                    WatchError::Connection(_) => format!("connection x{times}"),
                    WatchError::Silence(_) => format!("silence x{times}"),
                    WatchError::Slow(_) => format!("slow x{times}"),
                    WatchError::Cut => format!("cut x{times}"),
                    WatchError::Empty => format!("empty x{times}"),
                    WatchError::Unreadable(_) => format!("unreadable x{times}"),
                    WatchError::Protobuf(_) => format!("protobuf x{times}"),
                    WatchError::BadList(_) => format!("no list x{times}"),
                    WatchError::TooLarge(_) => format!("too large x{times}"),
                    WatchError::NotStreamed(_) => panic!("a list in pages follows, which is no failure"),
                },
            });
        }
        reports
    }
}

fn job(kind: &str, name: &str, version: u64) -> String {
    format!(
        r#"{{"type":"{kind}","object":{{"kind":"Job","metadata":{{"uid":"u-{name}","name":"{name}","resourceVersion":"{version}"}}}}}}"#
    )
}

fn gone() -> String {
    r#"{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version: 5 (9)","reason":"Expired","code":410}}"#
        .into()
}

/// Waits until `count` requests for `part` were made, an hour at most.
async fn asked(api: &Api, part: &str, count: usize) -> Vec<crate::support::Asked> {
    for _ in 0..360_000 {
        let asked = api.asked(part);
        if asked.len() >= count {
            return asked;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{part} was not asked {count} times: {:?}", api.asked(part));
}

fn bookmark(version: u64) -> Piece {
    let object = format!(r#"{{"kind":"Job","metadata":{{"resourceVersion":"{version}"}}}}"#);
    Piece::Data(format!("{{\"type\":\"BOOKMARK\",\"object\":{object}}}\n"))
}
