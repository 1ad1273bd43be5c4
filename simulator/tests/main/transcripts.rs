//! Every recorded exchange with a real API server, in order, against one simulator with the same objects.

use crate::client::{ApiReply, Next, open, send, watch};
use serde_json::{Value, json};
use simulator::{ApiToken, Resource, Simulator, SimulatorOptions};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// Headers that clients use. Not compared: `Date`, `Audit-Id`, flow control ids, and chunked bodies (Go decides by the size
/// of its buffer).
const HEADERS: [&str; 5] = [
    "content-type",
    "cache-control",
    "retry-after",
    "content-encoding",
    "x-content-type-options",
];

/// Keys whose values differ from server to server, or from run to run.
const VOLATILE: [&str; 8] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "continue",
    "time",
    "description",
    "gitCommit",
];

struct Exchange {
    name: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    expected: ApiReply,
}

fn exchanges() -> Vec<Exchange> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "http"));
    files.sort();
    files.iter().map(|file| parse(file)).collect()
}

fn parse(file: &std::path::Path) -> Exchange {
    let text = std::fs::read_to_string(file).unwrap();
    let (request, response) = text.split_once("--- response ---\n").unwrap();
    let (head, body) = request.split_once("\n\n").unwrap();
    let (first, headers) = head.split_once('\n').unwrap();
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let (answer_head, answer) = response.split_once("\n\n").unwrap();
    let answer = answer
        .rsplit_once("--- ")
        .unwrap()
        .0
        .trim_end_matches("--- closed by server")
        .trim_end();
    let mut lines = answer_head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pair = |line: &str| {
        line.split_once(": ")
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .unwrap()
    };
    Exchange {
        name: file.file_stem().unwrap().to_string_lossy().into_owned(),
        method,
        path,
        headers: headers.lines().map(pair).collect(),
        body: body.trim_end().to_owned(),
        expected: ApiReply {
            status,
            headers: lines.map(pair).map(|(k, v)| (k.to_lowercase(), v)).collect(),
            body: answer.as_bytes().to_vec(),
        },
    }
}

/// Creates the objects of the real server, as far as the exchanges show them.
fn seed(simulator: &Simulator, exchanges: &BTreeMap<String, Value>) {
    let store = simulator.store();
    let items = |number: &str| exchanges[number]["items"].as_array().unwrap().clone();
    let mut jobs = [items("03"), items("04"), items("06")].concat();
    let filler = jobs.last().unwrap().clone();
    // The first page says that 69 more follow it.
    for index in 0..64 {
        let mut job = filler.clone();
        job["metadata"]["namespace"] = format!("zz-{index}").into();
        jobs.push(job);
    }
    for job in jobs {
        store.create(Resource::Jobs, job).unwrap();
    }
    for pod in items("36") {
        store.create(Resource::Pods, pod).unwrap();
    }
    for event in items("18") {
        store.create(Resource::Events, event).unwrap();
    }
    store.compact();
}

/// The changes that exchange 22 watched; `initial` are those objects as they were before.
fn watched(exchange: &Exchange) -> (Vec<Value>, Vec<Value>) {
    let events = exchange.expected.lines();
    let mut initial: HashMap<String, Value> = HashMap::new();
    for event in &events {
        let name = event["object"]["metadata"]["name"].as_str().unwrap().to_owned();
        initial.entry(name).or_insert_with(|| event["object"].clone());
    }
    (events, initial.into_values().collect())
}

fn differences(path: &str, expected: &Value, actual: &Value, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(left), Value::Object(right)) => {
            for key in left.keys().chain(right.keys().filter(|key| !left.contains_key(*key))) {
                if key == "managedFields" {
                    managed_fields(path, right.get(key), found);
                    continue;
                }
                match (left.get(key), right.get(key)) {
                    (Some(l), Some(r)) if VOLATILE.contains(&key.as_str()) => {
                        if (l == "") != (r == "") || l.is_string() != r.is_string() {
                            found.push(format!("{path}.{key}: expected the like of {l}, found {r}"));
                        }
                    }
                    (Some(l), Some(r)) => differences(&format!("{path}.{key}"), l, r, found),
                    (l, r) => found.push(format!("{path}.{key}: expected {l:?}, found {r:?}")),
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (l, r)) in left.iter().zip(right).enumerate() {
                differences(&format!("{path}[{index}]"), l, r, found);
            }
        }
        (Value::String(left), Value::String(right)) if path.ends_with(".message") => {
            let bare = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
            if bare(left) != bare(right) {
                found.push(format!("{path}: expected {left:?}, found {right:?}"));
            }
        }
        (left, right) if left == right => {}
        (left, right) => found.push(format!("{path}: expected {left}, found {right}")),
    }
}

/// The simulator has no managed fields of its own; those of recorded objects must be intact.
fn managed_fields(path: &str, actual: Option<&Value>, found: &mut Vec<String>) {
    for entry in actual.and_then(Value::as_array).into_iter().flatten() {
        let time = entry["time"].as_str().unwrap_or_default();
        if time.parse::<jiff::Timestamp>().is_err() || !entry["fieldsV1"].is_object() {
            found.push(format!("{path}.managedFields: found {entry}"));
        }
    }
}

