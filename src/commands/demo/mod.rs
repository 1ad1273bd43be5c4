//! `demo`: the whole path at work, without a cluster and without an account.
//!
//! A simulated cluster plays failing Jobs in compressed time; the shipped `pipeline.yaml` watches it, with only the
//! endpoints and the key replaced, and sends to an OTLP intake on loopback.

mod container_metric;
mod screen;

use std::collections::{BTreeSet, VecDeque};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use collector_config::Source;
use container_metric::ContainerMetric;
use jiff::{SignedDuration, Timestamp};
use job_event::attributes as attr;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use screen::Style;
use simulator::otlp_intake::{OtlpIntake, Payload, Record};
use simulator::timeline::{Step, together};
use simulator::{Ids, Player, Resource, Simulator, SimulatorOptions};
use simulator::{ScenarioError, demo_scenarios};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Failure, print, runtime};
use crate::cli::Format;
use crate::commands::run::GRACE;
use crate::configuration::{self, Prepared};
use crate::telemetry::{LastLines, Level};
use crate::terminal;

/// The key that the intake asks for and the pipeline sends.
const API_KEY: &str = "demo-key";
/// How long to wait for what has not arrived when all Jobs have been played, before giving up.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often to look at what a container-status metric says.
const LOOK: Duration = Duration::from_millis(50);

/// How to show the demo.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Exit when all Jobs have been played (by default the demo waits for Ctrl-C, so you can look around)
    #[arg(long)]
    pub once: bool,
    /// `text` shows arrivals as they happen; `json` prints the received metrics as OTLP JSON at the end
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
    /// How many times faster than real time the Jobs are played
    #[arg(long, default_value_t = 10.0, value_parser = speed)]
    pub speed: f64,
}

/// Plays the demo.
pub fn demo(args: &DemoArgs) -> Result<(), Failure> {
    let fail = |what: &str, error: &dyn std::fmt::Display| Failure::Runtime(format!("{what}: {error}"));
    let steps = story().map_err(|e| fail("the demo's scenarios", &e))?;
    runtime()?.block_on(async {
        let simulator = Simulator::start(SimulatorOptions::default())
            .await
            .map_err(|e| fail("cannot start the simulated cluster on 127.0.0.1", &e))?;
        let intake = OtlpIntake::start(Some(API_KEY.into()))
            .await
            .map_err(|e| fail("cannot start the intake on 127.0.0.1", &e))?;
        let folder = Folder::new().map_err(|e| fail("cannot make a folder for the demo", &e))?;
        simulator
            .write_kubeconfig(&folder.kubeconfig())
            .map_err(|e| fail("cannot write the demo's kubeconfig", &e))?;
        let stage = Stage {
            args,
            simulator,
            intake,
            folder,
        };
        stage.play(steps).await
    })
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.1..=1000.0).contains(&speed) => Ok(speed),
        _ => Err("expected a number from 0.1 to 1000, such as 10".into()),
    }
}

/// What happens in the demo: every scenario, beginning together, set so that it ends about now.
fn story() -> Result<Vec<Step>, ScenarioError> {
    let mut ids = Ids::new(1);
    let scenarios = demo_scenarios()?;
    let length = |start: Timestamp, ids: &mut Ids| together(scenarios.iter().map(|s| s.timeline(start, ids)));
    let last = length(Timestamp::UNIX_EPOCH, &mut Ids::new(1))
        .last()
        .map_or(Duration::ZERO, |step| step.at);
    let now = Timestamp::now();
    let start = SignedDuration::try_from(last)
        .ok()
        .and_then(|last| now.checked_sub(last).ok())
        .unwrap_or(now);
    Ok(length(start, &mut ids))
}

/// Everything the demo runs on.
struct Stage<'a> {
    args: &'a DemoArgs,
    simulator: Simulator,
    intake: OtlpIntake,
    folder: Folder,
}

