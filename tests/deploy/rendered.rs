//! The stored output of helm: it belongs to the chart as it is, and every object matches the API.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{chart, documents, files, kinds, list, oracle, root, stem, text, word};

/// The Kubernetes version to render for: the oldest that the chart supports.
const KUBERNETES: &str = "v1.33.0";

fn values() -> Vec<PathBuf> {
    files(&root().join("deploy/helm/tests/values"), "yaml")
}

fn stored(case: &str) -> PathBuf {
    root().join(format!("deploy/helm/tests/rendered/{case}.yaml"))
}

/// Each case with its objects.
pub(super) fn cases() -> Vec<(String, Vec<Value>)> {
    let cases = values().into_iter().map(|path| stem(&path));
    cases
        .map(|case| (case.clone(), documents(&text(&stored(&case)))))
        .collect()
}

/// FNV-1a over the names and contents of the chart's files that are rendered, and of the values.
fn digest(values: &Path) -> String {
    let mut sources = vec![
        values.to_owned(),
        chart().join("Chart.yaml"),
        chart().join("values.yaml"),
    ];
    for folder in ["templates", "files", "files/presets"] {
        for extension in ["yaml", "tpl"] {
            sources.extend(files(&chart().join(folder), extension));
        }
    }
    let mut digest: u64 = 0xcbf2_9ce4_8422_2325;
    for source in sources {
        let name = source
            .strip_prefix(root())
            .expect("a file of the project")
            .to_string_lossy()
            .into_owned();
        for byte in name.bytes().chain([0]).chain(text(&source).into_bytes()) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{digest:016x}")
}

fn header(values: &Path) -> String {
    format!(
        "# Output of `helm template` for tests/values/{}.yaml, digest {}.\n",
        stem(values),
        digest(values)
    )
}

/// `helm` of the variable HELM or of PATH.
fn helm() -> Option<String> {
    let helm = std::env::var("HELM").unwrap_or_else(|_| "helm".into());
    let version = Command::new(&helm).arg("version").output();
    if version.is_ok_and(|output| output.status.success()) {
        return Some(helm);
    }
    oracle::skip("helm", "install helm 3, or set HELM to its path");
    None
}

/// The output of helm for a file of values.
fn render(helm: &str, values: &Path) -> Result<String, String> {
    let mut command = Command::new(helm);
    command.args(["template", "kube-job-collector"]).arg(chart());
    command
        .args([
            "--namespace",
            "kube-job-collector",
            "--kube-version",
            KUBERNETES,
            "--values",
        ])
        .arg(values);
    let output = command.output().expect("helm runs");
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).expect("UTF-8")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn stored_output_belongs_to_the_chart() {
    let update = std::env::var_os("UPDATE_RENDERED").is_some();
    let mut changed = Vec::new();
    for values in values() {
        let path = stored(&stem(&values));
        if update {
            let rendered = render(&helm().expect("UPDATE_RENDERED needs helm"), &values);
            std::fs::write(&path, header(&values) + &rendered.expect("the chart renders")).expect("a file");
        }
        if !text(&path).starts_with(&header(&values)) {
            changed.push(stem(&values));
        }
    }
    assert!(
        changed.is_empty(),
        "the chart has changed; render {changed:?} again with helm: UPDATE_RENDERED=1 cargo test --test deploy stored_output"
    );
    let names = |paths: Vec<PathBuf>| paths.iter().map(|path| stem(path)).collect::<Vec<_>>();
    let rendered = files(&root().join("deploy/helm/tests/rendered"), "yaml");
    assert_eq!(names(rendered), names(values()), "one output for each file of values");
}

#[test]
fn helm_renders_the_stored_output() {
    let Some(helm) = helm() else { return };
    for values in values() {
        let rendered = render(&helm, &values).unwrap_or_else(|error| panic!("{}: {error}", stem(&values)));
        assert_eq!(
            header(&values) + &rendered,
            text(&stored(&stem(&values))),
            "{}",
            stem(&values)
        );
    }
}

#[test]
fn helm_lint_finds_nothing() {
    let Some(helm) = helm() else { return };
    for values in values() {
        let mut command = Command::new(&helm);
        command
            .args(["lint", "--strict"])
            .arg(chart())
            .arg("--values")
            .arg(&values);
        command.args(["--kube-version", KUBERNETES]);
        let output = command.output().expect("helm runs");
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {report}", stem(&values));
        assert!(
            !report.contains("[WARNING]") && !report.contains("[ERROR]"),
            "{}: {report}",
            stem(&values)
        );
    }
}

#[test]
fn helm_rejects_values_that_contradict_each_other() {
    let Some(helm) = helm() else { return };
    let folder = super::folder("contradictions");
    for (values, error) in [
        (
            "backend: datadog",
            "credentials.existingSecret: backend datadog needs a credential",
        ),
        (
            "credentials: {existingSecret: a, value: b}",
            "credentials: existingSecret and value are both set",
        ),
        (
            "{backend: dynatrace, credentials: {existingSecret: a}}",
            "dynatrace.environment: backend dynatrace needs",
        ),
        (
            "{backend: grafana-cloud, credentials: {existingSecret: a}}",
            "grafanaCloud.instanceId: backend",
        ),
        (
            "{backend: oauth2, credentials: {existingSecret: a}}",
            "oauth2.clientId: backend oauth2 needs",
        ),
        ("backend: file", "storage.type: found configMap, expected volume"),
        ("backend: custom", "config: backend custom needs a pipeline"),
        (
            "{backend: prometheus, replicas: 2, storage: {type: volume}}",
            "storage.type: found volume, expected configMap: 2 replicas",
        ),
        (
            "{backend: prometheus, podMonitor: {enabled: true}, serviceMonitor: {enabled: true}}",
            "both are set",
        ),
        (
            "{backend: prometheus, serviceAccount: {create: false}}",
            "serviceAccount.name: with serviceAccount.create=false",
        ),
        (
            "{backend: prometheus, shards: 2, replicas: 2}",
            "replicas: found 2, expected 1 with shards: 2",
        ),
        (
            "{backend: prometheus, shards: 2, namespaces: [a]}",
            "namespaces: expected none with more than one shard",
        ),
        (
            "{backend: prometheus, shards: 2, web: {enabled: true}}",
            "web.enabled: expected false",
        ),
        (
            "{backend: prometheus, shards: 2, storage: {type: none}}",
            "storage.type: found none, expected configMap or volume",
        ),
        (
            "{backend: file, shards: 2, storage: {type: volume, volume: {existingClaim: a}}}",
            "storage.volume.existingClaim: expected none",
        ),
        ("{backend: prometheus, clusterNam: a}", "clusterNam"),
    ] {
        let path = folder.join("values.yaml");
        std::fs::write(&path, values).expect("a file");
        let found = render(&helm, &path).expect_err(values);
        assert!(found.contains(error), "{values}: {found}");
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn every_rendered_object_matches_the_api() {
    for (case, documents) in cases() {
        assert!(documents.len() > 1, "{case}");
        for document in &documents {
            kinds::check(document).unwrap_or_else(|error| panic!("{case}: {} {error}", document["kind"]));
        }
    }
}

#[test]
fn a_credential_is_in_no_config_map() {
    let cases = cases();
    let (_, trial) = cases
        .iter()
        .find(|(case, _)| case == "trial")
        .expect("values with a key");
    let secrets = super::of_kind(trial, "Secret");
    assert_eq!(secrets.len(), 1);
    for (case, documents) in &cases {
        for map in super::of_kind(documents, "ConfigMap") {
            assert!(!map.to_string().contains(super::DUMMY), "{case}");
        }
        let literal = list(&super::container(documents)["env"])
            .iter()
            .find(|variable| word(&variable["value"]).contains(super::DUMMY));
        assert!(literal.is_none(), "{case}");
        assert!(
            case == "trial" || super::of_kind(documents, "Secret").is_empty(),
            "{case}"
        );
    }
}

#[test]
fn pods_pass_the_restricted_pod_security_standard() {
    for (case, documents) in cases() {
        let pod = &super::pods(&documents)["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{case}");
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
            "{case}"
        );
        let container = &super::container(&documents)["securityContext"];
        assert_eq!(container["allowPrivilegeEscalation"], false, "{case}");
        assert_eq!(container["readOnlyRootFilesystem"], true, "{case}");
        assert_eq!(
            container["capabilities"],
            serde_json::json!({"drop": ["ALL"]}),
            "{case}"
        );
    }
}

#[test]
fn a_changed_pipeline_restarts_pods_only_without_watch_config() {
    for (case, documents) in cases() {
        let template = &super::pods(&documents)["metadata"]["annotations"];
        let watches = list(&super::container(&documents)["args"]).contains(&"--watch-config".into());
        assert_eq!(template.get("checksum/pipeline").is_none(), watches, "{case}");
        assert_eq!(template.get("checksum/telemetry").is_some(), watches, "{case}");
        assert_eq!(
            template.get("checksum/credentials").is_some(),
            case == "trial",
            "{case}"
        );
    }
}

#[test]
fn each_shard_has_a_pod_with_its_number() {
    let cases = cases();
    for (case, shards, volumes) in [("shards", 4, 0), ("shards-volume", 2, 1)] {
        let (_, documents) = cases.iter().find(|(name, _)| name == case).expect("the case");
        let sets = super::of_kind(documents, "StatefulSet");
        assert_eq!(sets.len(), 1, "{case}");
        let spec = &sets[0]["spec"];
        assert_eq!(spec["replicas"], shards, "{case}");
        assert_eq!(list(&spec["volumeClaimTemplates"]).len(), volumes, "{case}");
        assert_eq!(super::of_kind(documents, "PersistentVolumeClaim").len(), 0, "{case}");
        let environment = super::environment(super::container(documents));
        let expected = ("SHARDS".to_owned(), shards.to_string());
        assert!(environment.contains(&expected), "{case}: {environment:?}");
        let pipeline = super::pipelines::pipeline(documents);
        let sharding = serde_json::json!({"shards": "${env:SHARDS}", "shard": "${env:POD_NAME}"});
        assert_eq!(pipeline["receivers"]["k8s_job"]["sharding"], sharding, "{case}");
        let is_shared = pipeline["extensions"].get("k8s_storage").is_some();
        assert_eq!(
            pipeline["extensions"]["k8s_storage"]["sharding"] == sharding,
            is_shared,
            "{case}"
        );
        assert_eq!(is_shared, volumes == 0, "{case}");
    }
}
