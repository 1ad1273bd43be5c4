//! The subset of Markdown that the documentation uses.

use std::path::Path;

/// Folders without documentation of this project.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

pub(crate) struct Page {
    /// Path in the repository.
    pub name: String,
    /// Fenced blocks, in order.
    pub blocks: Vec<Block>,
    /// The other lines, with their numbers.
    lines: Vec<(usize, String)>,
}

/// A fenced block.
pub(crate) struct Block {
    /// The text after the fence: `yaml`.
    pub info: String,
    pub text: String,
    /// The line of the fence, from 1.
    pub line: usize,
}

/// A heading and the lines up to the next one.
pub(crate) struct Section {
    /// The number of `#`s.
    pub level: usize,
    /// Without the `#`s.
    pub heading: String,
    lines: Vec<String>,
}

impl Page {
    /// Every page of the repository.
    pub(crate) fn all(root: &Path) -> Vec<Page> {
        let mut pages = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                if path.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                } else if name.ends_with(".md") {
                    let name = path.strip_prefix(root).expect("below the root").to_string_lossy();
                    pages.push(Page::read(root, &name));
                }
            }
        }
        pages.sort_by(|a, b| a.name.cmp(&b.name));
        pages
    }

    pub(crate) fn read(root: &Path, name: &str) -> Page {
        let text = std::fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        Page::parse(name, &text)
    }

    pub(crate) fn parse(name: &str, text: &str) -> Page {
        let mut page = Page {
            name: name.to_owned(),
            blocks: Vec::new(),
            lines: Vec::new(),
        };
        let mut open: Option<Block> = None;
        for (index, line) in text.lines().enumerate() {
            match (open.as_mut(), line.strip_prefix("```")) {
                (None, Some(info)) => {
                    open = Some(Block {
                        info: info.trim().to_owned(),
                        text: String::new(),
                        line: index + 1,
                    });
                }
                (Some(_), Some(_)) => page.blocks.extend(open.take()),
                (Some(block), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => page.lines.push((index + 1, line.to_owned())),
            }
        }
        assert!(open.is_none(), "{name}: a block has no end");
        page
    }

    pub(crate) fn sections(&self) -> Vec<Section> {
        let mut sections: Vec<Section> = Vec::new();
        for (_, line) in &self.lines {
            let heading = line.trim_start_matches('#');
            if heading.len() < line.len() && heading.starts_with(' ') {
                sections.push(Section {
                    level: line.len() - heading.len(),
                    heading: heading.trim().to_owned(),
                    lines: Vec::new(),
                });
            } else if let Some(section) = sections.last_mut() {
                section.lines.push(line.clone());
            }
        }
        sections
    }

    /// The targets of the links, with their lines.
    pub(crate) fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for (number, line) in self.lines.iter().filter(|(_, line)| !line.starts_with("    ")) {
            for part in line.split("](").skip(1) {
                if let Some((target, _)) = part.split_once(')') {
                    links.push((*number, target.to_owned()));
                }
            }
        }
        links
    }
}

impl Section {
    /// The anchor of the heading: lower case, without punctuation, hyphens for spaces.
    pub(crate) fn anchor(&self) -> String {
        let kept = self
            .heading
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.flat_map(char::to_lowercase)
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    }

    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// The first word of the text, without punctuation.
    pub(crate) fn first_word(&self) -> &str {
        let text = self.lines.iter().find(|line| !line.is_empty());
        text.map_or("", |line| {
            line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default()
        })
    }

    /// The first column of the tables, without headings and backticks.
    pub(crate) fn first_cells(&self) -> Vec<String> {
        let rows = self.lines.iter().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| row.split_once('`'))
            .map(|(cell, _)| cell.to_owned())
            .collect()
    }
}

impl Block {
    /// The top-level keys.
    pub(crate) fn sections(&self) -> Vec<String> {
        let keys = self.text.lines().filter(|line| !line.starts_with([' ', '#', '-']));
        keys.filter_map(|line| line.split_once(':'))
            .map(|(key, _)| key.to_owned())
            .collect()
    }

    /// Section and id of each defined component.
    pub(crate) fn components(&self) -> Vec<(String, String)> {
        let mut components = Vec::new();
        let mut section = String::new();
        for line in self.text.lines() {
            let indent = line.len() - line.trim_start().len();
            let Some((key, _)) = line.trim().split_once(':') else {
                continue;
            };
            match indent {
                0 => section = key.to_owned(),
                2 if section != "service" && !key.starts_with('#') => {
                    components.push((section.clone(), key.to_owned()))
                }
                _ => {}
            }
        }
        components
    }
}