impl Stage<'_> {
    async fn play(self, steps: Vec<Step>) -> Result<(), Failure> {
        let text = self.args.output == Format::Text;
        let expected = jobs_that_end(&steps);
        let (Prepared { graph, health, .. }, _last_lines) = self.pipeline()?;
        let shutdown = CancellationToken::new();
        let mut arrivals = self.intake.subscribe();
        let mut pipeline = tokio::spawn(graph.run(shutdown.clone(), GRACE));
        let style = Style {
            colour: terminal::colours(&std::io::stdout()),
            width: terminal::width().unwrap_or(screen::DEFAULT_WIDTH),
        };
        if text {
            print(&self.introduction(expected.len(), style.width))?;
        }
        let mut ready = health.watch();
        tokio::select! {
            // The first lists are in: what happens from now on is seen as it happens.
            _ = ready.wait_for(|_| health.is_ready()) => {}
            ended = &mut pipeline => return Err(early_end(ended)),
        }

        let began = Instant::now();
        let speed = self.args.speed;
        let story_time = move || began.elapsed().mul_f64(speed);
        let mut pods: VecDeque<Step> = steps.iter().filter(|s| s.resource == Resource::Pods).cloned().collect();
        let mut player = Player::new(self.simulator.store().clone(), steps);
        let mut playing = tokio::spawn(async move { player.play(speed).await });
        let mut played = false;
        let mut metric = ContainerMetric::default();
        let mut tick = tokio::time::interval(LOOK);
        let mut missing = expected;
        let mut failed = BTreeSet::new();
        let give_up = tokio::time::sleep(Duration::MAX);
        tokio::pin!(give_up);

        while !(played && missing.is_empty()) {
            tokio::select! {
                received = arrivals.recv() => {
                    let Ok(received) = received else { continue };
                    for record in received.payload.records() {
                        missing.remove(&uid(&record));
                        if record.attributes.contains_key(attr::FAILURE_REASON) {
                            failed.insert(screen::JobName::of(&record).name);
                        }
                        if text {
                            print(&screen::arrival(style, story_time(), &record, &metric))?;
                        }
                    }
                }
                _ = tick.tick() => {
                    while pods.front().is_some_and(|step| step.at <= story_time()) {
                        let Some(step) = pods.pop_front() else { break };
                        let news = metric.observe(&step.object);
                        if let Some((job, reason)) = news && text && failed.contains(&job) {
                            print(&screen::container_metric(style, step.at, &job, &reason))?;
                        }
                    }
                }
                _ = &mut playing, if !played => {
                    played = true;
                    give_up.as_mut().reset(Instant::now() + PATIENCE);
                }
                () = &mut give_up => break,
                ended = &mut pipeline => return Err(early_end(ended)),
            }
        }
        if text && !self.args.once {
            print(&self.invitation(style.width))?;
            let _ = tokio::signal::ctrl_c().await;
        }
        // Draining sends the counts of the last interval.
        shutdown.cancel();
        pipeline
            .await
            .map_err(|e| Failure::Runtime(e.to_string()))?
            .map_err(|_| Failure::Logged)?;
        match self.args.output {
            Format::Text => print(&self.totals(style, &metric))?,
            Format::Json => print(&self.metrics_json()?)?,
        }
        self.simulator.shutdown().await;
        self.intake.shutdown().await;
        if missing.is_empty() {
            return Ok(());
        }
        Err(Failure::Runtime(format!(
            "{} Jobs ended, but no event about them arrived",
            missing.len()
        )))
    }

    /// The shipped pipeline with the endpoints and the key replaced, and a store that lasts as long as the demo.
    fn pipeline(&self) -> Result<(Prepared, Option<LastLines>), Failure> {
        let sources = [Source {
            name: Arc::from("pipeline.yaml"),
            text: configuration::BUILT_IN.into(),
        }];
        let sets = [
            format!("receivers.k8s_job.kubeconfig={}", self.folder.kubeconfig().display()),
            "receivers.k8s_job.storage=file_storage".into(),
            format!(
                "extensions.file_storage.directory={}",
                self.folder.0.join("storage").display()
            ),
            "extensions.file_storage.fsync=false".into(),
            "service.extensions=[health_check, file_storage]".into(),
            format!("exporters.otlp_http/datadog.endpoint={}", self.intake.url()),
            "extensions.health_check.endpoint=127.0.0.1:0".into(),
        ];
        let environment = |name: &str| match name {
            "DD_API_KEY" => Some(API_KEY.to_owned()),
            "K8S_CLUSTER_NAME" => Some("demo".to_owned()),
            _ => None,
        };
        let (prepared, _) = configuration::prepare(&sources, &sets, &environment)?;
        let last_lines = prepared.telemetry.init_logs(Some(Level::Warn));
        Ok((prepared, last_lines))
    }

    fn introduction(&self, jobs: usize, width: usize) -> String {
        let (speed, cluster, intake) = (self.args.speed, self.simulator.url(), self.intake.url());
        let text = format!(
            "A simulated cluster ({cluster}) plays {jobs} Jobs, {speed}x faster than real time. The shipped pipeline.yaml \
             watches it and sends to an OTLP intake ({intake}) that applies Datadog's rules. On the left is the cluster's \
             time; an event arrives settle_time (1 s, here {speed} s) after the verdict. Below each failure: what a \
             container-status metric would have said about it."
        );
        screen::paragraph(&text, width) + "\n"
    }

    fn invitation(&self, width: usize) -> String {
        let text = "All Jobs have been played. Look around in another terminal, then press Ctrl-C for the totals:";
        format!(
            "\n{}  kubectl --kubeconfig {} get jobs,pods -A\n",
            screen::paragraph(text, width),
            self.folder.kubeconfig().display()
        )
    }

    fn totals(&self, style: Style, metric: &ContainerMetric) -> String {
        let mut records = self.intake.records();
        let mut seen = BTreeSet::new();
        records.retain(|record| seen.insert(uid(record)));
        format!("\n{}", screen::totals(style, &records, &self.intake.points(), metric))
    }

    /// Every metric that arrived, as one OTLP/JSON request.
    fn metrics_json(&self) -> Result<String, Failure> {
        let resource_metrics = self
            .intake
            .received()
            .iter()
            .filter_map(|received| match &received.payload {
                Payload::Metrics(request) => Some(request.resource_metrics.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        serde_json::to_string_pretty(&ExportMetricsServiceRequest { resource_metrics })
            .map(|json| json + "\n")
            .map_err(|e| Failure::Runtime(format!("cannot print the metrics as JSON: {e}")))
    }
}

/// The UIDs of the Jobs that a story ends: each must be reported once.
fn jobs_that_end(steps: &[Step]) -> BTreeSet<String> {
    let ends = |step: &&Step| {
        let conditions = step.object["status"]["conditions"].as_array();
        step.resource == Resource::Jobs
            && (step.change == simulator::ChangeType::Deleted
                || conditions.into_iter().flatten().any(|c| {
                    c["status"] == "True" && ["Complete", "Failed", "FailureTarget"].iter().any(|t| c["type"] == *t)
                }))
    };
    steps
        .iter()
        .filter(ends)
        .filter_map(|step| step.object["metadata"]["uid"].as_str().map(str::to_owned))
        .collect()
}

fn uid(record: &Record) -> String {
    record
        .attributes
        .get(attr::RECORD_UID)
        .and_then(|v| v.as_str())
        .unwrap_or_default()
        .to_owned()
}

fn early_end<E>(ended: Result<Result<(), E>, tokio::task::JoinError>) -> Failure {
    match ended {
        Ok(Ok(())) => Failure::Runtime("the pipeline stopped unexpectedly".into()),
        Ok(Err(_)) => Failure::Logged,
        Err(error) => Failure::Runtime(error.to_string()),
    }
}

/// A folder of this process, which goes when the demo does.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Folder> {
        let path = std::env::temp_dir().join(format!("kube-job-collector-demo-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder(path))
    }

    /// The kubeconfig of the simulated cluster.
    fn kubeconfig(&self) -> PathBuf {
        self.0.join("kubeconfig.yaml")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It may be gone already; nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
