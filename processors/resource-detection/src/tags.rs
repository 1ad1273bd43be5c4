//! `DD_TAGS`: tags as Datadog's Agent and tracers read them.

/// The tags in a text, `key:value` separated by commas or spaces, and the numbers of the entries that have another form,
/// from 1.
///
/// A part with spaces is several tags if each of its words has a colon, else a value with spaces.
pub(crate) fn parse(text: &str) -> (Vec<(&str, &str)>, Vec<usize>) {
    let mut entries = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if part.split_whitespace().all(|word| pair(word).is_some()) {
            entries.extend(part.split_whitespace());
        } else {
            entries.push(part);
        }
    }
    let wrong = entries.iter().zip(1..).filter(|(entry, _)| pair(entry).is_none());
    let wrong = wrong.map(|(_, number)| number).collect();
    (entries.into_iter().filter_map(pair).collect(), wrong)
}

fn pair(entry: &str) -> Option<(&str, &str)> {
    let (key, value) = entry.split_once(':')?;
    let (key, value) = (key.trim(), value.trim());
    let is_key = !key.is_empty() && !key.contains(char::is_whitespace);
    (is_key && !value.is_empty()).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_separated_by_commas_or_spaces() {
        let ab = vec![("a", "1"), ("b", "2")];
        for text in [
            "a:1,b:2",
            "a:1 b:2",
            " a:1 ,  b:2, ",
            "a:1\tb:2\n",
            "a:1,,b:2",
            "a: 1,b : 2",
        ] {
            assert_eq!(parse(text), (ab.clone(), vec![]), "{text:?}");
        }
        assert_eq!(parse("a:1 b:2,c:3").0.len(), 3);
        assert_eq!(parse(""), (vec![], vec![]));
    }

    #[test]
    fn values_may_have_colons_and_spaces() {
        assert_eq!(parse("url:http://x:80").0, [("url", "http://x:80")]);
        assert_eq!(
            parse("team:data platform,a:1").0,
            [("team", "data platform"), ("a", "1")]
        );
    }

    #[test]
    fn entries_of_another_form_are_numbered() {
        assert_eq!(parse("a:1,team,:x,b:").1, [2, 3, 4]);
        assert_eq!(parse("a:1,team,b:2").0, [("a", "1"), ("b", "2")]);
    }
}
