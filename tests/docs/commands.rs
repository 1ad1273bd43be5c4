//! The workflows, the justfile and the issue forms call commands that exist.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::root;

const WORKFLOWS: [&str; 2] = [".github/workflows/ci.yml", ".github/workflows/release.yml"];

const FORMS: [&str; 3] = ["bug", "wrong-verdict", "feature"];

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines of all `run` steps of a workflow.
fn run_lines(workflow: &str) -> Vec<String> {
    let workflow: Value = serde_yaml::from_str(&read(workflow)).expect("YAML");
    let jobs = workflow["jobs"].as_object().expect("jobs");
    let steps = jobs.values().flat_map(|job| job["steps"].as_array().expect("steps"));
    let scripts = steps.filter_map(|step| step["run"].as_str());
    scripts.flat_map(str::lines).map(str::to_owned).collect()
}

/// The names of the recipes.
fn recipes(justfile: &str) -> BTreeSet<&str> {
    let heads = justfile
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    heads.filter_map(|line| line.split([' ', ':']).next()).collect()
}

#[test]
fn workflows_and_recipes_call_existing_commands() {
    let justfile = read("justfile");
    let recipes = recipes(&justfile);
    let steps = read(".ci/run");
    let mut lines: Vec<String> = WORKFLOWS.iter().flat_map(|path| run_lines(path)).collect();
    lines.extend(
        justfile
            .lines()
            .filter(|line| line.starts_with("    "))
            .map(str::to_owned),
    );
    let mut called = BTreeSet::new();
    for line in &lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["just", recipe, ..] => assert!(recipes.contains(recipe), "no such recipe: {line}"),
            [".ci/run", named @ ..] => {
                for step in named {
                    assert!(steps.contains(&format!("check_{step}() {{")), "no such step: {line}");
                }
                called.extend(named.iter().copied());
            }
            [script, ..] if script.starts_with(".ci/") => assert!(root().join(script).exists(), "{line}"),
            _ => {}
        }
    }
    for line in steps.lines().filter_map(|line| line.strip_prefix("check_")) {
        let step = line.split('(').next().expect("a name");
        assert!(
            called.contains(step),
            "no workflow or recipe calls step {step} of .ci/run"
        );
    }
}

#[test]
fn issue_forms_name_existing_options() {
    for form in FORMS {
        let text = read(&format!(".github/ISSUE_TEMPLATE/{form}.yml"));
        let parsed: Value = serde_yaml::from_str(&text).expect("YAML");
        assert!(parsed["name"].is_string() && parsed["body"].is_array(), "{form}");
        for line in text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("kube-job-collector "))
        {
            let mut words = line.split_whitespace();
            let command = words.next().expect("a command");
            let output = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"))
                .args([command, "--help"])
                .output()
                .expect("the collector runs");
            let help = String::from_utf8_lossy(&output.stdout);
            for option in words.filter(|word| word.starts_with('-')) {
                assert!(help.contains(option), "{form}: {command} has no option {option}");
            }
        }
    }
}

#[test]
fn the_toolchain_is_that_of_the_image() {
    let pinned = read("rust-toolchain.toml");
    let version = pinned
        .split("channel = \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let (minor, _) = version.and_then(|v| v.rsplit_once('.')).expect("channel = \"1.2.3\"");
    assert!(
        read("deploy/Dockerfile").contains(&format!("ARG RUST=rust:{minor}-")),
        "{minor}"
    );
}
