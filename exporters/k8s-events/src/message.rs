//! The `message` of an Event: the sentence of the record, and the next step.

use escape::one_line;

use crate::involved::InvolvedObject;

/// The most bytes of a message (`pkg/apis/core/validation/events.go`, `NoteLengthLimit`). The API server enforces it for
/// Events of the newer kind only, and so do programs that copy Events.
pub(crate) const LONGEST: usize = 1024;
const ELLIPSIS: &str = "…";

/// The sentence without the name of `object`, which every view of Events shows anyway, and the next step. A text that is too
/// long is cut in the sentence, which quotes texts of any length; the next step is one of a closed set.
pub(crate) fn message(sentence: &str, next_step: Option<&str>, object: &InvolvedObject) -> String {
    let subject = format!("{} {}: ", object.kind.as_str(), object.name);
    let sentence = sentence.strip_prefix(&*subject).unwrap_or(sentence);
    let sentence = one_line(sentence.trim()).into_owned();
    let next_step = next_step
        .map(|step| one_line(step.trim()).into_owned())
        .filter(|step| !step.is_empty());
    let Some(next_step) = next_step else {
        return cut(&sentence, LONGEST);
    };
    let next_step = cut(&format!(" Next step: {next_step}"), LONGEST / 2);
    let sentence = cut(&sentence, LONGEST - next_step.len());
    format!("{sentence}{next_step}")
}

/// At most `limit` bytes of a text, whole characters; a cut is marked.
fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut end = limit - ELLIPSIS.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ELLIPSIS}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::involved::InvolvedKind;

    fn object(kind: InvolvedKind) -> InvolvedObject {
        let name = match kind {
            InvolvedKind::Job => "report-29",
            InvolvedKind::CronJob => "report",
        };
        InvolvedObject {
            kind,
            namespace: "shop".into(),
            name: name.into(),
            uid: "u".into(),
        }
    }

    #[test]
    fn names_the_run_on_the_cronjob_only() {
        let sentence = "Job report-29: Failed: container main ran out of memory.";
        let step = Some("Raise resources.limits.memory.");
        assert_eq!(
            message(sentence, step, &object(InvolvedKind::Job)),
            "Failed: container main ran out of memory. Next step: Raise resources.limits.memory."
        );
        assert_eq!(
            message(sentence, None, &object(InvolvedKind::CronJob)),
            "Job report-29: Failed: container main ran out of memory."
        );
    }

    #[test]
    fn a_long_sentence_is_cut_and_keeps_the_next_step() {
        for character in ["x", "ü", "…", "🦀"] {
            let sentence = character.repeat(2000);
            let text = message(&sentence, Some("Raise the limit."), &object(InvolvedKind::Job));
            assert!((LONGEST - 3..=LONGEST).contains(&text.len()), "{}", text.len());
            assert!(text.ends_with("… Next step: Raise the limit."), "{text}");
            let alone = message(&sentence, None, &object(InvolvedKind::Job));
            assert!((LONGEST - 3..=LONGEST).contains(&alone.len()) && alone.ends_with('…'));
            let both = message(&sentence, Some(&sentence), &object(InvolvedKind::Job));
            assert!((LONGEST - 6..=LONGEST).contains(&both.len()), "{}", both.len());
        }
    }

    #[test]
    fn a_message_that_fits_exactly_is_not_cut() {
        let sentence = "x".repeat(LONGEST);
        assert_eq!(message(&sentence, None, &object(InvolvedKind::Job)), sentence);
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        let text = message("a\u{1b}[31m\nb", Some("c\r"), &object(InvolvedKind::Job));
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}
