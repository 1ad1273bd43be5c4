//! An older Kubernetes: the verdict on a Job stays, or its cause becomes broader.

use crate::broader::NOT_UNDERSTOOD;
use crate::older::as_in_1_25;
use crate::recording::{all, decode, in_time, verdicts, worse};

#[test]
fn a_verdict_on_kubernetes_1_25_is_the_same_or_broader() {
    let mut wrong = Vec::new();
    for recording in all() {
        let mut json = recording.json.clone();
        for line in &mut json {
            let resource = line["resource"].as_str().unwrap().to_owned();
            as_in_1_25(&resource, &mut line["object"]);
        }
        let lines: Vec<_> = json.iter().map(decode).collect();
        let found = verdicts(in_time(&lines));
        for (uid, known) in &recording.verdicts {
            if let Some(problem) = worse(known, &found[uid], &NOT_UNDERSTOOD) {
                wrong.push(format!("{}: {problem}", recording.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
