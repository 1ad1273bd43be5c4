//! The committed files are the generated ones. `UPDATE=1` writes them.

use std::collections::BTreeSet;

use crate::deploy;

#[test]
fn committed_files_are_up_to_date() {
    let files = deploy_generate::files();
    let update = std::env::var_os("UPDATE").is_some();
    for (name, text) in &files {
        let path = deploy().join(name);
        if update {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(&path, text).expect("a file");
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        let line = (1..)
            .zip(found.lines().zip(text.lines()))
            .find(|(_, (found, text))| found != text);
        assert!(
            found == *text,
            "deploy/{name} is not up to date, first at {line:?}; run UPDATE=1 cargo test -p deploy-generate"
        );
    }
    let monitors = std::fs::read_dir(deploy().join("datadog/monitors")).expect("a folder");
    let found: BTreeSet<String> = monitors
        .map(|entry| {
            format!(
                "datadog/monitors/{}",
                entry.expect("an entry").file_name().to_string_lossy()
            )
        })
        .collect();
    let generated: BTreeSet<String> = files
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("datadog/monitors/"))
        .collect();
    assert_eq!(found, generated, "deploy/datadog/monitors has other files");
}
