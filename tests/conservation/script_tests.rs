use super::*;

const SETTING: Setting = Setting {
    durability: Durability::Cluster,
    lasts: Duration::from_secs(8),
    disk: true,
};

#[test]
fn a_seed_gives_one_script_and_another_seed_another() {
    assert_eq!(Script::new(7, SETTING), Script::new(7, SETTING));
    assert_ne!(Script::new(7, SETTING), Script::new(8, SETTING));
}

#[test]
fn every_kind_of_fault_is_in_fifty_seeds() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..50 {
        for (kind, count) in Script::new(seed, SETTING).kinds() {
            *kinds.entry(kind).or_default() += count;
        }
    }
    let expected = [
        "410 in the stream",
        "API 409",
        "API 410",
        "API 429",
        "API 500",
        "API 503",
        "API answer lost",
        "API reset",
        "API silence",
        "SIGTERM",
        "backend 400",
        "backend 403",
        "backend 413",
        "backend 429",
        "backend 500",
        "backend 502",
        "backend 503",
        "backend 503 after taking",
        "backend drops connection",
        "backend hangs",
        "backend hangs after taking",
        "backend refuses connections",
        "backend slow",
        "backend slow body",
        "compaction",
        "cut off from the API",
        "disk full",
        "kill -9",
        "partial success",
        "reload",
        "reload of an invalid configuration",
        "repetition",
        "stall",
        "streaming list reset",
        "token expired",
        "watch ended",
        "watch ended mid-line",
        "watch reset",
        "watch reset mid-line",
    ];
    assert_eq!(kinds.keys().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn every_fault_ends_and_every_kill_restarts() {
    for seed in 0..200 {
        let Script(actions) = Script::new(seed, SETTING);
        let count = |wanted: fn(&Action) -> bool| actions.iter().filter(|(_, action)| wanted(action)).count();
        type Test = fn(&Action) -> bool;
        let pairs: [(Test, Test); 5] = [
            (
                |a| matches!(a, Action::Stall(_, true)),
                |a| matches!(a, Action::Stall(_, false)),
            ),
            (
                |a| matches!(a, Action::Isolate(_, Some(_))),
                |a| matches!(a, Action::Isolate(_, None)),
            ),
            (
                |a| matches!(a, Action::Close(true)),
                |a| matches!(a, Action::Close(false)),
            ),
            (
                |a| matches!(a, Action::Kill(_) | Action::Stop(_)),
                |a| matches!(a, Action::Start(_)),
            ),
            (
                |a| matches!(a, Action::Disk(_, true)),
                |a| matches!(a, Action::Disk(_, false)),
            ),
        ];
        for (begins, ends) in pairs {
            assert_eq!(count(begins), count(ends), "seed {seed}");
        }
    }
}

#[test]
fn every_script_has_ten_reloads_of_changes() {
    for seed in 0..200 {
        let Script(actions) = Script::new(seed, SETTING);
        let mut runs = vec![Variant::FIRST; SETTING.durability.replicas()];
        let mut reloads = 0;
        for (_, action) in &actions {
            let Action::Reload(replica, variant) = action else {
                continue;
            };
            reloads += 1;
            if variant.is_valid() {
                runs[*replica] = *variant;
            }
        }
        assert_eq!(reloads, RELOADS, "seed {seed}");
        assert!(runs.iter().any(|variant| *variant != Variant::FIRST), "seed {seed}");
    }
}
