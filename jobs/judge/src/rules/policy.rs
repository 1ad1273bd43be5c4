//! The message of a Job that failed for its Pod failure policy.
//!
//! Source: `matchPodFailurePolicy` in `pkg/controller/job/pod_failure_policy.go` of Kubernetes:
//! `Container C for pod NS/POD failed with exit code N matching FailJob rule at index I` and
//! `Pod NS/POD has condition TYPE matching FailJob rule at index I`.

use crate::rules::windows;

/// The match of a rule of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PolicyMatch<'a> {
    /// The Pod's name.
    pub(crate) pod: &'a str,
    /// The container's name and its exit code; `None` if a condition of the Pod matched.
    pub(crate) exit: Option<(&'a str, i32)>,
}

/// Reads the message; `None` if it has neither form.
pub(crate) fn parse(message: &str) -> Option<PolicyMatch<'_>> {
    let (matched, _) = message.split_once(" matching ")?;
    let (pod, exit) = if let Some(rest) = matched.strip_prefix("Container ") {
        let (container, rest) = rest.split_once(" for pod ")?;
        let (pod, exit_code) = rest.split_once(" failed with exit code ")?;
        (pod, Some((container, windows::exit_code(exit_code.parse().ok()?)?)))
    } else {
        (matched.strip_prefix("Pod ")?.split_once(" has condition ")?.0, None)
    };
    let (_, pod) = pod.rsplit_once('/').unwrap_or(("", pod));
    Some(PolicyMatch { pod, exit })
}

/// The index of the rule that matched, in `spec.podFailurePolicy.rules`; `None` if the message names none.
pub(crate) fn rule(message: &str) -> Option<u32> {
    message.rsplit_once(" rule at index ")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_index_of_the_rule() {
        let message = "Pod ns/j-abcde has condition DisruptionTarget matching FailJob rule at index 12";
        assert_eq!(rule(message), Some(12));
        assert_eq!(rule("Pod ns/j-abcde has condition DisruptionTarget"), None);
        assert_eq!(rule("rule at index many"), None);
    }

    #[test]
    fn reads_both_forms_and_no_others() {
        assert_eq!(
            parse("Container main for pod ns/j-786tn failed with exit code 42 matching FailJob rule at index 0"),
            Some(PolicyMatch {
                pod: "j-786tn",
                exit: Some(("main", 42)),
            })
        );
        assert_eq!(
            parse("Pod ns/j-abcde has condition DisruptionTarget matching FailJob rule at index 1"),
            Some(PolicyMatch {
                pod: "j-abcde",
                exit: None,
            })
        );
        let windows = "Container main for pod ns/j failed with exit code 3221225477 matching FailJob rule at index 0";
        assert_eq!(parse(windows).unwrap().exit, Some(("main", -1_073_741_819)));
        for other in [
            "",
            "Job has reached the specified backoff limit",
            "Container main for pod ns/j failed with exit code many matching FailJob rule at index 0",
            "Container main for pod ns/j failed with exit code 42",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