fn compare(exchange: &Exchange, actual: &ApiReply) -> Vec<String> {
    let mut found = Vec::new();
    if exchange.expected.status != actual.status {
        found.push(format!(
            "status: expected {}, found {}",
            exchange.expected.status, actual.status
        ));
    }
    for header in HEADERS {
        let (expected, actual) = (exchange.expected.headers.get(header), actual.headers.get(header));
        if expected != actual {
            found.push(format!("{header}: expected {expected:?}, found {actual:?}"));
        }
    }
    match exchange.number() {
        // The version of the server: the same keys.
        "01" => {
            let keys = |reply: &ApiReply| reply.json().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&exchange.expected), keys(actual));
        }
        "02" => assert_eq!(exchange.expected.body, actual.body),
        "17" => {
            let steady = |reply: &ApiReply| {
                let mut table = reply.json();
                for cell in [3, 4] {
                    // Duration and age grow.
                    table["rows"][0]["cells"][cell] = json!("");
                }
                table
            };
            differences("", &steady(&exchange.expected), &steady(actual), &mut found);
        }
        _ => {
            let lines = |reply: &ApiReply| Value::Array(reply.lines());
            differences("", &lines(&exchange.expected), &lines(actual), &mut found);
        }
    }
    found
}

/// A simulator with the objects of the real server, and the changes that exchange 22 watched.
async fn started(exchanges: &[Exchange]) -> (Simulator, Vec<Value>) {
    let user = ApiToken {
        value: "nobody".into(),
        user: "system:serviceaccount:default:default".into(),
        allowed: false,
    };
    let options = SimulatorOptions {
        tokens: vec![ApiToken::admin("admin"), user],
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    let by_number: BTreeMap<String, Value> = exchanges
        .iter()
        .filter_map(|e| Some((e.number().to_owned(), serde_json::from_slice(&e.expected.body).ok()?)))
        .collect();
    let watch = exchanges.iter().find(|exchange| exchange.number() == "22");
    let (changes, before) = watched(watch.unwrap());
    for job in before {
        simulator.store().create(Resource::Jobs, job).unwrap();
    }
    seed(&simulator, &by_number);
    (simulator, changes)
}

fn apply(change: &Value, simulator: &Simulator) {
    let object = change["object"].clone();
    match change["type"].as_str().unwrap() {
        "DELETED" => simulator.store().delete_with(Resource::Jobs, object).unwrap(),
        _ => simulator.store().put(Resource::Jobs, object).unwrap(),
    };
}

impl Exchange {
    fn number(&self) -> &str {
        &self.name[..2]
    }

    /// The headers, with a token of the simulator.
    fn headers(&self) -> Vec<(&str, &str)> {
        let token = match self.number() {
            "23" => "Bearer wrong",
            "25" | "26" | "27" => "Bearer nobody",
            _ => "Bearer admin",
        };
        let headers = self.headers.iter().map(|(name, value)| match &**name {
            "Authorization" => ("Authorization", token),
            name => (name, &**value),
        });
        headers.collect()
    }
}

#[tokio::test]
async fn answers_match_those_of_a_real_server() {
    let exchanges = exchanges();
    assert_eq!(exchanges.len(), 34, "exchanges are missing");
    let (simulator, changes) = started(&exchanges).await;
    let seen = simulator.store().resource_version();

    let mut failed = Vec::new();
    let mut continue_token = String::new();
    let mut lease = Value::Null;
    for exchange in &exchanges {
        let number = exchange.number();
        if number == "14" {
            changes.iter().for_each(|change| apply(change, &simulator));
        }
        let headers = exchange.headers();
        let path = match number {
            "04" => format!("/apis/batch/v1/jobs?limit=2&continue={continue_token}"),
            _ => exchange
                .path
                .replace("resourceVersion=14745", &format!("resourceVersion={seen}")),
        };
        let mut body = exchange.body.clone();
        if matches!(number, "31" | "32") {
            // Both write over the version that was created.
            let mut object: Value = serde_json::from_str(&body).unwrap();
            object["metadata"] = lease["metadata"].clone();
            body = object.to_string();
        }
        if number == "11" {
            sends_nothing_until_cut(&simulator, &path, &headers).await;
            continue;
        }
        let actual = send(simulator.address(), &exchange.method, &path, &headers, &body).await;
        match number {
            "03" => continue_token = actual.json()["metadata"]["continue"].as_str().unwrap().to_owned(),
            "29" => lease = actual.json(),
            _ => {}
        }
        let found = compare(exchange, &actual);
        if !found.is_empty() {
            failed.push(format!("{}\n    {}", exchange.name, found.join("\n    ")));
        }
    }
    assert!(
        failed.is_empty(),
        "{} exchanges differ:\n{}",
        failed.len(),
        failed.join("\n")
    );
    simulator.shutdown().await;
}

/// Exchange 11: a watch from a version in the future sends nothing, also after a change.
async fn sends_nothing_until_cut(simulator: &Simulator, path: &str, headers: &[(&str, &str)]) {
    let mut ahead = open(simulator.address(), "GET", path, headers, "").await;
    assert_eq!(ahead.status, 200);
    let version = simulator.store().resource_version();
    let ordinary = format!("/api/v1/configmaps?watch=1&resourceVersion={version}");
    let mut ordinary = open(simulator.address(), "GET", &ordinary, headers, "").await;
    simulator
        .store()
        .create(
            Resource::ConfigMaps,
            json!({"metadata": {"namespace": "a", "name": "b"}}),
        )
        .unwrap();
    assert_eq!(ordinary.event().await.0, "ADDED");
    assert_eq!(simulator.cut_watches(simulator::Cut::End), 2);
    assert_eq!(ahead.next().await, Next::End);
}

#[tokio::test]
async fn the_test_client_detects_a_broken_stream() {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let mut stream = watch(&simulator, "/api/v1/pods?watch=1").await;
    simulator.cut_watches(simulator::Cut::Reset);
    assert_eq!(stream.next().await, Next::Broken);
    simulator.shutdown().await;
}
