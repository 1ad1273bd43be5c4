//! `--watch`: answers again when something changes.
//!
//! An answer depends on Jobs, Pods, Events, the collector and the time, so it is made again as a whole. Watches of the Jobs, and of
//! the Pods of a named Job, say when. Events and thresholds have no watch: they are covered by a read every [`EVERY`]. After a read
//! at least ten times its duration passes, so that the answers about a large cluster are a small part of its load.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use job_event::Outcome;
use job_watch::client::Coalesce;
use job_watch::watch::first_list::FirstList;
use job_watch::watch::request::{PODS_OF_JOBS, Target};
use job_watch::watch::streaming::StreamingLists;
use job_watch::watch::{ListWatch, SourceUpdate, Update};
use job_watch::{Kind, Object, Observation, Source};
use pacing::Random;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::answers::{Answer, Unanswered, worst};
use super::live::Question;
use super::report::{json_line, timeless};
use super::{ExplainAnswer, Explained};
use crate::cli::{ExplainTarget, ExplainTargets, Format};
use crate::commands::{Failure, print};
use crate::terminal::note;

/// The longest time between two reads.
const EVERY: Duration = Duration::from_secs(30);
/// The shortest time between two reads.
const PAUSE: Duration = Duration::from_secs(1);
/// How many times its duration passes after a read.
const SHARE: u32 = 10;
/// More names than this are watched as a whole namespace.
const WATCHED_NAMES: usize = 8;

/// Prints the answer, and again what changes, until everything named has ended.
pub(super) async fn watch(question: &Question<'_>) -> Result<ExplainAnswer, Failure> {
    let mut wake = Wake::new(question);
    let mut shown = Shown::default();
    let ended = tokio::signal::ctrl_c();
    tokio::pin!(ended);
    loop {
        let (started, now) = (Instant::now(), Timestamp::now());
        question.collector.begin_again();
        let answers = tokio::select! {
            answers = question.answers(now) => answers,
            _ = &mut ended => return shown.answer,
        };
        let is_over = answers.iter().all(is_over) && !question.args.all_failed && !question.args.stalled;
        shown.show(question, answers, now).await?;
        if is_over || shown.answer.is_err() {
            return shown.answer;
        }
        tokio::select! {
            () = wake.next((started.elapsed() * SHARE).max(PAUSE)) => {}
            _ = &mut ended => return shown.answer,
        }
    }
}

/// True if no later read can change the answer.
fn is_over(answer: &Answer) -> bool {
    match &answer.unanswered {
        Some(Unanswered::Missing(_)) => answer.overview.is_none(),
        Some(Unanswered::Unreadable(_)) => false,
        None => answer.is_final(),
    }
}

/// The printed part of the answers.
struct Shown {
    /// By Job: its printed answer.
    jobs: BTreeMap<String, String>,
    cronjobs: BTreeMap<String, String>,
    notes: BTreeSet<String>,
    is_first: bool,
    answer: Result<ExplainAnswer, Failure>,
}

impl Default for Shown {
    fn default() -> Self {
        Shown {
            jobs: BTreeMap::new(),
            cronjobs: BTreeMap::new(),
            notes: BTreeSet::new(),
            is_first: true,
            answer: Ok(ExplainAnswer::NoneFailed),
        }
    }
}

impl Shown {
    /// Prints what is new. An error of a later read is a note: the next read may succeed.
    async fn show(&mut self, question: &Question<'_>, mut answers: Vec<Answer>, now: Timestamp) -> Result<(), Failure> {
        let (answer, notes) = worst(&answers);
        let is_unreadable = |answer: &Answer| matches!(answer.unanswered, Some(Unanswered::Unreadable(_)));
        let mut out = match self.is_first {
            true => question.begin(&answers, now),
            false => super::Report::new(question.args.output),
        };
        for answer in &mut answers {
            for problem in std::mem::take(&mut answer.notes) {
                self.note(problem);
            }
            match &answer.unanswered {
                Some(Unanswered::Unreadable(problem)) if !self.is_first => self.note(format!("{problem}; retrying")),
                _ => {}
            }
            self.retain_new(question, answer, now)?;
            if answer.overview.is_some() || !answer.jobs.is_empty() {
                question.add(&mut out, answer, now).await?;
            }
        }
        notes.into_iter().for_each(|problem| self.note(problem));
        let gap = !self.is_first && question.args.output == Format::Text && !out.text.is_empty();
        print(&format!("{}{}", if gap { "\n" } else { "" }, out.text))?;
        if self.is_first || !answers.iter().any(is_unreadable) {
            self.answer = answer;
        }
        self.is_first = false;
        Ok(())
    }

    fn note(&mut self, text: String) {
        if !self.notes.contains(&text) {
            note(&text);
            self.notes.insert(text);
        }
    }

