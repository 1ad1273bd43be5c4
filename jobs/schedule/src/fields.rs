//! The five fields of a schedule, their texts and values: `getField` of `robfig/cron` v3.

use crate::quoted;

/// Set in a field that contains `*` or `?` without a step.
const STAR: u64 = 1 << 63;

/// The name and the range of a field.
pub(crate) struct Field {
    name: &'static str,
    min: u64,
    max: u64,
    /// The names of the values from `min` on.
    names: &'static [&'static str],
}

pub(crate) const MINUTE: Field = Field::new("minute", 0, 59, &[]);
pub(crate) const HOUR: Field = Field::new("hour", 0, 23, &[]);
pub(crate) const DAY: Field = Field::new("day of month", 1, 31, &[]);
pub(crate) const MONTH: Field = Field::new(
    "month",
    1,
    12,
    &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
);
pub(crate) const WEEKDAY: Field = Field::new("day of week", 0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]);

impl Field {
    const fn new(name: &'static str, min: u64, max: u64, names: &'static [&'static str]) -> Field {
        Field { name, min, max, names }
    }

    /// The values of a list of ranges, as bits. Empty ranges are left out, so that `,` has no value.
    pub(crate) fn parse(&self, text: &str) -> Result<u64, String> {
        let mut bits = 0;
        for range in text.split(',').filter(|range| !range.is_empty()) {
            bits |= self
                .range(range)
                .map_err(|expected| format!("{}: expected {expected}, found {}", self.name, quoted(range)))?;
        }
        Ok(bits)
    }

    /// `number`, `number-number`, `*` or `?`, each with an optional step. Text after `*-` is ignored. An error has the expected form.
    fn range(&self, text: &str) -> Result<u64, String> {
        let mut parts = text.split('/');
        let bounds: Vec<&str> = parts.next().unwrap_or_default().split('-').collect();
        let step = parts.next();
        if parts.next().is_some() {
            return Err("at most one slash".into());
        }
        let is_star = matches!(bounds[0], "*" | "?");
        let (first, last) = match bounds[..] {
            _ if is_star => (self.min, self.max),
            [first] => {
                let first = self.number(first)?;
                (first, if step.is_some() { self.max } else { first })
            }
            [first, last] => (self.number(first)?, self.number(last)?),
            _ => return Err("at most one hyphen".into()),
        };
        let step = match step {
            None => 1,
            Some(step) => number(step).filter(|step| *step > 0).ok_or("a step of at least 1")?,
        };
        if first < self.min || last > self.max || first > last {
            return Err(format!("a range within {}-{}", self.min, self.max));
        }
        let values = (first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX));
        let star = if is_star && step == 1 { STAR } else { 0 };
        Ok(values.fold(star, |bits, value| bits | 1 << value))
    }

    fn number(&self, text: &str) -> Result<u64, String> {
        // Go's lower case of `İ` is `i`.
        let name = text.replace('İ', "i");
        let named = self.names.iter().position(|known| known.eq_ignore_ascii_case(&name));
        let value = match named {
            Some(index) => u64::try_from(index).ok().map(|index| self.min + index),
            None => number(text),
        };
        let Field { min, max, names, .. } = self;
        value.ok_or_else(|| match names {
            [] => format!("a number from {min} to {max}"),
            [first, ..] => format!("a number from {min} to {max} or a name such as {first}"),
        })
    }
}

/// As `strconv.Atoi`: a sign is allowed.
fn number(text: &str) -> Option<u64> {
    text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok())
}

/// The values of each field, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) minute: u64,
    pub(crate) hour: u32,
    pub(crate) day: u32,
    pub(crate) month: u32,
    pub(crate) weekday: u32,
    /// The day of the month and the day of the week must both match; otherwise one is enough.
    pub(crate) both_days: bool,
}

impl Fields {
    pub(crate) fn new(minute: u64, hour: u64, day: u64, month: u64, weekday: u64) -> Fields {
        let values = |bits: u64| u32::try_from(bits & !STAR).unwrap_or_default();
        Fields {
            minute: minute & !STAR,
            hour: values(hour),
            day: values(day),
            month: values(month),
            weekday: values(weekday),
            both_days: (day | weekday) & STAR != 0,
        }
    }
    /// True if a field that must match has no value, as `,` has none. The search would look at each minute of five years.
    pub(crate) fn never_match(&self) -> bool {
        let no_day = if self.both_days {
            self.day == 0 || self.weekday == 0
        } else {
            self.day | self.weekday == 0
        };
        self.minute == 0 || self.hour == 0 || self.month == 0 || no_day
    }
}
