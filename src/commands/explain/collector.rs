//! The collector in the cluster, asked for the events that it keeps.

use std::cell::{Cell, RefCell};

use futures_util::StreamExt;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use job_event::Outcome;
use job_event::attributes::EVENT_NAME;
use job_judge::Quality;
use kube::Client;

use super::merge::best;
use super::stored::explained;
use super::{AnswerSource, Explained};
use crate::cli::ExplainArgs;
use crate::in_cluster::{CollectorService, InCluster, InClusterError, StoredEvent, WEB_PORT};

/// The most whole events that one answer reads, each by a request.
const WHOLE: usize = 50;
/// The requests at a time.
const AT_ONCE: usize = 8;
/// The most failed Jobs of a list.
const FAILED: usize = 2000;

/// The collector. After an error it is not asked again for the same answer.
pub(super) struct Collector<'a> {
    client: &'a Client,
    /// `None`: it is not asked at all.
    service: Option<CollectorService>,
    /// True if the command line names it.
    is_named: bool,
    problem: RefCell<Option<InClusterError>>,
    /// The whole events that may still be read.
    left: Cell<usize>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(client: &'a Client, args: &ExplainArgs) -> Self {
        let service = (!args.no_collector).then(|| args.collector.clone().unwrap_or_default());
        Collector {
            client,
            service,
            is_named: args.collector.is_some(),
            problem: RefCell::new(None),
            left: Cell::new(WHOLE),
        }
    }

    /// Why it did not answer, if it was asked.
    pub(super) fn problem(&self) -> Option<String> {
        let problem = self.problem.borrow();
        problem.as_ref().map(|problem| format!("Note: {problem}."))
    }

    /// The same, if the command line names the collector, so that its answer was expected.
    pub(super) fn unexpected_problem(&self) -> Option<String> {
        self.problem().filter(|_| self.is_named)
    }

    /// Prepares another answer, for which the collector is asked again even if it did not answer before.
    pub(super) fn begin_again(&self) {
        self.left.set(WHOLE);
        self.problem.replace(None);
    }

    fn in_cluster(&self) -> Option<InCluster<'_>> {
        let service = self.service.as_ref()?;
        self.problem.borrow().is_none().then_some(InCluster {
            client: self.client,
            service,
            default_port: WEB_PORT,
        })
    }

    /// The events of an answer; none after an error.
    fn taken(&self, answer: Result<Vec<StoredEvent>, InClusterError>) -> Vec<StoredEvent> {
        answer.unwrap_or_else(|problem| {
            *self.problem.borrow_mut() = Some(problem);
            Vec::new()
        })
    }

    /// The events of all Jobs of that name, newest first.
    pub(super) async fn job(&self, namespace: &str, name: &str) -> Vec<StoredEvent> {
        match self.in_cluster() {
            Some(collector) => self.taken(collector.events_of_job(namespace, name, None).await),
            None => Vec::new(),
        }
    }

    /// The latest finished runs of a CronJob, newest first.
    pub(super) async fn runs(&self, namespace: &str, cronjob: &str, most: usize) -> Vec<StoredEvent> {
        let filter = [
            ("event", EVENT_NAME),
            ("namespace", namespace),
            ("kind", "CronJob"),
            ("owner", cronjob),
        ];
        match self.in_cluster() {
            Some(collector) => self.taken(collector.events(&filter, most).await),
            None => Vec::new(),
        }
    }

    /// The Jobs that failed at most `since` before `now`, newest first.
    pub(super) async fn failed(
        &self,
        namespace: Option<&str>,
        since: Option<SignedDuration>,
        now: Timestamp,
    ) -> Vec<StoredEvent> {
        let since = since
            .and_then(|since| now.checked_sub(since).ok())
            .map(|at| at.to_string());
        let mut filter = vec![("event", EVENT_NAME), ("outcome", Outcome::Failed.as_str())];
        filter.extend(namespace.map(|namespace| ("namespace", namespace)));
        filter.extend(since.as_deref().map(|since| ("since", since)));
        match self.in_cluster() {
            Some(collector) => self.taken(collector.events(&filter, FAILED).await),
            None => Vec::new(),
        }
    }

    /// The stalls that are not over.
    pub(super) async fn stalls(&self, namespace: Option<&str>) -> Vec<StoredEvent> {
        match self.in_cluster() {
            Some(collector) => self.taken(collector.stalls(namespace).await),
            None => Vec::new(),
        }
    }

    /// The event of a finished Job with its evidence.
    async fn whole(&self, namespace: &str, name: &str, uid: &str) -> Option<StoredEvent> {
        let left = self.left.get().checked_sub(1)?;
        self.left.set(left);
        let answer = self.in_cluster()?.events_of_job(namespace, name, Some(uid)).await;
        let mut events = self.taken(answer).into_iter();
        events.find(|event| event.is_finished() && event.uid == uid)
    }

    /// `jobs` with the better of both answers, and the Jobs of `listed` events that are not among them, which are deleted. Whole
    /// events are read for the first of them, as far as [`WHOLE`] allows.
    pub(super) async fn merged(&self, jobs: Vec<Explained>, listed: Vec<StoredEvent>) -> Vec<Explained> {
        let is_known = |event: &&StoredEvent| jobs.iter().any(|job| *job.evidence.job.uid == *event.uid);
        let deleted: Vec<Explained> = listed.iter().filter(|event| !is_known(event)).map(explained).collect();
        let all = jobs.into_iter().map(|job| (job, false));
        let all = all.chain(deleted.into_iter().map(|job| (job, true)));
        stream::iter(all)
            .map(async |(job, is_deleted)| self.improved(job).await.noted_as_deleted(is_deleted))
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    /// The better answer about a finished Job whose evidence is incomplete.
    async fn improved(&self, job: Explained) -> Explained {
        let is_complete = job.source == AnswerSource::Cluster && job.judgement.quality == Quality::Complete;
        if !job.has_ended() || is_complete || job.evidence.job.uid.is_empty() {
            return job;
        }
        let of = &job.evidence.job;
        let whole = self.whole(&of.namespace, &of.name, &of.uid).await;
        match whole.as_ref().map(explained) {
            Some(stored) if job.source == AnswerSource::Collector => stored,
            Some(stored) => best(job, stored),
            None => job,
        }
    }
}
