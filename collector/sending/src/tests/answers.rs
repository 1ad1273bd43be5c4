//! Effects of an answer on the next attempt, on shutdown and on the exporter's health.

use super::*;

fn throttled(seconds: u64) -> SendOutcome {
    SendOutcome::Retry {
        after: Some(Duration::from_secs(seconds)),
        why: "HTTP 429".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_a_minimum() {
    let destination = Scripted::new([throttled(21)]);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    assert_eq!(fixture.send(logs(1)).await.await, Outcome::Delivered);
    assert_eq!(destination.seconds(), [0.0, 21.0]);
}

#[tokio::test(start_paused = true)]
async fn retry_after_of_years_waits_half_a_minute() {
    let years = [throttled(999_999_999), throttled(u64::MAX)];
    let destination = Scripted::new(years);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    assert_eq!(fixture.send(logs(1)).await.await, Outcome::Delivered);
    assert_eq!(destination.seconds(), [0.0, 30.0, 60.0]);
}

#[tokio::test(start_paused = true)]
async fn retry_after_beyond_the_remaining_time_still_retries() {
    let retry = RetrySettings {
        max_interval: collector_config::Duration::from_secs(5),
        max_elapsed_time: collector_config::Duration::from_secs(10),
        ..RetrySettings::default()
    };
    let destination = Scripted::new([throttled(60)]);
    let fixture = start(&destination, retry.clone(), QueueSettings::default());
    assert_eq!(fixture.send(logs(1)).await.await, Outcome::Delivered);
    assert_eq!(destination.seconds(), [0.0, 10.0]);

    let destination = Scripted::new([throttled(60), throttled(60)]);
    let fixture = start(&destination, retry, QueueSettings::default());
    assert!(matches!(fixture.send(logs(1)).await.await, Outcome::Dropped(_)));
    assert_eq!(destination.seconds(), [0.0, 10.0]);
}

#[tokio::test(start_paused = true)]
async fn by_default_nothing_is_dropped() {
    let destination = Scripted::new((0..5000).map(|_| busy()));
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    assert_eq!(fixture.send(logs(1)).await.await, Outcome::Delivered);
    assert!(destination.begin.elapsed() > Duration::from_secs(24 * 60 * 60));
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_retry_after() {
    let destination = Scripted::new([throttled(20)]);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    let asked = fixture.send(logs(1)).await;
    settle().await;
    destination.script.lock().unwrap().push_back(busy());
    let own = fixture.send(logs(2)).await;
    settle().await;
    fixture.shutdown.cancel();
    assert_eq!((own.await, asked.await), (Outcome::Delivered, Outcome::Delivered));
    assert_eq!(destination.begin.elapsed(), Duration::ZERO);

    // While it shuts down, too.
    destination.script.lock().unwrap().push_back(throttled(999));
    assert_eq!(fixture.send(logs(3)).await.await, Outcome::Delivered);
    assert_eq!(destination.begin.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn refusing_everything_is_not_ready_until_a_delivery() {
    let all_of_it = |rejected| SendOutcome::Partial {
        rejected,
        message: "no".into(),
    };
    for (answer, why) in [
        (SendOutcome::Permanent("HTTP 400: no".into()), "logs: HTTP 400: no"),
        (
            SendOutcome::TooLarge("HTTP 413".into()),
            "logs: HTTP 413; it holds a single item and cannot be split",
        ),
        (all_of_it(1), "logs: the backend rejected all of it: no"),
    ] {
        let destination = Scripted::new([answer.clone(), answer.clone()]);
        let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
        for _ in 0..2 {
            let outcome = fixture.send(logs(1)).await.await;
            assert!(matches!(outcome, Outcome::Rejected(_)), "{answer:?}: {outcome:?}");
            assert_eq!(fixture.status(), Status::RecoverableError(why.into()));
        }
        assert_eq!(fixture.send(points(1)).await.await, Outcome::Delivered);
        assert_eq!(
            fixture.status(),
            Status::RecoverableError(why.into()),
            "delivered points say nothing about logs"
        );
        assert_eq!(fixture.send(logs(1)).await.await, Outcome::Delivered);
        assert_eq!(fixture.status(), Status::Ok);
    }
}

#[tokio::test(start_paused = true)]
async fn refusing_a_part_is_ready() {
    let part = SendOutcome::Partial {
        rejected: 1,
        message: "too old".into(),
    };
    let destination = Scripted::new([SendOutcome::Permanent("HTTP 400".into()), part]);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    drop(fixture.send(logs(1)).await.await);
    assert_eq!(fixture.send(logs(2)).await.await, Outcome::Delivered);
    assert_eq!(fixture.status(), Status::Ok);
}

#[tokio::test(start_paused = true)]
async fn requests_that_always_fail_let_others_pass() {
    for storage in [None, Some(MemoryStorage::new())] {
        let destination = Scripted::new([]);
        *destination.refuses.lock().unwrap() = Some("poison");
        let queue = QueueSettings {
            num_consumers: 2,
            ..QueueSettings::default()
        };
        let fixture = start_with(&destination, RetrySettings::default(), queue, storage.as_ref());
        // As many as there are consumers.
        let mut deliveries = Vec::new();
        for name in ["poison-1", "poison-2", "a", "b", "c"] {
            deliveries.push(fixture.send(named(&[name])).await);
            settle().await;
        }
        tokio::time::sleep(Duration::from_secs(600)).await;
        let seen = destination.names();
        for name in ["a", "b", "c"] {
            assert!(seen.iter().any(|seen| seen == name), "{name} in {seen:?}");
        }
        // From now on others pass each time.
        let begin = Instant::now();
        drop(fixture.send(named(&["d"])).await);
        while !destination.names().contains(&"d".into()) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(begin.elapsed() <= Duration::from_secs(31), "{:?}", begin.elapsed());
        let poison = |names: Vec<String>| names.iter().filter(|name| name.starts_with("poison")).count();
        let attempts = poison(destination.names());
        tokio::time::sleep(Duration::from_secs(600)).await;
        let more = poison(destination.names()) - attempts;
        assert!(
            (30..=42).contains(&more),
            "{more} attempts of two requests in ten minutes"
        );

        *destination.refuses.lock().unwrap() = None;
        fixture.end().await;
        let last = destination.names().split_off(destination.names().len() - 2);
        assert!(last.iter().all(|name| name.starts_with("poison")), "{last:?}");
        for delivery in deliveries {
            assert_eq!(delivery.await, Outcome::Delivered);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_consumer_keeps_the_order() {
    let destination = Scripted::new([]);
    *destination.refuses.lock().unwrap() = Some("a");
    let queue = QueueSettings {
        num_consumers: 1,
        ..QueueSettings::default()
    };
    let fixture = start(&destination, RetrySettings::default(), queue);
    let (first, second) = (fixture.send(named(&["a"])).await, fixture.send(named(&["b"])).await);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(destination.names().iter().all(|name| name == "a"));
    *destination.refuses.lock().unwrap() = None;
    assert_eq!((first.await, second.await), (Outcome::Delivered, Outcome::Delivered));
    assert_eq!(destination.names().last().map(String::as_str), Some("b"));
}
