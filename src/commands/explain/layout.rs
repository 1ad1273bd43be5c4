//! Fits a report to the terminal: long lines are broken at spaces, the outcome is coloured. Pure.

use job_event::Outcome;

/// On a narrower terminal lines stay whole.
const NARROWEST: usize = 30;

/// The capabilities of the terminal.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout {
    /// The characters of a line; `None` for any number.
    pub width: Option<usize>,
    /// ANSI colours.
    pub colour: bool,
}

impl Layout {
    /// A text without an outcome, fitted.
    pub(super) fn wrapped(self, text: &str) -> String {
        Layout { colour: false, ..self }.lay_out(text, Outcome::Running)
    }

    /// The report of a Job of that outcome, fitted.
    pub(super) fn lay_out(self, report: &str, outcome: Outcome) -> String {
        let mut text = String::with_capacity(report.len());
        for (number, line) in report.lines().enumerate() {
            let mut lines = match self.width {
                Some(width) if width >= NARROWEST => wrap(line, width),
                _ => vec![line.to_owned()],
            };
            if number == 0 && self.colour {
                let name = format!("  {}", outcome.as_str());
                let painted = format!("  \x1b[{}m{}\x1b[0m", code(outcome), outcome.as_str());
                if let Some(line) = lines.iter_mut().find(|line| line.contains(&name)) {
                    *line = line.replacen(&name, &painted, 1);
                }
            }
            for line in lines {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }
}

fn code(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Failed => "31;1",
        Outcome::Succeeded => "32",
        _ => "33",
    }
}

/// Breaks a line of a report at spaces and indents the rest like its text. Rows of a table, which are indented by four, and
/// the first line, which is not indented, stay whole, so that they can be searched and copied.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let indent = line.len() - line.trim_start_matches(' ').len();
    if indent != 2 || line.chars().count() <= width {
        return vec![line.to_owned()];
    }
    // `  cause:    text`: the text continues below itself.
    let label = [
        "cause:    ",
        "next:     ",
        "evidence: ",
        "source:   ",
        "total:    ",
        "note:     ",
        "log:      ",
        "schedule: ",
        "invalid:  ",
        "policy:   ",
        "last run: ",
        "next run: ",
        "missed:   ",
    ];
    let label = label.iter().find(|label| line[indent..].starts_with(**label));
    let indent = indent + label.map_or(0, |label| label.len());
    let (head, rest) = line.split_at(indent);
    let mut lines = vec![head.to_owned()];
    let mut length = indent;
    for word in rest.split(' ').filter(|word| !word.is_empty()) {
        let characters = word.chars().count();
        if length > indent && length + 1 + characters > width {
            lines.push(" ".repeat(indent));
            length = indent;
        }
        if let Some(last) = lines.last_mut() {
            if length > indent {
                last.push(' ');
                length += 1;
            }
            last.push_str(word);
            length += characters;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "shop/a  Failed  DeadlineExceeded\n  cause:    ImagePull (configuration), retry helps: no\n  \
                          The image “no/such:1” could not be pulled, and so it never started.\n    \
                          attempt  container  exit  ended                 result\n  next:     Fix the image's name.\n";

    #[test]
    fn sentences_are_wrapped_and_tables_are_not() {
        let layout = Layout {
            width: Some(40),
            colour: false,
        };
        assert_eq!(
            layout.lay_out(REPORT, Outcome::Failed),
            "shop/a  Failed  DeadlineExceeded\n  cause:    ImagePull (configuration),\n            retry helps: no\n  \
             The image “no/such:1” could not be\n  pulled, and so it never started.\n    \
             attempt  container  exit  ended                 result\n  next:     Fix the image's name.\n"
        );
    }

    #[test]
    fn without_a_terminal_nothing_changes() {
        assert_eq!(Layout::default().lay_out(REPORT, Outcome::Failed), REPORT);
        let tiny = Layout {
            width: Some(3),
            colour: false,
        };
        assert_eq!(tiny.lay_out(REPORT, Outcome::Failed), REPORT);
    }

    #[test]
    fn only_the_outcome_is_coloured() {
        let layout = Layout {
            width: None,
            colour: true,
        };
        let text = layout.lay_out(REPORT, Outcome::Failed);
        assert!(text.starts_with("shop/a  \x1b[31;1mFailed\x1b[0m  DeadlineExceeded\n"));
        assert_eq!(text.matches('\x1b').count(), 2);
    }
}
