//! Splits files into prose (comments, string literals, pages) and identifiers.

/// The role of a passage in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Comment,
    Page,
    /// A string literal, or the lines of a configuration.
    Text,
    Identifier,
}

/// One comment, string, page or identifier.
pub(crate) struct Passage {
    pub kind: Kind,
    /// Each character with its line, from 1.
    text: Vec<(char, usize)>,
}

/// One word of a passage.
pub(crate) struct Word {
    pub text: String,
    pub line: usize,
    /// The characters between the previous word and this one.
    pub before: String,
}

impl Word {
    /// True if only white space separates it from the previous word, within one paragraph.
    pub(crate) fn continues(&self) -> bool {
        self.before.chars().all(char::is_whitespace) && self.before.matches('\n').count() < 2
    }
}

impl Passage {
    pub(crate) fn words(&self) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        let mut before = String::new();
        let mut open = false;
        for &(c, line) in &self.text {
            match (c.is_alphanumeric() || c == '_', open) {
                (true, true) => words.last_mut().expect("an open word").text.push(c),
                (true, false) => words.push(Word {
                    text: c.into(),
                    line,
                    before: std::mem::take(&mut before),
                }),
                (false, _) => before.push(c),
            }
            open = c.is_alphanumeric() || c == '_';
        }
        words
    }

    /// The line of the first character.
    pub(crate) fn line(&self) -> usize {
        self.text.first().map_or(0, |(_, line)| *line)
    }

    pub(crate) fn text(&self) -> String {
        self.text.iter().map(|(c, _)| *c).collect()
    }
}

/// The passages of a file of this name; none for kinds of files that hold no prose.
pub(crate) fn passages(name: &str, text: &str) -> Vec<Passage> {
    let file = name.rsplit('/').next().unwrap_or(name);
    match file.rsplit('.').next().unwrap_or(file) {
        "rs" => Rust::new(text).passages(),
        "md" => vec![page(name, text)],
        "yaml" | "yml" | "toml" | "sh" | "py" | "Dockerfile" | "justfile" | "run" => hash_comments(text),
        _ => Vec::new(),
    }
}

/// A page. The tables of `docs/style.md` and the released sections of `CHANGELOG.md` are left out.
fn page(name: &str, text: &str) -> Passage {
    let mut released = 0;
    let mut kept = Vec::new();
    for (index, line) in text.lines().enumerate() {
        released += usize::from(name == "CHANGELOG.md" && line.starts_with("## ["));
        if released < 2 && !(name == "docs/style.md" && line.starts_with('|')) {
            kept.extend(line.chars().map(|c| (c, index + 1)));
        }
        kept.push(('\n', index + 1));
    }
    Passage {
        kind: Kind::Page,
        text: kept,
    }
}

/// Files whose comments start with `#`: runs of such lines are comments, runs of others are text.
fn hash_comments(text: &str) -> Vec<Passage> {
    let mut passages: Vec<Passage> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (kind, line) = match line.trim_start().strip_prefix('#') {
            Some(comment) => (Kind::Comment, comment),
            None => (Kind::Text, line),
        };
        if passages.last().is_none_or(|last| last.kind != kind) {
            passages.push(Passage { kind, text: Vec::new() });
        }
        let text = &mut passages.last_mut().expect("a passage").text;
        text.extend(line.chars().map(|c| (c, index + 1)));
        text.push(('\n', index + 1));
    }
    passages
}

/// Reads Rust just well enough to separate comments, strings and identifiers.
struct Rust {
    chars: Vec<char>,
    at: usize,
    line: usize,
    passages: Vec<Passage>,
    /// Marker and last line of a line comment that the next line may continue.
    comment: Option<(String, usize)>,
}

impl Rust {
    fn new(text: &str) -> Self {
        Self {
            chars: text.chars().collect(),
            at: 0,
            line: 1,
            passages: Vec::new(),
            comment: None,
        }
    }

