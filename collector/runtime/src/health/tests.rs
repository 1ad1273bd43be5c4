use super::*;

#[test]
fn ready_only_when_every_component_is_ok() {
    let health = Health::new();
    let (receiver, exporter) = (health.reporter("receivers::a"), health.reporter("exporters::a"));
    assert!(!health.is_ready());
    receiver.report(Status::Ok);
    assert!(!health.is_ready());
    exporter.report(Status::Ok);
    assert!(health.is_ready());
    exporter.report(Status::RecoverableError("503".into()));
    assert!(!health.is_ready());
    assert!(none_dead(&health.watch().borrow()));
}

#[test]
fn a_permanent_error_stays() {
    let health = Health::new();
    let reporter = health.reporter("exporters::a");
    reporter.report(Status::PermanentError("panicked".into()));
    reporter.report(Status::Ok);
    assert!(!none_dead(&health.watch().borrow()));
    assert!(!health.is_ready());
}

#[test]
fn an_unchanged_status_wakes_no_watcher() {
    let health = Health::new();
    let reporter = health.reporter("exporters::a");
    reporter.report(Status::Ok);
    let mut watch = health.watch();
    watch.mark_unchanged();
    reporter.report(Status::Ok);
    reporter.part("store").report(Status::Ok);
    assert!(!watch.has_changed().unwrap());
    reporter.report(Status::Stopped);
    assert!(watch.has_changed().unwrap());
}

#[test]
fn a_component_fails_while_one_of_its_parts_fails() {
    let health = Health::new();
    let component = health.reporter("exporters::a");
    let (store, queue) = (component.part("store"), component.part("queue"));
    let status = || health.watch().borrow()[&"exporters::a"].clone();
    let failing = |reason: &str| Status::RecoverableError(reason.into());
    component.report(Status::Ok);
    store.report(failing("disk full"));
    queue.report(failing("queue full"));
    assert_eq!(status(), failing("queue full; disk full"));
    component.report(failing("503"));
    assert_eq!(status(), failing("503; queue full; disk full"));
    component.report(Status::Ok);
    queue.report(Status::Ok);
    assert_eq!(status(), failing("disk full"));
    store.report(Status::Ok);
    assert_eq!(status(), Status::Ok);
    store.report(failing("disk full"));
    component.report(Status::Stopped);
    assert_eq!(status(), Status::Stopped);
    store.report(Status::PermanentError("panicked".into()));
    store.report(Status::Ok);
    assert_eq!(status(), Status::PermanentError("panicked".into()));
}

#[test]
fn a_successor_starts_without_the_errors_of_its_predecessor() {
    let health = Health::new();
    let first = health.reporter("exporters::a");
    first
        .part("queue")
        .report(Status::RecoverableError("queue full".into()));
    first.detail("leader", "a");
    let second = health.successor("exporters::a");
    second.report(Status::Ok);
    first.report(Status::PermanentError("panicked".into()));
    first.detail("leader", "b");
    assert!(health.is_ready());
    assert_eq!(health.watch().borrow().details("exporters::a").count(), 0);
    health.retain(|component| component != "exporters::a");
    second.report(Status::Stopped);
    assert!(health.watch().borrow().get("exporters::a").is_none());
}

#[test]
fn details_outlast_a_change_of_status() {
    let health = Health::new();
    let reporter = health.reporter("extensions::a");
    reporter.detail("role", "standby");
    reporter.report(Status::Ok);
    let mut watch = health.watch();
    watch.mark_unchanged();
    reporter.detail("role", "standby");
    assert!(!watch.has_changed().unwrap());
    reporter.detail("role", "leader");
    assert!(watch.has_changed().unwrap());
    let statuses = watch.borrow();
    assert_eq!(
        statuses.details("extensions::a").collect::<Vec<_>>(),
        [("role", "leader")]
    );
    assert_eq!(statuses.details("extensions::b").count(), 0);
}

#[test]
fn a_status_lasts_until_its_kind_changes() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let mut reported = Reported::new(0, at(0));
    let mut since = |status, second| {
        reported.set(None, status, at(second));
        reported.since
    };
    let failing = |reason: &str| Status::RecoverableError(reason.into());
    assert_eq!(since(Status::Ok, 1), at(1));
    assert_eq!(since(failing("503"), 2), at(2));
    assert_eq!(since(failing("429"), 3), at(2));
    assert_eq!(since(Status::Ok, 4), at(4));
}
