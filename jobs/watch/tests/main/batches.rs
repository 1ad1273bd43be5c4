//! Updates that arrive together are delivered together.

use std::fmt::Write;

use job_watch::client::{AuthType, Coalesce, connect};
use job_watch::watch::first_list::FirstList;
use job_watch::watch::request::targets;
use job_watch::watch::streaming::StreamingLists;
use job_watch::watch::{COALESCE, ListWatch, Update};
use job_watch::{Kind, Object, Observation};
use pacing::Random;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const EVENTS: usize = 20;

/// Answers a list, and a watch with all events at once.
async fn answer(mut stream: TcpStream) {
    let mut request = Vec::new();
    while stream.read_buf(&mut request).await.unwrap() > 0 {
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let is_watch = String::from_utf8_lossy(&request).contains("watch=true");
        request.clear();
        let mut answer = String::from("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
        if is_watch {
            answer += "Transfer-Encoding: chunked\r\n\r\n";
            for number in 0..EVENTS {
                let version = 10 + number;
                let line = format!(
                    r#"{{"type":"ADDED","object":{{"kind":"Job","metadata":{{"uid":"u-{number}","name":"j-{number}","namespace":"a","resourceVersion":"{version}"}}}}}}"#
                );
                write!(answer, "{:x}\r\n{line}\n\r\n", line.len() + 1).unwrap();
            }
        } else {
            let list = r#"{"kind":"JobList","apiVersion":"batch/v1","metadata":{"resourceVersion":"5"},"items":[]}"#;
            write!(answer, "Content-Length: {}\r\n\r\n{list}", list.len()).unwrap();
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn events_that_arrive_together_are_one_batch() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    let kubeconfig = std::env::temp_dir().join(format!("kubeconfig-batches-{}", server.port()));
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: 'http://{server}'}}}}]\n\
         users: [{{name: u, user: {{}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
    );
    std::fs::write(&kubeconfig, text).unwrap();
    let connected = connect(AuthType::KubeConfig, Some(&kubeconfig), None).await;
    std::fs::remove_file(&kubeconfig).unwrap();

    let (sender, mut updates) = mpsc::channel(256);
    let watch = ListWatch {
        client: connected.unwrap().client,
        target: targets(&[Kind::Jobs], &[], &[], "").remove(0),
        updates: sender,
        first_list: FirstList::default(),
        resume: None,
        streaming: StreamingLists::never(),
        coalesce: Coalesce::new(COALESCE, COALESCE),
        random: Random::seeded(1),
    };
    let task = tokio::spawn(watch.run(Object::Job));
    let changes = loop {
        let mut batch = Vec::new();
        updates.recv_many(&mut batch, 256).await;
        let is_change = |update: &Update| matches!(update, Update::Observed(Observation::Changed(_)));
        let changes = batch.iter().filter(|update| is_change(&update.update)).count();
        if changes > 0 {
            break changes;
        }
    };
    assert_eq!(changes, EVENTS);
    task.abort();
}
