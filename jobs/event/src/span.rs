//! Durations for people.

/// A duration for people: `0.4 s`, `10 s`, `2 min 5 s`, `3 h 4 min`, `2 d 1 h`.
pub fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0).round();
    if seconds > 0.0 && seconds < 1.0 {
        return format!("{seconds:.1} s");
    }
    if !whole.is_finite() {
        return "an unknown time".into();
    }
    let whole = whole as u64;
    let two = |major: u64, major_unit: &str, minor: u64, minor_unit: &str| {
        if minor == 0 {
            format!("{major} {major_unit}")
        } else {
            format!("{major} {major_unit} {minor} {minor_unit}")
        }
    };
    match whole {
        0..=59 => format!("{whole} s"),
        60..=3599 => two(whole / 60, "min", whole % 60, "s"),
        3600..=86_399 => two(whole / 3600, "h", whole % 3600 / 60, "min"),
        _ => two(whole / 86_400, "d", whole % 86_400 / 3600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_two_largest_units() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (0.4, "0.4 s"),
            (10.0, "10 s"),
            (59.6, "1 min"),
            (125.0, "2 min 5 s"),
            (3600.0, "1 h"),
            (11_065.0, "3 h 4 min"),
            (176_400.0, "2 d 1 h"),
            (-3.0, "0 s"),
        ] {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(span(f64::INFINITY), "an unknown time");
    }
}
