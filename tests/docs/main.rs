//! The documentation matches the code: configurations are valid, tables of settings are complete, the example event comes
//! from a recording, links resolve, and the repository keeps to its style page.

mod architecture;
mod backends;
mod commands;
mod compatibility;
mod decisions;
mod dependencies;
mod events;
mod language;
mod markdown;
mod migrating;
mod operating;
#[path = "../support/oracle.rs"]
mod oracle;
mod paths;
mod prose;
mod reliability;
mod security;
mod settings;
mod shells;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use markdown::{Block, Page};

/// The variables that the documented configurations use.
const ENVIRONMENT: [(&str, &str); 14] = [
    ("DD_API_KEY", "key"),
    ("HOST_IP", "127.0.0.1"),
    ("OTLP_TOKEN", "token"),
    ("NEW_RELIC_LICENSE_KEY", "key"),
    ("DT_ENVIRONMENT", "abc12345"),
    ("DT_API_TOKEN", "token"),
    ("HONEYCOMB_API_KEY", "key"),
    ("GRAFANA_CLOUD_TOKEN", "token"),
    ("GRAFANA_CLOUD_INSTANCE_ID", "123456"),
    ("GRAFANA_CLOUD_API_KEY", "glc_0123"),
    ("OAUTH2_CLIENT_ID", "collector"),
    ("POD_NAME", "collector-1"),
    ("SHARDS", "4"),
    ("OAUTH2_CLIENT_SECRET", "0123abcd"),
];

const SECTIONS: [&str; 5] = ["receivers", "processors", "connectors", "exporters", "extensions"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A new folder for one test.
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

/// A pipeline that uses the components of a fragment, and defaults for the other kinds.
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
    let (signal, made) = match connectors.starts_with("job_traces") {
        true => ("traces", "job_traces"),
        false => ("metrics", "job_metrics"),
    };
    format!(
        "receivers: {{k8s_job: }}\nprocessors: {{reason_enrichment: }}\nconnectors: {{{made}: }}\n\
         exporters: {{debug: }}\nextensions: {{health_check: }}\n\
         service:\n  extensions: [{}]\n  pipelines:\n    logs:\n      receivers: [{receivers}]\n      \
         processors: [{processors}]\n      exporters: [{exporters}, {connectors}]\n    \
         {signal}: {{receivers: [{connectors}], exporters: [{exporters}]}}\n",
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
                "{place}: {unknown:?} is not a section; mark YAML that is not for the collector as `yaml other`"
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
            // A whole pipeline uses everything it defines.
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
fn validate_prints_the_documented_errors() {
    let page = Page::read(root(), "docs/configuration.md");
    let at = page
        .blocks
        .iter()
        .position(|block| block.info == "yaml wrong.yaml")
        .expect("the wrong file");
    let shown = page.blocks.get(at + 1).expect("the output of validate");
    assert_eq!(shown.info, "text");
    let folder = folder("wrong");
    std::fs::write(folder.join("wrong.yaml"), &page.blocks[at].text).expect("a file");
    let output = validate(&folder, &["wrong.yaml"], &[]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(stderr(&output).trim_end(), shown.text.trim_end());
    let _ = std::fs::remove_dir_all(folder);
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
            let parts = page.sections().into_iter().filter(|section| section.level == 2);
            let headings: Vec<String> = parts.map(|section| section.heading).collect();
            assert_eq!(headings, expected, "{}", page.name);
            seen += 1;
        }
    }
    assert!(seen >= 5);
}

#[test]
fn links_resolve() {
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
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
    assert!(checked >= 30, "only {checked} links were found");
}
