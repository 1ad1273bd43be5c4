//! The cost of one failed Job, from the lines of its watches to the body of a request: without and with rules for labels and
//! two filters. The ratio is from a single run, in which both take turns.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark has no users, prints, and may end with a panic"
)]

mod support;

use std::time::Duration;

use collector_config::{ComponentId, Settings};
use collector_data::{Ack, Batch, Payload};
use collector_runtime::Processor;
use collector_runtime::component::{Create, Factory};
use collector_runtime::health::Health;
use collector_runtime::storage::Provided;
use jiff::Timestamp;
use job_event::Uid;
use job_event::otlp;
use job_metrics_connector::aggregate::Aggregate;
use job_metrics_connector::event::CountedEvent;
use job_metrics_connector::window::Windows;
use job_tracker::outbox::AckEvent;
use job_tracker::{Tracker, TrackerSettings};
use job_watch::extract::Extraction;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use prost::Message;
use support::tracking::{SETTLED, apply_labeled_job, apply_labeled_pod, label_rules};
use support::{Recorded, line};

/// How many Jobs fail in one round of each.
const JOBS: usize = 1000;
const ROUNDS: usize = 15;

/// The first filter drops successes, as in `docs/recipes.md`; the second one drops by namespace and cause.
const FILTERS: [&str; 2] = [
    r#"logs: {log_record: ['attributes["k8s.job.outcome"] == "Succeeded"']}"#,
    r#"logs: {log_record: ['resource.attributes["k8s.namespace.name"] == "kube-system"', 'IsMatch(attributes["k8s.job.failure.cause"], "^(Evicted|NodeLost)$")']}"#,
];

/// One way to treat events.
struct Way {
    rules: Extraction,
    processors: Vec<Box<dyn Processor>>,
}

fn main() {
    let recorded = Recorded::read();
    let jobs: Vec<[Vec<u8>; 5]> = (0..JOBS).map(|number| lines(&recorded, number)).collect();
    let enrichment = || processor(reason_enrichment_processor::factory(), "{}");
    let mut plain = Way {
        rules: Extraction::default(),
        processors: vec![enrichment()],
    };
    let filters = FILTERS.map(|yaml| processor(filter_processor::factory(), yaml));
    let mut rich = Way {
        rules: label_rules(),
        processors: [enrichment()].into_iter().chain(filters).collect(),
    };
    for way in [&mut plain, &mut rich] {
        assert_eq!(round(&jobs, way), JOBS, "every Job is reported, and no filter drops it");
    }
    let mut spent = [Duration::ZERO; 2];
    for _ in 0..ROUNDS {
        for (sum, way) in spent.iter_mut().zip([&mut plain, &mut rich]) {
            let before = processor_time();
            round(&jobs, way);
            *sum += processor_time() - before;
        }
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / (JOBS * ROUNDS) as f64;
    println!("one failed Job, from its 5 lines to the bodies of requests");
    println!("  without rules and filters     {:>8.1} µs", each(spent[0]));
    println!("  with 3 rules and 2 filters    {:>8.1} µs", each(spent[1]));
    let ratio = spent[1].as_secs_f64() / spent[0].as_secs_f64();
    println!("  ratio                         {ratio:>8.3}");
}

/// The versions of a Job and its Pod until the Job has failed.
fn lines(recorded: &Recorded, number: usize) -> [Vec<u8>; 5] {
    let [waiting, ready] = recorded.running_jobs(number);
    let [pending, running] = recorded.running_pods(number);
    let failed = recorded.failed_job(number);
    [waiting, pending, running, ready, failed].map(|object| line(&object))
}

fn processor(factory: Factory<dyn Processor>, yaml: &str) -> Box<dyn Processor> {
    let id = ComponentId {
        type_name: factory.type_name.into(),
        name: None,
    };
    let settings = Settings::from_yaml(yaml).unwrap();
    let (meter, health, provided) = (NoopMeterProvider::new().meter("bench"), Health::new(), Provided::new());
    (factory.create)(&Create {
        id: &id,
        settings: &settings,
        meter: &meter,
        health: &health,
        provided: &provided,
    })
    .unwrap_or_else(|errors| panic!("{errors}"))
}

/// Reports every Job; returns how many events are in requests.
fn round(jobs: &[[Vec<u8>; 5]], way: &mut Way) -> usize {
    let mut tracker = Tracker::new(TrackerSettings::default());
    let mut aggregate = Aggregate::new(160);
    let mut events = 0;
    for [waiting, pending, running, ready, failed] in jobs {
        apply_labeled_job(&mut tracker, waiting, &way.rules);
        apply_labeled_pod(&mut tracker, pending, &way.rules);
        apply_labeled_pod(&mut tracker, running, &way.rules);
        apply_labeled_job(&mut tracker, ready, &way.rules);
        apply_labeled_job(&mut tracker, failed, &way.rules);
        while let Some(evidence) = tracker.poll(SETTLED) {
            let uid = Uid::new(&evidence.job.uid);
            events += export(
                otlp::encode(&evidence, Some("production"), SETTLED),
                way,
                &mut aggregate,
            );
            tracker.outbox().apply(&uid, AckEvent::Acknowledged);
        }
    }
    let now = Timestamp::UNIX_EPOCH;
    let request = ExportMetricsServiceRequest {
        resource_metrics: aggregate.take(Windows::new(now).close(now)),
    };
    drop(request.encode_to_vec());
    events
}

/// Lets an event pass the processors, counts it and encodes it.
fn export(event: ResourceLogs, way: &mut Way, aggregate: &mut Aggregate) -> usize {
    let mut batch = Batch::new(Payload::Logs(vec![event]), Ack::unwatched());
    for processor in &mut way.processors {
        let Some(left) = processor.process(batch) else {
            return 0;
        };
        batch = left;
    }
    let Payload::Logs(resource_logs) = (*batch.payload).clone() else {
        return 0;
    };
    for event in &resource_logs {
        for record in event.scope_logs.iter().flat_map(|scope| &scope.log_records) {
            let counted = CountedEvent::read(record).unwrap().unwrap();
            aggregate.add(event.resource.as_ref(), &event.schema_url, &record.attributes, &counted);
        }
    }
    let events = resource_logs.len();
    drop(ExportLogsServiceRequest { resource_logs }.encode_to_vec());
    events
}

/// CPU time of this thread.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}
