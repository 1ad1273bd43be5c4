use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use job_event::Evidence;
use job_judge::judge;
use job_tracker::TrackerSettings;
use job_tracker::replay::replay;
use serde_json::json;

use super::*;

/// Marker placed wherever a secret may occur.
const SECRET: &str = "s3cret";

fn pod_with(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u"}, "spec": spec})
}

fn redacted(resource: &str, object: &Value) -> Value {
    redact(resource, object.clone())
}

/// The spec of a Pod with a secret in every text that may hold one.
fn secretive() -> Value {
    let named = json!({"name": "kept-name"});
    let handler = json!({
        "exec": {"command": ["kept-program", SECRET]},
        "httpGet": {"path": format!("/{SECRET}?token={SECRET}"), "host": SECRET, "port": 80,
            "httpHeaders": [{"name": "Authorization", "value": SECRET}]},
        "grpc": {"port": 1, "service": SECRET}, "tcpSocket": {"host": SECRET, "port": 1},
    });
    let container = json!({
        "name": "main", "image": format!("https://u:{SECRET}@registry.test/image?key={SECRET}"),
        "command": ["kept-program", "--password", SECRET], "args": [SECRET, format!("--key={SECRET}")],
        "env": [{"name": "A", "value": SECRET}, {"name": "B", "value": ""},
            {"name": "C", "valueFrom": {"secretKeyRef": {"name": "kept-name", "key": "k", "new": SECRET}}}],
        "envFrom": [{"prefix": SECRET, "secretRef": named}],
        "livenessProbe": handler, "readinessProbe": handler, "startupProbe": handler,
        "lifecycle": {"preStop": handler, "postStart": handler},
        "securityContext": {"seLinuxOptions": {"user": SECRET}, "seccompProfile": {"localhostProfile": SECRET}},
        "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": SECRET, "subPathExpr": SECRET}],
        "newField": SECRET, "newObject": {"name": SECRET},
    });
    let drivers = json!({"password": SECRET, "name": SECRET});
    json!({
        "containers": [container], "initContainers": [container], "ephemeralContainers": [container],
        "hostname": SECRET, "subdomain": SECRET, "hostAliases": [{"ip": SECRET, "hostnames": [SECRET]}],
        "dnsConfig": {"options": [{"name": SECRET, "value": SECRET}], "searches": [SECRET]},
        "affinity": {"nodeAffinity": {"x": SECRET}}, "topologySpreadConstraints": [{"topologyKey": SECRET}],
        "securityContext": {"sysctls": [{"name": SECRET, "value": SECRET}]},
        "volumes": [
            {"name": "a", "csi": {"driver": "kept-name", "volumeAttributes": drivers, "nodePublishSecretRef": named,
                "nodeStageSecretRef": drivers}},
            {"name": "b", "flexVolume": {"driver": "kept-name", "options": drivers, "secretRef": named}},
            {"name": "c", "gitRepo": {"repository": format!("https://u:{SECRET}@h/r"), "revision": SECRET}},
            {"name": "d", "azureFile": drivers}, {"name": "e", "iscsi": {"chapAuthSession": true, "iqn": SECRET}},
            {"name": "f", "rbd": {"keyring": SECRET}}, {"name": "g", "scaleIO": {"gateway": SECRET}},
            {"name": "h", "ephemeral": {"volumeClaimTemplate": {"metadata": {"annotations": drivers}}}},
            {"name": "i", "projected": {"sources": [{"serviceAccountToken": {"audience": SECRET, "path": "p"}},
                {"clusterTrustBundle": {"signerName": SECRET}}, {"newSource": SECRET}]}},
            {"name": "j", "downwardAPI": {"items": [{"path": SECRET}]}}, {"name": "k", "newVolume": drivers},
            {"name": "l", "nfs": {"server": SECRET, "path": SECRET}}, {"name": "m", "cephfs": {"user": SECRET}},
        ],
        "newField": SECRET,
    })
}

