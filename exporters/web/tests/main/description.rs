//! `openapi.yaml` against the routes and real answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Served, missed, recorded, request};

/// The routes in the source of the API.
fn routes() -> BTreeSet<String> {
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/mod.rs")).unwrap();
    let routes = source.split(".route(").skip(1);
    routes.map(|rest| rest.split('"').nth(1).unwrap().to_owned()).collect()
}

async fn description(served: &Served) -> Value {
    let answer = served.get("/api/v1/openapi.yaml").await;
    assert_eq!(answer.header("content-type"), Some("application/yaml"));
    serde_yaml::from_str(&answer.text()).unwrap()
}

/// Asserts that an answer has a schema of the description.
fn check(description: &Value, name: &str, answer: &Value) {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{name}"),
        "components": description["components"],
    });
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(answer)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}");
}

#[tokio::test]
async fn describes_every_route() {
    let served = Served::start("").await;
    let description = description(&served).await;
    let described: BTreeSet<String> = description["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(described, routes());
    for (path, item) in description["paths"].as_object().unwrap() {
        let methods: Vec<&String> = item.as_object().unwrap().keys().collect();
        assert_eq!(methods, ["get"], "{path}");
    }
}

#[tokio::test]
async fn describes_every_query_key() {
    let served = Served::start("").await;
    let description = description(&served).await;
    for (path, item) in description["paths"].as_object().unwrap() {
        let mut described: Vec<&str> = Vec::new();
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            let resolved = match parameter["$ref"].as_str() {
                Some(reference) => description.pointer(&reference[1..]).unwrap(),
                None => parameter,
            };
            if resolved["in"] == "query" {
                described.push(description_name(resolved));
            }
        }
        if path == "/openapi.yaml" {
            continue;
        }
        let url = format!("/api/v1{path}?no_such_key=1").replace(['{', '}'], "");
        let answer = served.get(&url).await;
        assert_eq!(answer.status, 400, "{path}");
        let body = answer.json();
        check(&description, "Error", &body);
        let known: Vec<&str> = body["error"]["known"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key.as_str().unwrap())
            .collect();
        assert_eq!(described, known, "{path}");
    }
}

fn description_name(parameter: &Value) -> &str {
    parameter["name"].as_str().unwrap()
}

#[tokio::test]
async fn describes_real_answers() {
    let served = Served::start("").await;
    let description = description(&served).await;
    for name in [
        "cron-failing",
        "deadline-seed",
        "stuck-heals-configmap",
        "stuck-imagepull",
        "indexed-failed-indexes",
    ] {
        for event in recorded(name) {
            served.send(event).await;
        }
    }
    served.send(missed(jiff::Timestamp::now())).await;
    check(&description, "Status", &served.json("/status").await);
    check(&description, "Overview", &served.json("/overview").await);
    check(
        &description,
        "Overview",
        &served.json("/overview?since=2020-01-01T00:00:00Z").await,
    );
    let listed = served.json("/events?limit=3").await;
    check(&description, "EventList", &listed);
    let listed = served.json("/events").await;
    check(&description, "EventList", &listed);
    for event in listed["events"].as_array().unwrap() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (namespace, owner) = (text(&event["namespace"]), &event["owner"]);
        let path = format!("/owners/{namespace}/{}/{}", text(&owner["kind"]), text(&owner["name"]));
        check(&description, "OwnerView", &served.json(&path).await);
        if event["name"].is_string() {
            check(
                &description,
                "JobView",
                &served
                    .json(&format!("/jobs/{namespace}/{}", text(&event["name"])))
                    .await,
            );
        }
    }
    let missing = served.get("/api/v1/jobs/a/b").await;
    check(&description, "Error", &missing.json());
    let refused = request(served.address, "POST", "/api/v1/overview", "").await;
    check(&description, "Error", &refused.json());
}
