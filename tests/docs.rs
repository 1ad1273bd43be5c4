//! The documentation says what is: its configurations are valid, its tables of settings are complete, its example event
//! is one that the code makes, its links lead somewhere.

mod markdown;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::bufread::MultiGzDecoder;
use jiff::SignedDuration;
use job_event::{attributes, otlp};
use kubernetes_job_receiver::replay::replay;
use kubernetes_job_receiver::tracker::TrackerSettings;
use markdown::{Block, Page};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use serde_json::Value;

/// The variables that the documented configurations use.
const ENVIRONMENT: [(&str, &str); 3] = [("DD_API_KEY", "key"), ("HOST_IP", "127.0.0.1"), ("OTLP_TOKEN", "token")];

const SECTIONS: [&str; 5] = ["receivers", "processors", "connectors", "exporters", "extensions"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of its own for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("docs-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn validate(folder: &Path, files: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"));
    command.arg("validate").current_dir(folder).env_clear();
    for file in files {
        command.args(["--config", file]);
    }
    command
        .envs(environment.iter().copied())
        .output()
        .expect("the collector runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A pipeline with the components that a fragment defines in the places for them, and others in the other places.
fn around(fragment: &Block) -> String {
    let mut ids: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (section, id) in fragment.components() {
        ids.entry(SECTIONS.iter().find(|s| **s == section).copied().unwrap_or("service"))
            .or_default()
            .push(id);
    }
    let list = |section: &str, otherwise: &str| match ids.get(section) {
        Some(ids) => ids.join(", "),
        None => otherwise.to_owned(),
    };
    let (receivers, processors) = (list("receivers", "k8s_job"), list("processors", "reason_enrichment"));
    let (connectors, exporters) = (list("connectors", "job_metrics"), list("exporters", "debug"));
    format!(
        "receivers: {{k8s_job: }}\nprocessors: {{reason_enrichment: }}\nconnectors: {{job_metrics: }}\n\
         exporters: {{debug: }}\nextensions: {{health_check: }}\n\
         service:\n  extensions: [{}]\n  pipelines:\n    logs:\n      receivers: [{receivers}]\n      \
         processors: [{processors}]\n      exporters: [{exporters}, {connectors}]\n    \
         metrics: {{receivers: [{connectors}], exporters: [{exporters}]}}\n",
        list("extensions", "health_check"),
    )
}

#[test]
fn every_configuration_is_valid() {
    let folder = folder("yaml");
    let (mut whole, mut fragments) = (0, 0);
    for page in Page::all(root()) {
        for block in page.blocks.iter().filter(|block| block.info == "yaml") {
            let place = format!("{}:{}", page.name, block.line);
            std::fs::write(folder.join("block.yaml"), &block.text).expect("a file");
            let unknown: Vec<String> = block
                .sections()
                .into_iter()
                .filter(|s| s != "service" && !SECTIONS.contains(&s.as_str()))
                .collect();
            assert!(
                unknown.is_empty(),
                "{place}: {unknown:?} is no section; mark what is no configuration of ours as `yaml other`"
            );
            let output = if block.text.contains("\n  pipelines:") {
                whole += 1;
                validate(&folder, &["block.yaml"], &ENVIRONMENT)
            } else {
                fragments += 1;
                std::fs::write(folder.join("around.yaml"), around(block)).expect("a file");
                validate(&folder, &["around.yaml", "block.yaml"], &ENVIRONMENT)
            };
            assert!(output.status.success(), "{place}:\n{}", stderr(&output));
            // What a whole pipeline defines it also uses.
            assert!(
                !block.text.contains("\n  pipelines:") || output.stderr.is_empty(),
                "{place}:\n{}",
                stderr(&output)
            );
        }
    }
    assert!(
        whole >= 2 && fragments >= 8,
        "{whole} pipelines and {fragments} fragments were found"
    );
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn the_mistakes_shown_are_the_mistakes_found() {
    let page = Page::read(root(), "docs/configuration.md");
    let at = page
        .blocks
        .iter()
        .position(|block| block.info == "yaml wrong.yaml")
        .expect("the wrong file");
    let shown = page.blocks.get(at + 1).expect("what validate says of it");
    assert_eq!(shown.info, "text");
    let folder = folder("wrong");
    std::fs::write(folder.join("wrong.yaml"), &page.blocks[at].text).expect("a file");
    let output = validate(&folder, &["wrong.yaml"], &[]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(stderr(&output).trim_end(), shown.text.trim_end());
    let _ = std::fs::remove_dir_all(folder);
}

/// Keys below keys; `name[]` is a list.
#[derive(Default)]
struct Tree(BTreeMap<String, Tree>);

impl Tree {
    fn insert(&mut self, path: &str) {
        let mut tree = self;
        for part in path.split("::") {
            tree = tree.0.entry(part.to_owned()).or_default();
        }
    }

    /// YAML with a value at each leaf, and beside it, at each level, a key that nothing has.
    fn yaml(&self, leaf: &str, besides: Option<&str>) -> String {
        let entries = self.0.iter().map(|(key, below)| {
            let (key, list) = match key.strip_suffix("[]") {
                Some(key) => (key, true),
                None => (key.as_str(), false),
            };
            match (below.0.is_empty(), list) {
                (true, _) => format!("{key}: {leaf}"),
                (false, false) => format!("{key}: {}", below.yaml(leaf, besides)),
                (false, true) => format!("{key}: [{}]", below.yaml(leaf, besides)),
            }
        });
        let entries: Vec<String> = entries.chain(besides.map(|key| format!("{key}: {leaf}"))).collect();
        format!("{{{}}}", entries.join(", "))
    }

    /// The keys below a path of the form `exporters::x::list::0::key`.
    fn keys(&self, path: &[&str]) -> BTreeSet<String> {
        match path.split_first() {
            None => self.0.keys().map(|key| key.trim_end_matches("[]").to_owned()).collect(),
            Some((&"0", rest)) => self.keys(rest),
            Some((part, rest)) => {
                let below = self.0.get(*part).or_else(|| self.0.get(&format!("{part}[]")));
                below.map(|tree| tree.keys(rest)).unwrap_or_default()
            }
        }
    }
}

/// The documented settings: by where they stand in a configuration.
fn documented() -> Tree {
    let page = Page::read(root(), "docs/configuration.md");
    let mut tree = Tree::default();
    let kinds = [
        ("Receiver", "receivers"),
        ("Processor", "processors"),
        ("Connector", "connectors"),
        ("Exporter", "exporters"),
        ("Extension", "extensions"),
    ];
    for section in page.sections() {
        let place = match kinds.iter().find(|(kind, _)| section.first_word() == *kind) {
            Some((_, kind)) => format!("{kind}::{}", section.heading),
            None if section.heading == "`service::telemetry`" => "service::telemetry".to_owned(),
            None => continue,
        };
        for key in section.first_cells() {
            tree.insert(&format!("{place}::{key}"));
        }
    }
    // A list of maps is documented by itself and by the keys of its entries.
    if let Some(metrics) = tree
        .0
        .get_mut("service")
        .and_then(|service| service.0.get_mut("telemetry")?.0.get_mut("metrics"))
    {
        metrics.0.remove("readers");
    }
    tree
}

#[test]
fn every_setting_is_documented_and_no_other() {
    const NOBODY: &str = "qqqqqqqqqqqqqqqq";
    let documented = documented();
    assert_eq!(documented.0.len(), 6, "sections");
    let folder = folder("settings");

    // A value that fits nowhere leads to other mistakes, but never to that of an unknown key.
    std::fs::write(folder.join("all.yaml"), documented.yaml("{}", None)).expect("a file");
    let found = stderr(&validate(&folder, &["all.yaml"], &[]));
    let unknown: Vec<&str> = found
        .lines()
        .filter(|line| line.contains("unknown") || line.contains("not YAML"))
        .collect();
    assert!(unknown.is_empty(), "documented, but not there:\n{}", unknown.join("\n"));

    // Beside a key that is unknown, the known ones are named.
    std::fs::write(folder.join("none.yaml"), documented.yaml("~", Some(NOBODY))).expect("a file");
    let found = stderr(&validate(&folder, &["none.yaml"], &[]));
    let mut levels = 0;
    let mut lines = found.lines();
    while let Some(line) = lines.next() {
        let Some((place, _)) = line.split_once(&format!("::{NOBODY}: unknown key")) else {
            continue;
        };
        let (_, place) = place.split_once(": ").expect("position: path");
        let path: Vec<&str> = place.split("::").collect();
        // A level with very many keys is not listed.
        let Some(known) = lines
            .clone()
            .next()
            .and_then(|line| line.trim().strip_prefix("known here: "))
        else {
            continue;
        };
        if path.as_slice() == ["service"] {
            continue;
        }
        let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
        assert_eq!(documented.keys(&path), known, "the keys of {place}");
        levels += 1;
    }
    assert!(levels >= 12, "only {levels} levels were looked at:\n{found}");
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn every_component_is_documented() {
    let output = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"))
        .arg("components")
        .output()
        .expect("the collector runs");
    let list = String::from_utf8(output.stdout).expect("UTF-8");
    let documented = documented();
    let mut section = "";
    let mut seen = 0;
    for line in list.lines() {
        if let Some(name) = line.strip_prefix("  - name: ") {
            assert!(
                documented.keys(&[section]).contains(name),
                "{section}::{name} has no table"
            );
            seen += 1;
        } else if let Some(name) = line.strip_suffix(':') {
            section = name;
        }
    }
    assert!(seen >= 6, "{list}");
}

#[test]
fn pages_of_components_have_the_same_headings() {
    let expected = [
        "Configuration",
        "Metrics about itself",
        "When something goes wrong",
        "Where to change what",
    ];
    let mut seen = 0;
    for kind in ["processors", "connectors", "exporters", "extensions"] {
        for component in std::fs::read_dir(root().join(kind)).expect("a folder") {
            let name = component.expect("an entry").file_name();
            let page = Page::read(root(), &format!("{kind}/{}/README.md", name.to_string_lossy()));
            let headings: Vec<String> = page.sections().into_iter().skip(1).map(|s| s.heading).collect();
            assert_eq!(headings, expected, "{}", page.name);
            seen += 1;
        }
    }
    assert!(seen >= 5);
}

/// Whether all of `part` stands in `whole`: keys of objects, and entries of lists in any order.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(key, part)| whole.get(key).is_some_and(|whole| is_part(part, whole))),
        (Value::Array(part), Value::Array(whole)) => {
            part.iter().all(|part| whole.iter().any(|whole| is_part(part, whole)))
        }
        _ => part == whole,
    }
}

#[test]
fn the_example_event_is_a_real_one() {
    let recording = File::open(root().join("tests/corpus/deadline-seed.jsonl.gz")).expect("the recording");
    let recording = BufReader::new(MultiGzDecoder::new(BufReader::new(recording)));
    let ended = replay(recording, TrackerSettings::default())
        .expect("a recording")
        .ended;
    let evidence = ended.first().expect("a Job that ended");
    let observed = evidence.job.decided_at().expect("a decision") + SignedDuration::from_secs(1);
    let mut resource = otlp::encode(evidence, Some("prod-1"), observed);
    let judgement = reason_enrichment_processor::judge(evidence);
    reason_enrichment_processor::encode::write(&mut resource.scope_logs[0].log_records[0], &judgement);
    let real_evidence = otlp::find(&resource.scope_logs[0].log_records[0].attributes, attributes::EVIDENCE)
        .map(otlp::to_json)
        .expect("evidence");
    let names: Vec<String> = resource.scope_logs[0].log_records[0]
        .attributes
        .iter()
        .map(|attribute| attribute.key.clone())
        .collect();
    let real_event = serde_json::to_value(ExportLogsServiceRequest {
        resource_logs: vec![resource],
    })
    .expect("OTLP as JSON");

    let page = Page::read(root(), "docs/events.md");
    let shown: Vec<&Block> = page.blocks.iter().filter(|block| block.info == "json").collect();
    let [event, evidence] = shown.as_slice() else {
        panic!("docs/events.md shows {} blocks of JSON, expected 2", shown.len());
    };
    for (block, real) in [(event, real_event), (evidence, real_evidence)] {
        let shown: Value = serde_json::from_str(&block.text).expect("JSON");
        assert!(is_part(&shown, &real), "line {}: the real one is\n{real:#}", block.line);
    }
    for name in names.iter().filter(|name| *name != attributes::EVIDENCE) {
        assert!(event.text.contains(&format!("{name:?}")), "the example lacks {name}");
    }
}

#[test]
fn every_attribute_and_metric_is_documented() {
    let page = std::fs::read_to_string(root().join("docs/events.md")).expect("docs/events.md");
    for name in [
        attributes::RECORD_UID,
        attributes::JOB_NAME,
        attributes::JOB_UID,
        attributes::CRONJOB_UID,
        attributes::CRONJOB_SCHEDULED,
        attributes::OUTCOME,
        attributes::FAILURE_REASON,
        attributes::FAILURE_MESSAGE,
        attributes::FAILURE_CAUSE,
        attributes::FAILURE_CATEGORY,
        attributes::FAILURE_RETRY,
        attributes::FAILURE_NEXT_STEP,
        attributes::START_TIME,
        attributes::DECISION_TIME,
        attributes::DURATION,
        attributes::EVIDENCE_QUALITY,
        attributes::ATTEMPTS,
        attributes::ATTEMPT_FAILURES,
        attributes::FAILED_INDEXES,
        attributes::EVIDENCE,
        attributes::METRIC_FAILURES,
        attributes::METRIC_COMPLETIONS,
        attributes::METRIC_ATTEMPT_FAILURES,
        attributes::METRIC_DURATION,
    ] {
        assert!(page.contains(&format!("`{name}`")), "docs/events.md lacks {name}");
    }
}

#[test]
fn links_lead_somewhere() {
    let (mut checked, mut broken) = (0, Vec::new());
    for page in Page::all(root()) {
        for (line, target) in page.links() {
            if target.contains("://") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
            let here = root().join(&page.name);
            let file = match path {
                "" => here,
                path => here.parent().expect("a folder").join(path),
            };
            let leads = if heading.is_empty() {
                file.exists()
            } else {
                std::fs::read_to_string(&file).is_ok_and(|text| {
                    let there = Page::parse(&target, &text);
                    there.sections().iter().any(|section| section.anchor() == heading)
                })
            };
            if !leads {
                broken.push(format!("{}:{line}: {target}", page.name));
            }
            checked += 1;
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
    assert!(checked >= 30, "only {checked} links were found");
}
