//! The repository against `docs/style.md`: no banned phrase in prose, no banned word in an identifier.

use std::collections::{BTreeMap, HashMap};
use std::process::Command;

use crate::prose::{self, Kind, Passage, Word};
use crate::root;

/// Words that begin no sentence of a comment or a page, unless it is a question.
const STARTS: [&str; 3] = ["Of", "What", "Whether"];

/// The two tables of `docs/style.md`.
struct Rules {
    /// First word of a phrase, to the phrases: all words in lower case, and the replacement.
    phrases: HashMap<String, Vec<(Vec<String>, String)>>,
    /// Words in any identifier, in lower case, and the replacement.
    identifiers: HashMap<String, String>,
    /// Words in the names of types, and the replacement.
    types: HashMap<String, String>,
}

impl Rules {
    fn parse(page: &str) -> Rules {
        let mut rules = Rules {
            phrases: HashMap::new(),
            identifiers: HashMap::new(),
            types: HashMap::new(),
        };
        for (banned, instead) in rows(page, "## Banned phrases") {
            let words: Vec<String> = banned.split(' ').map(str::to_lowercase).collect();
            let first = words.first().expect("a word").clone();
            rules.phrases.entry(first).or_default().push((words, instead));
        }
        for (banned, instead) in rows(page, "## Banned identifiers") {
            match banned.starts_with(char::is_uppercase) {
                true => rules.types.insert(banned, instead),
                false => rules.identifiers.insert(banned, instead),
            };
        }
        rules
    }

    fn check(&self, passage: &Passage) -> Vec<Finding> {
        let words = passage.words();
        if passage.kind == Kind::Identifier {
            return words.iter().filter_map(|word| self.identifier(word)).collect();
        }
        let mut found = Vec::new();
        for at in 0..words.len() {
            found.extend(self.phrase(&words[at..]));
            if passage.kind != Kind::Text && begins_badly(&words, at) {
                found.push(Finding {
                    line: words[at].line,
                    found: format!("a sentence begins with \"{}\"", words[at].text),
                    instead: "subject, verb, object".to_owned(),
                });
            }
        }
        found
    }

    /// The banned phrase at the start of `words`.
    fn phrase(&self, words: &[Word]) -> Option<Finding> {
        let candidates = self.phrases.get(&words[0].text.to_lowercase())?;
        let (phrase, instead) = candidates.iter().find(|(phrase, _)| {
            phrase.len() <= words.len()
                && phrase.iter().zip(words).all(|(a, b)| *a == b.text.to_lowercase())
                && words[1..phrase.len()].iter().all(Word::continues)
        })?;
        Some(Finding {
            line: words[0].line,
            found: format!("\"{}\"", phrase.join(" ")),
            instead: instead.clone(),
        })
    }

    fn identifier(&self, word: &Word) -> Option<Finding> {
        let is_type = word.text.starts_with(char::is_uppercase) && word.text.contains(char::is_lowercase);
        let (part, instead) = parts(&word.text).into_iter().find_map(|part| {
            let in_any = self.identifiers.get(&part.to_lowercase());
            let in_type = self.types.get(&part).filter(|_| is_type);
            in_any.or(in_type).map(|instead| (part, instead.clone()))
        })?;
        Some(Finding {
            line: word.line,
            found: format!("\"{part}\" in the identifier {}", word.text),
            instead,
        })
    }
}

struct Finding {
    line: usize,
    found: String,
    instead: String,
}

/// Each banned entry with its replacement, from the table below a heading.
fn rows(page: &str, heading: &str) -> Vec<(String, String)> {
    let section = page.split_once(&format!("\n{heading}\n")).expect("the heading").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.flat_map(|row| {
        let (banned, instead) = row.trim_end_matches(['|', ' ']).split_once(" | ").expect("two columns");
        let entries = banned.split('`').step_by(2).map(str::to_owned);
        let entries: Vec<String> = entries.filter(|entry| !entry.is_empty()).collect();
        entries.into_iter().map(|entry| (entry, instead.to_owned()))
    })
    .collect()
}

