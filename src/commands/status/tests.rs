use collector_runtime::process_status::{
    ComponentState, ConfigurationState, LeaderState, ProcessStatus, QueueState, WatchState,
};
use jiff::Timestamp;

use super::next_step::problems;
use super::text::{Layout, page};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn component(path: &str, status: &str, reason: Option<&str>) -> ComponentState {
    ComponentState {
        path: path.into(),
        status: status.into(),
        since: at(60),
        reason: reason.map(Into::into),
        ..ComponentState::default()
    }
}

fn watch(resource: &str, namespace: Option<&str>, state: &str, age: u64) -> WatchState {
    WatchState {
        receiver: "receivers::k8s_job".into(),
        resource: resource.into(),
        namespace: namespace.map(Into::into),
        state: state.into(),
        last_message_age: Some(age),
        restarts: 2,
        ..WatchState::default()
    }
}

/// A process whose components have these statuses.
fn process(components: Vec<ComponentState>) -> ProcessStatus {
    let unhealthy = components.iter().filter(|c| c.status != "StatusOK");
    let unhealthy: Vec<String> = unhealthy.map(|c| c.path.clone()).collect();
    ProcessStatus {
        version: "0.1.0".into(),
        started: at(0),
        time: at(100_000),
        alive: components.iter().all(|c| c.status != "StatusPermanentError"),
        ready: unhealthy.is_empty(),
        unhealthy,
        components,
        ..ProcessStatus::default()
    }
}

fn shown(status: &ProcessStatus) -> String {
    page(status, "http://localhost:13133", Layout::default())
}

#[test]
fn a_ready_collector_fits_into_80_columns() {
    let mut status = process(vec![
        component("exporters::otlp_http/datadog", "StatusOK", None),
        component("receivers::k8s_job", "StatusOK", None),
    ]);
    status.queues = vec![QueueState {
        exporter: "exporters::otlp_http/datadog".into(),
        signal: "logs".into(),
        size: 12,
        capacity: 1000,
        unit: "requests".into(),
    }];
    status.watches = vec![
        watch("jobs", None, "watching", 12),
        watch("pod events", None, "denied", 0),
    ];
    status.leaders = vec![LeaderState {
        elector: "extensions::k8s_leader_elector".into(),
        role: "standby".into(),
        leader: Some("kube-job-collector-0".into()),
        lease: Some("ops/kube-job-collector".into()),
    }];
    let expected = "\
Ready: all 2 components are ok
kube-job-collector 0.1.0 at http://localhost:13133, up 1d3h

COMPONENT                     STATE  SINCE
exporters::otlp_http/datadog  ok     1d3h
receivers::k8s_job            ok     1d3h

QUEUE              SIGNAL  USED
otlp_http/datadog  logs    12 of 1000 requests (1 %)

WATCH    RESOURCE    NAMESPACE  STATE     LAST  RESTARTS
k8s_job  jobs        all        watching  12s   2
k8s_job  pod events  all        denied    0s    2

ROLE HERE  LEADER                LEASE
standby    kube-job-collector-0  ops/kube-job-collector
";
    assert_eq!(shown(&status), expected);
}

#[test]
fn each_problem_has_its_reason_and_the_next_step() {
    let reason = "logs: otlp.datadoghq.com refused the API key, HTTP 403; is DD_SITE the site of the organization?";
    let mut status = process(vec![
        component("exporters::otlp_http", "StatusRecoverableError", Some(reason)),
        component("receivers::k8s_job", "StatusStarting", None),
    ]);
    status.configuration = Some(ConfigurationState {
        status: "reload failed".into(),
        since: at(5),
        reason: Some("p.yaml:1:1: unknown key".into()),
    });
    let expected = "\
Not ready: 2 of 2 components are not ok
kube-job-collector 0.1.0 at http://localhost:13133, up 1d3h

! exporters::otlp_http fails and retries
  reason: logs: otlp.datadoghq.com refused the API key, HTTP 403; is DD_SITE the
          site of the organization?
  next:   check the backend, its credentials and the network; data stays queued
          until it is accepted

! receivers::k8s_job is starting: its first lists are not complete
  next:   wait; if it stays so, the log of the collector names the list that
          fails

! the last reload failed; the configuration before it runs
  reason: p.yaml:1:1: unknown key
  next:   fix the configuration; `validate FILE` shows every error
";
    let text = shown(&status);
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn the_first_word_is_the_state_of_the_process() {
    for (status, word) in [
        ("StatusOK", "Ready: its component is ok"),
        ("StatusStarting", "Starting: its component is not ok"),
        ("StatusRecoverableError", "Not ready: its component"),
        ("StatusPermanentError", "Dead: its component"),
    ] {
        let text = shown(&process(vec![component("exporters::a", status, None)]));
        assert!(text.starts_with(word), "{text}");
        let has_problem = text.contains("\n! ");
        assert_eq!(has_problem, status != "StatusOK", "{text}");
    }
}

#[test]
fn a_queue_of_80_percent_is_a_problem() {
    let with = |size| {
        let mut status = process(vec![component("exporters::a", "StatusOK", None)]);
        status.queues = vec![QueueState {
            exporter: "exporters::a".into(),
            signal: "logs".into(),
            size,
            capacity: 10,
            unit: "requests".into(),
        }];
        problems(&status).len()
    };
    assert_eq!((with(7), with(8)), (0, 1));
}

#[test]
fn watches_of_several_namespaces_share_a_row() {
    let mut status = process(vec![component("receivers::k8s_job", "StatusOK", None)]);
    status.watches = vec![
        watch("jobs", Some("a"), "watching", 10),
        watch("pods", Some("a"), "watching", 1),
        watch("jobs", Some("b"), "failing", 90),
        watch("jobs", Some("c"), "watching", 5),
    ];
    let text = shown(&status);
    assert!(
        text.contains("k8s_job  jobs      3 (worst shown)  failing   1m30s  6\n"),
        "{text}"
    );
    assert!(
        text.contains("k8s_job  pods      a                watching  1s     2\n"),
        "{text}"
    );
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    let long = format!("exporters::otlp_http/{}", "very-long-name-".repeat(12));
    let mut status = process(vec![component(
        &long,
        "StatusRecoverableError",
        Some(&"reason ".repeat(60)),
    )]);
    status.watches = vec![watch("scale-up events", Some(&"n".repeat(20)), "watching", 10)];
    for width in [60, 80, 120] {
        let layout = Layout {
            width: Some(width),
            colour: false,
        };
        let text = page(&status, "http://localhost:13133", layout);
        // The name of a component is one word, which is not broken.
        let lines = text.lines().filter(|line| !line.starts_with("! "));
        for line in lines {
            assert!(line.chars().count() <= width, "{line}");
        }
    }
}

#[test]
fn text_of_others_is_escaped_and_colours_are_optional() {
    let status = process(vec![component(
        "exporters::a",
        "StatusRecoverableError",
        Some("a\x1b[2Jb\nc"),
    )]);
    assert!(!shown(&status).contains('\x1b'));
    let colour = Layout {
        width: None,
        colour: true,
    };
    assert!(page(&status, "x", colour).starts_with("\x1b[31;1mNot ready\x1b[0m: its component"));
}
