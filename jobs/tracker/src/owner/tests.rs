//! Jobs as Kubernetes and well-known operators create them, and their owners.

use job_event::evidence::OwnerRule;
use job_watch::model::Job;
use regex::Regex;
use serde_json::{Value, json};

use super::{NamingRule, OwnerPool, OwnerSettings};

fn job(metadata: Value) -> Job {
    serde_json::from_value(json!({"metadata": metadata})).unwrap()
}

/// The metadata of a Job that an object controls.
fn controlled(name: &str, generate_name: &str, api_version: &str, kind: &str, owner: &str) -> Value {
    let mut metadata = json!({"name": name, "namespace": "shop", "uid": "u",
        "ownerReferences": [{"apiVersion": api_version, "kind": kind, "name": owner, "uid": "o", "controller": true,
            "blockOwnerDeletion": true}]});
    if !generate_name.is_empty() {
        metadata["generateName"] = generate_name.into();
    }
    metadata
}

fn named(name: &str, generate_name: &str) -> Value {
    json!({"name": name, "generateName": generate_name, "namespace": "shop", "uid": "u"})
}

/// The rule, the kind and the name of the owner.
fn owner(settings: &OwnerSettings, metadata: &Value) -> (OwnerRule, String, String) {
    let job = job(metadata.clone());
    match settings.owner(&job.metadata) {
        Some(owner) => (owner.rule, owner.kind.to_string(), owner.name.to_string()),
        None => (OwnerRule::Job, String::new(), job.metadata.name.to_string()),
    }
}

fn with_rules(rules: Vec<NamingRule>) -> OwnerSettings {
    OwnerSettings {
        rules,
        ..OwnerSettings::default()
    }
}

fn matching(pattern: &str, name: &str) -> NamingRule {
    NamingRule::of_match(Regex::new(pattern).unwrap(), name)
}

#[test]
fn jobs_of_operators_belong_to_their_controllers() {
    for (name, prefix, api_version, kind, owner_name) in [
        (
            "queue-worker-x7k2p",
            "queue-worker-",
            "keda.sh/v1alpha1",
            "ScaledJob",
            "queue-worker",
        ),
        ("build-x7k2p-job", "", "argoproj.io/v1alpha1", "Workflow", "build-x7k2p"),
        ("train-workers-0", "", "jobset.x-k8s.io/v1alpha2", "JobSet", "train"),
        ("bert-launcher", "", "kubeflow.org/v2beta1", "MPIJob", "bert"),
        ("bert-job", "", "kubeflow.org/v1", "PyTorchJob", "bert"),
        (
            "pi-submit",
            "",
            "sparkoperator.k8s.io/v1beta2",
            "SparkApplication",
            "pi",
        ),
        ("rayjob-sample-9fkcl", "", "ray.io/v1", "RayJob", "rayjob-sample"),
        ("pg-1-initdb", "", "postgresql.cnpg.io/v1", "Cluster", "pg"),
        (
            "volsync-src-data",
            "",
            "volsync.backube/v1alpha1",
            "ReplicationSource",
            "data",
        ),
        ("task-pod", "", "tekton.dev/v1", "TaskRun", "task"),
        (
            "broadcast-1-node-a",
            "broadcast-",
            "apps.kruise.io/v1alpha1",
            "BroadcastJob",
            "broadcast",
        ),
        ("other", "", "batch.volcano.sh/v1alpha1", "CronJob", "volcano"),
    ] {
        let metadata = controlled(name, prefix, api_version, kind, owner_name);
        let expected = (OwnerRule::Controller, kind.to_owned(), owner_name.to_owned());
        assert_eq!(owner(&OwnerSettings::default(), &metadata), expected, "{kind}");
    }
}

#[test]
fn runs_belong_to_their_cronjob_scheduled_or_by_hand() {
    let any_name = with_rules(vec![matching("^(.)", "$1"), matching("^(.)", "$1").of_kind("CronJob")]);
    for name in ["nightly-29924175", "by-hand"] {
        let metadata = controlled(name, "", "batch/v1", "CronJob", "nightly");
        let expected = (OwnerRule::CronJob, String::new(), "nightly".to_owned());
        assert_eq!(owner(&OwnerSettings::default(), &metadata), expected);
        assert_eq!(owner(&any_name, &metadata), expected, "no rule changes it");
    }
    let by_name = json!({"name": "nightly-29924175", "namespace": "shop", "uid": "u"});
    assert_eq!(owner(&OwnerSettings::default(), &by_name).0, OwnerRule::Job);
}

#[test]
fn an_owner_that_is_not_the_controller_does_not_count() {
    let mut metadata = controlled("j", "", "argoproj.io/v1alpha1", "Workflow", "w");
    metadata["ownerReferences"][0]["controller"] = false.into();
    assert_eq!(owner(&OwnerSettings::default(), &metadata).0, OwnerRule::Job);
    metadata["ownerReferences"][0] = json!({"controller": true, "uid": "o", "kind": "", "name": "w"});
    assert_eq!(owner(&OwnerSettings::default(), &metadata).0, OwnerRule::Job);
}

