//! Positions of a part of a text, however the text is written.

use super::{Settings, Source, read_all};

/// The line and column of the word `wrong` in the text at key `k`, and in the source.
fn positions(yaml: &str) -> ((u32, u32), (u32, u32)) {
    let settings = Settings::from_yaml(yaml).unwrap();
    let text = settings.read::<std::collections::BTreeMap<String, String>>().unwrap()["k"].clone();
    let position = settings
        .error_within("k", text.find("wrong").unwrap(), "")
        .position
        .unwrap();
    let (line, rest) = yaml
        .lines()
        .zip(1..)
        .find(|(line, _)| line.contains("wrong"))
        .map(|(line, n)| (n, line))
        .unwrap();
    let column = rest[..rest.find("wrong").unwrap()].chars().count() + 1;
    ((position.line, position.column), (line, u32::try_from(column).unwrap()))
}

#[test]
fn position_in_a_text_is_exact_in_every_notation() {
    for yaml in [
        "k: set(wrong)",
        "k: wrong",
        "k: größe \"wrong\"",
        "k: 'it''s not '' wrong'",
        "k:   \"a \\\"quoted\\\" \\\\d \\u00fc \\t wrong\"",
        "k: \"a \\\n   b wrong\"",
        "k: plain\n  on two wrong\n  lines",
        "k: 'single\n\n  quoted wrong'",
        "k: |\n  first\n    indented (wrong)\n  last\n",
        "k: |-  # comment\n\n  first\n\n  wrong\n",
        "k: |2\n    two more wrong\n",
        "k: >\n  folded\n  lines\n\n  wrong here\n",
        "k: >-\n  a\n    wrong\n",
        "x: 1\nk: wrong # comment",
        "{a: 1, k: \"x wrong\"}",
        "k: !!str wrong",
    ] {
        let (found, expected) = positions(yaml);
        assert_eq!(found, expected, "{yaml}");
    }
}

#[test]
fn end_of_a_text_is_a_position() {
    for (yaml, expected) in [
        ("k: abc", (1, 7)),
        ("k: 'abc'", (1, 8)),
        ("k: |\n  abc\n  de\n\n", (3, 5)),
        ("k: ''", (1, 5)),
    ] {
        let settings = Settings::from_yaml(yaml).unwrap();
        let text = settings.read::<std::collections::BTreeMap<String, String>>().unwrap()["k"].clone();
        let position = settings.error_within("k", text.len(), "").position.unwrap();
        assert_eq!((position.line, position.column), expected, "{yaml}");
    }
}

#[test]
fn position_in_a_text_with_dollars_and_variables() {
    let marked = |text: &str, at: &str| {
        let source = Source {
            name: "f.yaml".into(),
            text: format!("processors:\n  p:\n    k: {text}\nservice: {{pipelines: {{}}}}\n"),
            adds: false,
        };
        let (config, _) = read_all(&[source], &[], &|name| (name == "A").then(|| "a long value".to_owned()));
        let config = config.unwrap();
        let settings = config.processors.values().next().unwrap();
        let value = settings.read::<std::collections::BTreeMap<String, String>>().unwrap()["k"].clone();
        let position = settings
            .error_within("k", value.find(at).unwrap(), "")
            .position
            .unwrap();
        (position.line, position.column as usize)
    };
    for text in [
        "replace($$1-$$2, wrong)",
        "'$$$$ $x wrong'",
        "wrong ${env:A}",
        "$$ ${env:A} $$ wrong",
        "\"${A} it's \\\"wrong\\\" ${env:B:-x} y\"",
    ] {
        let before_the_last = text.rfind('}').is_none_or(|last| last < text.find("wrong").unwrap())
            || text.find("${").is_none_or(|first| text.find("wrong").unwrap() < first);
        let expected = if before_the_last {
            8 + text.find("wrong").unwrap()
        } else {
            8
        };
        assert_eq!(marked(text, "wrong"), (3, expected), "{text}");
    }
    assert_eq!(marked("x ${env:A}", "long"), (3, 8));
}
