//! Completions are valid scripts of their shells, and man pages exist for every command.

use std::process::Command;

use crate::{folder, oracle, stderr};

fn collector(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"))
        .args(arguments)
        .output()
        .expect("the collector runs");
    assert!(output.status.success(), "{}", stderr(&output));
    output.stdout
}

#[test]
fn completions_are_valid_scripts() {
    let folder = folder("completions");
    for (shell, check, install) in [
        ("bash", "-n", "apt-get install bash"),
        ("zsh", "-n", "apt-get install zsh"),
        ("fish", "--no-execute", "apt-get install fish"),
    ] {
        let script = collector(&["completions", shell]);
        let text = String::from_utf8_lossy(&script);
        for word in ["validate", "status", "watch-config"] {
            assert!(text.contains(word), "{shell} does not complete {word}");
        }
        let file = folder.join(shell);
        std::fs::write(&file, &script).expect("a file");
        match Command::new(shell).arg(check).arg(&file).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {}", stderr(&output)),
            Err(_) => oracle::skip(shell, install),
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn bash_completes_commands_and_options() {
    let folder = folder("bash");
    let file = folder.join("completions");
    std::fs::write(&file, collector(&["completions", "bash"])).expect("a file");
    let complete = |words: &str, last: usize| {
        let script = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={last}; \
             _kube__job__collector kube-job-collector \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{last}-1]}}\"; \
             echo \"${{COMPREPLY[@]}}\"",
            file.display()
        );
        let output = Command::new("bash").args(["--norc", "-c", &script]).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match complete("kube-job-collector stat", 1) {
        Ok(found) => assert_eq!(found, "status"),
        Err(_) => return oracle::skip("bash", "apt-get install bash"),
    }
    assert_eq!(complete("kube-job-collector init hon", 2).expect("bash"), "honeycomb");
    let found = complete("kube-job-collector print-config --se", 2).expect("bash");
    assert_eq!(found, "--set");
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn every_command_has_a_man_page() {
    let folder = folder("man");
    collector(&["man", "--output", folder.to_str().expect("UTF-8")]);
    for page in [
        "kube-job-collector",
        "kube-job-collector-status",
        "kube-job-collector-init",
    ] {
        let text = std::fs::read_to_string(folder.join(format!("{page}.1"))).expect("a page");
        assert!(text.contains(".TH"), "{page}");
    }
    let page = collector(&["man"]);
    assert!(String::from_utf8_lossy(&page).contains("kube\\-job\\-collector"));
    let _ = std::fs::remove_dir_all(folder);
}
