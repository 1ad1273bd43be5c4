//! What the watches' conditions mean for the receiver's.

use std::collections::BTreeMap;

use pipeline::health::Status;

use crate::access;
use crate::tracker::{Kind, Source};
use crate::watch::machine::Failure;
use crate::watch::request::Target;

/// The condition of every list and watch.
#[derive(Debug)]
pub struct Conditions {
    watches: BTreeMap<(Kind, u16), Watch>,
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
    pub fn new(targets: &[Target]) -> Self {
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
        }
    }

    /// A list or watch failed for the `times`-th time in a row.
    pub fn failed(&mut self, source: Source, failure: &Failure, times: u32) {
        let Some(watch) = self.watches.get_mut(&(source.kind, source.scope)) else {
            return;
        };
        let what = watch.target.describe();
        let denied = matches!(
            failure,
            Failure::Status {
                code: 403,
                in_band: false,
                ..
            }
        );
        if denied && source.kind != Kind::Jobs {
            if !std::mem::replace(&mut watch.denied, true) {
                let loss = access::loss(source.kind);
                let fix = access::rule(&watch.target);
                tracing::warn!(what, %failure, "not allowed; {loss}. For the collector's account: {fix}");
            }
            watch.problem = None;
            return;
        }
        // One failure of a watch that works is daily life: connections are closed, versions expire.
        if times < 2 && watch.listed {
            return;
        }
        let fix = if denied {
            format!("; {}", access::rule(&watch.target))
        } else {
            String::new()
        };
        watch.problem = Some(format!("{what}: {failure}{fix}"));
    }

    /// A list or watch works.
    pub fn works(&mut self, source: Source) {
        let Some(watch) = self.watches.get_mut(&(source.kind, source.scope)) else {
            return;
        };
        if watch.problem.take().is_some() || std::mem::replace(&mut watch.denied, false) {
            tracing::info!(what = watch.target.describe(), "works again");
        }
        watch.listed = true;
    }

    /// Whether every list that may be read was read.
    pub fn all_listed(&self) -> bool {
        self.watches.values().all(|watch| watch.listed || watch.denied)
    }

    /// The receiver's condition.
    pub fn status(&self) -> Status {
        let problems: Vec<&str> = self
            .watches
            .values()
            .filter_map(|watch| watch.problem.as_deref())
            .collect();
        match problems.as_slice() {
            [] if self.all_listed() => Status::Ok,
            [] => Status::Starting,
            problems => Status::RecoverableError(problems.join("; ")),
        }
    }
}
