use job_event::attributes as attr;

use crate::testing::{TestEvent as Event, TestWeb, at};

#[test]
fn an_owner_has_its_runs_and_causes() {
    let web = TestWeb::of([
        Event::finished(1, "Succeeded", "08:00:00"),
        Event::failed(2, "A", "09:00:00"),
        Event::failed(3, "B", "10:00:00"),
        Event::finished(4, "Replaced", "10:30:00"),
        Event::failed(5, "A", "11:00:00"),
        Event::failed(6, "A", "11:00:00").of("Workflow", "report"),
        Event::missed(2, "ControllerLate", "11:30:00"),
    ]);
    let owner = web.owner("shop", "CronJob", "report").unwrap().unwrap();
    let runs: Vec<&str> = owner.runs.items.iter().map(|run| &*run.name).collect();
    assert_eq!(runs, ["report-5", "report-4", "report-3", "report-2", "report-1"]);
    let causes: Vec<_> = owner.causes.iter().map(|count| (&*count.cause, count.runs)).collect();
    assert_eq!(causes, [("A", 2), ("B", 1)]);
    assert_eq!((owner.is_failing, owner.consecutive_failures), (true, 3));
    assert_eq!((owner.last_success, owner.missed.total), (Some(at("08:00:00")), 1));
    assert!(web.owner("shop", "Workflow", "report").unwrap().is_some());
    for (namespace, kind, name) in [
        ("other", "CronJob", "report"),
        ("shop", "Job", "report"),
        ("shop", "CronJob", "x"),
    ] {
        assert_eq!(
            web.owner(namespace, kind, name).unwrap(),
            None,
            "{namespace} {kind} {name}"
        );
    }
}

#[test]
fn jobs_of_one_name_are_separated_by_uid() {
    let again = Event::finished(2, "Succeeded", "11:00:00").with(attr::JOB_NAME, "report-1");
    let web = TestWeb::of([
        Event::stalled(1, "ImagePull", "08:00:00"),
        Event::failed(1, "ImagePull", "09:00:00"),
        again,
        Event::failed(3, "A", "10:00:00"),
    ]);
    let job = web.job("shop", "report-1", None).unwrap().unwrap();
    let events: Vec<_> = job
        .events
        .iter()
        .map(|event| (&*event.listed.uid, event.listed.event.short()))
        .collect();
    assert_eq!(events, [("2", "finished"), ("1", "finished"), ("1", "stalled")]);
    let jobs: Vec<_> = job.jobs.iter().map(|job| (&*job.uid, &*job.outcome)).collect();
    assert_eq!(jobs, [("2", "Succeeded"), ("1", "Failed")]);
    let one = web.job("shop", "report-1", Some("1")).unwrap().unwrap();
    assert_eq!((one.events.len(), one.jobs.len()), (2, 1));
    assert_eq!(web.job("shop", "report-1", Some("9")).unwrap(), None);
    assert_eq!(web.job("other", "report-1", None).unwrap(), None);
}

#[test]
fn a_whole_event_has_what_the_record_has() {
    let event = Event::failed(1, "A", "09:00:00")
        .with(attr::FAILURE_MESSAGE, "Job has reached the specified backoff limit")
        .with(attr::FAILURE_NEXT_STEP, "Read the log.")
        .with(attr::DECISION_TIME, "2026-11-28T08:59:59Z")
        .with("team", "payments");
    let web = TestWeb::of([event]);
    let event = web.job("shop", "report-1", None).unwrap().unwrap().events.remove(0);
    assert_eq!(
        event.message.as_deref(),
        Some("Job has reached the specified backoff limit")
    );
    assert_eq!(event.next_step.as_deref(), Some("Read the log."));
    assert_eq!(event.decision_time, Some(at("08:59:59")));
    assert_eq!(event.attributes["team"], "payments");
    assert_eq!(event.resource["k8s.namespace.name"], "shop");
    assert_eq!(event.listed.duration, Some(60.0));
}
