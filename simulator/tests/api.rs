//! Lists, watches and faults, over real sockets.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use simulator::{Answer, Cut, Isolation, Matching, Resource, Rule, Simulator, SimulatorOptions, Store, Token, Verb};
use support::{Next, get, open, send, watch};

fn pod(name: &str, labels: Value, phase: &str) -> Value {
    json!({"metadata": {"namespace": "n", "name": name, "uid": name, "labels": labels}, "status": {"phase": phase}})
}

async fn started() -> (Simulator, Store) {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let store = simulator.store().clone();
    (simulator, store)
}

fn event(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), format!("n/{name}"))
}

fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_cut_watch_is_resumed_without_gap_or_repetition() {
    for cut in [Cut::End, Cut::EndMidLine, Cut::Reset, Cut::ResetMidLine] {
        let (simulator, store) = started().await;
        let list = get(&simulator, "/api/v1/pods").await.json();
        let from = list["metadata"]["resourceVersion"].as_str().unwrap();
        let mut first = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
        store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
        let seen = match first.next().await {
            Next::Line(line) => line["object"]["metadata"]["resourceVersion"]
                .as_str()
                .unwrap()
                .to_owned(),
            other => panic!("{other:?}"),
        };
        simulator.cut_watches(cut);
        match (cut, first.next().await) {
            (Cut::End, Next::End) | (Cut::EndMidLine, Next::CutLine(_)) => {}
            // A reset may overtake the half line.
            (Cut::Reset | Cut::ResetMidLine, Next::Broken | Next::CutLine(_)) => {}
            (cut, next) => panic!("{cut:?}: {next:?}"),
        }
        store.update(Resource::Pods, pod("a", json!({}), "Running")).unwrap();
        store.delete(Resource::Pods, "n", "a").unwrap();
        let mut second = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={seen}")).await;
        assert_eq!(second.event().await, event("MODIFIED", "a"));
        assert_eq!(second.event().await, event("DELETED", "a"));
        simulator.shutdown().await;
    }
}

