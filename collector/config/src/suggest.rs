//! "Did you mean …?"

/// The candidate nearest to `word`, if one is near enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let word = plain(word);
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let allowed = (word.len() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Help that names the nearest candidate, or else all of them if they are few.
pub(crate) fn help(word: &str, candidates: &[&str]) -> Option<String> {
    const FEW: usize = 12;
    match nearest(word, candidates.iter().copied()) {
        Some(candidate) => Some(format!("did you mean `{candidate}`?")),
        None if candidates.is_empty() || candidates.len() > FEW => None,
        None => Some(format!("known here: {}", candidates.join(", "))),
    }
}

/// Letters only in lower case, so that `retryOnFailure` and `retry-on-failure` are `retry_on_failure`.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_key_only() {
        let keys = [
            "endpoint",
            "timeout",
            "headers",
            "retry_on_failure",
            "sending_queue",
            "tls",
        ];
        for (word, expected) in [
            ("endpont", Some("endpoint")),
            ("enpdoint", Some("endpoint")),
            ("timeuot", Some("timeout")),
            ("header", Some("headers")),
            ("retryOnFailure", Some("retry_on_failure")),
            ("retry-on-failure", Some("retry_on_failure")),
            ("TLS", Some("tls")),
            ("tsl", Some("tls")),
            ("queue", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keys), expected, "{word}");
        }
        assert_eq!(
            help("zzz", &["logs", "metrics"]).as_deref(),
            Some("known here: logs, metrics")
        );
        assert_eq!(
            help("lgos", &["logs", "metrics"]).as_deref(),
            Some("did you mean `logs`?")
        );
    }
}
