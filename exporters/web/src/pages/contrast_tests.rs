//! The contrast of every pair of text and background in the style sheet, light and dark: WCAG 2.2, success criteria 1.4.3 (text,
//! 4.5) and 1.4.11 (shapes and borders of controls, 3).

use std::collections::BTreeMap;

use crate::pages::assets::STYLE;

/// Text on a background.
const TEXT: &[(&str, &[&str])] = &[
    ("text", &["page", "surface", "raised"]),
    ("muted", &["page", "surface", "raised"]),
    ("link", &["page", "surface", "raised"]),
    ("on-accent", &["accent"]),
    ("failed", &["page", "surface", "failed-soft"]),
    ("stalled", &["page", "surface", "stalled-soft"]),
    ("missed", &["page", "surface", "missed-soft"]),
    ("succeeded", &["page", "surface", "succeeded-soft"]),
    ("other", &["page", "surface", "other-soft"]),
    // The background of an entry that has just arrived.
    ("text", &["stalled-soft"]),
    ("muted", &["stalled-soft"]),
    ("link", &["stalled-soft"]),
];
/// Shapes, borders of controls and the outline of the focus.
const SHAPES: &[(&str, &[&str])] = &[
    ("edge", &["page", "surface"]),
    ("focus", &["page", "surface", "raised"]),
];

type Colours = BTreeMap<String, [f64; 3]>;

/// The variables of the first `:root` block in a text.
fn colours(css: &str) -> Colours {
    let block = css.split(":root {").nth(1).expect("a :root block");
    let block = block.split('}').next().expect("its end");
    let variables = block
        .split(';')
        .filter_map(|line| line.trim().strip_prefix("--")?.split_once(':'));
    let read = |value: &str| {
        let digits = value.trim().strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some([part(0)?, part(2)?, part(4)?].map(|part| f64::from(part) / 255.0))
    };
    variables
        .filter_map(|(name, value)| Some((name.to_owned(), read(value)?)))
        .collect()
}

fn luminance(colour: [f64; 3]) -> f64 {
    let [red, green, blue] = colour.map(|part| match part <= 0.04045 {
        true => part / 12.92,
        false => ((part + 0.055) / 1.055).powf(2.4),
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn every_pair_of_colours_has_enough_contrast() {
    let (light, dark) = STYLE.split_once("prefers-color-scheme: dark").expect("a dark scheme");
    let light = colours(light);
    let mut all = light.clone();
    all.extend(colours(dark));
    assert_eq!(all.len(), light.len(), "the dark scheme defines known colours only");
    assert_eq!(colours(dark).len(), light.len(), "the dark scheme defines every colour");
    for (scheme, colours) in [("light", &light), ("dark", &all)] {
        for (pairs, least) in [(TEXT, 4.5), (SHAPES, 3.0)] {
            for (text, backgrounds) in pairs {
                for background in *backgrounds {
                    let found = contrast(colours[*text], colours[*background]);
                    assert!(
                        found >= least,
                        "{scheme}: {text} on {background} is {found:.2}, expected {least}"
                    );
                }
            }
        }
    }
}

#[test]
fn colours_are_defined_once() {
    let rules = STYLE
        .split_once("* { box-sizing")
        .or_else(|| STYLE.split_once("*, *::before"))
        .expect("rules")
        .1;
    let literal = rules.split([' ', ';', ':', ',']).find(|word| {
        word.strip_prefix('#')
            .is_some_and(|digits| digits.len() >= 3 && digits.chars().all(|c| c.is_ascii_hexdigit()))
    });
    assert_eq!(
        literal, None,
        "a rule names a variable, so that the test of contrast sees every colour"
    );
}

#[test]
fn the_formula_is_that_of_wcag() {
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 0.001);
    // #777777 on white.
    assert!((contrast([119.0 / 255.0; 3], [1.0; 3]) - 4.478).abs() < 0.001);
}
