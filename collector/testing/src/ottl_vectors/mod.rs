//! Results of the Collector's `filter` and `transform` processors for many settings, and their comparison with a processor.
//!
//! The vectors lie in `collector/ottl/tests/vectors/`; the page there describes their form.

mod canonical;

use std::path::PathBuf;

use collector_data::{Outcome, Payload, Signal, json, proto};
use collector_runtime::component::{Factory, Processor};
use serde_json::{Map, Value};

use crate::{Host, batch};

/// A known difference from the Collector: the settings as they are written in the vectors, and why.
pub type Difference = (&'static str, &'static str);

/// Runs a processor with all settings of the file `name` and compares the results with those of the Collector.
///
/// # Panics
/// If a result differs and is not `known`, or a known difference does not exist.
pub async fn compare(name: &str, signal: Signal, factory: Factory<dyn Processor>, known: &[Difference]) {
    let inputs: Vec<Payload> = lines(&format!("input-{signal}"))
        .iter()
        .map(|line| input(signal, line))
        .collect();
    let cases = lines(name);
    assert!(cases.len() > 50, "{name} has only {} settings", cases.len());
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    for line in &cases {
        let case: Value = serde_json::from_str(line).unwrap();
        let settings = case["settings"].to_string();
        if let Some(difference) = differs(&case, &settings, &factory, &inputs).await {
            match known.iter().find(|(text, _)| *text == settings) {
                Some(_) => found.push(settings),
                None => wrong.push(format!("{settings}\n    {difference}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    for (settings, _) in known {
        assert!(
            found.iter().any(|found| found == settings),
            "does not differ: {settings}"
        );
    }
}

/// The first difference between the processor and the Collector for these settings.
async fn differs(case: &Value, settings: &str, factory: &Factory<dyn Processor>, inputs: &[Payload]) -> Option<String> {
    let is_invalid = case["invalid"] == true;
    let mut processor = match Host::new(factory.type_name).create(factory, settings) {
        Ok(_) if is_invalid => return Some("the Collector rejects these settings".into()),
        Ok(processor) => processor,
        Err(_) if is_invalid => return None,
        Err(errors) => return Some(format!("the Collector accepts these settings: {errors}")),
    };
    for outcome in case["outcomes"].as_array().unwrap() {
        for index in outcome[1].as_array().unwrap() {
            let input = &inputs[index.as_u64().unwrap() as usize];
            let (batch, delivery) = batch(input.clone());
            let result = match processor.process(batch) {
                Some(batch) => canonical::payload(&batch.payload),
                None => match delivery.await {
                    Outcome::Delivered => "-".into(),
                    _ => "!".into(),
                },
            };
            let expected = match &outcome[0] {
                Value::String(text) if text != "=" => outcome[0].clone(),
                change => {
                    let mut expected = canonical::payload(input);
                    apply(&mut expected, change);
                    expected
                }
            };
            if result != expected {
                let (path, result, expected) = first_difference(&result, &expected);
                return Some(format!(
                    "input {index}, {path}: found {result}, the Collector has {expected}"
                ));
            }
        }
    }
    None
}

/// Applies a difference: `null` removes a key, an object changes one, everything else replaces.
fn apply(value: &mut Value, change: &Value) {
    match (value, change) {
        (_, Value::String(same)) if same == "=" => {}
        (Value::Object(fields), Value::Object(changes)) => {
            for (key, change) in changes {
                match (fields.get_mut(key), change) {
                    (_, Value::Null) => drop(fields.remove(key)),
                    (Some(field), Value::Object(_)) => apply(field, change),
                    _ => drop(fields.insert(key.clone(), change.clone())),
                }
            }
        }
        (value, change) => *value = change.clone(),
    }
}

fn first_difference(found: &Value, expected: &Value) -> (String, String, String) {
    if let (Value::Object(found), Value::Object(expected)) = (found, expected) {
        let keys = found.keys().chain(expected.keys());
        if let Some(key) = keys.into_iter().find(|key| found.get(*key) != expected.get(*key)) {
            let of = |fields: &Map<String, Value>| fields.get(key).cloned().unwrap_or_default();
            let (path, found, expected) = first_difference(&of(found), &of(expected));
            return (format!("{key}/{path}"), found, expected);
        }
    }
    (String::new(), found.to_string(), expected.to_string())
}

fn lines(name: &str) -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../ottl/tests/vectors");
    let path = folder.join(format!("{name}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(str::to_owned).collect()
}

/// An export request in JSON. The generated types read no `NaN`, so numbers that occur nowhere else represent these doubles,
/// and are replaced in the protobuf form.
fn input(signal: Signal, line: &str) -> Payload {
    const DOUBLES: [(&str, &str, f64, f64); 3] = [
        ("\"NaN\"", "1.2345e300", 1.2345e300, f64::NAN),
        ("\"Infinity\"", "1.2346e300", 1.2346e300, f64::INFINITY),
        ("\"-Infinity\"", "1.2347e300", 1.2347e300, f64::NEG_INFINITY),
    ];
    let mut text = line.to_owned();
    for (name, number, ..) in DOUBLES {
        for key in ["doubleValue", "asDouble"] {
            text = text.replace(&format!("\"{key}\":{name}"), &format!("\"{key}\":{number}"));
        }
    }
    let mut bytes = proto::encode(&json::decode(signal, text.as_bytes()).unwrap()).to_vec();
    for (_, _, number, double) in DOUBLES {
        let (number, double) = (number.to_le_bytes(), double.to_le_bytes());
        let positions: Vec<usize> = (0..bytes.len())
            .filter(|at| bytes[*at..].starts_with(&number))
            .collect();
        for at in positions {
            bytes[at..at + double.len()].copy_from_slice(&double);
        }
    }
    proto::decode(signal, bytes.as_slice()).unwrap()
}
