//! Errors of admission that list many constraints: only those that applied explain the error.

use std::borrow::Cow;

/// The start of the list of OpenShift's security context constraints
/// (`apiserver-library-go/pkg/securitycontextconstraints/sccadmission`).
const SCC: &str = "unable to validate against any security context constraint: [";
const NOT_USABLE: &str = "not usable by user or serviceaccount";

/// The most entries of a list that are compared with each other.
const MAX_ENTRIES: usize = 32;

/// The message with only those security context constraints that were tried: the others are forbidden to the Pod's
/// ServiceAccount. Repetitions under another constraint are dropped too.
pub(super) fn applied(message: &str) -> Cow<'_, str> {
    distinct(message, |entry| match entry.strip_prefix("provider ") {
        Some(rest) => rest.split_once(": ").map_or(rest, |(_, reason)| reason),
        None => entry,
    })
}

/// The message with the first entry of its list of constraints for each key, without those that did not apply.
fn distinct<'a>(message: &'a str, key: impl Fn(&'a str) -> &'a str) -> Cow<'a, str> {
    let Some(start) = message.find(SCC).map(|at| at + SCC.len()) else {
        return Cow::Borrowed(message);
    };
    let (list, after) = match message[start..].trim_end().strip_suffix(']') {
        Some(list) => (list, "]"),
        None => (&message[start..], ""),
    };
    let mut keys: Vec<&str> = Vec::new();
    let mut kept: Vec<&str> = Vec::new();
    let mut all = items(list).peekable();
    while let Some(entry) = all.next() {
        // The end of a long message is cut off, and with it the words that the entry does not apply.
        let is_cut = after.is_empty() && all.peek().is_none() && entry.starts_with("provider \"");
        let reason = key(entry);
        if !entry.contains(NOT_USABLE) && !is_cut && !keys.contains(&reason) && keys.len() < MAX_ENTRIES {
            keys.push(reason);
            kept.push(entry);
        }
    }
    match kept.is_empty() {
        true => Cow::Borrowed(message),
        false => Cow::Owned(format!("{}{}{after}", &message[..start], kept.join(", "))),
    }
}

/// A line that is too long, with each reason of its list of constraints once, whatever fields it applies to.
pub(super) fn each_reason_once(line: String) -> String {
    let reason = |entry| match str::split_once(entry, ": Invalid value: ") {
        Some((_, reason)) => reason,
        None => entry,
    };
    distinct(&line, reason).into_owned()
}

/// A line that is too long, without the explanations of a Pod Security error, from the first on until it is short enough:
/// `violates PodSecurity "restricted:latest": runAsNonRoot != true (pod must set ...), ...`
/// (`k8s.io/pod-security-admission/policy`).
pub(super) fn without_explanations(line: String) -> String {
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
