//! UCUM units as words, the way Prometheus writes units at the end of names.
//!
//! Source: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", "Metric Metadata": units.

/// The words that a unit adds to a name: `By/s` is `bytes` and `per_second`. Annotations in braces are ignored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// The unit itself.
    pub main: Option<String>,
    /// The divisor, without `per`.
    pub per: Option<String>,
}

/// The words for a UCUM unit.
pub(crate) fn words(unit: &str) -> Words {
    let unit = without_annotations(unit);
    let (main, per) = match unit.split_once('/') {
        Some((main, per)) => (main, Some(per)),
        None => (unit.as_str(), None),
    };
    Words {
        main: clean(plural(main.trim())),
        per: per.and_then(|per| clean(singular(per.trim()))),
    }
}

fn without_annotations(unit: &str) -> String {
    let mut depth = 0_usize;
    unit.chars()
        .filter(|c| {
            match c {
                '{' => depth += 1,
                '}' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

fn plural(unit: &str) -> &str {
    match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "kBy" | "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "%" => "percent",
        "1" => "",
        other => other,
    }
}

fn singular(unit: &str) -> &str {
    match unit {
        "s" => "second",
        "min" | "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        "1" => "",
        other => other,
    }
}

/// The word with only the characters of a name.
fn clean(word: &str) -> Option<String> {
    let parts: Vec<&str> = word
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect();
    (!parts.is_empty()).then(|| parts.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_become_words() {
        for (unit, main, per) in [
            ("", "", ""),
            ("1", "", ""),
            ("s", "seconds", ""),
            ("ms", "milliseconds", ""),
            ("By", "bytes", ""),
            ("MiBy", "mebibytes", ""),
            ("kBy", "kilobytes", ""),
            ("Cel", "celsius", ""),
            ("%", "percent", ""),
            ("{job}", "", ""),
            ("By/s", "bytes", "second"),
            ("m/s", "meters", "second"),
            ("{packet}/s", "", "second"),
            ("1/min", "", "minute"),
            ("By{transmitted}", "bytes", ""),
            ("foo bar", "foo_bar", ""),
            ("{open", "", ""),
            ("/", "", ""),
        ] {
            let word = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let expected = Words {
                main: word(main),
                per: word(per),
            };
            assert_eq!(words(unit), expected, "{unit:?}");
        }
    }
}
