//! The next step for a Job that has not finished: Kubernetes retries by itself, so nobody needs to run the Job again.

use crate::texts::NODE_REQUESTED_NEXT_STEP;

const WAIT_FOR_NODE: &str =
    "Wait for the node that was requested; if none joins, look at the autoscaler and the new machine.";

/// Beginnings of next steps after `Run it again`, each with its replacement.
const BEGINNINGS: [(&str, &str); 6] = [
    ("; if it fails again, ", "Kubernetes tries again; if that fails, "),
    ("; if ", "Kubernetes tries again; if "),
    (": ", "Kubernetes tries again: "),
    (" when ", "Wait until "),
    (" later, or ", "Wait, or "),
    ("; ", ""),
];

/// The next step for a Job that has not finished.
pub(crate) fn unfinished(step: &str) -> String {
    if step == NODE_REQUESTED_NEXT_STEP {
        return WAIT_FOR_NODE.to_owned();
    }
    let endings = ["; then run it again.", ", then run it again."];
    if let Some(step) = endings.iter().find_map(|ending| step.strip_suffix(ending)) {
        return format!("{step}.");
    }
    let begins = |rest: &str| {
        let (lead, instead) = BEGINNINGS.iter().find(|(lead, _)| rest.starts_with(lead))?;
        Some(capitalized(&format!("{instead}{}", &rest[lead.len()..])))
    };
    step.strip_prefix("Run it again")
        .and_then(begins)
        .unwrap_or_else(|| step.replace(", or run it again ", ", or let it run "))
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::CAUSES;
    use crate::texts::FAMILIES;

    #[test]
    fn no_next_step_runs_an_unfinished_job_again() {
        let rows = FAMILIES.iter().flat_map(|family| family.texts);
        let steps = CAUSES
            .iter()
            .map(|row| row.next_step)
            .chain(rows.map(|row| row.next_step));
        for step in steps {
            let step = unfinished(step);
            let text = step.replace("Do not run it again", "");
            assert!(!text.to_lowercase().contains("run it again"), "{step}");
            assert!(step.starts_with(char::is_uppercase) && step.ends_with('.'), "{step}");
        }
    }

    #[test]
    fn the_rest_of_the_sentence_stays() {
        for (failed, waiting) in [
            (
                "Run it again; look at the node's events and at the machine itself.",
                "Look at the node's events and at the machine itself.",
            ),
            (
                "Run it again; if it fails again, check the network.",
                "Kubernetes tries again; if that fails, check the network.",
            ),
            (
                "Run it again when the limit has reset.",
                "Wait until the limit has reset.",
            ),
            ("Free space on the disk; then run it again.", "Free space on the disk."),
            ("Create the object.", "Create the object."),
        ] {
            assert_eq!(unfinished(failed), waiting);
        }
    }
}