    /// Removes what is printed already.
    fn retain_new(&mut self, question: &Question<'_>, answer: &mut Answer, now: Timestamp) -> Result<(), Failure> {
        let mut is_new = Vec::with_capacity(answer.jobs.len());
        for job in &answer.jobs {
            let printed = match (question.args.all_failed, question.args.stalled) {
                (true, _) => String::new(),
                (_, true) => job.judgement.cause.map_or("", |cause| cause.as_str()).to_owned(),
                _ => timeless(job, now)?,
            };
            is_new.push(self.jobs.insert(key(job), printed.clone()) != Some(printed));
        }
        let mut is_new = is_new.into_iter();
        answer.jobs.retain(|_| is_new.next().unwrap_or(true));
        if let Some(overview) = &answer.overview {
            let printed = json_line(overview)?;
            let is_known = self.cronjobs.get(&overview.key()) == Some(&printed);
            self.cronjobs.insert(overview.key(), printed);
            if is_known && answer.jobs.is_empty() {
                answer.overview = None;
            }
        }
        Ok(())
    }
}

fn key(job: &Explained) -> String {
    let job = &job.evidence.job;
    format!("{}/{}/{}", job.namespace, job.name, job.uid)
}

/// Watches that say when to answer again.
struct Wake {
    updates: mpsc::Receiver<SourceUpdate>,
    /// Only Jobs that failed matter.
    only_failed: bool,
    /// The watches end with it.
    _watches: JoinSet<()>,
}

impl Wake {
    fn new(question: &Question<'_>) -> Wake {
        let (sender, updates) = mpsc::channel(64);
        let mut watches = JoinSet::new();
        for target in targets(question) {
            let kind = target.source.kind;
            let watch = ListWatch {
                client: question.client.clone(),
                target,
                updates: sender.clone(),
                first_list: FirstList::default(),
                resume: None,
                streaming: StreamingLists::never(),
                coalesce: Coalesce::NEVER,
                random: Random::unique(),
            };
            match kind {
                Kind::Pods => watches.spawn(watch.run(Object::Pod)),
                _ => watches.spawn(watch.run(Object::Job)),
            };
        }
        Wake {
            updates,
            only_failed: question.args.all_failed,
            _watches: watches,
        }
    }

    /// Waits for a change and for the pause, or for [`EVERY`].
    async fn next(&mut self, pause: Duration) {
        let earliest = Instant::now() + pause;
        let latest = earliest.max(Instant::now() + EVERY);
        let mut is_due = false;
        loop {
            tokio::select! {
                Some(update) = self.updates.recv() => is_due |= self.is_change(&update.update),
                () = sleep_until(earliest), if is_due => return,
                () = sleep_until(latest) => return,
            }
        }
    }

    /// True for a change of an object, and for the end of a list, which may contain changes.
    fn is_change(&self, update: &Update) -> bool {
        match update {
            Update::Observed(Observation::Changed(Object::Job(job))) if self.only_failed => {
                job.to_evidence().outcome() == Outcome::Failed
            }
            Update::Observed(Observation::Deleted(_)) => !self.only_failed,
            Update::Observed(Observation::Changed(_) | Observation::ListEnds) => true,
            _ => false,
        }
    }
}

/// The lists and watches of everything named.
fn targets(question: &Question<'_>) -> Vec<Target> {
    let of = |kind, namespace: Option<&str>, labels: String, fields: String| Target {
        source: Source { kind, scope: 0 },
        namespace: namespace.map(str::to_owned),
        label_selector: labels,
        field_selector: fields,
        wanted: None,
        shard: None,
        shard_selector: String::new(),
    };
    let namespace = Some(question.namespace);
    let mut targets = Vec::new();
    match &question.targets {
        ExplainTargets::Named(names) if !names.is_empty() => {
            let is_job = |name: &ExplainTarget| matches!(name, ExplainTarget::Job(_));
            if names.len() > WATCHED_NAMES || !names.iter().all(is_job) {
                return vec![of(Kind::Jobs, namespace, String::new(), String::new())];
            }
            for name in names {
                if let ExplainTarget::Job(name) = name {
                    let fields = format!("metadata.name={name}");
                    targets.push(of(Kind::Jobs, namespace, String::new(), fields));
                    let labels = format!("{PODS_OF_JOBS}={name}");
                    targets.push(of(Kind::Pods, namespace, labels, String::new()));
                }
            }
        }
        ExplainTargets::Selected(crate::cli::TargetKind::CronJob) => {
            targets.push(of(Kind::Jobs, question.scope(), String::new(), String::new()));
        }
        _ => {
            let labels = question.args.selector.clone().unwrap_or_default();
            targets.push(of(Kind::Jobs, question.scope(), labels, String::new()));
        }
    }
    targets
}