/// The parts of an identifier: `read_HTTPAnswer2` has `read`, `HTTP`, `Answer2`.
fn parts(identifier: &str) -> Vec<String> {
    let chars: Vec<char> = identifier.chars().collect();
    let mut parts = vec![String::new()];
    for (at, &c) in chars.iter().enumerate() {
        let starts = c.is_uppercase()
            && (at > 0 && !chars[at - 1].is_uppercase() || chars.get(at + 1).is_some_and(|next| next.is_lowercase()));
        if c == '_' || starts {
            parts.push(String::new());
        }
        if c != '_' {
            parts.last_mut().expect("a part").push(c);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// True if the word at `at` begins a sentence, is one of [`STARTS`], and the sentence is neither a heading nor a question.
fn begins_badly(words: &[Word], at: usize) -> bool {
    let ends = |separator: &str| {
        let mut chars = separator.chars().peekable();
        let mut end = separator.matches('\n').count() > 1 || separator.contains("* ") || separator.contains("- ");
        while let Some(c) = chars.next() {
            end |= matches!(c, '.' | '!' | '?') && chars.peek().is_none_or(|next| next.is_whitespace());
        }
        end
    };
    let begins = at == 0 || ends(&words[at].before);
    let next = words[at + 1..].iter().find(|word| ends(&word.before));
    let question = next.is_some_and(|word| word.before.contains('?'));
    let heading = words[at].before.ends_with("# ");
    begins && !question && !heading && STARTS.contains(&words[at].text.as_str())
}

/// The files of the repository, also those not yet committed.
pub(crate) fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).expect("file names in UTF-8");
    names.lines().map(str::to_owned).collect()
}

/// Everything in the repository that `docs/style.md` bans, by file.
fn findings() -> BTreeMap<String, Vec<Finding>> {
    let rules = Rules::parse(&std::fs::read_to_string(root().join("docs/style.md")).expect("docs/style.md"));
    assert!(rules.phrases.len() > 20 && rules.types.len() > 5 && rules.identifiers.len() > 2);
    let mut findings = BTreeMap::new();
    for name in files() {
        // Deleted but still in the index, or no text.
        let Ok(text) = std::fs::read_to_string(root().join(&name)) else {
            continue;
        };
        let passages = prose::passages(&name, &text);
        let found: Vec<Finding> = passages.iter().flat_map(|passage| rules.check(passage)).collect();
        if !found.is_empty() {
            findings.insert(name, found);
        }
    }
    findings
}

#[test]
fn the_repository_keeps_to_the_style_page() {
    let mut lines = Vec::new();
    for (name, found) in findings() {
        for Finding { line, found, instead } in found {
            lines.push(format!("{name}:{line}: {found}; write: {instead}"));
        }
    }
    assert!(lines.is_empty(), "docs/style.md bans:\n{}", lines.join("\n"));
}

#[test]
fn finds_phrases_across_lines_and_words_in_names() {
    let rules = Rules::parse(
        "\n## Banned phrases\n\n| `red apple`, `pear` | fruit |\n\n## Banned identifiers\n\n| `Melon` | Fruit |\n| `fig` | fruit |\n",
    );
    let check = |source: &str| -> Vec<String> {
        let passages = prose::passages("a.rs", source);
        let found = passages.iter().flat_map(|passage| rules.check(passage));
        found
            .map(|finding| format!("{}: {}", finding.line, finding.found))
            .collect()
    };
    assert_eq!(check("// A Red\n// apple."), ["1: \"red apple\""]);
    assert_eq!(check("let s = \"\\\n  a pear\";"), ["2: \"pear\""]);
    assert_eq!(check("// Red. Apple, pears, red-apple\n"), [""; 0]);
    assert_eq!(
        check("struct WaterMelon; let melon = 1;"),
        ["1: \"Melon\" in the identifier WaterMelon"]
    );
    assert_eq!(
        check("let the_fig = 1; let figs = 2;"),
        ["1: \"fig\" in the identifier the_fig"]
    );
    let start = "1: a sentence begins with \"What\"";
    assert_eq!(check("/// What it is."), [start]);
    assert_eq!(check("/// Some. What it is."), [start]);
    assert_eq!(check("/// What is it? Says what it is."), [""; 0]);
    let page = prose::passages("a.md", "# What it is\n\nWhat it is.\n");
    let found: Vec<usize> = page
        .iter()
        .flat_map(|passage| rules.check(passage))
        .map(|finding| finding.line)
        .collect();
    assert_eq!(found, [3], "a heading may be a clause");
}

#[test]
fn identifiers_are_split_at_underscores_and_capitals() {
    assert_eq!(parts("read_HTTPAnswer2"), ["read", "HTTP", "Answer2"]);
    assert_eq!(parts("OneTwo"), ["One", "Two"]);
    assert_eq!(parts("MAX_SIZE"), ["MAX", "SIZE"]);
}

#[test]
fn at_most_two_types_share_a_name() {
    let is_production = |name: &String| {
        name.ends_with(".rs")
            && !name
                .split('/')
                .any(|part| ["tests", "benches", "fuzz", "examples"].contains(&part))
            && !name.ends_with("tests.rs")
            && !name.ends_with("samples.rs")
    };
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in files().into_iter().filter(is_production) {
        let Ok(text) = std::fs::read_to_string(root().join(&name)) else {
            continue;
        };
        // Types at the top of a file: those of inline test modules are indented.
        for line in text.lines() {
            let line = ["pub(crate) ", "pub(super) ", "pub "]
                .iter()
                .find_map(|visibility| line.strip_prefix(visibility))
                .unwrap_or(line);
            let declared = ["struct ", "enum ", "trait "]
                .iter()
                .find_map(|keyword| line.strip_prefix(keyword));
            let is_part = |c: char| c.is_alphanumeric() || c == '_';
            if let Some(declared) = declared {
                let end = declared.find(|c| !is_part(c)).unwrap_or(declared.len());
                types.entry(declared[..end].to_owned()).or_default().push(name.clone());
            }
        }
    }
    types.retain(|_, places| places.len() > 2);
    assert!(types.is_empty(), "rename some of these types: {types:#?}");
}
