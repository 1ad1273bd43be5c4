//! What somebody may have meant who mistyped a name.

/// The candidate nearest to `wanted`, if one is near enough to be a mistyping of it: at most a third of its letters
/// differ. Case, and `-` for `_`, do not count.
pub(super) fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = normal(wanted);
    candidates
        .into_iter()
        .map(|candidate| (distance(&wanted, &normal(candidate)), candidate))
        .filter(|(distance, _)| distance * 3 <= wanted.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn normal(name: &str) -> Vec<char> {
    name.chars()
        .flat_map(char::to_lowercase)
        .map(|c| if c == '-' { '_' } else { c })
        .collect()
}

/// How many letters must be added, left out or replaced (Levenshtein).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (slot, y) in row.iter_mut().skip(1).zip(b) {
            let up = *slot;
            left = (up + 1).min(left + 1).min(diagonal + usize::from(x != y));
            diagonal = up;
            *slot = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["k8s_job", "otlp_http", "debug"];
        assert_eq!(nearest("k8s-job", known), Some("k8s_job"));
        assert_eq!(nearest("OTLP_HTTTP", known), Some("otlp_http"));
        assert_eq!(nearest("debgu", ["debug"]), None, "two of five letters are too many");
        assert_eq!(nearest("kafka", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn counts_edits() {
        let count = |a: &str, b: &str| distance(&normal(a), &normal(b));
        assert_eq!(count("", ""), 0);
        assert_eq!(count("", "abc"), 3);
        assert_eq!(count("abc", ""), 3);
        assert_eq!(count("kitten", "sitting"), 3);
        assert_eq!(count("abc", "xabc"), 1);
    }
}
