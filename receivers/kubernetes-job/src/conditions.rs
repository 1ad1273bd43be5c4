//! What the watches' conditions mean for the receiver's.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pipeline::health::Status;

use crate::access;
use crate::outage::{Outage, SoFar};
use crate::tracker::{Kind, Source};
use crate::watch::machine::Failure;
use crate::watch::request::Target;

/// The condition of every list and watch.
#[derive(Debug)]
pub struct Conditions {
    watches: BTreeMap<(Kind, u16), Watch>,
    outage: Outage,
    /// Where the API server is, if that is known.
    server: Option<String>,
}

#[derive(Debug)]
struct Watch {
    target: Target,
    /// Whether a list has been in.
    listed: bool,
    /// Whether it may not be listed or watched.
    denied: bool,
    problem: Option<String>,
}

impl Conditions {
    /// None of the lists is in yet.
    pub fn new(targets: &[Target], server: Option<String>) -> Self {
        let watch = |target: &Target| Watch {
            target: target.clone(),
            listed: false,
            denied: false,
            problem: None,
        };
        let watches = targets
            .iter()
            .map(|target| ((target.source.kind, target.source.scope), watch(target)));
        Conditions {
            watches: watches.collect(),
            outage: Outage::default(),
            server,
        }
    }

    /// A list or watch failed at `now` for the `times`-th time in a row.
    pub fn failed(&mut self, source: Source, failure: &Failure, times: u32, now: Timestamp) {
        let Some(watch) = self.watches.get_mut(&(source.kind, source.scope)) else {
            return;
        };
        let what = watch.target.describe();
        let denied = failure.is_denied();
        if denied && source.kind != Kind::Jobs {
            // Of Events those about nodes matter least, and who may not read them may not read the others, which is told.
            if !std::mem::replace(&mut watch.denied, true) && source.kind != Kind::NodeEvents {
                let loss = access::loss(source.kind);
                let fix = access::rule(&watch.target);
                tracing::warn!(what, %failure, "not allowed; {loss}. For the collector's account: {fix}");
            }
            watch.problem = None;
            self.recovered();
            return;
        }
        // One failure of a watch that works is daily life: connections are closed, versions expire.
        if times < 2 && watch.listed {
            return;
        }
        let problem = match failure {
            _ if denied => format!("{failure}; {}", access::rule(&watch.target)),
            Failure::Connection(problem) => match &self.server {
                Some(server) => format!("cannot reach the API server {server}: {problem}"),
                None => failure.to_string(),
            },
            _ => failure.to_string(),
        };
        if let Some(SoFar { tries, since }) = self.outage.failed(now) {
            let server = self.server.as_deref();
            if tries == 1 {
                tracing::warn!(what, server, problem, "list or watch failed; trying again");
            } else {
                tracing::warn!(what, server, problem, tries, %since, "lists and watches still fail; trying again");
            }
        }
        watch.problem = Some(problem);
    }

    /// A list or watch works.
    pub fn works(&mut self, source: Source) {
        let Some(watch) = self.watches.get_mut(&(source.kind, source.scope)) else {
            return;
        };
        if std::mem::replace(&mut watch.denied, false) && source.kind != Kind::NodeEvents {
            tracing::info!(what = watch.target.describe(), "is allowed now, and works");
        }
        watch.problem = None;
        watch.listed = true;
        self.recovered();
    }

    /// Says so once when nothing fails any more.
    fn recovered(&mut self) {
        if self.watches.values().any(|watch| watch.problem.is_some()) {
            return;
        }
        if let Some(SoFar { tries, since }) = self.outage.over() {
            let server = self.server.as_deref();
            tracing::info!(server, tries, %since, "all lists and watches work again");
        }
    }

    /// Whether every list that may be read was read.
    pub fn all_listed(&self) -> bool {
        self.watches.values().all(|watch| watch.listed || watch.denied)
    }

    /// The receiver's condition.
    pub fn status(&self) -> Status {
        // What keeps several from working is told once.
        let mut problems: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for watch in self.watches.values() {
            if let Some(problem) = &watch.problem {
                problems.entry(problem).or_default().push(watch.target.describe());
            }
        }
        if problems.is_empty() {
            return match self.all_listed() {
                true => Status::Ok,
                false => Status::Starting,
            };
        }
        let problems = problems
            .into_iter()
            .map(|(problem, watches)| format!("{}: {problem}", watches.join(", ")));
        Status::RecoverableError(problems.collect::<Vec<_>>().join("; "))
    }
}