#[test]
fn removes_all_secrets_of_a_pod() {
    let annotations = json!({"kubectl.kubernetes.io/last-applied-configuration": SECRET, "team": SECRET,
        "batch.kubernetes.io/job-completion-index": "3", "kubectl.kubernetes.io/default-container": "main",
        "k8s-job-collector/stalled-after": "30m"});
    let metadata = json!({"name": "x", "annotations": annotations, "managedFields": [{"manager": SECRET}],
        "selfLink": SECRET, "newField": SECRET});
    let template = json!({"metadata": metadata, "spec": secretive()});
    let job = json!({"template": template, "selector": {"matchExpressions": [{"values": [SECRET]}]}});
    for (resource, object) in [
        (
            "pods",
            json!({"kind": "Pod", "metadata": metadata, "spec": secretive(), "status": {"podIP": SECRET,
            "containerStatuses": [{"name": "main", "newField": SECRET}], "newField": {"a": SECRET}}}),
        ),
        (
            "jobs",
            json!({"kind": "Job", "metadata": metadata, "spec": job, "status": {"newField": [SECRET]}}),
        ),
        (
            "cronjobs",
            json!({"kind": "CronJob", "metadata": metadata,
            "spec": {"jobTemplate": {"metadata": metadata, "spec": job}}}),
        ),
        (
            "events",
            json!({"kind": "Event", "metadata": metadata, "newField": SECRET,
            "message": format!("cannot clone https://u:{SECRET}@h/r: https://h/?k={SECRET}"),
            "involvedObject": {"kind": "Pod", "newField": SECRET}}),
        ),
        (
            "secrets",
            json!({"kind": "Secret", "metadata": metadata, "data": {"a": SECRET}}),
        ),
    ] {
        let kept = redacted(resource, &object).to_string();
        assert!(!kept.contains(SECRET), "{resource}: {kept}");
        for annotation in [
            "\"batch.kubernetes.io/job-completion-index\":\"3\"",
            "\"k8s-job-collector/stalled-after\":\"30m\"",
        ] {
            assert!(kept.contains(annotation), "{kept}");
        }
    }
}

#[test]
fn what_a_reader_needs_is_kept() {
    let kept = redacted("pods", &pod_with(secretive()));
    let main = &kept["spec"]["containers"][0];
    assert_eq!(main["command"], json!(["kept-program", REDACTED, REDACTED]));
    assert_eq!(main["args"], json!([REDACTED, REDACTED]));
    assert_eq!(
        main["image"],
        format!("https://{REDACTED}@registry.test/image?{REDACTED}")
    );
    assert_eq!(main["env"][0], json!({"name": "A", "value": REDACTED}));
    assert_eq!(
        main["env"][2]["valueFrom"]["secretKeyRef"],
        json!({"name": "kept-name", "key": "k"})
    );
    assert_eq!(
        main["envFrom"][0],
        json!({"prefix": REDACTED, "secretRef": {"name": "kept-name"}})
    );
    let volumes = &kept["spec"]["volumes"];
    let driver = json!({"driver": "kept-name", "nodePublishSecretRef": {"name": "kept-name"}});
    assert_eq!(volumes[0], json!({"name": "a", "csi": driver}));
    assert_eq!(volumes[2], json!({"name": "c", "gitRepo": {}}));
    assert_eq!(volumes[10], json!({"name": "k"}), "an unknown volume leaves its name");

    let plain = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "x", "labels": {"a": "b"}, "annotations": {"batch.kubernetes.io/job-completion-index": "3"}},
        "spec": {"containers": [{"name": "main", "command": ["run"], "env": [{"name": "EMPTY"}]}]},
        "status": {"conditions": null, "containerStatuses": [{"name": "main", "restartCount": 0, "ready": false,
            "state": {"terminated": {"exitCode": 1, "message": "disk full: 100 % of https://h/a is used"}}}]},
    });
    assert_eq!(redacted("pods", &plain), plain);
}

#[test]
fn a_command_line_in_the_place_of_a_program_is_not_kept() {
    let pod = pod_with(json!({"containers": [{"command": [format!("curl -u me:{SECRET} h"), 1, {"a": SECRET}]}]}));
    assert_eq!(
        redacted("pods", &pod)["spec"]["containers"][0]["command"],
        json!([REDACTED, REDACTED, REDACTED])
    );
}

#[test]
fn fields_of_another_form_are_not_kept() {
    for spec in [
        json!({"nodeName": {"a": SECRET}, "nodeSelector": SECRET, "containers": SECRET, "volumes": {"a": SECRET}}),
        json!({"containers": [[SECRET], SECRET, {"name": [SECRET], "command": SECRET, "env": {"a": SECRET}}]}),
        json!([SECRET]),
        json!(SECRET),
    ] {
        let kept = redacted("pods", &pod_with(spec)).to_string();
        assert!(!kept.contains(SECRET), "{kept}");
    }
    assert_eq!(redacted("pods", &json!(SECRET)), Value::Null);
}

#[test]
fn urls_lose_their_user_and_their_query() {
    for (text, expected) in [
        ("https://u:s3cret@h:1/p", "https://[REDACTED]@h:1/p"),
        ("https://s3cret@h", "https://[REDACTED]@h"),
        (
            "git clone \"https://u:s3cret@h/r\": 403",
            "git clone \"https://[REDACTED]@h/r\": 403",
        ),
        ("https://u:s/3?c#ret@h/p", "https://[REDACTED]@h/p"),
        ("https://u:s@3cret@h/p", "https://[REDACTED]@h/p"),
        (
            "Head \"https://h/v2?key=s3cret&a=b\": EOF",
            "Head \"https://h/v2?[REDACTED]\": EOF",
        ),
        (
            "https://h/#s3cret then http://u:s3cret@b",
            "https://h/#[REDACTED] then http://[REDACTED]@b",
        ),
        (
            "postgres://u:s3cret@db/x?sslmode=a",
            "postgres://[REDACTED]@db/x?[REDACTED]",
        ),
        ("https://h/a@b is kept", "https://h/a@b is kept"),
        ("registry:5000/image@sha256:abc", "registry:5000/image@sha256:abc"),
        ("no url: ä? #1 a@b", "no url: ä? #1 a@b"),
        ("://", "://"),
    ] {
        assert_eq!(without_credentials(text), expected);
        assert_eq!(without_credentials(expected), expected, "a second pass changes nothing");
    }
}

