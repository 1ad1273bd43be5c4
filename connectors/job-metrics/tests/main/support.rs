//! A connector between a sender of events and a receiver of metrics, and the events of Jobs.

use std::time::Duration;

use collector_config::ComponentId;
use collector_data::{Ack, Batch, Delivery, Payload};
use collector_runtime::component::{Connector, Running};
use collector_runtime::health::{Health, Status};
use collector_runtime::succession::Succession;
use collector_runtime::{Outlet, Outputs};
use jiff::{SignedDuration, Timestamp};
use job_event::evidence::{Condition, CronJob, Evidence, Job, JobStatus};
use job_event::notice::{MissReason, MissedRuns};
use job_event::{Notice, attributes as attr, otlp};
use job_metrics_connector::connector::{Clock, JobMetrics};
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const START: &str = "2026-11-23T12:00:00.7Z";
pub(crate) const START_SECOND: u64 = 1_795_435_200;

pub(crate) fn id(type_name: &str) -> ComponentId {
    ComponentId {
        type_name: type_name.into(),
        name: None,
    }
}

/// A connector with windows of 10 s between a sender of events and a receiver of metrics.
pub(crate) struct Bench {
    pub events: mpsc::Sender<Batch>,
    pub metrics: mpsc::Receiver<Batch>,
    pub task: JoinHandle<Result<(), collector_runtime::ComponentError>>,
    pub health: Health,
    pub shutdown: CancellationToken,
    pub succession: Succession,
}

/// The time of day under the paused clock; all tests begin at [`START`].
fn clock(ahead: SignedDuration) -> Clock {
    let began = BEGAN.with(|began| *began.get_or_init(Instant::now));
    let start: Timestamp = START.parse().unwrap();
    Box::new(move || start + SignedDuration::try_from(began.elapsed()).unwrap() + ahead)
}

thread_local! {
    /// When the test began: each runs on a thread of its own.
    static BEGAN: std::cell::OnceCell<Instant> = const { std::cell::OnceCell::new() };
}

impl Bench {
    /// Without a store.
    pub(crate) fn start() -> Bench {
        Bench::start_with(|connector| connector, SignedDuration::ZERO)
    }

    /// With a connector changed by `with`, whose clock is ahead by `ahead`.
    pub(crate) fn start_with(with: impl FnOnce(JobMetrics) -> JobMetrics, ahead: SignedDuration) -> Bench {
        Bench::start_after(Succession::default(), 160, with, ahead)
    }

    /// With histograms of at most `max_buckets`, and with the state that a predecessor left.
    pub(crate) fn start_after(
        succession: Succession,
        max_buckets: usize,
        with: impl FnOnce(JobMetrics) -> JobMetrics,
        ahead: SignedDuration,
    ) -> Bench {
        let clock = clock(ahead);
        let (events, input) = mpsc::channel(64);
        let (out, metrics) = mpsc::channel(64);
        let outputs = Outputs {
            metrics: Outlet::new(vec![(id("sink"), out)]),
            ..Outputs::default()
        };
        let health = Health::new();
        let shutdown = CancellationToken::new();
        let running = Running {
            shutdown: shutdown.clone(),
            health: health.reporter(id("job_metrics")),
            succession: succession.clone(),
        };
        running.health.report(Status::Ok);
        let mut connector = Box::new(with(JobMetrics::new(Duration::from_secs(10), max_buckets, clock)));
        let task = tokio::spawn(async {
            connector.start().await?;
            connector.run(input.into(), outputs, running).await
        });
        Bench {
            events,
            metrics,
            task,
            health,
            shutdown,
            succession,
        }
    }

    /// Ends as when a reload replaces it; returns the succession of the successor.
    pub(crate) async fn replace(self, has_same_services: bool) -> (Succession, mpsc::Receiver<Batch>) {
        match has_same_services {
            true => self.succession.replace_with_same_services(),
            false => self.succession.replace(),
        }
        self.shutdown.cancel();
        drop(self.events);
        self.task.await.unwrap().unwrap();
        (Succession::after(self.succession.take_left()), self.metrics)
    }

    pub(crate) async fn send(&self, resources: Vec<ResourceLogs>) -> Delivery {
        let (ack, delivery) = Ack::new();
        self.events
            .send(Batch::new(Payload::Logs(resources), ack))
            .await
            .unwrap();
        yield_now().await;
        delivery
    }

    pub(crate) async fn next(&mut self) -> (Vec<ResourceMetrics>, Ack) {
        let batch = self.metrics.recv().await.unwrap();
        let Payload::Metrics(metrics) = &*batch.payload else {
            panic!("metrics are expected")
        };
        (metrics.clone(), batch.ack)
    }
}

/// Lets the connector work without advancing time: it runs whenever the test's task waits.
pub(crate) async fn yield_now() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn second(offset: i64) -> Timestamp {
    Timestamp::from_second(START_SECOND as i64 + offset).unwrap()
}

/// A Job that took that many seconds.
pub(crate) fn job(uid: &str, name: &str, verdict: Option<(&str, &str)>, seconds: i64) -> Evidence {
    let conditions = verdict.map(|(kind, reason)| Condition {
        kind: kind.into(),
        is_true: true,
        reason: reason.into(),
        since: Some(second(seconds)),
        ..Default::default()
    });
    Evidence {
        job: Job {
            namespace: "shop".into(),
            name: name.into(),
            uid: uid.into(),
            status: JobStatus {
                start_time: Some(second(0)),
                conditions: conditions.into_iter().collect(),
                ..Default::default()
            },
            ..Default::default()
        },
        pods: vec![],
        events: vec![],
        gaps: vec![],
    }
}

pub(crate) fn of_cronjob(mut evidence: Evidence, cronjob: &str) -> Evidence {
    evidence.job.cronjob = Some(Box::new(CronJob {
        name: cronjob.into(),
        uid: "cron-uid".into(),
        ..Default::default()
    }));
    evidence
}

pub(crate) fn event(evidence: &Evidence, judgement: &[(&str, &str)]) -> ResourceLogs {
    let mut resource = otlp::encode(evidence, Some("c1"), second(100));
    let record = &mut resource.scope_logs[0].log_records[0];
    for (name, value) in judgement {
        otlp::set(&mut record.attributes, otlp::text(name, value));
    }
    resource
}

pub(crate) fn failed(uid: &str, name: &str) -> ResourceLogs {
    event(
        &job(uid, name, Some(("FailureTarget", "DeadlineExceeded")), 10),
        &[(attr::FAILURE_CAUSE, "RanTooLong"), (attr::FAILURE_CATEGORY, "timeout")],
    )
}

pub(crate) fn completed(uid: &str, name: &str, seconds: i64) -> ResourceLogs {
    event(&job(uid, name, Some(("Complete", "CompletionsReached")), seconds), &[])
}

/// The event of `count` runs of a CronJob that did not start, from the slot in minute `minute` on.
pub(crate) fn missed(cronjob: &str, reason: MissReason, minute: i64, count: u64) -> ResourceLogs {
    let owner = Job {
        namespace: "shop".into(),
        cronjob: Some(Box::new(CronJob {
            name: cronjob.into(),
            uid: format!("{cronjob}-uid").into(),
            ..Default::default()
        })),
        ..Default::default()
    };
    let notice = Notice::Missed(Box::new(MissedRuns {
        cronjob: owner,
        time_zone: None,
        reason,
        message: String::new(),
        first: second(minute * 60),
        last: second((minute + count as i64 - 1) * 60),
        count,
        at: second((minute + count as i64) * 60),
    }));
    otlp::encode_notice(&notice, Some("c1"), second(600))
}
