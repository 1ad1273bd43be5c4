//! The table and the manifest of `docs/side-containers.md`.
//!
//! To update the table: `UPDATE_DOCS=1 cargo test --test verdicts`.

use job_judge::{Cause, SIDE_CONTAINERS, judge};
use job_tracker::TrackerSettings;
use job_tracker::replay::replay;
use serde_json::{Value, json};

use crate::stories::Story;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/side-containers.md");
const BEGIN: &str = "<!-- table of side containers -->\n";
const END: &str = "<!-- end of the table -->\n";

fn table() -> String {
    let mut table =
        String::from("| project | container names | images | next step | source |\n|---|---|---|---|---|\n");
    for row in &SIDE_CONTAINERS {
        let code = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            words.join(", ")
        };
        let tag = match row.tag {
            "" => String::new(),
            word => format!(" with `{word}` in the tag"),
        };
        table.push_str(&format!(
            "| {} | {} | {}{tag} | {} | {} |\n",
            row.project,
            code(row.names),
            code(row.images),
            row.next_step,
            row.source
        ));
    }
    table
}

fn page() -> String {
    std::fs::read_to_string(PAGE).expect("the page exists")
}

#[test]
fn side_containers_page_shows_the_table() {
    let page = page();
    let (before, rest) = page.split_once(BEGIN).expect("the beginning of the table");
    let (_, after) = rest.split_once(END).expect("the end of the table");
    let wanted = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, &wanted).expect("the page can be written");
    }
    assert_eq!(
        self::page(),
        wanted,
        "update it: UPDATE_DOCS=1 cargo test --test verdicts"
    );
}

/// The text between two markers.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).expect("the beginning");
    rest.split_once(end).expect("the end").0
}

/// The status of a container that ended at that second.
fn ended(name: &str, code: i32, second: u32) -> Value {
    let reason = if code == 0 { "Completed" } else { "Error" };
    json!({"name": name, "restartCount": 0, "ready": false, "state": {"terminated": {"exitCode": code, "reason": reason,
        "startedAt": "2026-11-23T12:00:01Z", "finishedAt": format!("2026-11-23T12:00:{second:02}Z"),
        "containerID": format!("containerd://{name}")}}})
}

#[test]
fn the_manifest_of_the_page_names_the_work() {
    let page = page();
    let manifest: Value = serde_yaml::from_str(between(&page, "```yaml other\n", "```\n")).expect("YAML");
    let template = &manifest["spec"]["template"];
    let pod = json!({"metadata": template["metadata"], "spec": template["spec"]});
    let story = Story::failed("page", "BackoffLimitExceeded", Cause::SidecarFailed)
        .job(json!({"backoffLimit": 0}))
        .pod_of("j", "a", pod)
        .at(1)
        .admitted("a")
        .at(40)
        .states(
            "a",
            "Failed",
            &[
                ended("report", 0, 20),
                ended("tunnel", 1, 35),
                ended("log-shipper", 2, 38),
            ],
        )
        .at(41)
        .backoff();
    let text: String = story.lines.iter().map(|line| format!("{line}\n")).collect();
    let replay = replay(text.as_bytes(), TrackerSettings::default()).expect("a recording");
    let judgement = judge(&replay.ended[0]);
    assert_eq!(judgement.cause, Some(Cause::SidecarFailed));
    let words = "container report finished with code 0, but container tunnel exited with code 1";
    assert!(judgement.summary.contains(words), "{}", judgement.summary);
}
