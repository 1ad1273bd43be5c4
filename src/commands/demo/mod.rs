//! `demo`: the shipped pipeline between a simulated cluster and an OTLP intake, both on loopback.
//!
//! The cluster runs failing Jobs faster than real time. Only the endpoints, the key and the storage of `pipeline.yaml` are
//! replaced, and `web` is added, which serves the page.

mod before;
mod container_metric;
mod directory;
mod progress;
mod screen;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use before::Before;
use clap::Args;
use collector_config::Source;
use collector_runtime::health::{Statuses, all_ok};
use directory::DemoDirectory;
use jiff::{SignedDuration, Timestamp};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use progress::{DemoProgress, uid};
use screen::Style;
use simulator::otlp_intake::{OtlpIntake, ReceivedData};
use simulator::timeline::together;
use simulator::{ChangeType, Ids, Player, Resource, Simulator, SimulatorOptions};
use simulator::{ScenarioError, TimelineStep, demo_scenarios};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Failure, print, runtime};
use crate::cli::Format;
use crate::commands::run::GRACE;
use crate::configuration::{self, Prepared};
use crate::telemetry::{Level, Log, Telemetry};
use crate::terminal;

/// The key that the intake requires.
const API_KEY: &str = "demo-key";
/// The longest wait for events after all Jobs have finished.
const PATIENCE: Duration = Duration::from_secs(20);
/// The interval at which the container-status metric is read.
const SCRAPE_INTERVAL: Duration = Duration::from_millis(50);

/// The options of the demo.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoArgs {
    /// Exit when all Jobs have finished (by default the demo waits for Ctrl-C, so you can look around)
    #[arg(long)]
    pub once: bool,
    /// `text` prints events as they arrive; `json` prints the received metrics as OTLP JSON at the end
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
    /// How many times faster than real time the Jobs run
    #[arg(long, default_value_t = 10.0, value_parser = speed)]
    pub speed: f64,
}

/// Runs the demo.
pub(crate) fn demo(args: &DemoArgs) -> Result<(), Failure> {
    let fail = |what: &str, error: &dyn std::fmt::Display| Failure::Runtime(format!("{what}: {error}"));
    let steps = timeline().map_err(|e| fail("invalid demo scenario", &e))?;
    runtime()?.block_on(async {
        let simulator = Simulator::start(SimulatorOptions::default())
            .await
            .map_err(|e| fail("cannot start the simulated cluster on 127.0.0.1", &e))?;
        let intake = OtlpIntake::start(Some(API_KEY.into()))
            .await
            .map_err(|e| fail("cannot start the OTLP intake on 127.0.0.1", &e))?;
        let directory = DemoDirectory::new().map_err(|e| fail("cannot create a temporary directory", &e))?;
        simulator
            .write_kubeconfig(&directory.kubeconfig())
            .map_err(|e| fail("cannot write the kubeconfig of the demo", &e))?;
        let demo = Demo {
            args,
            simulator,
            intake,
            directory,
        };
        demo.run(steps).await
    })
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.1..=1000.0).contains(&speed) => Ok(speed),
        _ => Err("expected a number from 0.1 to 1000, such as 10".into()),
    }
}

/// Every scenario, started together at such a time that they end about now.
fn timeline() -> Result<Vec<TimelineStep>, ScenarioError> {
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

/// The parts around the pipeline.
struct Demo<'a> {
    args: &'a DemoArgs,
    simulator: Simulator,
    intake: OtlpIntake,
    directory: DemoDirectory,
}