#[tokio::test]
async fn a_version_from_before_the_window_is_gone_inside_the_stream() {
    let (simulator, store) = started().await;
    let before = store.resource_version();
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    store.compact();
    let now = store.resource_version();
    let mut stream = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={before}")).await;
    assert_eq!(stream.status, 200);
    let Next::Line(line) = stream.next().await else {
        panic!("no line")
    };
    assert_eq!((&line["type"], &line["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(
        line["object"]["message"],
        format!("too old resource version: {before} ({now})")
    );
    assert_eq!(stream.next().await, Next::End);
    // The window moves by itself when it is full.
    let options = simulator::StoreOptions {
        window: 3,
        ..Default::default()
    };
    let options = SimulatorOptions {
        store: options,
        ..Default::default()
    };
    let small = Simulator::start(options).await.unwrap();
    let before = small.store().resource_version();
    for name in ["a", "b", "c", "d"] {
        small
            .store()
            .create(Resource::Pods, pod(name, json!({}), "Pending"))
            .unwrap();
    }
    let mut gone = watch(&small, &format!("/api/v1/pods?watch=1&resourceVersion={before}")).await;
    assert_eq!(gone.event().await.0, "ERROR");
    let mut there = watch(&small, &format!("/api/v1/pods?watch=1&resourceVersion={}", before + 1)).await;
    assert_eq!(there.event().await, event("ADDED", "b"));
    small.shutdown().await;
    simulator.shutdown().await;
}

#[tokio::test]
async fn objects_enter_and_leave_a_selection() {
    let (simulator, store) = started().await;
    let job = json!({"batch.kubernetes.io/job-name": "j"});
    let from = store.resource_version();
    let query = format!("watch=1&resourceVersion={from}&labelSelector=batch.kubernetes.io%2Fjob-name");
    let mut labelled = watch(&simulator, &format!("/api/v1/pods?{query}")).await;
    let query = format!("watch=1&resourceVersion={from}&fieldSelector=status.phase%3DRunning");
    let mut running = watch(&simulator, &format!("/api/v1/namespaces/n/pods?{query}")).await;
    store
        .create(Resource::Pods, pod("web", json!({"app": "web"}), "Running"))
        .unwrap();
    store.create(Resource::Pods, pod("a", job.clone(), "Pending")).unwrap();
    store.update(Resource::Pods, pod("a", job, "Running")).unwrap();
    store.update(Resource::Pods, pod("a", json!({}), "Failed")).unwrap();
    let version = store.resource_version();
    assert_eq!(labelled.event().await, event("ADDED", "a"));
    assert_eq!(labelled.event().await, event("MODIFIED", "a"));
    // What left is told as it was last seen, under the version at which it left.
    let Next::Line(left) = labelled.next().await else {
        panic!("no line")
    };
    assert_eq!(left["type"], "DELETED");
    assert_eq!(
        left["object"]["metadata"]["labels"]["batch.kubernetes.io/job-name"],
        "j"
    );
    assert_eq!(left["object"]["metadata"]["resourceVersion"], version.to_string());
    assert_eq!(running.event().await, event("ADDED", "web"));
    assert_eq!(running.event().await, event("ADDED", "a"));
    assert_eq!(running.event().await, event("DELETED", "a"));
    simulator.shutdown().await;
}

#[tokio::test]
async fn initial_events_end_with_a_bookmark_and_bookmarks_come_on_demand() {
    let (simulator, store) = started().await;
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    store.create(Resource::Pods, pod("b", json!({}), "Pending")).unwrap();
    let options = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut stream = watch(&simulator, &format!("/api/v1/pods?{options}")).await;
    assert_eq!(stream.event().await, event("ADDED", "a"));
    assert_eq!(stream.event().await, event("ADDED", "b"));
    let Next::Line(end) = stream.next().await else {
        panic!("no line")
    };
    let metadata = &end["object"]["metadata"];
    assert_eq!(
        (&end["type"], &end["object"]["kind"]),
        (&json!("BOOKMARK"), &json!("Pod"))
    );
    assert_eq!(metadata["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(metadata["resourceVersion"], store.resource_version().to_string());
    // A bookmark carries the versions of other resources' changes, too.
    store
        .create(
            Resource::ConfigMaps,
            json!({"metadata": {"namespace": "n", "name": "x"}}),
        )
        .unwrap();
    simulator.send_bookmarks();
    let Next::Line(bookmark) = stream.next().await else {
        panic!("no line")
    };
    let expected = json!({"resourceVersion": store.resource_version().to_string()});
    assert_eq!(bookmark["object"]["metadata"], expected);
    simulator.shutdown().await;

    let old = SimulatorOptions {
        watch_list: false,
        ..Default::default()
    };
    let old = Simulator::start(old).await.unwrap();
    assert_eq!(get(&old, &format!("/api/v1/pods?{options}")).await.status, 422);
    old.shutdown().await;
}

#[tokio::test]
async fn pages_show_the_cluster_as_it_was_at_the_first_one() {
    let (simulator, store) = started().await;
    for name in ["a", "b", "c", "d"] {
        store.create(Resource::Pods, pod(name, json!({}), "Pending")).unwrap();
    }
    let first = get(&simulator, "/api/v1/pods?limit=2").await.json();
    assert_eq!(
        (names(&first), &first["metadata"]["remainingItemCount"]),
        (vec!["a", "b"], &json!(2))
    );
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    store.delete(Resource::Pods, "n", "c").unwrap();
    store.update(Resource::Pods, pod("d", json!({}), "Failed")).unwrap();
    store.create(Resource::Pods, pod("e", json!({}), "Pending")).unwrap();
    let path = format!("/api/v1/pods?limit=2&continue={token}");
    let second = get(&simulator, &path).await.json();
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second["items"][1]["status"]["phase"], "Pending");
    assert_eq!(
        second["metadata"],
        json!({"resourceVersion": first["metadata"]["resourceVersion"]})
    );
    let exact = first["metadata"]["resourceVersion"].as_str().unwrap();
    let path_exact = format!("/api/v1/pods?resourceVersion={exact}&resourceVersionMatch=Exact");
    assert_eq!(names(&get(&simulator, &path_exact).await.json()), ["a", "b", "c", "d"]);

    store.compact();
    let expired = get(&simulator, &path).await;
    assert_eq!((expired.status, &expired.json()["reason"]), (410, &json!("Expired")));
    let inconsistent = expired.json()["metadata"]["continue"].as_str().unwrap().to_owned();
    let rest = get(&simulator, &format!("/api/v1/pods?continue={inconsistent}"))
        .await
        .json();
    assert_eq!(names(&rest), ["d", "e"]);
    assert_eq!(get(&simulator, &path_exact).await.status, 410);
    simulator.shutdown().await;
}

#[tokio::test]
async fn scripted_answers_meet_the_requests_they_are_for() {
    let (simulator, _) = started().await;
    let jobs = "/apis/batch/v1/jobs";
    let status = |code, retry_after| Answer::Status { code, retry_after };
    simulator.answer_next(2, Matching::new(Verb::List, Resource::Jobs), status(429, Some(7)));
    simulator.answer_next(1, Matching::new(Verb::Watch, Resource::Jobs), status(410, None));
    simulator.answer_next(1, Matching::new(Verb::Watch, Resource::Pods), Answer::ExpiredInBand);
    for _ in 0..2 {
        let limited = get(&simulator, jobs).await;
        assert_eq!((limited.status, limited.headers["retry-after"].as_str()), (429, "7"));
        assert_eq!(limited.json()["details"]["retryAfterSeconds"], 7);
    }
    assert_eq!(get(&simulator, jobs).await.status, 200);
    assert_eq!(get(&simulator, "/apis/batch/v1/jobs?watch=1").await.status, 410);
    let expired = get(&simulator, "/api/v1/pods?watch=1&resourceVersion=1000").await;
    assert_eq!(
        (expired.status, &expired.lines()[0]["object"]["code"]),
        (200, &json!(410))
    );
    for code in [401, 403, 500, 503] {
        simulator.answer_next(1, Matching::default(), status(code, None));
        let answer = get(&simulator, jobs).await;
        assert_eq!((answer.status, &answer.json()["code"]), (code, &json!(code)));
    }
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_was_made() {
    let (simulator, store) = started().await;
    let silent = Matching::new(Verb::Create, Resource::ConfigMaps);
    simulator.answer_next(1, silent, Answer::LostAnswer);
    simulator.answer_next(1, silent, Answer::Silence);
    let create = async |name: &str| {
        let body = json!({"metadata": {"name": name, "namespace": "n"}}).to_string();
        post(&simulator, "/api/v1/namespaces/n/configmaps", &body).await
    };
    assert_eq!(create("a").await, "", "no answer");
    assert!(store.get(Resource::ConfigMaps, "n", "a").is_some());
    let mut silence = std::pin::pin!(create("b"));
    let asked = async {
        while simulator.requests().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = &mut silence => panic!("an answer: {answer:?}"),
        () = asked => {}
    }
    tokio::select! {
        answer = &mut silence => panic!("an answer: {answer:?}"),
        answer = create("c") => assert!(answer.starts_with("HTTP/1.1 201"), "{answer}"),
    }
    simulator.forget_answers();
    assert_eq!(silence.await, "", "the connection is reset");
    assert!(store.get(Resource::ConfigMaps, "n", "b").is_none());
}

/// Posts; what came back before the connection ended.
async fn post(simulator: &Simulator, path: &str, body: &str) -> String {
    exchange(
        simulator.address(),
        &format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
    .await
}

#[tokio::test]
async fn a_stalled_watch_says_nothing_until_it_goes_on() {
    let (simulator, store) = started().await;
    let from = store.resource_version();
    let mut stream = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
    simulator.stall_watches();
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    // The cut shows that nothing was said before it.
    simulator.cut_watches(Cut::End);
    assert_eq!(stream.next().await, Next::End);
    let mut stream = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
    assert_eq!(stream.status, 200);
    simulator.resume_watches();
    assert_eq!(stream.event().await, event("ADDED", "a"));
    assert_eq!(simulator.open_watches(), 1);
    simulator.expire_watches();
    assert_eq!(stream.event().await.0, "ERROR");
    simulator.shutdown().await;
}

#[tokio::test]
async fn one_resource_can_stall_while_others_go_on() {
    let (simulator, store) = started().await;
    let from = store.resource_version();
    let mut pods = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
    let jobs = format!("/apis/batch/v1/jobs?watch=1&resourceVersion={from}");
    let mut jobs = watch(&simulator, &jobs).await;
    simulator.stall_watches_of(Resource::Pods);
    store
        .create(Resource::Pods, pod("first", json!({}), "Pending"))
        .unwrap();
    store.create(Resource::Jobs, pod("second", json!({}), "")).unwrap();
    assert_eq!(jobs.event().await, event("ADDED", "second"));
    // The cut shows that nothing was said before it.
    simulator.cut_watches_of(Resource::Pods, Cut::End);
    assert_eq!(pods.next().await, Next::End);
    let mut pods = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
    simulator.resume_watches_of(Resource::Pods);
    assert_eq!(pods.event().await, event("ADDED", "first"));
}

#[tokio::test]
async fn a_watch_can_say_its_last_words_twice() {
    let (simulator, store) = started().await;
    let from = store.resource_version();
    let mut pods = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    assert_eq!(pods.event().await, event("ADDED", "a"));
    simulator.repeat_last();
    assert_eq!(pods.event().await, event("ADDED", "a"));
    store.delete(Resource::Pods, "n", "a").unwrap();
    assert_eq!(pods.event().await, event("DELETED", "a"));
}

#[tokio::test]
async fn only_lists_that_may_be_old_are() {
    let (simulator, store) = started().await;
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    let before = store.resource_version();
    store.create(Resource::Pods, pod("b", json!({}), "Pending")).unwrap();
    simulator.lag_behind(1);
    let old = get(&simulator, "/api/v1/pods?resourceVersion=0").await.json();
    assert_eq!(names(&old), ["a"]);
    assert_eq!(old["metadata"]["resourceVersion"], before.to_string());
    assert_eq!(names(&get(&simulator, "/api/v1/pods").await.json()), ["a", "b"]);
    simulator.lag_behind(0);
    let new = get(&simulator, "/api/v1/pods?resourceVersion=0").await.json();
    assert_eq!(names(&new), ["a", "b"]);
}

#[tokio::test]
async fn a_user_can_be_cut_off() {
    let token = |name: &str| Token {
        user: name.to_owned(),
        ..Token::admin(name)
    };
    let options = SimulatorOptions {
        tokens: vec![token("a"), token("b")],
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    let address = simulator.address();
    let as_user = |user: &'static str| [("Authorization", if user == "a" { "Bearer a" } else { "Bearer b" })];
    let watches = "/api/v1/pods?watch=1&resourceVersion=1000";
    let mut of_a = open(address, "GET", watches, &as_user("a"), "").await;
    let mut of_b = open(address, "GET", watches, &as_user("b"), "").await;
    simulator.isolate("a", Isolation::Silence);
    assert_eq!(of_a.next().await, Next::Broken);
    assert_eq!(
        send(address, "GET", "/api/v1/pods", &as_user("b"), "").await.status,
        200
    );
    let headers = as_user("a");
    let mut waiting = std::pin::pin!(raw(address, &headers));
    let others = async {
        for _ in 0..3 {
            assert_eq!(
                send(address, "GET", "/api/v1/pods", &as_user("b"), "").await.status,
                200
            );
        }
    };
    tokio::select! {
        answer = &mut waiting => panic!("it was to be silent: {answer:?}"),
        () = others => {}
    }
    simulator.rejoin("a");
    assert_eq!(waiting.await, "", "the connection is reset");
    assert_eq!(
        send(address, "GET", "/api/v1/pods", &as_user("a"), "").await.status,
        200
    );
    simulator.isolate("a", Isolation::Reset);
    assert_eq!(raw(address, &headers).await, "");
    simulator
        .store()
        .create(Resource::Pods, pod("p", json!({}), "Pending"))
        .unwrap();
    assert_eq!(of_b.event().await, event("ADDED", "p"));
}

/// Asks for Pods; what came back before the connection ended.
async fn raw(address: std::net::SocketAddr, headers: &[(&str, &str)]) -> String {
    let (name, value) = headers[0];
    let request = format!("GET /api/v1/pods HTTP/1.1\r\nHost: x\r\n{name}: {value}\r\n\r\n");
    exchange(address, &request).await
}

async fn exchange(address: std::net::SocketAddr, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // An error is the reset.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn tokens_rules_and_prohibitions() {
    let reader = Token {
        value: "old".into(),
        user: "system:serviceaccount:observability:collector".into(),
        rules: vec![
            Rule::allow(Verb::List, Resource::Jobs),
            Rule {
                namespace: Some("n".into()),
                ..Rule::everything()
            },
        ],
    };
    let options = SimulatorOptions {
        tokens: vec![reader],
        ..Default::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    let ask = |path: &'static str, token: &'static str| {
        let address = simulator.address();
        async move { send(address, "GET", path, &[("Authorization", token)], "").await }
    };
    assert_eq!(ask("/apis/batch/v1/jobs", "Bearer old").await.status, 200);
    assert_eq!(ask("/api/v1/pods", "Bearer old").await.status, 403);
    assert_eq!(ask("/api/v1/namespaces/n/pods", "Bearer old").await.status, 200);
    simulator.forbid(Verb::List, Resource::Jobs);
    let refused = ask("/apis/batch/v1/namespaces/n/jobs", "Bearer old").await;
    let expected = "jobs.batch is forbidden: User \"system:serviceaccount:observability:collector\" cannot list \
                    resource \"jobs\" in API group \"batch\" in the namespace \"n\"";
    assert_eq!((refused.status, &refused.json()["message"]), (403, &json!(expected)));
    simulator.permit(Verb::List, Resource::Jobs);
    assert!(simulator.replace_token("old", "new"));
    assert_eq!(ask("/apis/batch/v1/jobs", "Bearer old").await.status, 401);
    assert_eq!(ask("/apis/batch/v1/jobs", "Bearer new").await.status, 200);
    simulator.shutdown().await;
}

#[tokio::test]
async fn requests_are_kept_for_those_who_count_them() {
    let (simulator, _) = started().await;
    get(
        &simulator,
        "/api/v1/pods?labelSelector=batch.kubernetes.io%2Fjob-name&limit=500",
    )
    .await;
    let mut stream = watch(
        &simulator,
        "/api/v1/pods?watch=1&labelSelector=batch.kubernetes.io%2Fjob-name",
    )
    .await;
    get(&simulator, "/version").await;
    let requests = simulator.requests();
    let of_pods: Vec<_> = requests
        .iter()
        .filter(|request| request.resource == Some(Resource::Pods))
        .collect();
    assert_eq!(
        of_pods.iter().map(|request| request.verb).collect::<Vec<_>>(),
        [Some(Verb::List), Some(Verb::Watch)]
    );
    assert!(
        of_pods
            .iter()
            .all(|request| request.query.contains("labelSelector=batch.kubernetes.io%2Fjob-name"))
    );
    assert_eq!((requests.len(), requests[2].path.as_str()), (3, "/version"));
    simulator.cut_watches(Cut::End);
    assert_eq!(stream.next().await, Next::End);
    simulator.shutdown().await;
}

#[tokio::test]
async fn logs_are_cut_to_what_was_asked_for() {
    let (simulator, store) = started().await;
    let mut pod = pod("a", json!({}), "Failed");
    pod["spec"]["containers"] = json!([{"name": "main"}]);
    store.create(Resource::Pods, pod).unwrap();
    simulator.set_log("n", "a", "main", "one\ntwo\nthrée\n");
    let log = |query: &str| format!("/api/v1/namespaces/n/pods/a/log{query}");
    assert_eq!(get(&simulator, &log("")).await.body, "one\ntwo\nthrée\n".as_bytes());
    assert_eq!(
        get(&simulator, &log("?container=main&tailLines=2")).await.body,
        "two\nthrée\n".as_bytes()
    );
    // Never half a character.
    assert_eq!(get(&simulator, &log("?tailLines=1&limitBytes=4")).await.body, b"thr");
    simulator.shutdown().await;
}

#[tokio::test]
async fn deleting_a_job_deletes_its_pods_unless_they_are_orphaned() {
    let (simulator, store) = started().await;
    for (job, left) in [("kept", 1), ("gone", 1)] {
        let labels = json!({"batch.kubernetes.io/controller-uid": job});
        store
            .create(
                Resource::Jobs,
                json!({"metadata": {"namespace": "n", "name": job, "uid": job}}),
            )
            .unwrap();
        store.create(Resource::Pods, pod(job, labels, "Running")).unwrap();
        let policy = if job == "kept" {
            r#"{"propagationPolicy":"Orphan"}"#
        } else {
            ""
        };
        let path = format!("/apis/batch/v1/namespaces/n/jobs/{job}");
        assert_eq!(
            send(simulator.address(), "DELETE", &path, &[], policy).await.status,
            200
        );
        assert_eq!(
            (store.count(Resource::Jobs), store.count(Resource::Pods)),
            (0, left),
            "{job}"
        );
    }
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_restarted_server_goes_on_with_its_store() {
    let (simulator, store) = started().await;
    let from = store.resource_version();
    let port = simulator.address().port();
    let mut stream = watch(&simulator, "/api/v1/pods?watch=1").await;
    simulator.shutdown().await;
    assert_eq!(stream.next().await, Next::Broken);
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    let options = SimulatorOptions {
        port,
        ..Default::default()
    };
    let again = Simulator::start_with(options, store).await.unwrap();
    let mut stream = watch(&again, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
    assert_eq!(stream.event().await, event("ADDED", "a"));
    again.shutdown().await;
}