fn recordings() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut recordings = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut text = String::new();
            GzDecoder::new(std::fs::File::open(&path).unwrap())
                .read_to_string(&mut text)
                .unwrap();
            recordings.push((path.display().to_string(), text));
        }
    }
    assert!(recordings.len() > 50);
    recordings
}

/// A recording whose objects were changed.
fn with_objects(recording: &str, change: impl Fn(&str, Value) -> Value) -> String {
    let mut changed = String::new();
    for line in recording.lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let resource = line["resource"].as_str().unwrap().to_owned();
        line["object"] = change(&resource, line["object"].take());
        changed.push_str(&line.to_string());
        changed.push('\n');
    }
    changed
}

#[test]
fn recordings_of_a_cluster_are_explained_the_same() {
    let explained = |text: &str| -> Vec<(Evidence, _)> {
        let replayed = replay(text.as_bytes(), TrackerSettings::default()).unwrap();
        let jobs = replayed.ended.into_iter().chain(replayed.unfinished);
        jobs.map(|evidence| (evidence.clone(), judge(&evidence))).collect()
    };
    for (name, recording) in recordings() {
        let kept = explained(&with_objects(&recording, redact));
        assert_eq!(kept, explained(&recording), "{name}");
    }
}

/// Adds to every object in it but to labels and quantities, whose keys are anybody's.
fn with_unknown_fields(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                if ![
                    "labels",
                    "matchLabels",
                    "nodeSelector",
                    "requests",
                    "limits",
                    "overhead",
                ]
                .contains(&&**key)
                {
                    with_unknown_fields(value);
                }
            }
            map.insert("unknownToday".into(), json!({"a": [SECRET], SECRET: 1}));
        }
        Value::Array(items) => items.iter_mut().for_each(with_unknown_fields),
        _ => {}
    }
}

#[test]
fn removes_unknown_fields() {
    for (name, recording) in recordings() {
        let kept = with_objects(&recording, |resource, mut object| {
            with_unknown_fields(&mut object);
            redact(resource, object)
        });
        assert!(!kept.contains(SECRET) && !kept.contains("unknownToday"), "{name}");
    }
}

/// The rules as docs/recordings.md shows them: a line for fields that are recorded alike, nested fields indented.
fn described(fields: &[Fields], indent: &str, out: &mut String) {
    for (names, kept) in fields {
        let (kept, list) = match kept {
            Rule::Each(item) => (**item, "[]"),
            kept => (*kept, ""),
        };
        let names: Vec<String> = names.split(' ').map(|name| format!("{name}{list}")).collect();
        let names = names.join(" ");
        let (what, within): (String, &[Fields]) = match (kept, &*names) {
            (Rule::Scalar, _) => (String::new(), &[]),
            (Rule::Map, _) => (": all".into(), &[]),
            (Rule::Redacted, _) => (format!(": {REDACTED}"), &[]),
            (Rule::Program, _) => (format!(": the first word, {REDACTED} for each further one"), &[]),
            (Rule::Annotations, _) => (format!(": {}* {DEFAULT_CONTAINER}", PREFIXES.join("* ")), &[]),
            (Rule::Object([]), _) => (": the object without its fields".into(), &[]),
            (_, "metadata") if !indent.is_empty() => (": as above".into(), &[]),
            (_, "template") => (": metadata, and spec as in pods".into(), &[]),
            (_, "jobTemplate") => (": metadata, and spec as in jobs".into(), &[]),
            (Rule::Object(fields), _) => (":".into(), fields),
            (Rule::Each(_), _) => panic!("{names}: a list of lists"),
        };
        out.push_str(&format!("    {indent}{names}{what}\n"));
        described(within, &format!("{indent}  "), out);
    }
}

#[test]
fn recordings_page_lists_every_kept_field() {
    let Rule::Object(other) = fields::of("") else {
        panic!("an object")
    };
    let metadata = field(other, "metadata").unwrap();
    let kinds = ["jobs", "cronjobs", "pods", "events"].map(|resource| (resource, fields::of(resource)));
    let mut fields = String::new();
    described(&[("metadata", metadata)], "", &mut fields);
    described(&kinds, "", &mut fields);
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recordings.md")).unwrap();
    assert!(
        page.contains(&fields),
        "docs/recordings.md should have this block:\n\n{fields}"
    );
}
