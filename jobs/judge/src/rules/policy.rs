//! The message of a Job that failed for its Pod failure policy.
//!
//! Source: `matchPodFailurePolicy` in `pkg/controller/job/pod_failure_policy.go` of Kubernetes:
//! `Container C for pod NS/POD failed with exit code N matching FailJob rule at index I` and
//! `Pod NS/POD has condition TYPE matching FailJob rule at index I`.

/// What matched a rule of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match<'a> {
    /// A container's exit code.
    ExitCode {
        /// The Pod's name.
        pod: &'a str,
        /// The container's name.
        container: &'a str,
        /// The exit code.
        exit_code: i32,
    },
    /// A condition of the Pod.
    Condition {
        /// The Pod's name.
        pod: &'a str,
        /// The condition's type.
        condition: &'a str,
    },
}

/// Reads the message; `None` if it is none of the two.
pub fn parse(message: &str) -> Option<Match<'_>> {
    let (what, _) = message.split_once(" matching ")?;
    if let Some(rest) = what.strip_prefix("Container ") {
        let (container, rest) = rest.split_once(" for pod ")?;
        let (pod, exit_code) = rest.split_once(" failed with exit code ")?;
        return Some(Match::ExitCode {
            pod: pod.rsplit('/').next()?,
            container,
            exit_code: exit_code.parse().ok()?,
        });
    }
    let (pod, condition) = what.strip_prefix("Pod ")?.split_once(" has condition ")?;
    Some(Match::Condition {
        pod: pod.rsplit('/').next()?,
        condition,
    })
}

/// The index of the rule that matched, in `spec.podFailurePolicy.rules`; `None` if the message names none.
pub fn rule(message: &str) -> Option<u32> {
    message.rsplit_once(" rule at index ")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_read() {
        let message = "Pod ns/j-abcde has condition DisruptionTarget matching FailJob rule at index 12";
        assert_eq!(rule(message), Some(12));
        assert_eq!(rule("Pod ns/j-abcde has condition DisruptionTarget"), None);
        assert_eq!(rule("rule at index many"), None);
    }

    #[test]
    fn both_forms_are_read_and_others_are_not() {
        assert_eq!(
            parse("Container main for pod ns/j-786tn failed with exit code 42 matching FailJob rule at index 0"),
            Some(Match::ExitCode {
                pod: "j-786tn",
                container: "main",
                exit_code: 42
            })
        );
        assert_eq!(
            parse("Pod ns/j-abcde has condition DisruptionTarget matching FailJob rule at index 1"),
            Some(Match::Condition {
                pod: "j-abcde",
                condition: "DisruptionTarget"
            })
        );
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
