//! The metrics and labels that a PromQL expression names. Reads expressions just well enough for that; promtool checks their
//! syntax.

use std::collections::BTreeSet;

/// Words of the language that are neither metrics nor labels.
const KEYWORDS: [&str; 12] = [
    "and",
    "or",
    "unless",
    "offset",
    "bool",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "inf",
];
/// Keywords before a list of labels.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The names in an expression.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Selected metrics; of a matcher for `__name__`, the alternatives of its pattern.
    pub metrics: BTreeSet<String>,
    /// Labels in matchers, in lists and in `label_join` and `label_replace`, without those that the expression makes.
    pub labels: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PromqlToken {
    Word(String),
    Text(String),
    Other(char),
}

/// Reads the names in an expression.
pub fn names(expression: &str) -> Names {
    let tokens = tokens(expression);
    let mut names = Names::default();
    let mut made = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        let next = tokens.get(at + 1);
        match &tokens[at] {
            PromqlToken::Word(word) if BEFORE_LABELS.contains(&&**word) && next == Some(&PromqlToken::Other('(')) => {
                at += 2;
                while let Some(token) = tokens.get(at).filter(|token| **token != PromqlToken::Other(')')) {
                    if let PromqlToken::Word(label) = token {
                        names.labels.insert(label.clone());
                    }
                    at += 1;
                }
            }
            PromqlToken::Word(word) if word == "label_join" || word == "label_replace" => {
                at = label_arguments(&tokens, at + 1, &mut names, &mut made);
            }
            PromqlToken::Other('{') => at = matchers(&tokens, at + 1, &mut names),
            // Durations and windows of subqueries.
            PromqlToken::Other('[') => {
                while tokens.get(at).is_some_and(|token| *token != PromqlToken::Other(']')) {
                    at += 1;
                }
            }
            PromqlToken::Word(word) => {
                let is_function = next == Some(&PromqlToken::Other('(')) || starts_aggregation(&tokens, at);
                let is_number = word.starts_with(|c: char| c.is_ascii_digit());
                if !is_function && !is_number && !KEYWORDS.contains(&&**word) {
                    names.metrics.insert(word.clone());
                }
            }
            _ => {}
        }
        at += 1;
    }
    names.labels.retain(|label| !made.contains(label));
    names
}

/// True for `sum` in `sum by (…) (…)`.
fn starts_aggregation(tokens: &[PromqlToken], at: usize) -> bool {
    matches!(tokens.get(at + 1), Some(PromqlToken::Word(next)) if next == "by" || next == "without")
        && tokens.get(at + 2) == Some(&PromqlToken::Other('('))
}

/// Reads matchers until `}`; returns its position.
fn matchers(tokens: &[PromqlToken], mut at: usize, names: &mut Names) -> usize {
    while tokens.get(at).is_some_and(|token| *token != PromqlToken::Other('}')) {
        if let PromqlToken::Word(label) = &tokens[at] {
            let pattern = tokens[at..].iter().find_map(|token| match token {
                PromqlToken::Text(text) => Some(text),
                _ => None,
            });
            match pattern {
                Some(pattern) if label == "__name__" => names.metrics.extend(pattern.split('|').map(str::to_owned)),
                _ => {
                    names.labels.insert(label.clone());
                }
            }
        }
        at += 1;
    }
    at
}

/// Reads the texts that name the new label and the sources of `label_join` and `label_replace`; returns the position of
/// its parenthesis, so that the nested expression is read as well.
fn label_arguments(tokens: &[PromqlToken], open: usize, names: &mut Names, made: &mut BTreeSet<String>) -> usize {
    let mut depth = 0;
    let mut close = open;
    for (offset, token) in tokens[open..].iter().enumerate() {
        match token {
            PromqlToken::Other('(') => depth += 1,
            PromqlToken::Other(')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            close = open + offset;
            break;
        }
    }
    // The texts at the end: the new label, the separator or the replacement, the sources.
    let inner = &tokens[open..close];
    let first = inner
        .iter()
        .rposition(|token| matches!(token, PromqlToken::Other(')' | '}' | ']')));
    let mut texts = inner[first.unwrap_or(0)..].iter().filter_map(|token| match token {
        PromqlToken::Text(text) => Some(text),
        _ => None,
    });
    let is_label = |text: &&String| text.contains('_') && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    made.extend(texts.next().cloned());
    names.labels.extend(texts.skip(1).filter(is_label).cloned());
    open
}

fn tokens(expression: &str) -> Vec<PromqlToken> {
    let mut tokens = Vec::new();
    let mut chars = expression.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '"' {
            tokens.push(PromqlToken::Text(chars.by_ref().take_while(|c| *c != '"').collect()));
        } else if is_word(c) {
            let mut word = String::from(c);
            while let Some(c) = chars.next_if(|c| is_word(*c)) {
                word.push(c);
            }
            tokens.push(PromqlToken::Word(word));
        } else if !c.is_whitespace() {
            tokens.push(PromqlToken::Other(c));
        }
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(expression: &str) -> (Vec<String>, Vec<String>) {
        let names = names(expression);
        (names.metrics.into_iter().collect(), names.labels.into_iter().collect())
    }

    #[test]
    fn finds_metrics_and_labels_in_every_position() {
        let (metrics, labels) = both(
            "sum by (a, b) (increase(m_total{c=~\"x|y\", d!=\"\"}[5m])) > 0 and on (e) (2 * n:o:p unless q offset 5m)",
        );
        assert_eq!(metrics, ["m_total", "n:o:p", "q"]);
        assert_eq!(labels, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn finds_metrics_that_a_matcher_names() {
        let (metrics, labels) =
            both("group by (o) (label_join({__name__=~\"m|n\", l=\"1\"}, \"o\", \"\", \"k_a\", \"k_b\"))");
        assert_eq!(metrics, ["m", "n"]);
        assert_eq!(labels, ["k_a", "k_b", "l"]);
    }

    #[test]
    fn functions_and_durations_are_no_metrics() {
        let (metrics, _) =
            both("histogram_quantile(0.95, sum(rate(m_bucket[5m]))) or vector(0) or max_over_time(n[7d:1h])");
        assert_eq!(metrics, ["m_bucket", "n"]);
    }
}
