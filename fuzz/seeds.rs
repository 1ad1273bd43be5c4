//! Writes inputs to begin with into `fuzz/corpus`: `checkpoint` and `ledger` get an example each, the others
//! are made of the recordings in `tests/corpus` and the samples in `jobs/watch/tests/protobuf`.

#[path = "bodies/checkpoint.rs"]
mod checkpoint;
#[path = "bodies/ledger.rs"]
mod ledger;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};

use job_tracker::replay::replay;
use job_tracker::TrackerSettings;
use serde_json::{Value, json};

/// The longest input, bytes. Longer recordings give their evidence only.
const LONGEST: usize = 128 * 1024;
/// How many objects a list of the inputs has.
const OBJECTS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["decoder", "judge", "list", "recording", "checkpoint", "ledger", "protobuf"].map(|target| here.join("corpus").join(target));
    for folder in &folders {
        std::fs::create_dir_all(folder)?;
    }
    let [decoder, judge, list, recording, checkpoint, ledger, protobuf] = folders;
    frames(&here.join("../jobs/watch/tests/protobuf/samples.frames.gz"), &protobuf)?;
    std::fs::write(checkpoint.join("example"), checkpoint::example())?;
    for (name, is_delivered) in [("sent", false), ("delivered", true)] {
        std::fs::write(ledger.join(name), ledger::example(is_delivered))?;
    }
    // One line of each form is enough for the decoder.
    let mut forms = BTreeSet::new();
    for path in recordings(&here.join("../tests/corpus"))? {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .replace(".jsonl.gz", "");
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(&path)?).read_to_string(&mut text)?;
        let mut lean = String::new();
        let mut objects: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for line in text.lines() {
            let mut line: Value = serde_json::from_str(line)?;
            strip(&mut line["object"]);
            if forms.insert(form(&line)) {
                let line = format!("\u{7}{line}\n");
                std::fs::write(decoder.join(format!("{name}-{}", forms.len())), line)?;
            }
            lean.push_str(&line.to_string());
            lean.push('\n');
            // A few objects of each type, as a list.
            let of_type = objects.entry(line["resource"].to_string()).or_default();
            of_type.push(line["object"].take());
            of_type.truncate(OBJECTS);
        }
        for (number, (_, items)) in objects.iter().enumerate() {
            let (kind, api_version) = (items[0]["kind"].as_str(), items[0]["apiVersion"].clone());
            let kind = kind.unwrap_or_default();
            let page = json!({"kind": format!("{kind}List"), "apiVersion": api_version,
                "metadata": {"resourceVersion": "9"}, "items": items});
            let chosen = ["Job", "Pod", "Event", "CronJob"]
                .iter()
                .position(|known| *known == kind);
            let chosen = u8::try_from(chosen.unwrap_or_default())?;
            let input = format!("{}{page}\n", char::from(chosen));
            std::fs::write(list.join(format!("{name}-{number}")), input)?;
        }
        let replay = replay(text.as_bytes(), TrackerSettings::default())?;
        for (number, evidence) in replay.ended.iter().chain(&replay.unfinished).enumerate() {
            std::fs::write(
                judge.join(format!("{name}-evidence-{number}")),
                serde_json::to_string(evidence)?,
            )?;
        }
        if lean.len() <= LONGEST {
            std::fs::write(judge.join(&name), &lean)?;
            std::fs::write(recording.join(&name), &lean)?;
            std::fs::copy(&path, recording.join(format!("{name}-compressed")))?;
        }
    }
    Ok(())
}

/// Writes each frame of a stream into a file of its own.
fn frames(path: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut stream = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path)?).read_to_end(&mut stream)?;
    let mut rest = &*stream;
    for number in 0.. {
        let Some(length) = rest.first_chunk::<4>() else { break };
        let (frame, after) = rest.split_at(4 + u32::from_be_bytes(*length) as usize);
        std::fs::write(folder.join(format!("sample-{number}")), [b"\x40", frame].concat())?;
        rest = after;
    }
    Ok(())
}

fn recordings(folder: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    let entries = std::fs::read_dir(folder)?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "gz"));
    paths.sort();
    Ok(paths)
}

/// Leaves out the bulk that nobody reads.
fn strip(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    if let Some(spec) = object["spec"].as_object_mut() {
        for key in ["volumes", "tolerations", "template", "jobTemplate", "securityContext"] {
            spec.remove(key);
        }
    }
}

/// The keys of a line, without its values.
fn form(value: &Value) -> String {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| format!("{key}{{{}}}", form(value)))
            .collect(),
        Value::Array(values) => values.iter().map(form).collect::<BTreeSet<_>>().into_iter().collect(),
        _ => String::new(),
    }
}