    fn passages(mut self) -> Vec<Passage> {
        while let Some(c) = self.peek(0) {
            match c {
                '/' if self.peek(1) == Some('/') => self.line_comment(),
                '/' if self.peek(1) == Some('*') => self.block_comment(),
                '"' => self.string(),
                '\'' => self.character(),
                c if c.is_alphabetic() || c == '_' => self.identifier(),
                c if c.is_numeric() => while self.next_if(|c| c.is_alphanumeric() || c == '_').is_some() {},
                _ => {
                    self.next();
                }
            }
        }
        self.passages
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    /// The next character and its line.
    fn next(&mut self) -> Option<(char, usize)> {
        let c = self.peek(0)?;
        let line = self.line;
        self.at += 1;
        self.line += usize::from(c == '\n');
        Some((c, line))
    }

    fn next_if(&mut self, accept: impl Fn(char) -> bool) -> Option<(char, usize)> {
        self.peek(0).filter(|c| accept(*c)).and_then(|_| self.next())
    }

    fn push(&mut self, kind: Kind, text: Vec<(char, usize)>) {
        self.passages.push(Passage { kind, text });
    }

    /// A comment continues the one on the line above if both have a line of their own and the same marker.
    fn line_comment(&mut self) {
        let alone = self.chars[..self.at]
            .iter()
            .rev()
            .take_while(|c| **c != '\n')
            .all(|c| c.is_whitespace());
        let line = self.line;
        let mut marker = String::new();
        while let Some((c, _)) = self.next_if(|c| c == '/' || c == '!') {
            marker.push(c);
        }
        let mut text = Vec::new();
        while let Some(c) = self.next_if(|c| c != '\n') {
            text.push(c);
        }
        text.push(('\n', line));
        match self.comment.take() {
            Some((previous, last)) if alone && previous == marker && last + 1 == line => {
                let open = self.passages.last_mut().expect("the comment above");
                open.text.extend(text);
            }
            _ => self.push(Kind::Comment, text),
        }
        self.comment = alone.then_some((marker, line));
    }

    fn block_comment(&mut self) {
        let mut text = Vec::new();
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                (None, _) => break,
                _ => {
                    text.extend(self.next());
                    continue;
                }
            }
            self.next();
            self.next();
            if depth == 0 {
                break;
            }
        }
        self.push(Kind::Comment, text);
    }

    fn string(&mut self) {
        self.next();
        let mut text = Vec::new();
        while let Some((c, line)) = self.next() {
            match c {
                '"' => break,
                '\\' => match self.next() {
                    // The text continues on the next line, after its indentation.
                    Some(('\n', _)) => while self.next_if(char::is_whitespace).is_some() {},
                    Some(('n' | 't' | 'r', _)) => text.push(('\n', line)),
                    Some(other) => text.push(other),
                    None => break,
                },
                c => text.push((c, line)),
            }
        }
        self.push(Kind::Text, text);
    }

    fn raw_string(&mut self, hashes: usize) {
        for _ in 0..=hashes {
            self.next();
        }
        let mut text = Vec::new();
        while let Some((c, line)) = self.next() {
            if c == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                self.at += hashes;
                break;
            }
            text.push((c, line));
        }
        self.push(Kind::Text, text);
    }

    /// A character literal, or the quote of a lifetime.
    fn character(&mut self) {
        self.next();
        if self.peek(0) == Some('\\') {
            self.next();
            self.next();
            while self.next().is_some_and(|(c, _)| c != '\'') {}
        } else if self.peek(1) == Some('\'') {
            self.next();
            self.next();
        }
    }

    /// An identifier, or the prefix of a string.
    fn identifier(&mut self) {
        let mut text = Vec::new();
        while let Some(c) = self.next_if(|c| c.is_alphanumeric() || c == '_') {
            text.push(c);
        }
        let name: String = text.iter().map(|(c, _)| *c).collect();
        let hashes = self.chars[self.at..].iter().take_while(|c| **c == '#').count();
        match name.as_str() {
            "r" | "br" | "cr" if self.peek(hashes) == Some('"') => self.raw_string(hashes),
            "b" | "c" if self.peek(0) == Some('"') => self.string(),
            _ => self.push(Kind::Identifier, text),
        }
    }
}

#[test]
fn separates_strings_comments_and_identifiers() {
    let source = r####"
//! First line
//! second line.
fn name<'a>(b: &'a str) -> char { // trailing
    // own line
    let s = "a \"quoted\" one, \
             continued\nbelow"; /* block /* nested */ end */
    let raw = r#"raw "text" // no comment"#;
    let other = b"bytes"; let c = '"'; '\''
}
"####;
    let found: Vec<(Kind, String)> = passages("a.rs", source)
        .iter()
        .filter(|passage| passage.kind != Kind::Identifier)
        .map(|passage| (passage.kind, passage.text().trim().to_owned()))
        .collect();
    let expected = [
        (Kind::Comment, "First line\n second line."),
        (Kind::Comment, "trailing"),
        (Kind::Comment, "own line"),
        (Kind::Text, "a \"quoted\" one, continued\nbelow"),
        (Kind::Comment, "block  nested  end"),
        (Kind::Text, "raw \"text\" // no comment"),
        (Kind::Text, "bytes"),
    ];
    assert_eq!(found, expected.map(|(kind, text)| (kind, text.to_owned())));
}

#[test]
fn words_know_their_lines() {
    let passages = passages("a.rs", "// one\n// two\n\n// three");
    let words: Vec<(String, usize, bool)> = passages
        .iter()
        .flat_map(Passage::words)
        .map(|word| (word.text.clone(), word.line, word.continues()))
        .collect();
    let expected = [("one", 1, true), ("two", 2, true), ("three", 4, true)];
    assert_eq!(
        words,
        expected.map(|(text, line, continues)| (text.to_owned(), line, continues))
    );
    assert_eq!(passages.len(), 2, "a blank line ends a comment");
}
