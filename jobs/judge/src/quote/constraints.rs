//! Errors of admission that list many constraints: only those that applied explain the error.

use std::borrow::Cow;

/// The start of the list of OpenShift's security context constraints
/// (`apiserver-library-go/pkg/securitycontextconstraints/sccadmission`).
const SCC: &str = "unable to validate against any security context constraint: [";
const NOT_USABLE: &str = "not usable by user or serviceaccount";

/// The message with only those security context constraints that were tried: the others are forbidden to the Pod's
/// ServiceAccount. Repetitions under another constraint are dropped too.
pub(super) fn applied(message: &str) -> Cow<'_, str> {
    let Some(start) = message.find(SCC).map(|at| at + SCC.len()) else {
        return Cow::Borrowed(message);
    };
    let (list, after) = match message[start..].rfind(']') {
        Some(end) => message[start..].split_at(end),
        None => (&message[start..], ""),
    };
    let mut reasons: Vec<&str> = Vec::new();
    let mut entries: Vec<&str> = Vec::new();
    for entry in items(list) {
        let reason = match entry.strip_prefix("provider ").and_then(|rest| rest.split_once(": ")) {
            Some((_, reason)) => reason,
            None => entry,
        };
        if !entry.contains(NOT_USABLE) && !reasons.contains(&reason) && reasons.len() < 16 {
            reasons.push(reason);
            entries.push(entry);
        }
    }
    if entries.is_empty() {
        return Cow::Borrowed(message);
    }
    let mut kept = message[..start].to_owned();
    kept.push_str(&entries.join(", "));
    kept.push_str(after);
    Cow::Owned(kept)
}

/// A line that is too long, without the explanations of a Pod Security error, from the first on until it is short enough:
/// `violates PodSecurity "restricted:latest": runAsNonRoot != true (pod must set ...), ...`
/// (`k8s.io/pod-security-admission/policy`).
pub(super) fn brief(line: String) -> String {
    let Some(start) = line.find("violates PodSecurity ") else {
        return line;
    };
    let (before, mut rest) = line.split_at(start);
    let mut kept = before.to_owned();
    let mut excess = line.chars().count().saturating_sub(super::MAX_QUOTED);
    while excess > 0 {
        let Some((name, explained)) = rest.split_once(" (") else {
            break;
        };
        let (explanation, after) = match explained.find("), ") {
            Some(end) => (&explained[..end], &explained[end + 1..]),
            None => (explained, ""),
        };
        kept.push_str(name);
        excess = excess.saturating_sub(explanation.chars().count() + 3);
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// The items of a list that commas separate, except commas in brackets and quotation marks.
fn items(list: &str) -> impl Iterator<Item = &str> {
    let (mut depth, mut quote) = (0_usize, false);
    let separates = move |character| {
        match character {
            '"' => quote = !quote,
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0 && !quote
    };
    list.split(separates).map(str::trim).filter(|item| !item.is_empty())
}
