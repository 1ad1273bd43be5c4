//! Documented and shipped configurations are valid by the schema.

use std::path::Path;

use crate::markdown::Page;
use crate::{errors, root, schema, validator, yaml};

/// Files in the repository that are a configuration, or part of one.
fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    // Values of the chart have sections of the same names.
    let is_of_chart = |path: &Path| path.ends_with("values.yaml") || path.ends_with("deploy/helm/tests");
    let mut folders = vec![root().join("docs"), root().join("deploy")];
    let mut paths = vec![root().join("pipeline.yaml")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if is_of_chart(&path) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                paths.push(path);
            }
        }
    }
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        let sections = [
            "receivers:",
            "processors:",
            "connectors:",
            "exporters:",
            "extensions:",
            "service:",
        ];
        if text
            .lines()
            .any(|line| sections.iter().any(|section| line.starts_with(section)))
        {
            found.push((path.display().to_string(), text));
        }
    }
    found
}

#[test]
fn documented_configurations_are_valid() {
    let (whole, overlay) = (validator(&schema(&[])), validator(&schema(&["--overlay"])));
    let pages = Page::all(root());
    let blocks = pages.iter().flat_map(|page| {
        let blocks = page.blocks.iter().filter(|block| block.info == "yaml");
        blocks.map(|block| (format!("{}:{}", page.name, block.line), block.text.clone()))
    });
    let (mut wholes, mut parts) = (0, 0);
    for (place, text) in blocks.chain(files()) {
        let configuration = yaml(&text);
        // A file that adds to another one may have parts of pipelines, but no receiver.
        let is_whole = text.contains("\n  pipelines:") && text.lines().any(|line| line.starts_with("receivers:"));
        let validator = match is_whole {
            true => {
                wholes += 1;
                &whole
            }
            false => {
                parts += 1;
                &overlay
            }
        };
        let found = errors(validator, &configuration);
        assert_eq!(found, "", "{place}:\n{text}");
        assert_eq!(errors(&overlay, &configuration), "", "{place}: as an overlay");
    }
    assert!(wholes >= 12 && parts >= 8, "{wholes} configurations and {parts} parts");
}
