//! `status`: what it asks, and its exit codes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::json;

use crate::cli::{run, stderr, stdout};

/// Answers one request on loopback; returns the URL, and the request once it is answered.
fn answering(status: &str, body: &str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut buffer).unwrap();
            request.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, peer)
}

fn snapshot(ready: bool) -> String {
    let (status, unhealthy) = match ready {
        true => ("StatusOK", json!([])),
        false => ("StatusRecoverableError", json!(["exporters::debug"])),
    };
    let component =
        json!({"path": "exporters::debug", "status": status, "since": "2026-01-01T00:00:00Z", "reason": "503"});
    json!({
        "version": "9.9.9", "time": "2026-01-01T00:01:00Z", "started": "2026-01-01T00:00:00Z",
        "alive": true, "ready": ready, "unhealthy": unhealthy, "components": [component],
        "added_by_a_later_version": {},
    })
    .to_string()
}

#[test]
fn the_exit_code_says_if_it_is_ready() {
    for (ready, code, first) in [(true, 0, "Ready: "), (false, 1, "Not ready: ")] {
        let (url, peer) = answering("200 OK", &snapshot(ready));
        let output = run(&["status", "--url", &url], &[]);
        assert!(peer.join().unwrap().starts_with("GET /status HTTP/1.1\r\n"));
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(
            text.starts_with(first) && text.contains("kube-job-collector 9.9.9 at http://127.0.0.1:"),
            "{text}"
        );
        assert!(!text.contains('\x1b'), "no colours without a terminal");
    }
}

#[test]
fn status_prints_json_for_programs() {
    let (url, peer) = answering("200 OK", &snapshot(false));
    let output = run(&["status", "--url", &url, "-o", "json"], &[]);
    peer.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(json["unhealthy"], json!(["exporters::debug"]));
}

#[test]
fn without_an_answer_the_message_names_what_was_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let refused = run(&["status", "--url", &url], &[]);
    let text = stderr(&refused);
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(
        text.contains(&format!("GET {url}/status: connection refused")),
        "{text}"
    );
    assert!(text.contains("name health_check?"), "{text}");
    for (status, body, expected) in [
        ("404 Not Found", "{}", "HTTP 404: no health_check of this version"),
        ("403 Forbidden", "", "allowed_hosts"),
        ("200 OK", "[]", "the answer is not a status"),
        ("302 Found", "", "HTTP 302"),
    ] {
        let (url, peer) = answering(status, body);
        let output = run(&["status", "--url", &url], &[]);
        peer.join().unwrap();
        assert_eq!(output.status.code(), Some(2), "{status}");
        assert!(stderr(&output).contains(expected), "{status}: {}", stderr(&output));
        for line in stderr(&output).lines() {
            assert!(line.chars().count() <= 110, "{line}");
        }
    }
}
