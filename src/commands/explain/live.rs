//! `explain` of a cluster: one answer, or with `--watch` one after the other.

use jiff::Timestamp;
use job_watch::client::{AuthType, connect};
use job_watch::version::ServerVersion;
use kube::Client;

use super::answers::{Answer, worst};
use super::collector::Collector;
use super::find::Finder;
use super::look::Look;
use super::{ExplainAnswer, Explained, Report, failed, logs, stalled, watch};
use crate::cli::{ClusterArgs, ExplainArgs, ExplainTarget, ExplainTargets, Format, TargetKind};
use crate::commands::{Failure, print, runtime};
use crate::terminal::note;

/// Explains the Jobs named on the command line.
pub(super) fn explain(args: &ExplainArgs) -> Result<ExplainAnswer, Failure> {
    if args.logs && args.output == Format::Json {
        return Err(Failure::CouldNotTell(
            "--logs requires text output; remove -o json or --logs".into(),
        ));
    }
    let targets = args.targets().map_err(Failure::Usage)?;
    runtime()?.block_on(async {
        let client = client(&args.cluster).await.map_err(Failure::CouldNotTell)?;
        let question = Question::new(&client, args, targets);
        match args.watch {
            true => watch::watch(&question).await,
            false => question.once().await,
        }
    })
}

/// A client for the cluster that the command line names.
pub(crate) async fn client(cluster: &ClusterArgs) -> Result<Client, String> {
    let ClusterArgs {
        kubeconfig, context, ..
    } = cluster;
    let connected = connect(AuthType::Auto, kubeconfig.as_deref(), context.as_deref()).await;
    connected
        .map(|connected| connected.client)
        .map_err(|error| format!("{error}\n--kubeconfig and --context (or $KUBECONFIG) select the cluster"))
}

/// The question of a command line, and whom it goes to.
pub(super) struct Question<'a> {
    pub client: &'a Client,
    pub args: &'a ExplainArgs,
    pub targets: ExplainTargets,
    /// The namespace of names.
    pub namespace: &'a str,
    pub collector: Collector<'a>,
}

impl<'a> Question<'a> {
    fn new(client: &'a Client, args: &'a ExplainArgs, targets: ExplainTargets) -> Question<'a> {
        Question {
            client,
            args,
            targets,
            namespace: args.cluster.namespace.as_deref().unwrap_or(client.default_namespace()),
            collector: Collector::new(client, args),
        }
    }

    async fn once(&self) -> Result<ExplainAnswer, Failure> {
        let now = Timestamp::now();
        let (version, mut answers) = tokio::join!(self.version(), self.answers(now));
        for problem in answers.iter().flat_map(|answer| &answer.notes) {
            note(problem);
        }
        let mut out = self.begin(&answers, now);
        for answer in &mut answers {
            self.add(&mut out, answer, now).await?;
        }
        let (answer, notes) = worst(&answers);
        notes.iter().for_each(|problem| note(problem));
        if let Some(version) = version.filter(|_| !out.text.is_empty()) {
            out.text.push_str(&format!("\nServer Version: {version}\n"));
            if let Some(caveat) = version.caveat() {
                note(&format!("About Kubernetes {version}: {caveat}."));
            }
        }
        print(&out.text)?;
        answer
    }

    /// The output before the Jobs: with `--all-failed` the table of all of them, for people.
    pub(super) fn begin(&self, answers: &[Answer], now: Timestamp) -> Report {
        let mut out = Report::new(self.args.output);
        let jobs = || answers.iter().flat_map(|answer| &answer.jobs);
        if self.args.all_failed && self.args.output == Format::Text && jobs().next().is_some() {
            let jobs: Vec<&Explained> = jobs().collect();
            out.add_text(&failed::table(&jobs, out.layout.width, now));
        }
        out
    }

    /// Adds an answer to the output, with the logs if they are requested.
    pub(super) async fn add(&self, out: &mut Report, answer: &mut Answer, now: Timestamp) -> Result<(), Failure> {
        if self.args.logs {
            for job in &mut answer.jobs {
                job.log = logs::of(self.client, job, now).await;
            }
        }
        out.add_cronjob(answer.overview.as_ref(), &answer.jobs)
    }

    /// The namespace of options that select without a name; `None` for all.
    pub(super) fn scope(&self) -> Option<&'a str> {
        Some(self.namespace).filter(|_| !self.args.all_namespaces)
    }

    fn finder(&self) -> Finder<'_> {
        Finder {
            client: self.client,
            namespace: self.scope(),
            labels: self.args.selector.as_deref().unwrap_or_default(),
        }
    }

    /// The answers about everything on the command line, in its order.
    pub(super) async fn answers(&self, now: Timestamp) -> Vec<Answer> {
        let args = self.args;
        let finder = self.finder();
        let look = Look {
            finder,
            collector: &self.collector,
            stalled_after: stalled::threshold(args),
            now,
        };
        match &self.targets {
            ExplainTargets::Named(names) if !names.is_empty() => {
                let mut answers = Vec::with_capacity(names.len());
                for name in names {
                    answers.push(match name {
                        ExplainTarget::Job(name) => look.job(self.namespace, name).await,
                        ExplainTarget::CronJob(name) => look.cronjob(self.namespace, name).await,
                    });
                }
                answers
            }
            _ if args.all_failed => {
                let since = args.since();
                vec![
                    look.all_failed(since, |jobs| none_failed(args, &finder.place(), jobs))
                        .await,
                ]
            }
            _ if args.stalled => {
                let since = args.since();
                vec![
                    look.stalled(since, |jobs| none_stalled(args, &finder.place(), jobs))
                        .await,
                ]
            }
            ExplainTargets::Selected(TargetKind::CronJob) => self.selected_cronjobs(look).await,
            _ => vec![look.selected().await],
        }
    }

    /// The CronJobs that the selector matches.
    async fn selected_cronjobs(&self, look: Look<'_>) -> Vec<Answer> {
        let finder = look.finder;
        let names = match finder.selected_cronjobs().await {
            Ok(names) => names,
            Err(problem) => return vec![Answer::unreadable(problem)],
        };
        let mut answers = Vec::with_capacity(names.len());
        for (namespace, name) in &names {
            let finder = Finder {
                namespace: Some(namespace),
                ..finder
            };
            answers.push(Look { finder, ..look }.cronjob(namespace, name).await);
        }
        if answers.is_empty() {
            let (labels, place) = (finder.labels, finder.place());
            answers.push(Answer::missing(format!(
                "no CronJob with the labels {labels:?} in {place}; `kubectl get cronjobs --show-labels` lists the labels"
            )));
        }
        answers
    }

    /// The server's version, for text output only; records do not have it.
    async fn version(&self) -> Option<ServerVersion> {
        match self.args.output {
            Format::Text => ServerVersion::read(self.client).await,
            Format::Json => None,
        }
    }
}

fn none_stalled(args: &ExplainArgs, place: &str, unfinished: usize) -> String {
    let answer = match args.since {
        Some(since) => format!("No stall began in {place} in the last {since}"),
        None => format!("No Job is stalled in {place}"),
    };
    let jobs = if unfinished == 1 { "Job" } else { "Jobs" };
    format!("{answer} ({unfinished} unfinished {jobs}).")
}

fn none_failed(args: &ExplainArgs, place: &str, looked_at: usize) -> String {
    let since = match args.since {
        Some(since) => format!(" in the last {}", since),
        None => String::new(),
    };
    let jobs = if looked_at == 1 { "Job" } else { "Jobs" };
    format!("No Job failed in {place}{since}, of {looked_at} {jobs} that still exist.")
}
