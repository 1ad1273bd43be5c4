//! From OpenTelemetry names to Prometheus names.
//!
//! Source: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility": metric and label names, and the
//! OpenTelemetry Collector's translation (`add_metric_suffixes`), whose names dashboards know.

use super::unit;

/// The suffix for the type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suffix {
    /// A monotonic sum: `_total`.
    Total,
    /// A gauge of unit `1`: `_ratio`.
    Ratio,
    /// None.
    None,
}

/// Suffixes of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suffixes {
    /// The suffix of the unit.
    pub unit: bool,
    /// The suffix of the type.
    pub kind: bool,
}

/// The name of a metric, and the unit at its end (before `_total`).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// The name with all suffixes.
    pub full: String,
    /// The unit's word.
    pub unit: Option<String>,
}

/// The name for a metric. Invalid characters become `_`, several of them a single one; a unit or suffix that the name
/// already has is not added again.
pub(crate) fn metric(namespace: &str, name: &str, unit: &str, suffix: Suffix, suffixes: Suffixes) -> Name {
    let mut words: Vec<&str> = split(name).collect();
    let unit_words = unit::words(unit);
    let mut written = None;
    if suffixes.unit {
        let main = unit_words.main.as_deref();
        if let Some(main) = main {
            if !words.contains(&main) {
                words.push(main);
            }
            if words.last() == Some(&main) && unit_words.per.is_none() {
                written = Some(main.to_owned());
            }
        }
        if let Some(per) = unit_words.per.as_deref()
            && !words.contains(&per)
        {
            words.extend(["per", per]);
            written = main.map(|main| format!("{main}_per_{per}"));
        }
    }
    let word = match suffix {
        Suffix::Total => "total",
        Suffix::Ratio => "ratio",
        Suffix::None => "",
    };
    // The suffix is at the end, once; a word `total` looks like a suffix.
    if suffixes.kind && !word.is_empty() {
        words.retain(|other| *other != word);
        words.push(word);
        if suffix == Suffix::Ratio {
            written = None;
        }
    }
    let namespace: Vec<&str> = split(namespace).collect();
    let full = namespace.into_iter().chain(words).collect::<Vec<_>>().join("_");
    Name {
        full: not_a_digit_first(full, "_"),
        unit: written,
    }
}

/// The name for an attribute's label.
pub fn label(name: &str) -> String {
    let clean: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
        .collect();
    // One underscore at the front reads as private, and two are reserved by Prometheus.
    if clean.starts_with('_') && !clean.starts_with("__") {
        return format!("key{clean}");
    }
    if clean.starts_with("__") {
        return format!("key_{}", clean.trim_start_matches('_'));
    }
    not_a_digit_first(clean, "key_")
}

fn split(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'))
        .filter(|word| !word.is_empty())
}

fn not_a_digit_first(name: String, prefix: &str) -> String {
    match name.chars().next() {
        Some(first) if first.is_ascii_digit() => format!("{prefix}{name}"),
        Some(_) => name,
        None => "_".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Suffixes = Suffixes { unit: true, kind: true };

    fn name(name: &str, unit: &str, suffix: Suffix) -> String {
        metric("", name, unit, suffix, ALL).full
    }

    #[test]
    fn names_follow_the_rules() {
        use Suffix::*;
        for (otel, unit, suffix, prometheus) in [
            ("k8s.job.failures", "{job}", Total, "k8s_job_failures_total"),
            ("k8s.job.duration", "s", None, "k8s_job_duration_seconds"),
            ("system.filesystem.usage", "By", None, "system_filesystem_usage_bytes"),
            ("system.io", "By", Total, "system_io_bytes_total"),
            ("network.rate", "By/s", None, "network_rate_bytes_per_second"),
            ("packets", "{packet}/s", None, "packets_per_second"),
            ("cpu.utilization", "1", Ratio, "cpu_utilization_ratio"),
            ("hits", "1", Total, "hits_total"),
            // Existing suffixes are not added again.
            ("latency.seconds", "s", None, "latency_seconds"),
            ("requests.total", "", Total, "requests_total"),
            ("total.requests", "", Total, "requests_total"),
            ("use.ratio", "1", Ratio, "use_ratio"),
            // Invalid characters.
            ("a..b__c-d", "", None, "a_b_c_d"),
            ("2xx.responses", "", None, "_2xx_responses"),
            ("größe", "", None, "gr_e"),
            ("job:rate", "", None, "job:rate"),
            ("", "", None, "_"),
        ] {
            assert_eq!(name(otel, unit, suffix), prometheus, "{otel:?}");
        }
    }

    #[test]
    fn a_namespace_and_fewer_suffixes() {
        let named = |suffixes| metric("my.app", "run.time", "s", Suffix::Total, suffixes).full;
        assert_eq!(named(ALL), "my_app_run_time_seconds_total");
        let unit = Suffixes {
            unit: true,
            kind: false,
        };
        assert_eq!(named(unit), "my_app_run_time_seconds");
        let kind = Suffixes {
            unit: false,
            kind: true,
        };
        assert_eq!(named(kind), "my_app_run_time_total");
    }

    #[test]
    fn has_the_unit_if_the_name_ends_with_it() {
        let unit = |name, unit, suffix| metric("", name, unit, suffix, ALL).unit;
        assert_eq!(unit("run.time", "s", Suffix::Total).as_deref(), Some("seconds"));
        assert_eq!(unit("rate", "By/s", Suffix::None).as_deref(), Some("bytes_per_second"));
        assert_eq!(unit("seconds.waited", "s", Suffix::None), None);
        assert_eq!(unit("jobs", "{job}", Suffix::Total), None);
    }

    #[test]
    fn labels() {
        for (otel, prometheus) in [
            ("k8s.job.name", "k8s_job_name"),
            (
                "k8s.job.label.app.kubernetes.io/name",
                "k8s_job_label_app_kubernetes_io_name",
            ),
            ("5xx", "key_5xx"),
            ("_private", "key_private"),
            ("__reserved__", "key_reserved__"),
            ("ä", "key_"),
            ("", "_"),
        ] {
            assert_eq!(label(otel), prometheus, "{otel:?}");
        }
    }
}