impl Demo<'_> {
    async fn run(self, steps: Vec<TimelineStep>) -> Result<(), Failure> {
        let text = self.args.output == Format::Text;
        let style = Style {
            colour: terminal::colours(&std::io::stdout()),
            width: terminal::width().unwrap_or(screen::DEFAULT_WIDTH),
        };
        let mut expected = finishing_jobs(&steps);
        let jobs = expected.len();
        let before = Before::new(Timestamp::now());
        expected.extend(before.expected.clone());
        self.play(before.objects.clone()).play_all();
        let (Prepared { graph, health, .. }, _last_lines) = self.pipeline()?;
        let shutdown = CancellationToken::new();
        let mut arrivals = self.intake.subscribe();
        let mut pipeline = tokio::spawn(graph.run(shutdown.clone(), GRACE));
        if text {
            print(&self.introduction(jobs, style.width))?;
        }
        let mut ready = health.watch();
        tokio::select! {
            // After the first lists, everything that happens is observed as it happens.
            _ = ready.wait_for(|statuses| all_ok(statuses) && page_url(statuses).is_some()) => {}
            ended = &mut pipeline => return Err(early_end(ended)),
        }
        if text && !self.args.once {
            let url = page_url(&health.watch().borrow()).unwrap_or_default();
            print(&(screen::paragraph(&format!("The page, for your browser: {url}"), style.width) + "\n"))?;
        }

        let speed = self.args.speed;
        let mut progress = DemoProgress::new(expected, &steps, speed, text.then_some(style));
        let mut player = self.play(steps);
        let mut playing = tokio::spawn(async move { player.play(speed).await });
        let mut played = false;
        let mut tick = tokio::time::interval(SCRAPE_INTERVAL);
        let timeout = tokio::time::sleep(Duration::MAX);
        tokio::pin!(timeout);
        while !(played && progress.is_complete()) {
            tokio::select! {
                received = arrivals.recv() => if let Ok(received) = received {
                    for event in progress.receive(&received.payload)? {
                        let mut player = self.play(before.after(&event, Timestamp::now(), speed));
                        tokio::spawn(async move { player.play(speed).await });
                    }
                },
                _ = tick.tick() => progress.scrape()?,
                _ = &mut playing, if !played => {
                    played = true;
                    timeout.as_mut().reset(Instant::now() + PATIENCE);
                }
                () = &mut timeout => break,
                ended = &mut pipeline => return Err(early_end(ended)),
            }
        }
        if text && !self.args.once {
            print(&self.invitation(style.width))?;
            let _ = tokio::signal::ctrl_c().await;
        }
        // Draining exports the counts of the last interval.
        shutdown.cancel();
        pipeline
            .await
            .map_err(|e| Failure::Runtime(e.to_string()))?
            .map_err(|_| Failure::Logged)?;
        match self.args.output {
            Format::Text => print(&self.totals(style, &progress))?,
            Format::Json => print(&self.metrics_json()?)?,
        }
        self.simulator.shutdown().await;
        self.intake.shutdown().await;
        progress.finish()
    }

    fn play(&self, steps: Vec<TimelineStep>) -> Player {
        Player::new(self.simulator.store().clone(), steps)
    }

    /// The shipped pipeline with the endpoints and the key replaced, and a store that lasts as long as the demo.
    fn pipeline(&self) -> Result<(Prepared<Telemetry>, Option<Log>), Failure> {
        let sources = [Source {
            name: Arc::from("pipeline.yaml"),
            text: configuration::BUILT_IN.into(),
            adds: false,
        }];
        let sets = [
            format!("receivers.k8s_job.kubeconfig={}", self.directory.kubeconfig().display()),
            "receivers.k8s_job.storage=file_storage".into(),
            format!(
                "extensions.file_storage.directory={}",
                self.directory.storage().display()
            ),
            "extensions.file_storage.fsync=false".into(),
            "service.extensions=[health_check, file_storage]".into(),
            format!("exporters.otlp_http/datadog.endpoint={}", self.intake.url()),
            "exporters.web.endpoint=127.0.0.1:0".into(),
            "service.pipelines.logs.exporters=[otlp_http/datadog, job_metrics, web]".into(),
            "service.pipelines.metrics.exporters=[otlp_http/datadog, web]".into(),
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
            "A simulated cluster ({cluster}) runs {jobs} Jobs, {speed}x faster than real time. The shipped pipeline.yaml \
             watches it and exports to an OTLP intake ({intake}) with Datadog's rules. On the left is the cluster's time; \
             an event arrives settle_time (1 s, here {speed} s) after the verdict. At the beginning, two Jobs have made \
             no progress for 3 min, and one run of a CronJob has not started. Below each failure: the reason that a \
             container-status metric reports."
        );
        screen::paragraph(&text, width) + "\n"
    }

    fn invitation(&self, width: usize) -> String {
        let text = "All Jobs have finished. Look around on the page, or in another terminal, then press Ctrl-C for the totals:";
        format!(
            "\n{}  export KUBECONFIG={}\n  kubectl get jobs,pods -A\n  kube-job-collector explain --all-failed -A\n",
            screen::paragraph(text, width),
            self.directory.kubeconfig().display()
        )
    }

    fn totals(&self, style: Style, progress: &DemoProgress) -> String {
        let mut records = self.intake.records();
        let mut seen = BTreeSet::new();
        records.retain(|record| seen.insert(uid(record)));
        format!(
            "\n{}",
            screen::totals(style, &records, &self.intake.points(), progress.metric())
        )
    }

    /// The received metrics as one OTLP/JSON request.
    fn metrics_json(&self) -> Result<String, Failure> {
        let resource_metrics = self
            .intake
            .received()
            .iter()
            .filter_map(|received| match &received.payload {
                ReceivedData::Metrics(request) => Some(request.resource_metrics.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        serde_json::to_string_pretty(&ExportMetricsServiceRequest { resource_metrics })
            .map(|json| json + "\n")
            .map_err(|e| Failure::Runtime(format!("cannot print the metrics as JSON: {e}")))
    }
}

/// The UIDs of the Jobs that finish or are deleted: each must be reported once.
fn finishing_jobs(steps: &[TimelineStep]) -> BTreeSet<String> {
    let finishes = |step: &&TimelineStep| {
        let conditions = step.object["status"]["conditions"].as_array();
        step.resource == Resource::Jobs
            && (step.change == ChangeType::Deleted
                || conditions.into_iter().flatten().any(|c| {
                    c["status"] == "True" && ["Complete", "Failed", "FailureTarget"].iter().any(|t| c["type"] == *t)
                }))
    };
    steps
        .iter()
        .filter(finishes)
        .filter_map(|step| step.object["metadata"]["uid"].as_str().map(str::to_owned))
        .collect()
}

/// The URL that the exporter `web` reports.
fn page_url(statuses: &Statuses) -> Option<String> {
    let mut details = statuses.details("exporters::web");
    details.find_map(|(name, url)| (name == "url").then(|| url.to_owned()))
}

fn early_end<E>(ended: Result<Result<(), E>, tokio::task::JoinError>) -> Failure {
    match ended {
        Ok(Ok(())) => Failure::Runtime("the pipeline stopped unexpectedly".into()),
        Ok(Err(_)) => Failure::Logged,
        Err(error) => Failure::Runtime(error.to_string()),
    }
}