#[test]
fn jobs_with_generated_names_belong_to_their_prefix() {
    let long = "p".repeat(60);
    for (name, prefix, expected) in [
        ("import-x7k2p", "import-", "import"),
        ("import.x7k2p", "import.", "import"),
        ("importx7k2p", "import", "import"),
        // Argo CD completes the names of hooks itself.
        ("db-migrate-3f9a1c2-presync-1764381814", "db-migrate-", "db-migrate"),
        // The API server cuts the prefix.
        (&format!("{}x7k2p", &long[..58]), &long, &long[..58]),
    ] {
        let found = owner(&OwnerSettings::default(), &named(name, prefix));
        assert_eq!(found, (OwnerRule::GenerateName, String::new(), expected.to_owned()));
    }
    for (name, prefix) in [
        ("migrate", "import-"),
        ("import-", "import-"),
        ("import", ""),
        ("-a", "-"),
    ] {
        let found = owner(&OwnerSettings::default(), &named(name, prefix));
        assert_eq!(found, (OwnerRule::Job, String::new(), name.to_owned()), "{prefix}");
    }
}

#[test]
fn the_first_rule_that_applies_gives_the_name() {
    let settings = with_rules(vec![
        matching("^import-", "imports").in_namespaces(Regex::new("^ci-").unwrap()),
        matching("^(?P<app>[a-z]+)-(?:v[0-9]+-)?[0-9]+$", "$app"),
        matching("-(optional)?x$", "$1"),
        matching("^i", "second"),
    ]);
    for (name, prefix, expected) in [
        ("import-17", "", (OwnerRule::Rule, "import")),
        ("billing-v2-1764381814", "", (OwnerRule::Rule, "billing")),
        ("import-17", "import-", (OwnerRule::Rule, "import")),
        ("import-x", "", (OwnerRule::Rule, "second")),
        ("a-x7k2p", "a-", (OwnerRule::GenerateName, "a")),
        ("a-x", "", (OwnerRule::Job, "a-x")),
    ] {
        let (rule, kind, found) = owner(&settings, &named(name, prefix));
        assert_eq!((rule, &*found, &*kind), (expected.0, expected.1, ""), "{name}");
    }
    let mut elsewhere = named("import-17", "");
    elsewhere["namespace"] = "ci-1".into();
    assert_eq!(owner(&settings, &elsewhere).2, "imports");
}

#[test]
fn a_rule_for_a_kind_groups_its_objects() {
    let settings = with_rules(vec![
        matching("^.", "no-controller"),
        matching("^(.+)-[a-z0-9]{5}$", "$1").of_kind("Workflow"),
    ]);
    for (kind, name, expected) in [
        ("Workflow", "build-x7k2p", (OwnerRule::Rule, "build")),
        ("Workflow", "nightly", (OwnerRule::Controller, "nightly")),
        ("JobSet", "train-x7k2p", (OwnerRule::Controller, "train-x7k2p")),
    ] {
        let metadata = controlled("step", "", "argoproj.io/v1alpha1", kind, name);
        let (rule, found_kind, found) = owner(&settings, &metadata);
        assert_eq!((rule, &*found_kind, &*found), (expected.0, kind, expected.1));
    }
}

#[test]
fn steps_can_be_turned_off() {
    let metadata = controlled("pg-1-x7k2p", "pg-1-", "postgresql.cnpg.io/v1", "Cluster", "pg");
    let rule = || matching("^(pg-[0-9])-", "$1");
    for (controller, generate_name, rules, expected) in [
        (true, true, vec![rule()], (OwnerRule::Controller, "pg")),
        (false, true, vec![rule()], (OwnerRule::Rule, "pg-1")),
        (false, true, vec![], (OwnerRule::GenerateName, "pg-1")),
        (false, false, vec![], (OwnerRule::Job, "pg-1-x7k2p")),
        (true, false, vec![], (OwnerRule::Controller, "pg")),
    ] {
        let settings = OwnerSettings {
            controller,
            generate_name,
            rules,
        };
        let (rule, _, name) = owner(&settings, &metadata);
        assert_eq!((rule, &*name), expected);
    }
}

#[test]
fn jobs_share_the_owner_they_have_in_common() {
    let mut owners = OwnerPool::new(OwnerSettings::default());
    let of = |owners: &mut OwnerPool, n: u32| {
        let metadata = controlled(&format!("q-{n:05}"), "q-", "keda.sh/v1alpha1", "ScaledJob", "q");
        owners.of(&job(metadata).metadata).unwrap()
    };
    let first = of(&mut owners, 0);
    assert!((1..100).all(|n| std::sync::Arc::ptr_eq(&first, &of(&mut owners, n))));
}

#[test]
fn an_orphaned_job_keeps_its_owner() {
    let mut owners = OwnerPool::new(OwnerSettings::default());
    let seen = job(controlled("q-x7k2p", "q-", "keda.sh/v1alpha1", "ScaledJob", "q"));
    let orphan = job(named("q-x7k2p", "q-"));
    let mut found = owners.of(&seen.metadata);
    owners.update(&mut found, &orphan.metadata);
    assert_eq!(found.as_ref().map(|owner| owner.rule), Some(OwnerRule::Controller));
    let mut adopted = owners.of(&orphan.metadata);
    assert_eq!(adopted.as_ref().map(|owner| owner.rule), Some(OwnerRule::GenerateName));
    owners.update(&mut adopted, &seen.metadata);
    assert_eq!(adopted, found, "a controller may adopt a Job");
}
