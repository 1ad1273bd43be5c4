//! The command `schema`: its JSON Schema accepts what the reader accepts, and refuses what a schema can refuse.

mod defaults;
mod documented;
mod fields;
#[path = "../docs/markdown.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod markdown;
mod wrong;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jsonschema::Validator;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"));
    command.args(args).env_clear().output().expect("the collector runs")
}

/// The schema of a whole configuration, or with `--overlay` that of a file that is merged over another one.
fn schema(args: &[&str]) -> Value {
    let output = run(&[&["schema"], args].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::new(schema).expect("a valid schema")
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The errors of a configuration by the schema, one a line.
fn errors(validator: &Validator, configuration: &Value) -> String {
    let errors = validator.iter_errors(configuration);
    let lines: Vec<String> = errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    lines.join("\n")
}

/// A file of this test, and its text.
fn file(name: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("schema-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

#[test]
fn the_schema_is_stable_and_valid_by_its_dialect() {
    for args in [&[][..], &["--overlay"]] {
        let schema = schema(args);
        assert_eq!(schema, self::schema(args));
        jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        let id = schema["$id"].as_str().expect("an id");
        assert!(
            id.contains(env!("CARGO_PKG_VERSION")) && id.ends_with(".schema.json"),
            "{id}"
        );
    }
}
